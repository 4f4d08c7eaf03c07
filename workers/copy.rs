//! The role of `ops/bench copy`, behind the feature `bench`: one event, one row of a plain table, as other systems are measured.
//!
//! It judges nothing and keeps no table beside the copies: a repeat is known by its key and `is_pb` alone.

use std::sync::Arc;

use serde::Deserialize;
use uuid::Uuid;

use crate::{
    fold::{self, Event, Hundredths, Json, Parsed, Reject, Role, Row, Stop, Tables, Time, Topic, check_text, check_within},
    row,
};

/// The role.
pub static ROLE: Role = Role {
    name: "copy",
    about: "one row an event, to measure by",
    topic: &TOPIC,
    decode: fold::decode::<CopyResult>,
    ledger: "copy_ledger",
    tables: &[Copied::TABLE],
    caches: &[],
    emits: &[],
    drains: &[],
    counts: &[],
    catalogues: &[],
};

/// The topic of events to copy.
pub static TOPIC: Topic = Topic {
    name: "bench-copy",
    key: "user_id",
    partitions: 10,
    retention_ms: -1,
    schema: include_str!("../schemas/bench/bench-copy.avsc"),
    examples: include_str!("../schemas/bench/bench-copy.examples.ndjson"),
    rate: 10_000,
    freshness_ms: 1_000,
    parsed: Parsed::new(),
};

/// A typing test to copy.
#[derive(Debug, Deserialize)]
pub struct CopyResult {
    #[serde(deserialize_with = "fold::event_id")]
    event_id: Uuid,
    user_id: i64,
    occurred_at: Time,
    produced_at: Time,
    mode: Arc<str>,
    mode2: Arc<str>,
    language: Arc<str>,
    wpm: f64,
    raw_wpm: f64,
    accuracy: f64,
    consistency: f64,
    char_stats: Vec<i32>,
    test_duration: f64,
    restart_count: i32,
    is_pb: bool,
}

/// The copy. Its table keys it by `event_id` alone and has a column more, which fills itself.
struct Copied {
    event_id: Uuid,
    user_id: i64,
    occurred_at: Time,
    produced_at: Time,
    mode: Arc<str>,
    mode2: Arc<str>,
    language: Arc<str>,
    /// DOUBLE in the table: two places come back as the same double.
    wpm: Hundredths,
    raw_wpm: Hundredths,
    accuracy: Hundredths,
    consistency: Hundredths,
    char_stats: Json,
    test_duration: Hundredths,
    restart_count: i32,
    is_pb: bool,
}
row!(
    Copied,
    History,
    "bench_copy",
    [event_id, user_id],
    [occurred_at, produced_at, mode, mode2, language, wpm, raw_wpm, accuracy, consistency, char_stats, test_duration, restart_count, is_pb]
);

/// Doubles up to here keep their hundredths.
const MAX_FIGURE: f64 = 1e9;
/// The most numbers of `char_stats`.
const MAX_STATS: usize = 64;

impl Event for CopyResult {
    fn event_id(&self) -> Uuid {
        self.event_id
    }

    fn occurred_at(&self) -> Time {
        self.occurred_at
    }

    fn key(&self) -> String {
        self.user_id.to_string()
    }

    fn check(&self) -> Result<(), Reject> {
        check_within("produced_at", self.produced_at.0, fold::FIRST_TIME.0..=fold::END_OF_TIME.0 - 1)?;
        check_text("mode", &self.mode, 0..=16)?;
        check_text("mode2", &self.mode2, 0..=16)?;
        check_text("language", &self.language, 0..=32)?;
        check_within("wpm", self.wpm, 0.0..=MAX_FIGURE)?;
        check_within("raw_wpm", self.raw_wpm, 0.0..=MAX_FIGURE)?;
        check_within("accuracy", self.accuracy, 0.0..=MAX_FIGURE)?;
        check_within("consistency", self.consistency, 0.0..=MAX_FIGURE)?;
        check_within("test_duration", self.test_duration, 0.0..=MAX_FIGURE)?;
        check_within("char_stats", self.char_stats.len(), 0..=MAX_STATS)
    }

    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), Stop> {
        let copy = self.copy();
        if tables.seen(&copy)? { Ok(()) } else { tables.append(&copy) }
    }
}

impl CopyResult {
    fn copy(&self) -> Copied {
        Copied {
            event_id: self.event_id,
            user_id: self.user_id,
            occurred_at: self.occurred_at,
            produced_at: self.produced_at,
            mode: self.mode.clone(),
            mode2: self.mode2.clone(),
            language: self.language.clone(),
            wpm: Hundredths::of(self.wpm),
            raw_wpm: Hundredths::of(self.raw_wpm),
            accuracy: Hundredths::of(self.accuracy),
            consistency: Hundredths::of(self.consistency),
            char_stats: Json(stats(&self.char_stats).into()),
            test_duration: Hundredths::of(self.test_duration),
            restart_count: self.restart_count,
            is_pb: self.is_pb,
        }
    }
}

/// A JSON array of whole numbers.
fn stats(numbers: &[i32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(i32::to_string).collect();
    format!("[{}]", numbers.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::text;

    #[test]
    fn an_event_is_one_row_and_its_repeat_none() {
        let example = TOPIC.examples.lines().next().unwrap();
        let changes = text::run(&ROLE, &format!("{example}\n{example}\n"));
        assert_eq!(
            changes.lines().skip(1).collect::<Vec<_>>(),
            [
                "append bench_copy event_id=018f3c5a-7b1e-4c3d-9a4b-1f2e3d4c5b6a user_id=42 occurred_at=2025-03-09T11:23:16Z \
                 produced_at=2025-03-09T11:23:16.12Z mode=time mode2=60 language=english wpm=61.99 raw_wpm=61.99 accuracy=96.31 \
                 consistency=73.83 char_stats=[310,0,0,0] test_duration=60.01 restart_count=0 is_pb=false",
                "duplicates 1",
            ]
        );
    }

    #[test]
    fn every_example_is_copied() {
        let copies = text::dump(&ROLE, TOPIC.examples);
        assert_eq!(copies.lines().count(), TOPIC.examples.lines().count(), "{copies}");
    }
}
