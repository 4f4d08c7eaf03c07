//! Insights: what is named, in which order, and from which sessions.

use super::*;

/// A session in which each of these keys is pressed 10 times with this latency, after an `x` and a pause.
fn paced(minute: i64, keys: &[(&str, i64)]) -> Json {
    let mut now = 0;
    let mut presses = Vec::new();
    for (key, latency) in keys.iter().flat_map(|it| std::iter::repeat_n(*it, 10)) {
        now += 2_000;
        presses.push(press("x", now, None));
        presses.push(press(key, now + latency, None));
    }
    session(minute, &json!(presses))
}

fn names(list: &Json) -> Vec<String> {
    list.as_array().unwrap().iter().map(|it| it["key"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_slowest_keys_come_first_and_the_lesser_of_equals() {
    let slow = insights(&[paced(1, &[("c", 300), ("a", 300), ("b", 400), ("d", 299)])]);
    assert_eq!(names(&slow["slowest_keys"]), ["b", "a", "c", "d"]);
    assert_eq!(slow["slowest_keys"][0], json!({"key": "b", "n": 10, "median_ms": 400.0}));
    assert_eq!(slow["slowest_digraphs"][1], json!({"first_key": "x", "second_key": "a", "n": 10, "median_ms": 300.0}));
}

#[test]
fn at_most_ten_are_named() {
    let keys: Vec<String> = (0..12).map(|it| format!("k{it:02}")).collect();
    let paces: Vec<(&str, i64)> = keys.iter().map(|it| (it.as_str(), 100)).collect();
    let slow = insights(&[paced(1, &paces)]);
    assert_eq!(names(&slow["slowest_keys"]), keys[..10]);
    assert_eq!(slow["slowest_digraphs"].as_array().unwrap().len(), 10);
    assert_eq!(names(&slow["confidence"]), keys, "all of them");
}

#[test]
fn a_median_of_fewer_than_ten_latencies_names_nothing() {
    let keys = |count: i64| presses(&(0..=count).map(|it| ("a", it * 100)).collect::<Vec<_>>());
    for (latencies, named) in [(9, 0), (10, 1)] {
        let found = insights(&[session(1, &keys(latencies))]);
        assert_eq!(found["slowest_keys"].as_array().unwrap().len(), named);
        assert_eq!(found["slowest_digraphs"].as_array().unwrap().len(), named);
        assert_eq!(names(&found["confidence"]), ["a"], "confidence asks for no number");
    }
}

#[test]
fn the_most_missed_are_those_in_whose_place_another_was_pressed() {
    let miss =
        |expected: &str, typed: &str, down_ms: i64| with(press(typed, down_ms, None), &json!({"expected": expected, "correct": false}));
    let one = session(1, &json!([miss("e", "r", 0), miss("e", "w", 1), miss("q", "w", 2), miss("b", "v", 3)]));
    assert_eq!(insights(&[one])["most_missed"], json!([{"key": "e", "n": 2}, {"key": "b", "n": 1}, {"key": "q", "n": 1}]));
}

#[test]
fn confidence_is_the_target_pace_over_the_median() {
    let one = session(1, &presses(&[("x", 0), ("a", 100), ("b", 443), ("c", 443)]));
    let expected = json!([{"key": "a", "confidence": 3.43}, {"key": "b", "confidence": 1.0}, {"key": "c", "confidence": null}]);
    assert_eq!(insights(&[one])["confidence"], expected);
}

/// A session of this speed: 2 characters of which the second came after 12,000 ms / wpm.
fn at_speed(minute: i64, wpm: i64) -> Json {
    with(session(minute, &presses(&[("a", 0), ("b", 12_000 / wpm)])), &json!({"typed": "ab"}))
}

#[test]
fn the_trend_is_of_the_last_ten_sessions_and_the_ten_before() {
    let speeds = |count: i64| (1..=count).map(|it| at_speed(it, if it > count - 10 { 60 } else { 40 })).collect::<Vec<_>>();
    assert_eq!(insights(&speeds(19))["trend_wpm"], json!(null), "none before there are twenty");
    assert_eq!(insights(&speeds(20))["trend_wpm"], json!(20.0));
    assert_eq!(insights(&speeds(30))["trend_wpm"], json!(20.0), "older ones have no part in it");
    let falling: Vec<Json> = (1..=20).map(|it| at_speed(it, if it > 10 { 40 } else { 60 })).collect();
    assert_eq!(insights(&falling)["trend_wpm"], json!(-20.0));
}

#[test]
fn the_last_sessions_are_so_by_their_time_whatever_order_they_arrive_in() {
    let sessions: Vec<Json> = (1..=25).map(|it| at_speed(it, 20 + it)).collect();
    let backwards: Vec<Json> = sessions.iter().rev().cloned().collect();
    assert_eq!(insights(&sessions), insights(&backwards));
}

#[test]
fn they_speak_of_the_layout_of_the_newest_session() {
    let dvorak = |minute: i64, key: &str| with(paced(minute, &[(key, 200)]), &json!({"layout": "dvorak"}));
    let found = insights(&[paced(1, &[("a", 100)]), dvorak(3, "o"), paced(2, &[("b", 100)])]);
    assert_eq!((&found["layout"], names(&found["slowest_keys"])), (&json!("dvorak"), vec!["o".to_owned()]));
    let found = insights(&[dvorak(3, "o"), dvorak(2, "e"), paced(4, &[("b", 100)]), dvorak(1, "u")]);
    assert_eq!((&found["layout"], names(&found["slowest_keys"])), (&json!("qwerty"), vec!["b".to_owned()]));
    let found = insights(&[dvorak(3, "o"), dvorak(2, "e")]);
    assert_eq!(names(&found["slowest_keys"]), ["e", "o"], "a late session of the same layout counts");
}

#[test]
fn they_stand_under_the_users_key_for_an_hour() {
    let crate::fold::Form::Document(document) = &super::super::insights::FAMILY.form else { unreachable!() };
    assert_eq!((document.key, document.column, document.ttl_s), ("user:{user_id}:insights", "insights", 3_600));
}
