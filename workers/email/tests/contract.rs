//! What the schema tells producers, beside what the code asks for.

use super::{
    super::{
        render::MOST,
        templates::{LINE, LINK, LOCALE, PARAMS, Shape, TEMPLATES, check_locale},
    },
    *,
};

/// What the schema says of a field of `SendRequested` or `ContactSet`.
fn doc(record: &str, field: &str) -> String {
    let schema: Json = serde_json::from_str(TOPIC.schema).unwrap();
    let named = |list: &Json, name: &str| list.as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone();
    let body = named(&schema["fields"], "body");
    named(&named(&body["type"], record)["fields"], field)["doc"].as_str().unwrap().to_owned()
}

/// A number as the texts write it.
fn number(it: usize) -> String {
    let digits = it.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|it| std::str::from_utf8(it).unwrap()).collect();
    groups.join(",")
}

#[test]
fn every_template_and_what_it_asks_for_is_told() {
    let names: Vec<&str> = TEMPLATES.iter().map(|it| it.name).collect();
    let (last, others) = names.split_last().unwrap();
    assert_eq!(doc("SendRequested", "template"), format!("What it says: {} or {last}.", others.join(", ")));
    let params = doc("SendRequested", "params");
    for template in TEMPLATES {
        let word = |shape| match shape {
            Shape::Line => "line".to_owned(),
            Shape::Text => "text".to_owned(),
            Shape::Whole => "whole".to_owned(),
            Shape::Url => "link".to_owned(),
            Shape::Of(original) => format!("in place of {original}, may be missing"),
        };
        let asked: Vec<String> = template.params.iter().map(|(name, shape)| format!("{name} ({})", word(*shape))).collect();
        let told = format!(" {}: {}.", template.name, asked.join(", "));
        assert!(params.contains(&told), "{told}\n{params}");
    }
}

#[test]
fn the_bounds_of_params_and_locales_are_told() {
    let params = doc("SendRequested", "params");
    for told in [
        format!("At most {PARAMS}, "),
        format!("line: at most {} characters", number(LINE)),
        format!("link: begins with https://, at most {} characters, no space", number(LINK)),
        format!("more than {} bytes", number(MOST)),
        "whole: a whole number of 64 bits".to_owned(),
    ] {
        assert!(params.contains(&told), "{told}\n{params}");
    }
    let tag = format!("parts of 1..8 letters and digits with - or _ between, at most {LOCALE} characters");
    assert!(["ContactSet", "SendRequested"].into_iter().all(|it| doc(it, "locale").contains(&tag)));
    let longest = ["abcdefgh-"; 3].concat() + "12345678";
    for (locale, fits) in
        [(longest.clone(), true), (format!("{longest}-"), false), ("abcdefghi".to_owned(), false), ("de__at".to_owned(), false)]
    {
        assert_eq!(check_locale("locale", &locale).is_ok(), fits, "{locale}");
    }
    let most = "ab-".repeat(LOCALE / 3) + "cd";
    assert_eq!((most.len(), check_locale("locale", &most).is_ok(), check_locale("locale", &(most + "e")).is_ok()), (LOCALE, true, false));
}
