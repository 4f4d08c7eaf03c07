//! Who types: each user's lasting traits, made from the seed and the user's number alone.
//!
//! No list of users is kept: the same number always gives the same person.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};

pub(super) const SECOND: i64 = 1_000;
pub(super) const HOUR: i64 = 3_600 * SECOND;

/// How much later than it happened an event is told, in milliseconds: 1 in 10 by 1 s to 1 h, 1 in 100 by up to 3 days.
pub(super) fn delay(chance: &mut ChaCha8Rng) -> i64 {
    match chance.random_range(0..100_u32) {
        0 => chance.random_range(HOUR..72 * HOUR),
        1..=10 => chance.random_range(SECOND..HOUR),
        _ => 0,
    }
}

/// One user.
#[derive(Debug)]
pub(super) struct Typist {
    pub(super) user_id: i64,
    /// Empty for 3 in 10.
    pub(super) name: String,
    /// Words a minute, as usual.
    pub(super) skill: f64,
    /// Wrong keys in a thousand, as usual.
    pub(super) errors: u32,
    pub(super) language: &'static str,
    pub(super) day_offset_hours: i32,
    pub(super) habits: Habits,
}

/// Settings that a user keeps, as bits of chance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits(u32);

impl Habits {
    /// 1 in 6 types punctuation.
    pub(super) fn punctuation(self) -> bool {
        self.0.is_multiple_of(6)
    }
    /// 1 in 10 types numbers.
    pub(super) fn numbers(self) -> bool {
        (self.0 >> 3).is_multiple_of(10)
    }
    /// 1 in 50 leaves out accents.
    pub(super) fn lazy_mode(self) -> bool {
        (self.0 >> 7).is_multiple_of(50)
    }
    /// 1 in 50 stops at wrong letters.
    pub(super) fn stop_on_letter(self) -> bool {
        (self.0 >> 13).is_multiple_of(50)
    }
    /// 1 in 40 plays with an odd mode on.
    pub(super) fn funbox(self) -> bool {
        (self.0 >> 19).is_multiple_of(40)
    }
    /// 1 in 12 types in expert or master difficulty.
    pub(super) fn difficult(self) -> bool {
        (self.0 >> 23).is_multiple_of(12)
    }
}

const LANGUAGES: [(u32, &str); 8] = [
    (60, "english"),
    (10, "english_1k"),
    (8, "german"),
    (7, "spanish"),
    (5, "french"),
    (4, "russian"),
    (3, "chinese_simplified"),
    (3, "code_rust"),
];

/// The number of the user whose sitting begins: a fifth of them lie in the first 5 %.
pub(super) fn draw(users: u64, chance: &mut ChaCha8Rng) -> u64 {
    let users = users.max(1);
    let first = users.div_ceil(20);
    if first == users || chance.random_ratio(1, 5) { chance.random_range(1..=first) } else { chance.random_range(first + 1..=users) }
}

impl Typist {
    /// The user of this number.
    pub(super) fn of(seed: u64, number: u64) -> Arc<Self> {
        let mut chance = ChaCha8Rng::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let skill: f64 = LogNormal::new(3.807, 0.4).map_or(45.0_f64, |it| it.sample(&mut chance)).clamp(10.0, 220.0);
        let name = match chance.random_range(0..100_u32) {
            0..30 => String::new(),
            30..32 => format!("Zoë {number}"),
            _ => format!("typist{number}"),
        };
        Arc::new(Self {
            user_id: i64::try_from(number).unwrap_or(i64::MAX),
            name,
            // Rounded, so that the last bit of a logarithm differs on no machine.
            skill: (skill * 10.0).round() / 10.0,
            errors: chance.random_range(5..90),
            language: pick(&LANGUAGES, &mut chance),
            day_offset_hours: pick(&[(50, 0), (15, -8), (15, -5), (10, 1), (6, 8), (4, 10)], &mut chance),
            habits: Habits(chance.random()),
        })
    }
}

/// One of several by their weights.
pub(super) fn pick<T: Copy + Default>(weighted: &[(u32, T)], chance: &mut ChaCha8Rng) -> T {
    let mut left = chance.random_range(0..weighted.iter().map(|it| it.0).sum::<u32>().max(1));
    for (weight, it) in weighted {
        match left.checked_sub(*weight) {
            Some(rest) => left = rest,
            None => return *it,
        }
    }
    T::default()
}
