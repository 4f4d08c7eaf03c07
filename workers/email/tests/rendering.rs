//! The mails themselves: every template with odd values, languages, and the headers.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    super::{
        render::render,
        templates::{Params, Shape, TEMPLATES, Template},
    },
    *,
};
use crate::fold::{
    Row, Value,
    drain::{Channel, Due, Message, Prepared, Sender},
};

/// Values that break what was not made for them.
fn odd_values() -> Vec<String> {
    [
        "",
        "plain",
        "<script>alert(1)</script>",
        "{{ name }} {% raw %} {# x #}",
        "\" onload=\"x' `${1}`",
        "مرحبا بالعالم",
        "\u{202e}txt.exe",
        "👩‍👩‍👧‍👦🐈 e\u{301}",
        "<cat 🐈",
        "a & b &amp; c",
        "\u{feff}",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(["é".repeat(254)])
    .collect()
}

/// A template's params, with this text wherever text may stand.
fn params(template: &Template, text: &str) -> Params {
    let value = |shape| match shape {
        Shape::Line | Shape::Text | Shape::Of(_) => text.to_owned(),
        Shape::Whole => "-9223372036854775808".to_owned(),
        Shape::Url => format!("https://example.org/?t={}&u=\"<", text.replace(char::is_whitespace, "_")),
    };
    template.params.iter().map(|(name, shape)| ((*name).into(), value(*shape).into())).collect()
}

#[test]
fn every_template_bears_odd_values_in_every_language() {
    for template in TEMPLATES {
        for texts in template.texts {
            for odd in odd_values() {
                let mail = render(template, texts, &params(template, &odd)).unwrap_or_else(|it| panic!("{}: {}", texts.html.0, it.reason));
                assert!(!mail.subject.contains(char::is_control) && !mail.subject.is_empty(), "{:?}", mail.subject);
                assert!(mail.html.contains(&format!("<html lang=\"{}\">", texts.lang)) && mail.html.trim_end().ends_with("</html>"));
                for tag in ["<script", "onload=\"", "<cat"] {
                    assert!(!mail.html.contains(tag), "{}", mail.html);
                }
                if template.params.iter().any(|it| it.1 == Shape::Line) {
                    assert!(mail.text.contains(&odd), "{}", mail.text);
                }
            }
        }
    }
}

#[test]
fn what_looks_like_a_template_in_a_param_is_text() {
    let template = Template::find("welcome").unwrap();
    let mail = render(template, template.texts("en").unwrap(), &params(template, "{{ 6 * 7 }}<b>")).unwrap();
    assert_eq!(mail.subject, "Welcome, {{ 6 * 7 }}<b>");
    assert!(mail.text.starts_with("Hello {{ 6 * 7 }}<b>,"));
    assert!(mail.html.contains("{{ 6 * 7 }}&lt;b&gt;"), "{}", mail.html);
}

#[test]
fn a_language_falls_back_to_its_own_and_then_to_english() {
    let template = Template::find("receipt").unwrap();
    for (locale, lang) in [("de", "de"), ("de-AT", "de"), ("DE_ch", "de"), ("en-GB", "en"), ("fr", "en"), ("", "en")] {
        assert_eq!(template.texts(locale).unwrap().lang, lang, "{locale}");
    }
    let german = Template { name: "german", class: template.class, params: &[], texts: &template.texts[1..] };
    assert_eq!(german.texts("de-AT").unwrap().lang, "de");
    assert_eq!(german.texts("fr").unwrap_err().reason, "locale is none of the template's, and there is no fallback");
}

#[test]
fn amounts_are_written_as_the_language_does() {
    let template = Template::find("receipt").unwrap();
    let values = [("order_id", "A-17"), ("amount", "1999"), ("currency", "EUR"), ("paid_on", "2024-05-13")];
    let params: Params = values.iter().map(|(name, value)| (Arc::from(*name), Arc::from(*value))).collect();
    let text = |lang| render(template, template.texts(lang).unwrap(), &params).unwrap().text;
    assert_eq!(text("en"), "Thank you for your order.\n\nOrder: A-17\nPaid:  19.99 EUR\nDate:  2024-05-13");
    assert_eq!(text("de"), "Vielen Dank für Ihre Bestellung.\n\nBestellung: A-17\nBezahlt:    19,99 EUR\nDatum:      2024-05-13");
}

#[test]
fn a_mail_has_the_words_of_its_language_or_else_the_original_ones() {
    let template = Template::find("achievement").unwrap();
    let mut params: Params =
        [("title", "Racer"), ("description", "Win a race"), ("points", "10")].map(|(name, value)| (name.into(), value.into())).into();
    let mail = |params: &Params, lang| render(template, template.texts(lang).unwrap(), params).unwrap();
    assert_eq!(mail(&params, "de").text, "Sie haben „Racer“ freigeschaltet (10 Punkte).\n\nWin a race");
    params.insert("title_de".into(), "Rennfahrer".into());
    params.insert("description_de".into(), "Ein Rennen gewinnen".into());
    let german = mail(&params, "de");
    assert_eq!(german.text, "Sie haben „Rennfahrer“ freigeschaltet (10 Punkte).\n\nEin Rennen gewinnen");
    assert_eq!(german.subject, "Freigeschaltet: Rennfahrer");
    assert!(german.html.contains("Ein Rennen gewinnen") && !german.html.contains("Win a race"), "{}", german.html);
    assert_eq!(mail(&params, "en").text, "You unlocked \"Racer\" (10 points).\n\nWin a race");
}

#[test]
fn those_that_somebody_waits_for_are_sent_at_least_once() {
    let classes: BTreeMap<&str, String> = TEMPLATES.iter().map(|it| (it.name, format!("{:?}", it.class))).collect();
    assert_eq!(
        serde_json::to_string(&classes).unwrap(),
        "{\"achievement\":\"AtMostOnce\",\"password-reset\":\"AtLeastOnce\",\"receipt\":\"AtLeastOnce\",\"refund\":\"AtLeastOnce\",\
         \"weekly-summary\":\"AtMostOnce\",\"welcome\":\"AtMostOnce\"}"
    );
}

/// The mail of a request to a recipient.
fn message(recipient: &str, request: &Json, unsubscribe_url: &str) -> Message {
    let folded = {
        let mut play = crate::fold::Play::new(&ROLE);
        let lines = line(1, 0, recipient, request);
        play.batch(&records(&TOPIC, &lines).unwrap()).unwrap();
        let place = ROLE.tables.iter().position(|it| it.name == "email_outbox").unwrap();
        play.model().rows(place).next().unwrap().clone()
    };
    let Channel::Mail(mail) = ROLE.drains[0].channel;
    let facts = [Value::Text("queued".into()), Value::Text("zoe@example.net".into()), Value::Text("de-AT".into()), Value::Null];
    let now = EmailOutbox::from_values(&folded).unwrap().queued_at;
    let sender = Sender { address: "mail@fleet.example".into(), unsubscribe_url: unsubscribe_url.into() };
    match (mail.prepare)(&Due { row: &folded, facts: Some(&facts), now }, &sender).unwrap() {
        Prepared::Send(message) => *message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_mail_has_its_headers() {
    let mail = message("user:42", &welcome(1), "https://fleet.example/u");
    assert_eq!((&*mail.to, &*mail.to_domain), ("zoe@example.net", "example.net"));
    assert_eq!(mail.message_id, "<5b0f8a70-1111-5222-8333-000000000001@fleet.example>");
    assert_eq!(mail.subject, "Willkommen, Zoë", "the contact's language");
    let headers: Vec<(&str, &str)> = mail.headers.iter().map(|(name, value)| (*name, &**value)).collect();
    let own = [
        ("X-Fleet-Recipient", "user:42"),
        ("X-Fleet-Message", "5b0f8a70-1111-5222-8333-000000000001"),
        ("Auto-Submitted", "auto-generated"),
    ];
    assert_eq!(headers, own);
    let mut english = welcome(1);
    english["SendRequested"]["locale"] = "en".into();
    assert_eq!(message("user:42", &english, "").subject, "Welcome, Zoë", "the request's language goes first");
}

#[test]
fn bulk_mail_can_be_unsubscribed_from_by_one_post() {
    let mut request = welcome(1);
    request["SendRequested"]["category"] = "bulk".into();
    request["SendRequested"]["list"] = "weekly_news".into();
    let link = |url| {
        let mail = message("a+b&c@example.org", &request, url);
        assert!(mail.headers.contains(&("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".into())));
        assert!(mail.headers.contains(&("List-Id", "<weekly_news.fleet.example>".into())));
        mail.headers.into_iter().find(|it| it.0 == "List-Unsubscribe").unwrap().1
    };
    let query = "recipient=a%2Bb%26c%40example.org&list=weekly_news&message_id=5b0f8a70-1111-5222-8333-000000000001";
    assert_eq!(link("https://fleet.example/u"), format!("<https://fleet.example/u?{query}>"));
    assert_eq!(link("https://fleet.example/?page=u"), format!("<https://fleet.example/?page=u&{query}>"));
}
