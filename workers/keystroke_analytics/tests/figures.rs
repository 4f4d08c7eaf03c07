//! Figures of a session, each as its definition says.

use super::*;
use crate::fold::Hundredths;

fn texts(prompt: &str, typed: &str, keys: &Json) -> Session {
    measured(&with(session(1, keys), &json!({"prompt": prompt, "typed": typed})))
}

#[test]
fn words_a_minute_are_of_all_characters_but_the_first() {
    // 11 characters in a minute less 1 ms: 10 / 5 / (59,999 / 60,000).
    let keys = presses(&[("a", 1), ("b", 60_000)]);
    assert_eq!(texts("", "hello world", &keys).wpm, Hundredths(200));
    assert_eq!(texts("", "hello world", &presses(&[("a", 0), ("b", 1_000)])).wpm, Hundredths(12_000));
    assert_eq!(texts("", "日本語", &presses(&[("a", 0), ("b", 1_000)])).wpm, Hundredths(2_400), "characters, not bytes");
}

#[test]
fn words_a_minute_are_0_without_text_or_time() {
    let keys = presses(&[("a", 0), ("b", 1_000)]);
    assert_eq!(texts("x", "", &keys).wpm, Hundredths(0));
    assert_eq!(texts("x", "x", &keys).wpm, Hundredths(0));
    assert_eq!(texts("x", "xyz", &presses(&[("a", 7)])).wpm, Hundredths(0));
    assert_eq!(texts("x", "xyz", &presses(&[("a", 7), ("b", 7)])).wpm, Hundredths(0));
}

#[test]
fn the_error_is_the_distance_over_the_longer_text() {
    let keys = presses(&[("a", 0)]);
    let error = |prompt, typed| texts(prompt, typed, &keys).error_percent.0;
    assert_eq!(error("kitten", "sitting"), 4_286);
    assert_eq!(error("abc", ""), 10_000);
    assert_eq!(error("", "abc"), 10_000);
    assert_eq!(error("", ""), 0);
    assert_eq!(error("same", "same"), 0);
    assert_eq!(error("日本語", "日本誤"), 3_333);
}

#[test]
fn keys_per_character_are_unknown_without_characters() {
    let keys = presses(&[("a", 0), ("b", 100)]);
    assert_eq!(texts("", "abc", &keys).kspc, Some(Hundredths(67)));
    assert_eq!(texts("", "a", &keys).kspc, Some(Hundredths(200)));
    assert_eq!(texts("", "", &keys).kspc, None);
}

#[test]
fn deviations_are_the_populations() {
    let keys = json!([press("a", 0, Some(50)), press("b", 100, Some(170)), press("c", 400, Some(490))]);
    let figures = texts("", "", &keys);
    assert_eq!((figures.iki_mean, figures.iki_sd), (Some(Hundredths(20_000)), Some(Hundredths(10_000))));
    assert_eq!((figures.hold_mean, figures.hold_sd), (Some(Hundredths(7_000)), Some(Hundredths(1_633))));
    assert_eq!(figures.duration_ms, 400);
}

#[test]
fn a_single_press_has_no_interval_and_one_without_a_release_no_hold() {
    let figures = texts("", "", &json!([press("a", 5, None)]));
    assert_eq!((figures.iki_mean, figures.iki_sd, figures.rollover_ratio), (None, None, None));
    assert_eq!((figures.hold_mean, figures.hold_sd, figures.keys, figures.rollovers), (None, None, 1, 0));
}

#[test]
fn figures_of_the_greatest_times_are_exact() {
    let last = i64::from(i32::MAX);
    let figures = texts("", "ab", &json!([press("a", 0, Some(last)), press("b", last, Some(last))]));
    assert_eq!((figures.iki_mean, figures.iki_sd), (Some(Hundredths(100 * last)), Some(Hundredths(0))));
    assert_eq!((figures.hold_mean, figures.hold_sd), (Some(Hundredths(50 * last)), Some(Hundredths(50 * last))));
}

#[test]
fn a_rollover_is_a_press_before_the_release_of_the_one_before() {
    let pair = |up_ms: Option<i64>| texts("", "", &json!([press("a", 0, up_ms), press("b", 100, Some(150))]));
    assert_eq!(pair(Some(101)).rollovers, 1);
    assert_eq!(pair(Some(100)).rollovers, 0, "at the same time is not before");
    assert_eq!(pair(None).rollovers, 0, "not known");
    assert_eq!((pair(Some(101)).rollover_ratio, pair(None).rollover_ratio), (Some(Hundredths(100)), Some(Hundredths(0))));
}

#[test]
fn a_pause_counts_in_speed_intervals_and_rollover() {
    let figures = texts("", "abc", &json!([press("a", 0, Some(5_000)), press("b", 4_000, Some(4_050)), press("c", 4_100, None)]));
    assert_eq!((figures.iki_mean, figures.rollovers, figures.wpm), (Some(Hundredths(205_000)), 1, Hundredths(585)));
}

#[test]
fn backspace_and_delete_are_corrections() {
    let key = |code: i64, down_ms: i64| with(press("x", down_ms, None), &json!({"code": code}));
    assert_eq!(texts("", "", &json!([key(8, 0), key(46, 1), key(65, 2), key(127, 3)])).corrections, 2);
}

#[test]
fn keys_are_sorted_by_time_code_and_place_whatever_order_they_come_in() {
    let code = |key: &str, code: i64, down_ms: i64| with(press(key, down_ms, Some(down_ms)), &json!({"code": code}));
    let digraphs = |keys: Json| {
        let row = statistics(&[session(1, &keys)]);
        Open::of(&row).unwrap().digraphs.keys().map(|(a, b)| a.clone() + b).collect::<Vec<_>>()
    };
    assert_eq!(digraphs(json!([code("c", 1, 20), code("a", 1, 0), code("b", 1, 10)])), ["ab", "bc"]);
    assert_eq!(digraphs(json!([code("b", 2, 5), code("a", 1, 5), code("c", 3, 5)])), ["ab", "bc"], "by code");
    assert_eq!(digraphs(json!([code("b", 1, 5), code("a", 1, 5)])), ["ba"], "by place");
}

#[test]
fn exact_repeats_are_dropped_and_nothing_else() {
    let one = press("a", 0, Some(60));
    let keys = |keys: Json| measured(&session(1, &keys)).keys;
    assert_eq!(keys(json!([one, press("b", 9, None), one, one])), 2);
    assert_eq!(keys(json!([one, with(one.clone(), &json!({"key": "b"})), one])), 2, "apart from each other");
    for other in [json!({"up_ms": 61}), json!({"up_ms": null}), json!({"expected": null}), json!({"correct": false}), json!({"code": 7})] {
        assert_eq!(keys(json!([one, with(one.clone(), &other)])), 2, "{other}");
    }
}
