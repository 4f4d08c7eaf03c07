//! The rules of keystroke sessions as sentences: sessions in, rows and documents out.
//!
//! Edit distances and histograms are tested in their own files.

mod any_order;
mod bounds;
mod figures;
mod insights;
mod oracles;
mod percentiles;
mod privacy;
mod reference;
mod statistics;
mod whole;

use serde_json::{Value as Json, json};

use super::*;
use crate::fold::{Play, Record, Time, Values, text};

/// 2024-05-13, noon.
const NOON: Time = Time(1_715_601_600_000);
const MINUTE: i64 = 60_000;

/// A session of user 1 on qwerty, this many minutes after noon: tests change what they are about.
fn session(minute: i64, keys: &Json) -> Json {
    json!({
        "event_id": uuid::Uuid::from_u128(minute.cast_unsigned().into()).to_string(), "occurred_at": NOON.plus(minute * MINUTE).0,
        "user_id": 1, "session_id": format!("s{minute}"), "language": "english", "layout": "qwerty", "prompt": "", "typed": "", "keys": keys,
    })
}

/// A right press of a key, with the code of its letter.
fn press(key: &str, down_ms: i64, up_ms: Option<i64>) -> Json {
    let code = key.bytes().next().unwrap_or_default().to_ascii_uppercase();
    json!({"key": key, "code": code, "down_ms": down_ms, "up_ms": up_ms, "expected": key, "correct": true})
}

/// Presses that are held for 60 ms.
fn presses(keys: &[(&str, i64)]) -> Json {
    keys.iter().map(|(key, down_ms)| press(key, *down_ms, Some(down_ms + 60))).collect()
}

/// A value with other fields in it.
fn with(mut value: Json, fields: &Json) -> Json {
    for (name, field) in fields.as_object().unwrap() {
        value[name] = field.clone();
    }
    value
}

fn lines(sessions: &[Json]) -> String {
    sessions.iter().map(|it| it.to_string() + "\n").collect()
}

fn records(sessions: &[Json]) -> Vec<Record> {
    text::records(&TOPIC, &lines(sessions)).unwrap()
}

/// The tables after these records, which must all be accepted.
fn played(records: &[Record]) -> Play {
    let mut play = Play::new(&ROLE);
    for flush in play.batch(records).unwrap() {
        assert_eq!(flush.changes.rejects, []);
    }
    play
}

/// All rows of a table.
fn rows<R: Row>(play: &Play) -> Vec<R> {
    let place = ROLE.tables.iter().position(|it| it.name == R::TABLE.name).unwrap();
    play.model().rows(place).map(|it: &Values| R::from_values(it).unwrap()).collect()
}

/// The figures of one session.
fn measured(event: &Json) -> Session {
    rows(&played(&records(std::slice::from_ref(event)))).pop().unwrap()
}

/// The statistics of the only user and layout of these sessions.
fn statistics(sessions: &[Json]) -> Statistics {
    let mut all: Vec<Statistics> = rows(&played(&records(sessions)));
    assert_eq!(all.len(), 1);
    all.pop().unwrap()
}

/// The insights of the only user of these sessions.
fn insights(sessions: &[Json]) -> Json {
    let mut all: Vec<Insights> = rows(&played(&records(sessions)));
    assert_eq!(all.len(), 1);
    serde_json::from_str(&all.pop().unwrap().insights.0).unwrap()
}
