//! Statistics of keys, digraphs and confusions: what counts in which.

use super::*;

/// A column's entries as JSON.
fn entries(column: &crate::fold::Json) -> Json {
    serde_json::from_str(&column.0).unwrap()
}

/// The latency and hold of a key, `[n, sum, sum of squares, twice p50, twice p95]` each.
fn key(sessions: &[Json], key: &str) -> (i64, i64, Json, Json) {
    let entries = entries(&statistics(sessions).key_stats);
    let found = entries.as_array().unwrap().iter().find(|it| it[0] == key).unwrap();
    let [n, errors, latency, hold] = found[1].as_array().unwrap().as_slice() else { panic!("{found}") };
    let five = |it: &Json| it.as_array().unwrap()[..5].iter().cloned().collect();
    (n.as_i64().unwrap(), errors.as_i64().unwrap(), five(latency), five(hold))
}

fn digraph(sessions: &[Json]) -> Json {
    entries(&statistics(sessions).digraph_stats)[0].clone()
}

#[test]
fn the_latency_of_a_key_is_from_the_press_before_it() {
    let one = session(1, &presses(&[("x", 0), ("a", 100), ("a", 250)]));
    let two = session(2, &presses(&[("a", 0), ("a", 130)]));
    assert_eq!(key(&[one, two], "a"), (4, 0, json!([3, 380, 49_400, 260, 300]), json!([4, 240, 14_400, 120, 120])));
}

#[test]
fn a_gap_of_1500_ms_is_a_latency_and_one_more_is_none() {
    assert_eq!(key(&[session(1, &presses(&[("x", 0), ("a", 1_500)]))], "a").2, json!([1, 1_500, 2_250_000, 3_000, 3_000]));
    let pause = session(1, &json!([press("x", 0, Some(2_000)), press("a", 1_501, None)]));
    assert_eq!(key(std::slice::from_ref(&pause), "a").2, json!([0, 0, 0, null, null]));
    assert_eq!(digraph(&[pause]), json!([["x", "a"], [1, 1, [0, 0, 0, null, null, ""]]]), "it is a pair and a rollover all the same");
}

#[test]
fn a_hold_over_2_s_counts_whole_and_lies_in_the_last_bucket() {
    let long = session(1, &json!([press("a", 0, Some(70_000))]));
    assert_eq!(key(&[long], "a").3, json!([1, 70_000, 4_900_000_000_i64, 4_000, 4_000]));
}

#[test]
fn a_press_without_a_release_has_no_hold() {
    let (n, _, _, hold) = key(&[session(1, &json!([press("a", 0, None)]))], "a");
    assert_eq!((n, hold), (1, json!([0, 0, 0, null, null])));
}

#[test]
fn wrong_presses_are_errors_of_the_key_pressed_and_confusions_of_the_one_expected() {
    let wrong = |expected: Option<&str>, down_ms: i64| with(press("r", down_ms, None), &json!({"expected": expected, "correct": false}));
    let right = with(press("r", 9, None), &json!({"expected": "R"}));
    let one = session(1, &json!([wrong(Some("e"), 0), wrong(Some("t"), 1), wrong(Some("e"), 2), wrong(None, 3), right]));
    assert_eq!(entries(&statistics(std::slice::from_ref(&one)).key_confusions), json!([[["e", "r"], 2], [["t", "r"], 1]]));
    let (n, errors, ..) = key(&[one], "r");
    assert_eq!((n, errors), (5, 4));
}

#[test]
fn keys_of_any_text_stand_in_their_order() {
    let one = session(1, &presses(&[("é", 0), ("\"", 10), ("", 20), ("a", 30), ("Z", 40), ("🐈", 50), ("\\", 60), ("\t", 70)]));
    let row = statistics(&[one]);
    let keys: Vec<Json> = entries(&row.key_stats).as_array().unwrap().iter().map(|it| it[0].clone()).collect();
    assert_eq!(json!(keys), json!(["", "\t", "\"", "Z", "\\", "a", "é", "🐈"]));
    assert_eq!(Open::of(&row).unwrap().keys.len(), 8);
}

#[test]
fn a_sum_that_is_full_stays_so_and_refuses_nobody() {
    let stuck = |minute: i64| session(minute, &json!([press("a", 0, Some(i64::from(i32::MAX)))]));
    let square = i64::from(i32::MAX).pow(2);
    assert_eq!(key(&[stuck(1), stuck(2)], "a").3[2], json!(2 * square), "two still fit");
    let sessions = [stuck(1), stuck(2), stuck(3), session(4, &json!([press("a", 0, Some(90))]))];
    let full = json!([4, 3 * i64::from(i32::MAX) + 90, i64::MAX, 4_000, 4_000]);
    assert_eq!(key(&sessions, "a").3, full, "an ordinary session after it is applied");
}
