//! XP, levels and streaks, in integers.
//!
//! Sums are checked by who keeps them; nothing here reads or writes a row.

use super::{
    event::Mode,
    rows::{Profile, Test},
};
use crate::fold::{Day, Reject};

/// A user's streak: days in a row with a counted result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streak {
    /// Days in a row up to `last_day`.
    pub days: i64,
    /// The latest day with a counted result, by the user's clock.
    pub last_day: Option<Day>,
}

impl Streak {
    /// Whether this day is later than all before it.
    pub fn is_new(self, day: Day) -> bool {
        self.last_day.is_none_or(|it| day > it)
    }

    /// The streak after a counted result on this day. A day older than the last changes nothing.
    #[must_use]
    pub fn after(self, day: Day) -> Self {
        if !self.is_new(day) {
            return self;
        }
        let follows = self.last_day.is_some_and(|it| it.plus(1) == day);
        Self { days: if follows { self.days.saturating_add(1) } else { 1 }, last_day: Some(day) }
    }
}

/// Hundredths of a percent: all keys right.
pub const PERFECT: i64 = 10_000;
/// Accuracy below which a result earns nothing.
const HALF: i64 = 5_000;

/// The XP that a counted result earns a user, whose profile is as it was before.
///
/// # Errors
/// A reject where a duration makes it overflow.
pub fn earned(test: &Test, before: &Profile) -> Result<i64, Reject> {
    let (day, streak) = (test.day(), before.streak());
    let bonus = if streak.is_new(day) { daily_bonus(before.xp) } else { 0 };
    let sum = of_result(test, streak.after(day)) + i128::from(bonus);
    i64::try_from(sum).map_err(|_| Reject::new("xp overflows"))
}

/// What the result itself earns; `streak` is the one after it.
fn of_result(test: &Test, streak: Streak) -> i128 {
    let x = (base(test) * i128::from(percent(test, streak)) + 50) / 100;
    let accurate = i128::from((test.accuracy.0 - HALF).max(0));
    (2 * x * accurate + 5_000) / 10_000
}

/// Two points a second at the keys.
fn base(test: &Test) -> i128 {
    if test.mode == Mode::Zen {
        return 0;
    }
    let active_ms = i128::from(test.test_duration_ms) - i128::from(test.afk_duration_ms);
    (2 * active_ms + 500) / 1_000
}

/// What accuracy, a harder text and the streak make of it.
fn percent(test: &Test, streak: Streak) -> i64 {
    let wrong = [test.incorrect_chars, test.extra_chars, test.missed_chars];
    let flawless = match () {
        () if test.accuracy.0 == PERFECT => 50,
        () if wrong == [0; 3] => 25,
        () => 0,
    };
    let text = match test.mode {
        Mode::Quote => 50,
        _ => 40 * i64::from(test.punctuation) + 10 * i64::from(test.numbers),
    };
    100 + flawless + text + 10 * ((2 * streak.days.min(30) + 3) / 6)
}

/// The bonus of a user's first counted result of a new day.
fn daily_bonus(xp_before: i64) -> i64 {
    (xp_before.saturating_add(10) / 20).clamp(100, 1_000)
}

/// The level that so much XP gives: floor((sqrt(392 xp + 22801) - 53) / 98), exactly.
pub fn level(xp: i64) -> i64 {
    // Floor of a root and floor of the root's floor are the same where the bounds are whole numbers.
    let root = (392 * u128::from(xp.max(0).unsigned_abs()) + 22_801).isqrt();
    i64::try_from((root - 53) / 98).unwrap_or(i64::MAX)
}
