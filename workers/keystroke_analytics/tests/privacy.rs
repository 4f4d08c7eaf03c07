//! What a user typed, and when, stands in no reason, in no figure and under no Redis key but as sums and histograms.

use super::*;

/// A key, a text and times that are found nowhere else.
const SECRET_KEY: &str = "ŝecretkey";
const SECRET_TEXT: &str = "ŝecrettext";
const TIMES: [&str; 2] = ["71234567", "81234567"];

fn secret(change: &Json) -> Json {
    let keys = json!([press("a", 71_234_567, Some(81_234_567)), with(press(SECRET_KEY, 71_234_567, Some(81_234_567)), change),]);
    with(session(1, &keys), &json!({"prompt": SECRET_TEXT, "typed": SECRET_TEXT}))
}

fn is_silent(text: &str) -> bool {
    ![SECRET_KEY, SECRET_TEXT].iter().chain(&TIMES).any(|it| text.contains(it))
}

#[test]
fn a_reason_names_the_field_and_the_place_alone() {
    let long = "x".repeat(17);
    for change in [
        json!({"up_ms": 71_234_566}),
        json!({"down_ms": -71_234_567}),
        json!({"key": SECRET_KEY.to_owned() + &long}),
        json!({"key": SECRET_KEY.to_owned() + "\0"}),
        json!({"expected": SECRET_KEY.to_owned() + &long}),
    ] {
        let changes = text::run(&ROLE, &lines(&[secret(&change)]));
        assert!(changes.starts_with("lane 19\nreject 1 keys[1]: ") && is_silent(&changes), "{changes}");
    }
    for field in ["prompt", "typed"] {
        let changes = text::run(&ROLE, &lines(&[with(secret(&json!({})), &json!({field: SECRET_TEXT.repeat(201)}))]));
        assert!(changes.starts_with(&format!("lane 19\nreject 1 {field} has not ")) && is_silent(&changes), "{changes}");
    }
}

#[test]
fn bytes_that_are_no_session_are_refused_without_a_word_of_them() {
    let record = records(&[secret(&json!({}))]).pop().unwrap();
    let value = record.value.clone().unwrap();
    let mut torn = Play::new(&ROLE);
    for end in 0..value.len() {
        let cut = Record { value: Some(value[..end].to_vec()), ..record.clone() };
        let flush = torn.batch(&[cut]).unwrap().pop().unwrap();
        assert!(flush.changes.rejects.iter().all(|(_, it)| is_silent(&it.reason)));
        assert_eq!(flush.changes.rejects.len(), 1, "cut at {end}");
    }
}

#[test]
fn a_session_keeps_neither_keys_nor_texts_nor_times() {
    let changes = text::run(&ROLE, &lines(&[secret(&json!({}))]));
    let session = changes.lines().find(|it| it.starts_with("append keystroke_sessions")).unwrap();
    assert!(is_silent(session), "{session}");
    assert!(!TIMES.iter().chain(&[SECRET_TEXT]).any(|it| changes.contains(it)), "{changes}");
}
