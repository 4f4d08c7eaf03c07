//! Figures of one session, in integers: means, deviations and ratios in hundredths, rounded half up.
//!
//! Each is exact before it is rounded, once; no double comes near.

use crate::fold::Hundredths;

/// Sums over whole milliseconds: what a mean and a deviation follow from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    n: i128,
    sum: i128,
    sum_sq: i128,
}

impl Moments {
    /// The sums of these.
    pub fn of(values: impl Iterator<Item = i64>) -> Self {
        let add = |it: Self, value: i128| Self { n: it.n + 1, sum: it.sum + value, sum_sq: it.sum_sq + value * value };
        values.map(i128::from).fold(Self::default(), add)
    }

    /// The mean, `None` of nothing.
    pub fn mean(self) -> Option<Hundredths> {
        ratio(100 * self.sum, self.n)
    }

    /// The deviation of the population, `None` of nothing: sqrt(n * sum of squares - sum^2) / n.
    pub fn deviation(self) -> Option<Hundredths> {
        let spread = (self.n * self.sum_sq - self.sum * self.sum).max(0).cast_unsigned();
        // floor(100 * sqrt(s) / n + 1/2) = (floor(sqrt(40,000 * s)) + n) div 2n: the cut of the root is lost in that of the division.
        let root = (40_000 * spread).isqrt().cast_signed();
        (self.n > 0).then(|| hundredths((root + self.n).div_euclid(2 * self.n)))
    }
}

/// A quotient of whole numbers rounded half up, `None` over nothing.
pub fn ratio(dividend: i128, divisor: i128) -> Option<Hundredths> {
    (divisor > 0).then(|| hundredths((2 * dividend + divisor).div_euclid(2 * divisor)))
}

/// Words of 5 characters a minute: the first press begins the time, so its character is not of it. 0 without time or text.
pub fn wpm(typed: usize, duration_ms: i64) -> Hundredths {
    // 100 hundredths, 60,000 milliseconds, 5 characters.
    let dividend = whole(typed.saturating_sub(1)) * 1_200_000;
    ratio(dividend, i128::from(duration_ms)).unwrap_or_default()
}

/// `100 * part / whole` percent, 0 of nothing.
pub fn percent(part: usize, of: usize) -> Hundredths {
    ratio(10_000 * whole(part), whole(of)).unwrap_or_default()
}

/// `part / whole`, `None` of nothing.
pub fn share(part: usize, of: usize) -> Option<Hundredths> {
    ratio(100 * whole(part), whole(of))
}

fn whole(it: usize) -> i128 {
    i128::try_from(it).unwrap_or(i128::MAX)
}

fn hundredths(it: i128) -> Hundredths {
    Hundredths(i64::try_from(it).unwrap_or(i64::MAX))
}
