//! What is refused, and by which reason.

use super::*;
use crate::fold::text::run;

/// Why one event is refused; empty where it is applied.
fn reason(recipient: &str, body: &Json) -> String {
    let changes = run(&ROLE, &line(1, 0, recipient, body));
    changes.lines().find_map(|it| it.strip_prefix("reject 1 ")).unwrap_or_default().to_owned()
}

/// A request with one field of it changed.
fn request(field: &str, value: Json) -> Json {
    let mut body = welcome(1);
    body["SendRequested"][field] = value;
    body
}

/// A request of a template with these params.
fn of(template: &str, params: Json) -> Json {
    let mut body = request("template", template.into());
    body["SendRequested"]["params"] = params;
    body
}

#[test]
fn a_recipient_is_a_lower_case_address_or_a_user() {
    let longest = format!("{}@{}.{}.{}", "a".repeat(64), "b".repeat(63), "c".repeat(63), "d".repeat(61));
    assert_eq!(longest.len(), 254);
    for fine in ["user:1", "user:9223372036854775807", "a@b", "first.last+tag@mail.example.org", "o'neil@xn--bcher-kva.example", &longest] {
        assert_eq!(reason(fine, &welcome(1)), "", "{fine}");
    }
    for bad in [
        "",
        "user:0",
        "user:01",
        "user:+1",
        "user:",
        "user:9223372036854775808",
        "User:1",
        "Ada@b.c",
        "a@B.c",
        "a",
        "a@",
        "@b",
        "a@b@c",
        "a b@c.d",
        "a@b..c",
        ".a@b.c",
        "a.@b.c",
        "a..b@c.d",
        "a@-b.c",
        "ä@b.c",
        "<a@b.c>",
        "\"a\"@b.c",
        "a@[1.2.3.4]",
    ] {
        assert_eq!(reason(bad, &welcome(1)), "recipient is not an address in lower case", "{bad}");
    }
    for bad in ["a\r\nBcc: x@y.z@b.c", "a@b.c\n", "a\0@b.c", "a\u{85}@b.c"] {
        assert_eq!(reason(bad, &welcome(1)), "recipient holds a control character", "{bad:?}");
    }
    assert_eq!(reason(&format!("{longest}e"), &welcome(1)), "recipient has not 0..254 characters");
}

#[test]
fn a_contact_is_its_recipients_own() {
    let set = |user_id: i64, address: &str, locale: &str| json!({"ContactSet": {"user_id": user_id, "address": address, "locale": locale}});
    for (recipient, body, why) in [
        ("user:42", set(42, "a@b.c", ""), ""),
        ("user:42", set(42, "a@b.c", "zh-Hant-TW"), ""),
        ("a@b.c", set(42, "a@b.c", "de_AT"), ""),
        ("user:42", set(43, "a@b.c", ""), "user_id is not the recipient's"),
        ("a@b.c", set(42, "x@b.c", ""), "address is not the recipient, which is one"),
        ("a@b.c", set(0, "a@b.c", ""), "user_id is not within 1..9223372036854775807"),
        ("user:42", set(42, "user:42", ""), "address is not an address in lower case"),
        ("user:42", set(42, "a@b.c\r\nBcc: x@y.z", ""), "address holds a control character"),
        ("user:42", set(42, "a@b.c", "de/../x"), "locale is not a language tag"),
    ] {
        assert_eq!(reason(recipient, &body), why, "{recipient} {body}");
    }
}

#[test]
fn a_request_names_a_template_and_gives_all_that_it_asks_for() {
    for (body, why) in [
        (welcome(1), ""),
        (request("locale", "fr-CA".into()), ""),
        (request("not_after", "2024-05-12T00:00:00Z".into()), ""),
        (of("welcome", json!({"name": "", "more": "\u{8}"})), ""),
        (of("welcome", json!({"name": "n".repeat(254)})), ""),
        (of("no-such", json!({})), "template is not known"),
        (of("welcome", json!({})), "params lacks name"),
        (of("receipt", json!({"order_id": "1", "amount": "1", "paid_on": "x"})), "params lacks currency"),
        (of("welcome", json!({"name": "n".repeat(255)})), "params.name has not 0..254 characters"),
        (of("welcome", json!({"name": "a\r\nBcc: x@y.z"})), "params.name holds a control character"),
        (of("welcome", json!({"name": "a\0"})), "a param holds a NUL"),
        (of("achievement", json!({"title": "t", "description": "d\0", "points": "1"})), "a param holds a NUL"),
        (of("achievement", json!({"title": "t", "description": "d", "points": "1.5"})), "params.points is not a whole number"),
        (of("achievement", json!({"title": "t", "description": "d", "points": "1"})), ""),
        (
            of("achievement", json!({"title": "t", "title_de": "T\r\nBcc: x@y.z", "description": "d", "points": "1"})),
            "params.title_de holds a control character",
        ),
        (of("achievement", json!({"title_de": "T", "description": "d", "points": "1"})), "params lacks title"),
        (of("welcome", json!({"name": "a", "b\nc": ""})), "a param's name holds a control character"),
        (
            of("password-reset", json!({"name": "", "minutes": "1", "url": "javascript:1"})),
            "params.url is not a link that begins with https://",
        ),
        (request("message_id", "5B0F8A70-1111-5222-8333-000000000001".into()), "an id in the body is not a lower-case UUID"),
        (request("user_id", (-1).into()), "user_id is not within 0..9223372036854775807"),
        (request("list", "all".into()), "list is not 1..64 of a-z 0-9 _ -, or is all"),
        (request("list", "a\r\nX: y".into()), "list is not 1..64 of a-z 0-9 _ -, or is all"),
        (request("not_after", 0.into()), "not_after is not within 946684800000..253402300799999"),
    ] {
        assert_eq!(reason("user:42", &body), why, "{body}");
    }
    let many: serde_json::Map<String, Json> = (0..65).map(|it| (format!("p{it}"), "".into())).collect();
    assert_eq!(reason("user:42", &of("welcome", many.into())), "the number of params is not within 0..64");
}

#[test]
fn a_mail_over_a_megabyte_is_refused_in_whichever_language_it_would_be() {
    let achievement = |bytes: usize| of("achievement", json!({"title": "t", "description": "d".repeat(bytes), "points": "1"}));
    assert_eq!(reason("user:42", &achievement(990_000)), "");
    assert_eq!(reason("user:42", &achievement(1_000_000)), "achievement.en.txt comes to more than 1 MB");
    let mut german = achievement(1_000_000);
    german["SendRequested"]["locale"] = "de-AT".into();
    assert_eq!(reason("user:42", &german), "achievement.de.txt comes to more than 1 MB");
    let escaped = of("achievement", json!({"title": "t", "description": "<".repeat(300_000), "points": "1"}));
    assert_eq!(reason("user:42", &escaped), "achievement.en.html comes to more than 1 MB");
}

#[test]
fn feedback_has_bounds_too() {
    let tell =
        |attempt: i64, reply: String| json!({"Attempted": {"message_id": mail(1), "attempt": attempt, "outcome": "sent", "reply": reply}});
    let bounced = |code: &str, detail: String| json!({"Bounced": {"message_id": mail(1), "kind": "hard", "code": code, "detail": detail}});
    for (body, why) in [
        (tell(1, "é".repeat(512)), ""),
        (tell(0, String::new()), "attempt is not within 1..2147483647"),
        (tell(1, "é".repeat(513)), "reply has not 0..512 characters"),
        (bounced("5.1.1", "é".repeat(512)), ""),
        (bounced("5\n", String::new()), "code holds a control character"),
        (bounced("5.1.1", "é".repeat(513)), "detail has not 0..512 characters"),
        (json!({"Unsubscribed": {"list": "A"}}), "list is not 1..64 of a-z 0-9 _ -, or is all"),
        (json!({"Delivered": {"message_id": "1"}}), "an id in the body is not a lower-case UUID"),
    ] {
        assert_eq!(reason("user:42", &body), why, "{body}");
    }
}
