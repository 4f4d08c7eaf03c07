//! The presses of a session in the order in which they were made, and what lies between two of them.
//!
//! The order of the event is never trusted.

use rustc_hash::FxHashSet;

use super::event::Press;

/// A gap over this is a pause: it tells nothing of a key or a digraph.
pub const PAUSE_MS: i64 = 1_500;

/// The presses by (down_ms, code, place in the event), exact repeats dropped.
pub fn in_order(keys: &[Press]) -> Vec<&Press> {
    let mut presses: Vec<&Press> = keys.iter().collect();
    presses.sort_by_key(|it| (it.down_ms, it.code));
    let mut once = FxHashSet::default();
    presses.retain(|it| once.insert(*it));
    presses
}

/// Two successive presses.
pub struct Pair<'e> {
    pub first: &'e Press,
    pub second: &'e Press,
}

impl Pair<'_> {
    /// From press to press, in milliseconds.
    pub fn gap_ms(&self) -> i64 {
        i64::from(self.second.down_ms) - i64::from(self.first.down_ms)
    }

    /// The gap as the latency of the second key and of the digraph, unless it was a pause.
    pub fn latency_ms(&self) -> Option<i64> {
        Some(self.gap_ms()).filter(|it| *it <= PAUSE_MS)
    }

    /// Whether the second was pressed before the first was released. Of a key whose release is not known, it was not.
    pub fn is_rollover(&self) -> bool {
        self.first.up_ms.is_some_and(|up_ms| self.second.down_ms < up_ms)
    }
}

/// The successive pairs of presses.
pub fn pairs<'e>(presses: &[&'e Press]) -> impl Iterator<Item = Pair<'e>> {
    presses.iter().zip(presses.iter().skip(1)).map(|(first, second)| Pair { first, second })
}

impl Press {
    /// How long it was held, in milliseconds, if its release is known.
    pub fn hold_ms(&self) -> Option<i64> {
        self.up_ms.map(|up_ms| i64::from(up_ms) - i64::from(self.down_ms))
    }
}
