//! Tests as events of `test-results`.
//!
//! It states the fields of the schema again, for writing; the role's own event reads them.

use serde::Serialize;
use serde_avro_fast::ser::SerializerConfig;
use uuid::fmt::Hyphenated;

use super::typing::{Kind, Test};
use crate::fold::Time;

/// What the help text says.
pub(super) const ABOUT: &str = "\
modes     76 % time (60, 30, 15, 120, 10 s), 15 % words (25, 50, 10, 100, 5), 5 % quote, 2 % zen, 2 % custom
verdicts  about 4 % too short, 1 % implausible, all others counted
figures   wpm follows from correct_chars and test_duration; a quarter had restarts, 1 % are bailed out of";

#[derive(Serialize)]
struct TestResult<'t> {
    event_id: &'t str,
    occurred_at: Time,
    user_id: i64,
    user_name: &'t str,
    mode: &'t str,
    mode2: &'t str,
    language: &'t str,
    difficulty: &'t str,
    punctuation: bool,
    numbers: bool,
    lazy_mode: bool,
    bailed_out: bool,
    stop_on_letter: bool,
    funbox: &'t [&'t str],
    wpm: f64,
    raw_wpm: f64,
    accuracy: f64,
    consistency: f64,
    correct_chars: i32,
    incorrect_chars: i32,
    extra_chars: i32,
    missed_chars: i32,
    test_duration: f64,
    afk_duration: f64,
    incomplete_test_seconds: f64,
    restart_count: i32,
    day_offset_hours: i32,
}

/// The datum of a test.
pub(super) fn tell(test: &Test, config: &mut SerializerConfig<'static>) -> Option<Vec<u8>> {
    let habits = test.typist.habits;
    let mut text = [0; Hyphenated::LENGTH];
    let event = TestResult {
        event_id: test.event_id.hyphenated().encode_lower(&mut text),
        occurred_at: test.occurred_at,
        user_id: test.typist.user_id,
        user_name: &test.typist.name,
        mode: mode(test.kind),
        mode2: &test.kind.size(test.quote),
        language: test.typist.language,
        difficulty: difficulty(test),
        punctuation: habits.punctuation(),
        numbers: habits.numbers(),
        lazy_mode: habits.lazy_mode(),
        bailed_out: test.bailed_out,
        stop_on_letter: habits.stop_on_letter(),
        funbox: if habits.funbox() { &["mirror"] } else { &[] },
        wpm: test.wpm,
        raw_wpm: test.raw_wpm,
        accuracy: test.accuracy,
        consistency: test.consistency,
        correct_chars: test.correct,
        incorrect_chars: test.incorrect,
        extra_chars: test.extra,
        missed_chars: test.missed,
        test_duration: seconds(test.duration_ms),
        afk_duration: seconds(test.afk_ms),
        incomplete_test_seconds: seconds(test.incomplete_ms),
        restart_count: test.restarts,
        day_offset_hours: test.typist.day_offset_hours,
    };
    serde_avro_fast::to_datum_vec(&event, config).ok()
}

/// The symbol of a mode.
pub(super) fn mode(kind: Kind) -> &'static str {
    match kind {
        Kind::Time(_) => "time",
        Kind::Words(_) => "words",
        Kind::Quote => "quote",
        Kind::Zen => "zen",
        Kind::Custom => "custom",
    }
}

/// The symbol of a difficulty.
pub(super) fn difficulty(test: &Test) -> &'static str {
    match (test.typist.habits.difficult(), test.typist.user_id % 3) {
        (false, _) => "normal",
        (true, 0) => "master",
        (true, _) => "expert",
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}
