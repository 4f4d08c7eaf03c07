//! How much may be sent by when: a bucket of tokens with a burst, and a share of it for what can wait.
//!
//! Plain data in whole numbers: it is kept wherever all workers see it, and every instant is given.

use super::units::Time;

/// A rate, and how much may be sent at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Tokens an hour, above 0.
    pub per_hour: i64,
    /// Tokens that gather at most, above 0.
    pub burst: i64,
}

/// Who takes tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// What goes first: it may take all there is.
    First,
    /// What can wait: it takes at most 80 % of the rate and of the burst.
    Bulk,
}

/// The tokens there are, in parts of 1 / [`TOKEN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// For all.
    pub parts: i64,
    /// Those of them that bulk may take.
    pub bulk_parts: i64,
    /// As of when.
    pub at: Time,
}

/// Parts of a token: with these, a millisecond brings a whole number of parts.
pub const TOKEN: i64 = 3_600_000;
const BULK_PERCENT: i64 = 80;

impl Bucket {
    /// A full bucket.
    pub fn full(limit: Limit, now: Time) -> Self {
        let [all, bulk] = Class::BOTH.map(|it| it.most(limit));
        Self { parts: all, bulk_parts: bulk, at: now }
    }

    /// The bucket at a later time. A clock that went back brings nothing.
    #[must_use]
    pub fn refilled(self, limit: Limit, now: Time) -> Self {
        let passed = now.0.saturating_sub(self.at.0).max(0);
        let filled = |parts: i64, class: Class| parts.saturating_add(passed.saturating_mul(class.rate(limit))).min(class.most(limit));
        Self { parts: filled(self.parts, Class::First), bulk_parts: filled(self.bulk_parts, Class::Bulk), at: self.at.max(now) }
    }

    /// Takes as many whole tokens as there are, at most `wanted`; how many that were.
    pub fn take(&mut self, class: Class, wanted: i64) -> i64 {
        let taken = (self.available(class) / TOKEN).min(wanted).max(0);
        self.give(class, -taken);
        taken
    }

    /// Puts tokens back that were not used.
    pub fn give(&mut self, class: Class, tokens: i64) {
        let parts = tokens.saturating_mul(TOKEN);
        self.parts = self.parts.saturating_add(parts);
        if class == Class::Bulk {
            self.bulk_parts = self.bulk_parts.saturating_add(parts);
        }
    }

    /// Milliseconds after `at` until there is a token, 0 if there is one.
    pub fn wait_ms(&self, limit: Limit, class: Class) -> i64 {
        let wait = |parts: i64, class: Class| (TOKEN - parts).max(0).saturating_add(class.rate(limit) - 1) / class.rate(limit);
        let all = wait(self.parts, Class::First);
        if class == Class::Bulk { all.max(wait(self.bulk_parts, Class::Bulk)) } else { all }
    }

    fn available(&self, class: Class) -> i64 {
        if class == Class::Bulk { self.parts.min(self.bulk_parts) } else { self.parts }
    }
}

impl Class {
    const BOTH: [Self; 2] = [Self::First, Self::Bulk];

    fn share(self, of: i64) -> i64 {
        if self == Self::Bulk { of.saturating_mul(BULK_PERCENT) / 100 } else { of }
    }

    /// Parts a millisecond: as many as tokens an hour, at least one.
    fn rate(self, limit: Limit) -> i64 {
        self.share(limit.per_hour).max(1)
    }

    /// Parts that gather at most: one token must have room.
    fn most(self, limit: Limit) -> i64 {
        self.share(limit.burst.saturating_mul(TOKEN)).max(TOKEN)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: Limit = Limit { per_hour: 10_000, burst: 100 };

    #[test]
    fn a_burst_goes_at_once_and_then_the_rate_holds() {
        let mut bucket = Bucket::full(LIMIT, Time(0));
        assert_eq!(bucket.take(Class::First, 1_000), 100);
        assert_eq!(bucket.take(Class::First, 1), 0);
        assert_eq!(bucket.wait_ms(LIMIT, Class::First), 360);
        bucket = bucket.refilled(LIMIT, Time(359));
        assert_eq!(bucket.take(Class::First, 1), 0);
        bucket = bucket.refilled(LIMIT, Time(360));
        assert_eq!(bucket.take(Class::First, 5), 1);
    }

    #[test]
    fn bulk_leaves_a_fifth_for_what_goes_first() {
        let mut bucket = Bucket::full(LIMIT, Time(0));
        assert_eq!(bucket.take(Class::Bulk, 1_000), 80);
        assert_eq!(bucket.take(Class::First, 1_000), 20);
        assert_eq!(bucket.wait_ms(LIMIT, Class::Bulk), 450);
    }

    #[test]
    fn a_clock_that_goes_back_brings_nothing_and_what_is_given_back_is_there_again() {
        let mut bucket = Bucket::full(LIMIT, Time(1_000));
        assert_eq!(bucket.take(Class::Bulk, 80), 80);
        assert_eq!(bucket.refilled(LIMIT, Time(0)), bucket);
        bucket.give(Class::Bulk, 3);
        assert_eq!(bucket.take(Class::Bulk, 80), 3);
    }

    proptest! {
        #[test]
        fn no_window_has_more_than_its_rate_and_burst(steps in prop::collection::vec((0..5_000_i64, any::<bool>(), 1..50_i64), 1..200)) {
            let (mut bucket, mut now, mut taken) = (Bucket::full(LIMIT, Time(0)), 0, [0; 2]);
            for (passed, is_bulk, wanted) in steps {
                now += passed;
                bucket = bucket.refilled(LIMIT, Time(now));
                let class = if is_bulk { Class::Bulk } else { Class::First };
                taken[usize::from(is_bulk)] += bucket.take(class, wanted);
                prop_assert!(taken[0] + taken[1] <= 100 + now * 10_000 / 3_600_000 + 1);
                prop_assert!(taken[1] <= 80 + now * 8_000 / 3_600_000 + 1);
            }
        }
    }
}
