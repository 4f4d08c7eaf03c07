//! The bounds of every field: what is refused, and why.

use super::*;

/// Why a session is refused; empty if it is not.
fn refusal(event: &Json) -> String {
    let changes = text::run(&ROLE, &lines(std::slice::from_ref(event)));
    changes.split_once("reject 1 ").map_or(String::new(), |it| it.1.trim_end().to_owned())
}

fn refused(fields: &Json) -> String {
    refusal(&with(session(1, &presses(&[("a", 0)])), fields))
}

/// Why a session is refused whose second press has these fields.
fn refused_press(fields: &Json) -> String {
    refusal(&session(1, &json!([press("a", 0, None), with(press("b", 9, None), fields)])))
}

#[test]
fn refuses_texts_too_long_or_with_a_nul() {
    for (field, longest) in [("session_id", 64), ("language", 32), ("layout", 32), ("prompt", 2_000), ("typed", 2_000)] {
        assert_eq!(refused(&json!({field: "ß".repeat(longest)})), "");
        assert_eq!(refused(&json!({field: ""})), "");
        assert_eq!(refused(&json!({field: "ß".repeat(longest + 1)})), format!("{field} has not 0..{longest} characters"));
        assert_eq!(refused(&json!({field: "a\0"})), format!("{field} holds a NUL"));
    }
    for field in ["key", "expected"] {
        assert_eq!(refused_press(&json!({field: "ß".repeat(16)})), "");
        assert_eq!(refused_press(&json!({field: ""})), "");
        assert_eq!(refused_press(&json!({field: "ß".repeat(17)})), format!("keys[1]: {field} has not 0..16 characters"));
        assert_eq!(refused_press(&json!({field: "a\0"})), format!("keys[1]: {field} holds a NUL"));
    }
}

#[test]
fn refuses_no_keys_and_more_than_5000() {
    let keys = |count: i64| json!((0..count).map(|it| press("a", it, None)).collect::<Vec<_>>());
    for (count, fits) in [(0, false), (1, true), (5_000, true), (5_001, false)] {
        let reason = if fits { "" } else { "the number of keys is not within 1..5000" };
        assert_eq!(refusal(&session(1, &keys(count))), reason);
    }
}

#[test]
fn refuses_times_before_the_session_and_releases_before_their_press() {
    assert_eq!(refused_press(&json!({"down_ms": -1})), "keys[1]: down_ms is not within 0..2147483647");
    assert_eq!(refused_press(&json!({"down_ms": 9, "up_ms": 8})), "keys[1]: up_ms is before down_ms");
    assert_eq!(refused_press(&json!({"down_ms": 9, "up_ms": 9})), "", "at the same time is not before");
    assert_eq!(refused_press(&json!({"down_ms": 0, "up_ms": -1})), "keys[1]: up_ms is before down_ms");
}

#[test]
fn refuses_users_below_one() {
    assert!([0, -1].into_iter().all(|id| refused(&json!({"user_id": id})).starts_with("user_id is not within 1..")));
}

#[test]
fn takes_any_code() {
    for code in [i32::MIN, -1, 0, 255, i32::MAX] {
        assert_eq!(refused_press(&json!({"code": code})), "");
    }
}

#[test]
fn the_schema_tells_how_much_statistics_may_be() {
    let most = format!("at most {} MiB a user and layout", crate::keystroke_analytics::statistics::MOST_BYTES >> 20);
    assert!(TOPIC.schema.contains(&most), "{most}");
}
