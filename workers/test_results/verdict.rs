//! The verdict on a result: whether it counts.
//!
//! It refuses nothing: every accepted result is a row, whatever its verdict.

use super::{event::Mode, rows::Test};

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

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 3] = [Self::Counted, Self::TooShort, Self::Implausible];

    /// Its symbol in columns and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::TooShort => "too_short",
            Self::Implausible => "implausible",
        }
    }

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
