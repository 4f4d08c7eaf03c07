//! Events that come twice: some are sent again, byte for byte, a little later.
//!
//! It makes no event of its own.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Plan, Simulated};

/// Within how many events a repeat comes.
const WITHIN: usize = 500;

/// A stream with 1 in 100 of its events repeated.
pub(super) struct Repeat<I> {
    events: I,
    chance: ChaCha8Rng,
    left: u64,
    /// What is sent again, by its turn.
    again: Vec<Option<Simulated>>,
    turn: usize,
}

impl<I> Repeat<I> {
    pub(super) fn new(events: I, plan: Plan) -> Self {
        // Another seed than the events': the two must not walk in step.
        let chance = ChaCha8Rng::seed_from_u64(!plan.seed);
        Self { events, chance, left: plan.events, again: vec![None; WITHIN], turn: 0 }
    }
}

impl<I: Iterator<Item = Simulated>> Iterator for Repeat<I> {
    type Item = Simulated;

    fn next(&mut self) -> Option<Simulated> {
        self.left = self.left.checked_sub(1)?;
        self.turn = (self.turn + 1) % WITHIN;
        if let Some(event) = self.again.get_mut(self.turn).and_then(Option::take) {
            return Some(event);
        }
        let event = self.events.next()?;
        if self.chance.random_ratio(1, 99) {
            let turn = (self.turn + self.chance.random_range(1..WITHIN)) % WITHIN;
            if let Some(slot) = self.again.get_mut(turn).filter(|it| it.is_none()) {
                *slot = Some(event.clone());
            }
        }
        Some(event)
    }
}
