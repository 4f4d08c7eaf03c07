//! The rows that results make: one struct a table, as `migrations/0001_test_results.sql` has them.
//!
//! Columns are explained there. Only what follows from a row alone is computed here.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    event::{Difficulty, Mode, TestResult, users_time},
    verdict::Verdict,
    xp::{self, Streak},
};
use crate::{
    fold::{Day, Hundredths, IntoKey, Json, Reject, Row, Time, body_hash, millis_of_seconds},
    row,
};

/// One result as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    pub user_id: i64,
    pub occurred_at: Time,
    pub event_id: Uuid,
    pub user_name: Arc<str>,
    pub mode: Mode,
    pub mode2: Arc<str>,
    pub language: Arc<str>,
    pub difficulty: Difficulty,
    pub punctuation: bool,
    pub numbers: bool,
    pub lazy_mode: bool,
    pub bailed_out: bool,
    pub stop_on_letter: bool,
    pub funbox: Json,
    pub wpm: Hundredths,
    pub raw_wpm: Hundredths,
    pub accuracy: Hundredths,
    pub consistency: Hundredths,
    pub correct_chars: i32,
    pub incorrect_chars: i32,
    pub extra_chars: i32,
    pub missed_chars: i32,
    pub test_duration_ms: i64,
    pub afk_duration_ms: i64,
    pub incomplete_test_ms: i64,
    pub restart_count: i32,
    pub day_offset_hours: i32,
    /// From here on, what the fold makes of the event.
    pub verdict: Verdict,
    pub is_pb: bool,
    pub xp: i64,
    pub body_hash: i64,
}
row!(
    Test,
    History,
    "test_results",
    [user_id, occurred_at, event_id],
    [
        user_name,
        mode,
        mode2,
        language,
        difficulty,
        punctuation,
        numbers,
        lazy_mode,
        bailed_out,
        stop_on_letter,
        funbox,
        wpm,
        raw_wpm,
        accuracy,
        consistency,
        correct_chars,
        incorrect_chars,
        extra_chars,
        missed_chars,
        test_duration_ms,
        afk_duration_ms,
        incomplete_test_ms,
        restart_count,
        day_offset_hours,
        verdict,
        is_pb,
        xp,
        body_hash,
    ]
);

impl Test {
    /// The row of an event, before the rows of its user are looked at.
    ///
    /// # Errors
    /// None in practice: a list of texts has a JSON form.
    pub fn of(event: &TestResult) -> Result<Self, Reject> {
        let funbox = serde_json::to_string(&event.funbox).map_err(|_| Reject::new("funbox has no JSON form"))?;
        let mut test = Self {
            user_id: event.user_id,
            occurred_at: event.occurred_at,
            event_id: event.event_id,
            user_name: Arc::clone(&event.user_name),
            mode: event.mode,
            mode2: Arc::clone(&event.mode2),
            language: Arc::clone(&event.language),
            difficulty: event.difficulty,
            punctuation: event.punctuation,
            numbers: event.numbers,
            lazy_mode: event.lazy_mode,
            bailed_out: event.bailed_out,
            stop_on_letter: event.stop_on_letter,
            funbox: Json(funbox.into()),
            wpm: Hundredths::of(event.wpm),
            raw_wpm: Hundredths::of(event.raw_wpm),
            accuracy: Hundredths::of(event.accuracy),
            consistency: Hundredths::of(event.consistency),
            correct_chars: event.correct_chars,
            incorrect_chars: event.incorrect_chars,
            extra_chars: event.extra_chars,
            missed_chars: event.missed_chars,
            test_duration_ms: millis_of_seconds(event.test_duration),
            afk_duration_ms: millis_of_seconds(event.afk_duration),
            incomplete_test_ms: millis_of_seconds(event.incomplete_test_seconds),
            restart_count: event.restart_count,
            day_offset_hours: event.day_offset_hours,
            verdict: Verdict::Counted,
            is_pb: false,
            xp: 0,
            body_hash: 0,
        };
        test.verdict = Verdict::on(&test);
        test.body_hash = test.hash_of_event();
        Ok(test)
    }

    fn hash_of_event(&self) -> i64 {
        let values = self.to_values();
        let event = Self::TABLE.place("verdict").and_then(|end| values.get(..end));
        body_hash(event.unwrap_or(&values))
    }

    /// The day on the user's clock.
    pub fn day(&self) -> Day {
        users_time(self.occurred_at, self.day_offset_hours).day()
    }

    /// Whether no odd mode was on.
    pub fn is_plain(&self) -> bool {
        &*self.funbox.0 == "[]"
    }

    /// Whether it may be a personal best at all.
    pub fn is_rankable(&self) -> bool {
        let held_back = self.stop_on_letter && self.accuracy.0 < xp::PERFECT;
        self.verdict == Verdict::Counted && self.mode != Mode::Quote && !self.bailed_out && self.is_plain() && !held_back
    }

    /// Time at the keys, unfinished tests before it included.
    ///
    /// # Errors
    /// A reject where the durations overflow.
    pub fn time_typed_ms(&self) -> Result<i64, Reject> {
        let typed = i128::from(self.test_duration_ms) + i128::from(self.incomplete_test_ms) - i128::from(self.afk_duration_ms);
        i64::try_from(typed.max(0)).map_err(|_| Reject::new("time_typed_ms overflows"))
    }
}

/// A sum that stays within its column.
fn sum(field: &str, so_far: i64, step: i64) -> Result<i64, Reject> {
    so_far.checked_add(step).ok_or_else(|| Reject::new(format!("{field} overflows")))
}

/// A user's best of one kind of test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonalBest {
    pub user_id: i64,
    pub mode: Mode,
    pub mode2: Arc<str>,
    pub language: Arc<str>,
    pub difficulty: Difficulty,
    pub punctuation: bool,
    pub numbers: bool,
    pub lazy_mode: bool,
    pub wpm: Hundredths,
    pub raw_wpm: Hundredths,
    pub accuracy: Hundredths,
    pub consistency: Hundredths,
    pub achieved_at: Time,
    pub event_id: Uuid,
    pub last_event_at: Time,
}
row!(
    PersonalBest,
    State,
    "personal_bests",
    [user_id, mode, mode2, language, difficulty, punctuation, numbers, lazy_mode],
    [wpm, raw_wpm, accuracy, consistency, achieved_at, event_id, last_event_at]
);

impl PersonalBest {
    /// The best that this result is, in place of the one before it.
    pub fn of(test: &Test, before: Option<&Self>) -> Self {
        Self {
            user_id: test.user_id,
            mode: test.mode,
            mode2: Arc::clone(&test.mode2),
            language: Arc::clone(&test.language),
            difficulty: test.difficulty,
            punctuation: test.punctuation,
            numbers: test.numbers,
            lazy_mode: test.lazy_mode,
            wpm: test.wpm,
            raw_wpm: test.raw_wpm,
            accuracy: test.accuracy,
            consistency: test.consistency,
            achieved_at: test.occurred_at,
            event_id: test.event_id,
            last_event_at: before.map_or(test.occurred_at, |it| it.last_event_at.max(test.occurred_at)),
        }
    }

    /// The key of the best that a result may be.
    pub fn key_for(test: &Test) -> impl IntoKey {
        let Test { user_id, mode, difficulty, punctuation, numbers, lazy_mode, .. } = *test;
        (user_id, mode, Arc::clone(&test.mode2), Arc::clone(&test.language), difficulty, punctuation, numbers, lazy_mode)
    }
}

/// A user's totals over counted results, and their latest results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub user_id: i64,
    pub tests: i64,
    pub time_typed_ms: i64,
    pub chars: i64,
    pub xp: i64,
    pub level: i64,
    pub streak: i64,
    pub longest_streak: i64,
    pub last_day: Option<Day>,
    pub last_result_at: Option<Time>,
    pub recent: Json,
    pub last_event_at: Time,
}
row!(
    Profile,
    State,
    "typing_profiles",
    [user_id],
    [tests, time_typed_ms, chars, xp, level, streak, longest_streak, last_day, last_result_at, recent, last_event_at]
);

impl Profile {
    /// The profile of a user's first accepted result.
    pub fn new(test: &Test) -> Self {
        Self {
            user_id: test.user_id,
            tests: 0,
            time_typed_ms: 0,
            chars: 0,
            xp: 0,
            level: xp::level(0),
            streak: 0,
            longest_streak: 0,
            last_day: None,
            last_result_at: None,
            recent: Json("[]".into()),
            last_event_at: test.occurred_at,
        }
    }

    /// The streak as it stands.
    pub fn streak(&self) -> Streak {
        Streak { days: self.streak, last_day: self.last_day }
    }

    /// Adds a counted result, whose XP is known.
    ///
    /// # Errors
    /// A reject where a sum overflows.
    pub fn count(&mut self, test: &Test) -> Result<(), Reject> {
        let streak = self.streak().after(test.day());
        self.tests = sum("tests", self.tests, 1)?;
        self.time_typed_ms = sum("time_typed_ms", self.time_typed_ms, test.time_typed_ms()?)?;
        self.chars = sum("chars", self.chars, i64::from(test.correct_chars))?;
        self.xp = sum("xp", self.xp, test.xp)?;
        self.level = xp::level(self.xp);
        self.streak = streak.days;
        self.longest_streak = self.longest_streak.max(streak.days);
        self.last_day = streak.last_day;
        self.last_result_at = self.last_result_at.max(Some(test.occurred_at));
        Ok(())
    }
}

/// A user's totals of one of their days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypingDay {
    pub user_id: i64,
    pub day: Day,
    pub tests: i64,
    pub time_typed_ms: i64,
    pub best_wpm: Hundredths,
    pub sum_wpm: Hundredths,
    pub sum_accuracy: Hundredths,
    pub xp: i64,
    pub last_event_at: Time,
}
row!(TypingDay, State, "typing_days", [user_id, day], [tests, time_typed_ms, best_wpm, sum_wpm, sum_accuracy, xp, last_event_at]);

impl TypingDay {
    /// The day of a counted result, before it is added.
    pub fn new(test: &Test) -> Self {
        let zero = Hundredths(0);
        Self {
            user_id: test.user_id,
            day: test.day(),
            tests: 0,
            time_typed_ms: 0,
            best_wpm: zero,
            sum_wpm: zero,
            sum_accuracy: zero,
            xp: 0,
            last_event_at: test.occurred_at,
        }
    }

    /// Adds a counted result, whose XP is known.
    ///
    /// # Errors
    /// A reject where a sum overflows.
    pub fn count(&mut self, test: &Test) -> Result<(), Reject> {
        self.tests = sum("tests", self.tests, 1)?;
        self.time_typed_ms = sum("time_typed_ms", self.time_typed_ms, test.time_typed_ms()?)?;
        self.best_wpm = self.best_wpm.max(test.wpm);
        self.sum_wpm = Hundredths(sum("sum_wpm", self.sum_wpm.0, test.wpm.0)?);
        self.sum_accuracy = Hundredths(sum("sum_accuracy", self.sum_accuracy.0, test.accuracy.0)?);
        self.xp = sum("xp", self.xp, test.xp)?;
        self.last_event_at = self.last_event_at.max(test.occurred_at);
        Ok(())
    }
}

/// Counted results of one UTC day and speed.
pub struct WpmHistogram {
    pub day: Day,
    pub mode: Mode,
    pub mode2: Arc<str>,
    pub language: Arc<str>,
    pub bucket: i64,
    pub tests: i64,
}
row!(WpmHistogram, Counter, "wpm_histogram", [day, mode, mode2, language, bucket], [tests]);

/// Counted results of one UTC day and language.
pub struct LanguageDay {
    pub day: Day,
    pub language: Arc<str>,
    pub tests: i64,
    pub time_typed_ms: i64,
}
row!(LanguageDay, Counter, "language_days", [day, language], [tests, time_typed_ms]);
