//! Made-up test results: plausible ones of few users over some weeks, in the order in which each user made them. And what a careless
//! producer makes of records.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use uuid::Builder;
use workers::fold::Day;

use super::{log::Message, seed::Seed};

const DAY_MS: i64 = 86_400_000;
const LANGUAGES: &[&str] = &["english", "german", "code_rust"];
/// Once in how many records a stretch is sent again, and how long that is at most.
const STRETCHES: u32 = 800;
const LONGEST_STRETCH: usize = 100;

/// The first instant of made-up events: some weeks before the day that history tables begin with months for.
pub fn start() -> i64 {
    Day::of(2026, time::Month::May, 1).expect("a date").start().0
}

/// So many results of so many users; each user's own follow one another in time.
pub fn test_results(seed: &mut Seed, users: i64, count: usize) -> Vec<Json> {
    let mut clocks = vec![start(); usize::try_from(users).expect("users")];
    (0..count)
        .map(|_| {
            let user = seed.below(clocks.len());
            clocks[user] += seed.within(60_000, DAY_MS / 2);
            let user_id = i64::try_from(user).expect("a user") + 1;
            test_result(seed, user_id, clocks[user])
        })
        .collect()
}

/// One result, mostly of a kind that makes boards.
pub fn test_result(seed: &mut Seed, user_id: i64, occurred_at: i64) -> Json {
    let (mode, mode2, seconds) =
        *seed.one_of(&[("time", "60", 60), ("time", "15", 15), ("time", "60", 60), ("words", "50", 40), ("quote", "17", 30)]);
    let chars = seed.within(20, 130) * seconds / 12;
    let wpm = chars as f64 / 5.0 / (seconds as f64 / 60.0);
    let accuracy = if seed.once_in(8) { 100.0 } else { seed.within(8_000, 9_999) as f64 / 100.0 };
    json!({
        "event_id": id(seed), "occurred_at": occurred_at, "user_id": user_id, "user_name": format!("user {user_id} ✓"),
        "mode": mode, "mode2": mode2, "language": seed.one_of(LANGUAGES), "difficulty": "normal",
        "punctuation": seed.once_in(4), "numbers": seed.once_in(6), "bailed_out": seed.once_in(30),
        "wpm": wpm, "raw_wpm": wpm, "accuracy": accuracy, "consistency": seed.within(4_000, 9_500) as f64 / 100.0,
        "correct_chars": chars, "incorrect_chars": seed.within(0, 20), "extra_chars": 0, "missed_chars": 1,
        "test_duration": seconds, "afk_duration": 0, "incomplete_test_seconds": seed.within(0, 30), "restart_count": 0,
    })
}

/// A score of a board, as a producer of its own would send it.
pub fn score(seed: &mut Seed, user_id: i64, occurred_at: i64, category: &str) -> Json {
    let operator = if category.starts_with("total") { "total" } else { "best" };
    json!({
        "event_id": id(seed), "occurred_at": occurred_at, "user_id": user_id, "user_name": format!("user {user_id}"),
        "category": category, "operator": operator, "score": seed.within(1_000, 30_000), "tiebreak": seed.within(0, 10_000),
    })
}

/// An event id.
pub fn id(seed: &mut Seed) -> String {
    Builder::from_random_bytes(seed.bytes()).into_uuid().to_string()
}

/// In which order a key's own records are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they were made.
    Kept,
    /// In any.
    Any,
}

/// Records as a careless producer sends them: keys mixed, one record in three sent again up to thrice, and now and then a stretch of all.
pub fn disturbed(seed: &mut Seed, records: Vec<Message>, order: Order) -> Vec<Message> {
    let mut keys: BTreeMap<Option<Vec<u8>>, Vec<Message>> = BTreeMap::new();
    records.into_iter().for_each(|it| keys.entry(it.key.clone()).or_default().push(it));
    let mut keys: Vec<Vec<Message>> = keys.into_values().collect();
    if order == Order::Any {
        keys.iter_mut().for_each(|own| seed.shuffle(own));
    }
    let mut cursors = vec![0; keys.len()];
    // One turn a key for each of its records: a shuffle of the turns mixes keys and keeps each key's own order.
    let mut turns: Vec<usize> = keys.iter().enumerate().flat_map(|(key, own)| vec![key; own.len()]).collect();
    seed.shuffle(&mut turns);
    let mut sent = Vec::new();
    for key in turns {
        sent.push(keys[key][cursors[key]].clone());
        cursors[key] += 1;
        if seed.once_in(3) {
            for _ in 0..seed.within(1, 4) {
                sent.push(keys[key][seed.below(cursors[key])].clone());
            }
        }
        if seed.once_in(STRETCHES) {
            let first = seed.below(sent.len());
            sent.extend_from_within(first..sent.len().min(first + LONGEST_STRETCH));
        }
    }
    sent
}
