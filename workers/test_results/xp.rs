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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::result, *};

    #[test]
    fn levels_begin_at_their_xp_exactly() {
        assert_eq!([0, 99, 100, 248, 249].map(level), [1, 1, 2, 2, 3]);
        // Level n begins where (98 n + 53)^2 = 392 xp + 22801.
        let begins = |n: i64| (49 * n * n + 53 * n - 102) / 2;
        let mut n = 2;
        while begins(n) <= 1_000_000_000_000 {
            assert_eq!((level(begins(n) - 1), level(begins(n))), (n - 1, n));
            n += 1;
        }
        assert!(n > 200_000);
        assert_eq!((level(-1), level(i64::MAX)), (1, 613_566_756));
    }

    #[test]
    fn the_daily_bonus_is_a_twentieth_within_100_and_1000() {
        assert_eq!([0, 2_009, 2_010, 2_030, 19_989, 19_990, 1 << 40].map(daily_bonus), [100, 100, 101, 102, 999, 1_000, 1_000]);
        assert_eq!(daily_bonus(i64::MAX), 1_000);
    }

    #[test]
    fn a_streak_takes_the_days_as_they_come() {
        let walk = |days: &[i32]| days.iter().fold(Streak::default(), |streak, day| streak.after(Day(*day)));
        assert_eq!(walk(&[]), Streak { days: 0, last_day: None });
        for (days, length, last) in
            [(&[7][..], 1, 7), (&[7, 7], 1, 7), (&[7, 8], 2, 8), (&[7, 9], 1, 9), (&[7, 8, 7, 9], 3, 9), (&[9, 8], 1, 9)]
        {
            assert_eq!(walk(days), Streak { days: length, last_day: Some(Day(last)) }, "{days:?}");
        }
    }

    /// What a result of so many milliseconds earns, all keys right, on the nth day of a streak.
    fn earns(days: i64, change: impl FnOnce(&mut super::super::event::TestResult)) -> i128 {
        let result = result(1).but(|it| it.accuracy = 100.0).but(change);
        of_result(&Test::of(&result).unwrap(), Streak { days, last_day: None })
    }

    #[test]
    fn each_part_of_the_formula_counts() {
        assert_eq!(earns(0, |_| ()), 180, "two a second, half as much again for no wrong key");
        assert_eq!(earns(0, |it| it.afk_duration = 30.0), 90);
        assert_eq!(earns(0, |it| it.punctuation = true), 228);
        assert_eq!(earns(0, |it| it.numbers = true), 192);
        assert_eq!(earns(0, |it| (it.punctuation, it.numbers) = (true, true)), 240);
        assert_eq!(earns(0, |it| (it.mode, it.punctuation, it.numbers) = (Mode::Quote, true, true)), 240, "a quote, whatever is in it");
        assert_eq!(earns(0, |it| it.mode = Mode::Zen), 0);
        assert_eq!([1, 2, 4, 5, 30, 31, 365].map(|days| earns(days, |_| ())), [180, 192, 192, 204, 300, 300, 300]);
        let corrected = |it: &mut super::super::event::TestResult| (it.incorrect_chars, it.extra_chars, it.missed_chars) = (0, 0, 0);
        assert_eq!(earns(0, corrected), 180, "both perfect and without a wrong character counts once");
        assert_eq!(earns(0, |it| (it.accuracy, it.incorrect_chars, it.extra_chars, it.missed_chars) = (75.0, 0, 0, 0)), 75);
        assert_eq!([50.0, 0.0, 50.01, 50.42].map(|accuracy| earns(0, |it| it.accuracy = accuracy)), [0, 0, 0, 1]);
    }

    /// Half up, of a quotient that is not below zero.
    fn rounded(dividend: i128, divisor: i128) -> i128 {
        let (whole, rest) = (dividend / divisor, dividend % divisor);
        whole + i128::from(2 * rest >= divisor)
    }

    proptest! {
        #[test]
        fn xp_is_the_formula_in_exact_fractions_and_in_doubles(
            (d, afk) in (1..7_200_000_i64).prop_flat_map(|d| (Just(d), 0..=d)),
            accuracy in prop_oneof![Just(10_000), 0..=10_000_i64],
            (wrong, streak) in (0..3_i32, 0..40_i64),
            (quote, punctuation, numbers) in any::<(bool, bool, bool)>(),
        ) {
            let mode = if quote { Mode::Quote } else { Mode::Custom };
            let event = result(1).of(mode, "1").but(|it| {
                (it.test_duration, it.afk_duration) = (d as f64 / 1_000.0, afk as f64 / 1_000.0);
                (it.accuracy, it.punctuation, it.numbers) = (accuracy as f64 / 100.0, punctuation, numbers);
                (it.incorrect_chars, it.extra_chars, it.missed_chars) = (0, wrong, 0);
            });
            let test = Test::of(&event).unwrap();
            prop_assert_eq!((test.test_duration_ms, test.afk_duration_ms, test.accuracy.0), (d, afk, accuracy));
            let flawless = if accuracy == 10_000 { 5 } else if wrong == 0 { 2 } else { 0 };
            let quarter = if flawless == 2 { 5 } else { 0 };
            let text = if quote { 5 } else { 4 * i128::from(punctuation) + i128::from(numbers) };
            let percent = 100 + 10 * (flawless + text + rounded(streak.min(30).into(), 3)) + quarter;
            let x = rounded(rounded(i128::from(d - afk), 500) * percent, 100);
            let xp = rounded(x * i128::from(accuracy - 5_000).max(0), 5_000);
            let earned = of_result(&test, Streak { days: streak, last_day: None });
            prop_assert_eq!(earned, xp);
            let factor = percent as f64 / 100.0;
            let double = ((d - afk) as f64 / 500.0).round() * factor * ((accuracy as f64 / 100.0 - 50.0) / 50.0).max(0.0);
            prop_assert!((earned as f64 - double).abs() <= 1.01, "{} {}", earned, double);
        }
    }
}
