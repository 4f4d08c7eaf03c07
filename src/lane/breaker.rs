//! The breaker: stops a lane when letters exceed a ratio or a run, before a wrong deploy upstream drains a topic into letters.
//!
//! It decides by counts alone; who may accept what it holds back is the table `breakers`' business.

use std::collections::VecDeque;

/// Records that the ratio looks back on.
const WINDOW: usize = 1000;
/// Records that must have been seen before a ratio means anything.
const LEAST: usize = 100;

/// What a lane has met lately, and what it may still letter.
#[derive(Clone, Debug)]
pub struct Breaker {
    ratio: f64,
    most_in_a_row: usize,
    recent: VecDeque<bool>,
    rejected: usize,
    run: usize,
    /// Offsets below this may be lettered, whatever the counts say: somebody accepted them.
    accepted_to: i64,
}

impl Breaker {
    /// A breaker that opens past this share of letters, or this many in a row.
    pub fn new(ratio: f64, most_in_a_row: u32) -> Self {
        let most_in_a_row = usize::try_from(most_in_a_row).unwrap_or(usize::MAX);
        Self { ratio, most_in_a_row, recent: VecDeque::new(), rejected: 0, run: 0, accepted_to: 0 }
    }

    /// As a lane begins whose breaker was open when it was last worked: the next letter opens it again.
    pub fn was_open(&mut self) {
        self.run = self.most_in_a_row;
    }

    /// Letters below this offset are accepted.
    pub fn accept(&mut self, to: i64) {
        if to > self.accepted_to {
            self.accepted_to = to;
            self.run = 0;
            self.recent.clear();
            self.rejected = 0;
        }
    }

    /// Takes the verdicts of a batch, in order; answers the place of the first record that must not be lettered.
    ///
    /// When it answers one, only the verdicts before it are taken.
    pub fn admit(&mut self, verdicts: impl IntoIterator<Item = (i64, bool)>) -> Option<usize> {
        for (place, (offset, rejected)) in verdicts.into_iter().enumerate() {
            if rejected && offset >= self.accepted_to && self.would_open() {
                return Some(place);
            }
            self.run = if rejected { self.run + 1 } else { 0 };
            self.rejected += usize::from(rejected);
            self.recent.push_back(rejected);
            if self.recent.len() > WINDOW && self.recent.pop_front() == Some(true) {
                self.rejected -= 1;
            }
        }
        None
    }

    /// Whether one more letter is one too many.
    fn would_open(&self) -> bool {
        let seen = self.recent.len() + 1;
        let share = (self.rejected + 1) as f64 / seen as f64;
        self.run >= self.most_in_a_row || (seen > LEAST && share > self.ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(breaker: &mut Breaker, verdicts: &[bool]) -> Option<usize> {
        breaker.admit((0..).zip(verdicts.iter().copied()))
    }

    #[test]
    fn a_run_opens_it_and_a_good_record_ends_the_run() {
        let mut breaker = Breaker::new(1.0, 3);
        assert_eq!(admit(&mut breaker, &[true, true, false, true, true, true, true]), Some(6));
    }

    #[test]
    fn a_ratio_opens_it_once_enough_were_seen() {
        let mut breaker = Breaker::new(0.5, 1000);
        let mixed: Vec<bool> = (0..300).map(|it| it % 3 != 0).collect();
        assert_eq!(admit(&mut breaker, &mixed), Some(LEAST + 1 - 1));
        let mut breaker = Breaker::new(0.5, 1000);
        let fewer: Vec<bool> = (0..5000).map(|it| it % 3 == 0).collect();
        assert_eq!(admit(&mut breaker, &fewer), None);
    }

    #[test]
    fn what_was_accepted_passes_and_the_rest_does_not() {
        let mut breaker = Breaker::new(1.0, 3);
        let bad = [true; 20];
        assert_eq!(admit(&mut breaker, &bad), Some(3));
        breaker.accept(10);
        assert_eq!(breaker.admit((3..).zip(bad)), Some(10 - 3 + 3 - 3));
    }

    #[test]
    fn one_that_was_open_opens_at_the_next_letter() {
        let mut breaker = Breaker::new(1.0, 3);
        breaker.was_open();
        assert_eq!(admit(&mut breaker, &[true]), Some(0));
        let mut breaker = Breaker::new(1.0, 3);
        breaker.was_open();
        assert_eq!(admit(&mut breaker, &[false, true, true, true]), None);
    }
}
