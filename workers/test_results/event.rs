//! The event `TestResult`: its fields as the schema has them, and the bounds of each.
//!
//! It judges no result: an implausible one is accepted here, and gets its verdict from its row.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    fold::{self, END_OF_TIME, Event, Reject, Stop, Tables, Time, check_text, check_within},
    symbols,
};

/// What ends a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Seconds.
    Time,
    /// Words.
    Words,
    /// A quote's end.
    Quote,
    /// The user.
    Zen,
    /// A text of the user's own.
    Custom,
}

/// How forgiving a test is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difficulty {
    /// Forgives all.
    Normal,
    /// Fails at a wrong word.
    Expert,
    /// Fails at a wrong key.
    Master,
}

symbols!(Mode, { Time: "time", Words: "words", Quote: "quote", Zen: "zen", Custom: "custom" });
symbols!(Difficulty, { Normal: "normal", Expert: "expert", Master: "master" });

/// A typing test that a user finished, or bailed out of. Units and bounds are the schema's.
#[derive(Clone, Debug, Deserialize)]
pub struct TestResult {
    #[serde(deserialize_with = "fold::event_id")]
    pub event_id: Uuid,
    pub occurred_at: Time,
    pub user_id: i64,
    #[serde(default)]
    pub user_name: Arc<str>,
    pub mode: Mode,
    pub mode2: Arc<str>,
    pub language: Arc<str>,
    pub difficulty: Difficulty,
    #[serde(default)]
    pub punctuation: bool,
    #[serde(default)]
    pub numbers: bool,
    #[serde(default)]
    pub lazy_mode: bool,
    #[serde(default)]
    pub bailed_out: bool,
    #[serde(default)]
    pub stop_on_letter: bool,
    #[serde(default)]
    pub funbox: Vec<Arc<str>>,
    pub wpm: f64,
    pub raw_wpm: f64,
    pub accuracy: f64,
    pub consistency: f64,
    pub correct_chars: i32,
    pub incorrect_chars: i32,
    pub extra_chars: i32,
    pub missed_chars: i32,
    pub test_duration: f64,
    pub afk_duration: f64,
    pub incomplete_test_seconds: f64,
    pub restart_count: i32,
    #[serde(default)]
    pub day_offset_hours: i32,
}

const HOUR_MS: i64 = 3_600_000;

/// An instant on the clock of a user whose days begin at the UTC hour `day_offset_hours`.
pub fn users_time(at: Time, day_offset_hours: i32) -> Time {
    at.plus(-i64::from(day_offset_hours) * HOUR_MS)
}

impl TestResult {
    fn check_texts(&self) -> Result<(), Reject> {
        check_text("user_name", &self.user_name, 0..=64)?;
        check_text("mode2", &self.mode2, 0..=32)?;
        if matches!(self.mode, Mode::Time | Mode::Words) && !is_size(&self.mode2) {
            return Err(Reject::new("mode2 of time and words does not match 0|[1-9][0-9]{0,8}"));
        }
        check_text("language", &self.language, 1..=64)?;
        check_within("the number of funbox", self.funbox.len(), 0..=8)?;
        self.funbox.iter().try_for_each(|it| check_text("funbox", it, 0..=32))
    }

    fn check_figures(&self) -> Result<(), Reject> {
        check_within("wpm", self.wpm, 0.0..=1000.0)?;
        check_within("raw_wpm", self.raw_wpm, 0.0..=1000.0)?;
        check_within("accuracy", self.accuracy, 0.0..=100.0)?;
        check_within("consistency", self.consistency, 0.0..=100.0)?;
        check_count("correct_chars", self.correct_chars)?;
        check_count("incorrect_chars", self.incorrect_chars)?;
        check_count("extra_chars", self.extra_chars)?;
        check_count("missed_chars", self.missed_chars)?;
        check_seconds("test_duration", self.test_duration)?;
        check_seconds("afk_duration", self.afk_duration)?;
        check_seconds("incomplete_test_seconds", self.incomplete_test_seconds)?;
        check_count("restart_count", self.restart_count)
    }

    /// Whether the user's day fits its column, as the UTC day does.
    fn check_day(&self) -> Result<(), Reject> {
        check_within("day_offset_hours", self.day_offset_hours, -12..=14)?;
        let fits = users_time(self.occurred_at, self.day_offset_hours) < END_OF_TIME;
        if fits { Ok(()) } else { Err(Reject::new("the user's day is after the year 9999")) }
    }
}

/// Whether a text is `0|[1-9][0-9]{0,8}`.
fn is_size(text: &str) -> bool {
    text == "0" || (text.len() <= 9 && text.starts_with(|it| ('1'..='9').contains(&it)) && text.bytes().all(|it| it.is_ascii_digit()))
}

fn check_count(field: &str, count: i32) -> Result<(), Reject> {
    check_within(field, count, 0..=i32::MAX)
}

fn check_seconds(field: &str, seconds: f64) -> Result<(), Reject> {
    let fits = seconds.is_finite() && seconds >= 0.0;
    if fits { Ok(()) } else { Err(Reject::new(format!("{field} is not a number of seconds from 0"))) }
}

impl Event for TestResult {
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
        check_within("user_id", self.user_id, 1..=i64::MAX)?;
        self.check_texts()?;
        self.check_figures()?;
        self.check_day()
    }
    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), Stop> {
        super::apply(self, tables)
    }
}
