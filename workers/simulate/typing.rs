//! One typing test: its mode, its figures and how they hang together.
//!
//! Most are such as the rules count: the speed follows from characters and duration. A few are too short or implausible.

use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use uuid::Uuid;

use super::crowd::{Typist, pick};
use crate::fold::Time;

/// A test that a user finished.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) typist: Arc<Typist>,
    pub(super) event_id: Uuid,
    pub(super) occurred_at: Time,
    pub(super) kind: Kind,
    /// The id of a quote.
    pub(super) quote: u32,
    pub(super) duration_ms: i64,
    pub(super) afk_ms: i64,
    pub(super) incomplete_ms: i64,
    pub(super) restarts: i32,
    pub(super) wpm: f64,
    pub(super) raw_wpm: f64,
    pub(super) accuracy: f64,
    pub(super) consistency: f64,
    pub(super) correct: i32,
    pub(super) incorrect: i32,
    pub(super) extra: i32,
    pub(super) missed: i32,
    pub(super) bailed_out: bool,
    /// Chance left over, for what a topic decides by itself.
    pub(super) dice: u32,
}

/// What ends a test, and its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Zen,
    Time(u32),
    Words(u32),
    Quote,
    Custom,
}

const KINDS: [(u32, Kind); 13] = [
    (30, Kind::Time(60)),
    (21, Kind::Time(30)),
    (20, Kind::Time(15)),
    (3, Kind::Time(120)),
    (2, Kind::Time(10)),
    (6, Kind::Words(25)),
    (5, Kind::Words(50)),
    (2, Kind::Words(10)),
    (1, Kind::Words(100)),
    (1, Kind::Words(5)),
    (5, Kind::Quote),
    (2, Kind::Zen),
    (2, Kind::Custom),
];

/// A kind of test, as users choose them.
pub(super) fn draw_kind(chance: &mut ChaCha8Rng) -> Kind {
    pick(&KINDS, chance)
}

impl Kind {
    /// The text of `mode2`.
    pub(super) fn size(self, quote: u32) -> String {
        match self {
            Self::Time(size) | Self::Words(size) => size.to_string(),
            Self::Quote => quote.to_string(),
            Self::Zen => "zen".into(),
            Self::Custom => "custom".into(),
        }
    }
}

impl Test {
    /// A test of a user, finished at the time its duration gives after `begin`.
    pub(super) fn draw(typist: &Arc<Typist>, kind: Kind, begin: Time, chance: &mut ChaCha8Rng) -> Self {
        let speed = (typist.skill * (1.0 + 0.08 * normal(chance))).clamp(5.0, 240.0);
        let bailed_out = chance.random_ratio(1, 100);
        let percent = if bailed_out { chance.random_range(10..90) } else { 100 };
        let (duration_ms, correct) = effort(kind, speed, percent, chance);
        let minutes = duration_ms as f64 / 60_000.0;
        let wrong = (correct * i64::from(typist.errors) * chance.random_range(0..=200) + 50_000) / 100_000;
        let incorrect = wrong / 2;
        let wpm = two_places(correct as f64 / 5.0 / minutes);
        let (wpm, raw_wpm) = claim(wpm, incorrect as f64 / 5.0 / minutes, chance);
        let restarts = if chance.random_ratio(1, 4) { chance.random_range(1..6) } else { 0 };
        let occurred_at = begin.plus(duration_ms);
        Self {
            typist: Arc::clone(typist),
            event_id: id(occurred_at, chance),
            occurred_at,
            kind,
            quote: chance.random_range(1..6_000),
            duration_ms,
            afk_ms: if chance.random_ratio(1, 30) { duration_ms / chance.random_range(2..40) } else { 0 },
            incomplete_ms: i64::from(restarts) * chance.random_range(500..9_000),
            restarts,
            wpm,
            raw_wpm,
            accuracy: two_places(100.0 * correct as f64 / (correct + wrong) as f64),
            consistency: two_places(chance.random_range(55.0..95.0)),
            correct: small(correct),
            incorrect: small(incorrect),
            extra: small(wrong / 6),
            missed: small(wrong / 9),
            bailed_out,
            dice: chance.random(),
        }
    }
}

/// Milliseconds, and correct characters, that so many percent of a test of this kind take at this speed.
fn effort(kind: Kind, speed: f64, percent: i64, chance: &mut ChaCha8Rng) -> (i64, i64) {
    let a_ms = speed * 5.0 / 60_000.0;
    let of_duration = |ms: i64| (ms, ((ms as f64 * a_ms) as i64).max(1));
    let of_length = |chars: i64| ((((chars as f64 / a_ms) as i64) / 10 * 10).max(10), chars);
    match kind {
        Kind::Time(seconds) => of_duration(i64::from(seconds) * 10 * percent + chance.random_range(0..40)),
        Kind::Words(words) => of_length((i64::from(words) * chance.random_range(500..660) * percent / 10_000).max(1)),
        Kind::Quote => of_length((chance.random_range(60..600) * percent / 100).max(1)),
        Kind::Zen | Kind::Custom => of_duration(chance.random_range(8_000..180_000)),
    }
}

/// The speeds that are reported: 1 in 100 is too good to be true, or does not follow from the characters.
fn claim(wpm: f64, wrong: f64, chance: &mut ChaCha8Rng) -> (f64, f64) {
    let claimed = match chance.random_range(0..200_u32) {
        0 => 351.0 + wpm,
        1 => two_places(wpm * 1.5 + 1.0),
        _ => wpm,
    };
    (claimed.min(990.0), two_places(claimed + wrong).min(999.0))
}

/// A UUID of version 7.
pub(super) fn id(at: Time, chance: &mut ChaCha8Rng) -> Uuid {
    let bits = u128::from(at.0.cast_unsigned()) << 80 | u128::from(chance.random::<u64>()) << 16 | u128::from(chance.random::<u16>());
    let version = bits & !(0xf << 76) | 0x7 << 76;
    Uuid::from_u128(version & !(0x3 << 62) | 0x2 << 62)
}

fn normal(chance: &mut ChaCha8Rng) -> f64 {
    let drawn: f64 = StandardNormal.sample(chance);
    drawn.clamp(-4.0, 4.0)
}

fn two_places(x: f64) -> f64 {
    (x * 100.0).round() / 100.0
}

fn small(it: i64) -> i32 {
    i32::try_from(it).unwrap_or(i32::MAX)
}
