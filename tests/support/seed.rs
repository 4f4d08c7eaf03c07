//! Chance that can be had again: a seed is printed by every test that uses one, and FLEET_TEST_SEED sets it.

use rand::{Rng as _, SeedableRng, rngs::StdRng, seq::SliceRandom as _};

/// The chance of one test.
pub struct Seed {
    rng: StdRng,
}

impl Seed {
    /// A new seed, or the one that the environment sets. Printed: the test's output is shown when it fails.
    pub fn of(test: &str) -> Self {
        let given = std::env::var("FLEET_TEST_SEED").ok().map(|it| it.parse().expect("FLEET_TEST_SEED is a whole number"));
        let number = given.unwrap_or_else(|| rand::random::<u32>().into());
        println!("{test}: FLEET_TEST_SEED={number}");
        Self { rng: StdRng::seed_from_u64(number) }
    }

    /// A number of `low..high`.
    pub fn within(&mut self, low: i64, high: i64) -> i64 {
        self.rng.random_range(low..high)
    }

    /// A place below `length`.
    pub fn below(&mut self, length: usize) -> usize {
        self.rng.random_range(0..length)
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: u32) -> bool {
        self.rng.random_ratio(1, times)
    }

    /// One of these.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Sixteen random bytes.
    pub fn bytes(&mut self) -> [u8; 16] {
        self.rng.random()
    }

    /// Mixes a list.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        list.shuffle(&mut self.rng);
    }
}
