//! The bounds of every field: what is refused, and why.

use super::*;
use crate::fold::Event;

/// Why a result is refused.
fn refusal(change: impl FnOnce(&mut TestResult)) -> String {
    result(1).but(change).check().map_or_else(|it| it.reason, |()| String::new())
}

/// How to set a number, values beyond its bounds, and the reason's end.
type Case = (fn(&mut TestResult, f64), &'static [f64], &'static str);

#[test]
fn refuses_numbers_out_of_bounds_and_those_that_are_none() {
    let long = "not a number of seconds from 0";
    let cases: [Case; 7] = [
        (|it, x| it.wpm = x, &[-0.01, 1000.01], "wpm is not within 0..1000"),
        (|it, x| it.raw_wpm = x, &[-0.01, 1000.01], "raw_wpm is not within 0..1000"),
        (|it, x| it.accuracy = x, &[-0.01, 100.01], "accuracy is not within 0..100"),
        (|it, x| it.consistency = x, &[-0.01, 100.01], "consistency is not within 0..100"),
        (|it, x| it.test_duration = x, &[-0.001], long),
        (|it, x| it.afk_duration = x, &[-0.001], long),
        (|it, x| it.incomplete_test_seconds = x, &[-0.001], long),
    ];
    for (set, beyond, reason) in cases {
        for bad in beyond.iter().copied().chain([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]) {
            assert!(refusal(|it| set(it, bad)).ends_with(reason), "{bad}: {reason}");
        }
        for good in [0.0, -0.0, 100.0] {
            assert_eq!(refusal(|it| set(it, good)), "");
        }
    }
}

#[test]
fn refuses_counts_below_zero_and_users_below_one() {
    let counts: [fn(&mut TestResult); 5] = [
        |it| it.correct_chars = -1,
        |it| it.incorrect_chars = -1,
        |it| it.extra_chars = -1,
        |it| it.missed_chars = -1,
        |it| it.restart_count = -1,
    ];
    assert!(counts.into_iter().all(|it| refusal(it).ends_with("is not within 0..2147483647")));
    assert!([0, -1].into_iter().all(|id| refusal(|it| it.user_id = id).starts_with("user_id is not within 1..")));
}

#[test]
fn refuses_texts_too_long_or_with_a_nul() {
    let wide = |length: usize| "ß".repeat(length);
    assert_eq!(refusal(|it| it.user_name = wide(64).into()), "");
    assert_eq!(refusal(|it| it.user_name = wide(65).into()), "user_name has not 0..64 characters");
    assert_eq!(refusal(|it| it.user_name = "a\0".into()), "user_name holds a NUL");
    assert_eq!(refusal(|it| it.language = wide(64).into()), "");
    assert_eq!(refusal(|it| it.language = wide(65).into()), "language has not 1..64 characters");
    assert_eq!(refusal(|it| it.language = "".into()), "language has not 1..64 characters");
    assert_eq!(refusal(|it| it.funbox = vec![wide(32).into(); 8]), "");
    assert_eq!(refusal(|it| it.funbox = vec![wide(33).into()]), "funbox has not 0..32 characters");
    assert_eq!(refusal(|it| it.funbox = vec!["a".into(); 9]), "the number of funbox is not within 0..8");
}

#[test]
fn the_size_of_time_and_words_is_a_plain_whole_number() {
    let size = |mode: Mode, mode2: &str| refusal(|it| (it.mode, it.mode2) = (mode, mode2.into())).is_empty();
    for mode in [Mode::Time, Mode::Words] {
        assert!(["0", "1", "60", "999999999"].into_iter().all(|it| size(mode, it)));
        assert!(!["", "00", "015", "1000000000", "-1", "+1", "6 0", "1.5", "sixty", "٦", "1\n"].into_iter().any(|it| size(mode, it)));
    }
    for mode in [Mode::Quote, Mode::Zen, Mode::Custom] {
        assert!(["", "015", "custom text", &"é".repeat(32)].into_iter().all(|it| size(mode, it)));
        assert!(![&"é".repeat(33), "a\0"].into_iter().any(|it| size(mode, it)));
    }
}

#[test]
fn a_users_day_lies_on_the_calendar() {
    let last = Time::from_rfc3339("9999-12-31T23:59:59.999Z").unwrap();
    assert_eq!(refusal(|it| (it.occurred_at, it.day_offset_hours) = (last, 0)), "");
    assert_eq!(refusal(|it| (it.occurred_at, it.day_offset_hours) = (last, -1)), "the user's day is after the year 9999");
    assert_eq!([-13, -12, 14, 15].map(|hours| refusal(|it| it.day_offset_hours = hours).is_empty()), [false, true, true, false]);
}

#[test]
fn facts_are_bounded_too() {
    let examples = text::records(&achievements::TOPIC, achievements::TOPIC.examples).unwrap();
    let fact = |record: &Record| -> achievements::AchievementFact {
        let (_, datum) = crate::fold::open_envelope(record.value.as_deref()).unwrap();
        serde_avro_fast::from_datum_slice(datum, achievements::TOPIC.codec().unwrap()).unwrap()
    };
    assert!(examples.iter().all(|it| fact(it).check() == Ok(())));
    let first = fact(examples.first().unwrap());
    let refused: [fn(&mut achievements::AchievementFact); 7] = [
        |it| it.user_id = 0,
        |it| it.fact = "".into(),
        |it| it.fact = "Won".into(),
        |it| it.fact = "a".repeat(65).into(),
        |it| it.tags = (0..17).map(|it| (it.to_string().into(), "".into())).collect(),
        |it| it.tags = [("k".repeat(33).into(), "".into())].into(),
        |it| it.tags = [("k".into(), "v".repeat(65).into())].into(),
    ];
    for change in refused {
        let mut fact = first.clone();
        change(&mut fact);
        assert!(fact.check().is_err());
    }
}
