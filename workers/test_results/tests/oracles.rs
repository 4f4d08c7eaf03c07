//! Oracles: one person's 1,110 real results with their flags, and streaks as monkeytype published them.
//!
//! The data stays outside the project. Where it is absent, one line says what was not checked.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::*;
use crate::{fold::derived_id, real_data};

/// An event as plain JSON, and whether the result was a best.
type Flagged = (Json, bool);

/// The real results, and their records.
fn real_results() -> Option<(Vec<Flagged>, Vec<Record>)> {
    let text = real_data::text("monkeytype_results/results.ndjson")?;
    let results: Vec<Json> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let events: Vec<Flagged> = results.iter().map(|it| (event(it), it["is_pb"].as_bool().unwrap())).collect();
    let lines: String = events.iter().map(|(event, _)| format!("{event}\n")).collect();
    let records = text::records(&TOPIC, &lines).unwrap();
    Some((events, records))
}

fn event(it: &Json) -> Json {
    let chars = &it["char_stats"];
    json!({
        "event_id": derived_id(&[it["id"].as_str().unwrap()]).to_string(), "occurred_at": it["timestamp_ms"], "user_id": 1,
        "mode": it["mode"], "mode2": it["mode2"], "language": it["language"], "difficulty": it["difficulty"],
        "punctuation": it["punctuation"], "numbers": it["numbers"], "lazy_mode": it["lazy_mode"], "bailed_out": it["bailed_out"],
        "wpm": it["wpm"], "raw_wpm": it["raw_wpm"], "accuracy": it["acc"], "consistency": it["consistency"],
        "correct_chars": chars[0], "incorrect_chars": chars[1], "extra_chars": chars[2], "missed_chars": chars[3],
        "test_duration": it["test_duration_s"], "afk_duration": it["afk_duration_s"],
        "incomplete_test_seconds": it["incomplete_test_s"], "restart_count": it["restart_count"],
    })
}

/// Whether each result was a best, by its event's id.
fn flags(play: &Play) -> BTreeMap<String, bool> {
    rows::<Test>(play).iter().map(|it| (it.event_id.to_string(), it.is_pb)).collect()
}

/// The events whose flag is another than theirs.
fn disagreeing<'e>(events: &'e [Flagged], play: &Play) -> Vec<&'e Json> {
    let flags = flags(play);
    let differs = |(event, is_pb): &&Flagged| flags[event["event_id"].as_str().unwrap()] != *is_pb;
    events.iter().filter(differs).map(|(event, _)| event).collect()
}

/// The bests older than the export: seconds, words a minute, characters that give them.
const OLDER: [(&str, f64, i32); 3] = [("60", 78.59, 393), ("15", 75.14, 94), ("30", 78.00, 195)];

#[test]
fn real_results_give_their_known_totals() {
    let Some((_, records)) = real_results() else { return };
    let play = played(&records);
    let tests: Vec<Test> = rows(&play);
    assert_eq!(tests.len(), 1_110);
    assert!(tests.iter().all(|it| it.verdict == Verdict::Counted));
    let profile: Profile = rows(&play).pop().unwrap();
    assert_eq!((profile.tests, profile.longest_streak, profile.time_typed_ms), (1_110, 27, 106_002_560));
    let days: Vec<TypingDay> = rows(&play);
    assert_eq!(days.len(), 178);
    assert_eq!(days.iter().map(|it| it.time_typed_ms).sum::<i64>(), profile.time_typed_ms);
    assert_eq!(days.iter().map(|it| it.xp).sum::<i64>(), profile.xp);
    assert_eq!(days.iter().map(|it| it.tests).sum::<i64>(), 1_110);
}

#[test]
fn real_bests_disagree_only_where_an_older_best_explains_it() {
    let Some((events, records)) = real_results() else { return };
    let play = played(&records);
    let wrong = disagreeing(&events, &play);
    assert_eq!(wrong.len(), 15);
    for event in wrong {
        let older = OLDER.iter().find(|(mode2, ..)| event["mode"] == "time" && event["mode2"] == *mode2).unwrap();
        assert!(event["wpm"].as_f64().unwrap() <= older.1 && event["language"] == "english", "{event}");
    }
}

#[test]
fn real_bests_agree_once_the_older_bests_are_known() {
    let Some((events, records)) = real_results() else { return };
    let seeds: Vec<TestResult> = (1..).zip(OLDER).map(|(n, it)| seed(n, it)).collect();
    let mut all = text::records(&TOPIC, &lines(&seeds)).unwrap();
    all.extend(records);
    assert_eq!(disagreeing(&events, &played(&all)), [&json!(null); 0]);
}

/// A result of 2001 with this speed.
fn seed(id: u128, (mode2, wpm, chars): (&str, f64, i32)) -> TestResult {
    let seconds = mode2.parse().unwrap();
    let then = Time::from_rfc3339("2001-01-01T00:00:00Z").unwrap();
    result(id).of(Mode::Time, mode2).typed(chars, seconds).but(|it| (it.wpm, it.occurred_at) = (wpm, then))
}

#[test]
fn real_results_make_the_same_rows_in_any_batching() {
    let Some((_, records)) = real_results() else { return };
    let whole = played(&records);
    let mut cut = Play::with(&ROLE, crate::fold::Presume::New, 64 << 10);
    for batch in records.chunks(37) {
        cut.batch(batch).unwrap();
    }
    assert_eq!(cut.model(), whole.model());
}

#[test]
fn streaks_step_as_published() {
    let Some(text) = real_data::text("published_vectors_monkeytype.json") else { return };
    let vectors: Json = serde_json::from_str(&text).unwrap();
    let mut steps = 0;
    for (offset, sequence) in vectors["streak_by_hour_offset"].as_object().unwrap() {
        let mut results = Vec::new();
        for (id, step) in (1..).zip(sequence.as_array().unwrap()) {
            let at = Time::from_rfc3339(&step["utc"].as_str().unwrap().replace(' ', "T")).unwrap();
            results.push(result(id).but(|it| (it.occurred_at, it.day_offset_hours) = (at, offset.parse().unwrap())));
            assert_eq!(Some(profile(&results).streak), step["expected"].as_i64(), "offset {offset}, {at:?}");
            steps += 1;
        }
    }
    assert_eq!(steps, 22);
}
