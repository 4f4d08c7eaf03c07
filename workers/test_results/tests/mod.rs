//! The rules of test results as sentences: results in, rows and derived events out.
//!
//! Verdicts, XP and the document of latest results are tested in their own files.

mod bests;
mod bounds;
mod days;
mod derived;
mod oracles;
mod whole;

use super::{
    event::{Difficulty, Mode},
    *,
};
use crate::fold::{Play, Record, Time, Values, plain, text};

/// 2024-05-13, noon.
pub(super) const NOON: Time = Time(1_715_601_600_000);
pub(super) const HOUR: i64 = 3_600_000;
pub(super) const DAY: i64 = 24 * HOUR;

/// A result of user 1: 60 s at 100 wpm, 97 % of the keys right. Tests change what they are about.
pub(super) fn result(id: u128) -> TestResult {
    TestResult {
        event_id: uuid::Uuid::from_u128(id),
        occurred_at: NOON,
        user_id: 1,
        user_name: "ada".into(),
        mode: Mode::Time,
        mode2: "60".into(),
        language: "english".into(),
        difficulty: Difficulty::Normal,
        punctuation: false,
        numbers: false,
        lazy_mode: false,
        bailed_out: false,
        stop_on_letter: false,
        funbox: Vec::new(),
        wpm: 100.0,
        raw_wpm: 101.0,
        accuracy: 97.0,
        consistency: 80.0,
        correct_chars: 500,
        incorrect_chars: 3,
        extra_chars: 2,
        missed_chars: 1,
        test_duration: 60.0,
        afk_duration: 0.0,
        incomplete_test_seconds: 0.0,
        restart_count: 0,
        day_offset_hours: 0,
    }
}

impl TestResult {
    pub(super) fn typed(mut self, chars: i32, seconds: f64) -> Self {
        self.wpm = f64::from(chars) * 12.0 / seconds;
        self.raw_wpm = self.wpm;
        (self.correct_chars, self.test_duration) = (chars, seconds);
        self
    }

    pub(super) fn of(mut self, mode: Mode, mode2: &str) -> Self {
        (self.mode, self.mode2) = (mode, mode2.into());
        self
    }

    pub(super) fn later(mut self, millis: i64) -> Self {
        self.occurred_at = self.occurred_at.plus(millis);
        self
    }

    pub(super) fn but(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// The results as plain JSON lines, all fields named.
fn lines(results: &[TestResult]) -> String {
    results.iter().map(|it| line(it).to_string() + "\n").collect()
}

fn line(it: &TestResult) -> serde_json::Value {
    let TestResult { event_id, occurred_at, user_id, user_name, mode, mode2, language, difficulty, .. } = it;
    serde_json::json!({
        "event_id": event_id.to_string(), "occurred_at": occurred_at.0, "user_id": user_id, "user_name": user_name, "mode": mode,
        "mode2": mode2, "language": language, "difficulty": difficulty, "punctuation": it.punctuation, "numbers": it.numbers,
        "lazy_mode": it.lazy_mode, "bailed_out": it.bailed_out, "stop_on_letter": it.stop_on_letter, "funbox": it.funbox, "wpm": it.wpm,
        "raw_wpm": it.raw_wpm, "accuracy": it.accuracy, "consistency": it.consistency, "correct_chars": it.correct_chars,
        "incorrect_chars": it.incorrect_chars, "extra_chars": it.extra_chars, "missed_chars": it.missed_chars,
        "test_duration": it.test_duration, "afk_duration": it.afk_duration, "incomplete_test_seconds": it.incomplete_test_seconds,
        "restart_count": it.restart_count, "day_offset_hours": it.day_offset_hours,
    })
}

/// The tables after these records, which must all be accepted.
pub(super) fn played(records: &[Record]) -> Play {
    let mut play = Play::new(&ROLE);
    for flush in play.batch(records).unwrap() {
        assert_eq!(flush.changes.rejects, []);
    }
    play
}

/// All rows of a table.
pub(super) fn rows<R: Row>(play: &Play) -> Vec<R> {
    let place = ROLE.tables.iter().position(|it| it.name == R::TABLE.name).unwrap();
    play.model().rows(place).map(|it: &Values| R::from_values(it).unwrap()).collect()
}

fn after(results: &[TestResult]) -> Play {
    played(&text::records(&TOPIC, &lines(results)).unwrap())
}

fn tests(results: &[TestResult]) -> Vec<Test> {
    rows(&after(results))
}

fn profile(results: &[TestResult]) -> Profile {
    rows(&after(results)).pop().unwrap()
}
