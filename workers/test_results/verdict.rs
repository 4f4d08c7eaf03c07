//! The verdict on a result: whether it counts.
//!
//! It refuses nothing: every accepted result is a row, whatever its verdict.

use super::{event::Mode, rows::Test};
use crate::symbols;

/// Whether a result makes bests, boards, streaks, XP and totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It does.
    Counted,
    /// It does not: the test was too short to say anything.
    TooShort,
    /// It does not: its figures contradict each other, or what hands can do.
    Implausible,
}

symbols!(Verdict, { Counted: "counted", TooShort: "too_short", Implausible: "implausible" });

impl Verdict {
    /// The verdict on a result as stored.
    pub fn on(test: &Test) -> Self {
        if is_too_short(test) {
            Self::TooShort
        } else if is_implausible(test) {
            Self::Implausible
        } else {
            Self::Counted
        }
    }
}

const SHORTEST_MS: i64 = 15_000;
const SHORTEST_TIME: u32 = 15;
const FEWEST_WORDS: u32 = 10;

fn is_too_short(test: &Test) -> bool {
    let brief = test.test_duration_ms < SHORTEST_MS;
    let fixed_below = |least: u32| match test.mode2.parse::<u32>().unwrap_or_default() {
        0 => brief,
        size => size < least,
    };
    match test.mode {
        Mode::Time => fixed_below(SHORTEST_TIME) || (test.bailed_out && brief),
        Mode::Words => fixed_below(FEWEST_WORDS) || (test.bailed_out && brief),
        Mode::Zen => brief,
        Mode::Custom => test.bailed_out && brief,
        Mode::Quote => false,
    }
}

/// Words a minute, in hundredths, that nobody exceeds.
const FASTEST: i64 = 35_000;
/// The same for ten words, which are sometimes typed in one burst.
const FASTEST_TEN_WORDS: i64 = 42_000;
/// How far, in hundredths, the speed may lie from the one that its characters and duration give.
const TOLERANCE: i128 = 50;

fn is_implausible(test: &Test) -> bool {
    let ten_words = test.mode == Mode::Words && &*test.mode2 == "10";
    let fastest = if ten_words { FASTEST_TEN_WORDS } else { FASTEST };
    test.wpm.0.max(test.raw_wpm.0) > fastest
        || computed_wpm(test).is_none_or(|it| (i128::from(test.wpm.0) - it).abs() > TOLERANCE)
        || test.afk_duration_ms > test.test_duration_ms
}

/// Five characters a word over the duration, in hundredths, rounded half up; `None` if the test took no time.
fn computed_wpm(test: &Test) -> Option<i128> {
    // c / 5 words in d / 60,000 minutes are c * 1,200,000 / d hundredths of words a minute.
    let (correct, d) = (i128::from(test.correct_chars), i128::from(test.test_duration_ms));
    (2 * correct * 1_200_000 + d).checked_div(2 * d)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::result, *};
    use crate::test_results::event::TestResult;

    fn verdict(result: &TestResult) -> Verdict {
        Verdict::on(&Test::of(result).unwrap())
    }

    /// That of a test at 60 words a minute: mode, mode2, whole seconds, bailed out.
    fn paced(mode: Mode, mode2: &str, seconds: i32) -> [Verdict; 2] {
        [false, true]
            .map(|bailed_out| verdict(&result(1).of(mode, mode2).typed(5 * seconds, seconds.into()).but(|it| it.bailed_out = bailed_out)))
    }

    #[test]
    fn short_tests_are_too_short_by_their_kind() {
        use Mode::{Custom, Quote, Time, Words, Zen};
        // Mode, size, seconds, and the verdict when it ran to its end and when it was bailed out of.
        let (counted, short) = (Verdict::Counted, Verdict::TooShort);
        let table = [
            (Time, "15", 15, counted, counted),
            (Time, "15", 14, counted, short),
            (Time, "14", 14, short, short),
            (Time, "14", 60, short, short),
            (Time, "1", 60, short, short),
            (Time, "60", 15, counted, counted),
            (Time, "60", 14, counted, short),
            (Time, "0", 15, counted, counted),
            (Time, "0", 14, short, short),
            (Words, "10", 3, counted, short),
            (Words, "10", 15, counted, counted),
            (Words, "9", 60, short, short),
            (Words, "1", 60, short, short),
            (Words, "0", 15, counted, counted),
            (Words, "0", 14, short, short),
            (Words, "999999999", 14, counted, short),
            (Zen, "", 15, counted, counted),
            (Zen, "", 14, short, short),
            (Custom, "", 15, counted, counted),
            (Custom, "5", 14, counted, short),
            (Quote, "5", 1, counted, counted),
        ];
        for (mode, mode2, seconds, ran, bailed_out) in table {
            assert_eq!(paced(mode, mode2, seconds), [ran, bailed_out], "{mode:?} {mode2} in {seconds} s");
        }
    }

    #[test]
    fn fifteen_seconds_are_fifteen_thousand_rounded_milliseconds() {
        let zen = |seconds: f64| verdict(&result(1).of(Mode::Zen, "").typed(75, seconds));
        assert_eq!((zen(14.9995), zen(14.999_4)), (Verdict::Counted, Verdict::TooShort));
    }

    #[test]
    fn nobody_types_faster_than_350_but_420_in_ten_words() {
        let typed = |mode: Mode, mode2: &str, wpm: f64, raw_wpm: f64| {
            let result = result(1).of(mode, mode2).but(|it| (it.correct_chars, it.test_duration) = ((wpm * 5.0) as i32, 60.0));
            verdict(&result.but(|it| (it.wpm, it.raw_wpm) = (wpm, raw_wpm)))
        };
        let (counted, implausible) = (Verdict::Counted, Verdict::Implausible);
        for (mode, mode2, most) in
            [(Mode::Time, "60", 350.0), (Mode::Words, "11", 350.0), (Mode::Time, "100", 350.0), (Mode::Words, "10", 420.0)]
        {
            assert_eq!(typed(mode, mode2, most, most), counted, "{mode:?} {mode2}");
            assert_eq!(typed(mode, mode2, most + 0.01, most), implausible, "{mode:?} {mode2}");
            assert_eq!(typed(mode, mode2, most, most + 0.01), implausible, "{mode:?} {mode2}");
            assert_eq!(typed(mode, mode2, most + 0.004, most + 0.004), counted, "as stored");
        }
    }

    #[test]
    fn the_speed_follows_from_characters_and_duration_within_half_a_word() {
        let at = |wpm: f64| verdict(&result(1).but(|it| it.wpm = wpm));
        assert_eq!([99.5, 100.5].map(at), [Verdict::Counted; 2]);
        assert_eq!([99.49, 100.51].map(at), [Verdict::Implausible; 2]);
        // 100 characters in 7 s: 17,142.857.. hundredths, rounded to 17,143.
        let odd = |wpm: f64| verdict(&result(1).of(Mode::Quote, "1").typed(100, 7.0).but(|it| it.wpm = wpm));
        assert_eq!([171.92, 171.93, 171.94, 170.93, 170.92].map(odd).map(|it| it == Verdict::Counted), [true, true, false, true, false]);
    }

    #[test]
    fn no_time_and_more_time_away_than_there_was_are_implausible() {
        let lasting = |seconds: f64| verdict(&result(1).of(Mode::Quote, "1").typed(0, 1.0).but(|it| it.test_duration = seconds));
        assert_eq!([0.0, 0.0004, 0.0005].map(lasting), [Verdict::Implausible, Verdict::Implausible, Verdict::Counted]);
        let away = |seconds: f64| verdict(&result(1).but(|it| it.afk_duration = seconds));
        assert_eq!([60.0, 60.0004, 60.001].map(away), [Verdict::Counted, Verdict::Counted, Verdict::Implausible]);
    }

    #[test]
    fn too_short_goes_before_implausible() {
        assert_eq!(verdict(&result(1).of(Mode::Time, "14").but(|it| it.wpm = 999.0)), Verdict::TooShort);
    }
}
