//! When they type: sittings that begin evenly over the span, and in them one test after another.
//!
//! Tests come out in the order in which they end, late ones apart. Nothing here is a real clock.

use std::{cmp::Reverse, collections::BinaryHeap};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    Plan,
    crowd::{self, Typist},
    typing::{Kind, Test, draw_kind},
};
use crate::fold::{FIRST_TIME, Time};

/// Tests of a sitting, on average.
const TESTS: u64 = 6;
/// Milliseconds that a test takes with the rest after it, on average; about.
const TEST_MS: f64 = 50_000.0;
/// Sittings going on at once, at most; about.
const SITTINGS: f64 = 50_000.0;
const DAY_MS: i64 = 86_400_000;

/// A sitting going on: its next test is done already, and waits for its end to come.
struct Sitting {
    next: Test,
    /// Tests after the next.
    left: u64,
    kind: Kind,
}

/// The tests of a plan.
pub(super) struct Pace {
    plan: Plan,
    chance: ChaCha8Rng,
    end: Time,
    /// Milliseconds of the stream for one of life: below 1 where so many events would not fit the span otherwise.
    squeeze: f64,
    /// When the next sitting begins, in microseconds after the start.
    begins_us: i64,
    /// Tests of sittings that did not begin yet.
    unborn: u64,
    sittings: Vec<Option<Sitting>>,
    free: Vec<usize>,
    /// When each sitting's next test ends.
    due: BinaryHeap<Reverse<(Time, usize)>>,
}

impl Pace {
    pub(super) fn new(plan: Plan) -> Self {
        let span = plan.span_ms.max(1) as f64;
        let at_once = plan.events as f64 / span * TEST_MS;
        let squeeze = (SITTINGS / at_once.max(1.0)).min(span / (4.0 * TEST_MS * TESTS as f64)).min(1.0);
        Self {
            plan,
            chance: ChaCha8Rng::seed_from_u64(plan.seed),
            end: plan.start.plus(plan.span_ms.max(0)),
            squeeze,
            begins_us: 0,
            unborn: plan.events,
            sittings: Vec::new(),
            free: Vec::new(),
            due: BinaryHeap::new(),
        }
    }

    /// Begins every sitting that begins before the next test ends.
    fn begin_sittings(&mut self) {
        while self.unborn > 0 {
            let begin = self.plan.start.plus(self.begins_us / 1_000);
            if self.due.peek().is_some_and(|Reverse((end, _))| *end < begin) {
                return;
            }
            let tests = self.chance.random_range(1..2 * TESTS).min(self.unborn);
            let last_us = ((self.plan.span_ms as f64 - TESTS as f64 * TEST_MS * self.squeeze) * 1_000.0) as i64;
            let sittings = (self.unborn / TESTS).max(1);
            self.begins_us += (last_us - self.begins_us).max(0) / i64::try_from(sittings).unwrap_or(i64::MAX);
            self.unborn -= tests;
            let number = crowd::draw(self.plan.users, &mut self.chance);
            let typist = Typist::of(self.plan.seed, number);
            let kind = draw_kind(&mut self.chance);
            let next = Test::draw(&typist, kind, begin, &mut self.chance);
            let end = self.passed(begin, next.duration_ms);
            self.enter(Sitting { next, left: tests - 1, kind }, end);
        }
    }

    fn enter(&mut self, sitting: Sitting, end: Time) {
        let place = self.free.pop().unwrap_or(self.sittings.len());
        match self.sittings.get_mut(place) {
            Some(slot) => *slot = Some(sitting),
            None => self.sittings.push(Some(sitting)),
        }
        self.due.push(Reverse((end, place)));
    }

    /// The sitting goes on: most tests are of its kind.
    fn go_on(&mut self, mut sitting: Sitting, now: Time) -> Test {
        sitting.left -= 1;
        let kind = if self.chance.random_ratio(1, 6) { draw_kind(&mut self.chance) } else { sitting.kind };
        let rest = self.chance.random_range(2_000..20_000);
        let next = Test::draw(&sitting.next.typist, kind, now, &mut self.chance);
        let end = self.passed(now, rest + next.duration_ms);
        let done = std::mem::replace(&mut sitting.next, next);
        self.enter(sitting, end);
        done
    }

    fn passed(&self, from: Time, life_ms: i64) -> Time {
        from.plus((life_ms as f64 * self.squeeze) as i64).min(self.end)
    }

    /// When it happened: 1 in 100 was kept back, for a minute to three days.
    fn told_at(&mut self, end: Time) -> Time {
        if !self.chance.random_ratio(1, 100) {
            return end;
        }
        let most = self.chance.random_range(120_000..3 * DAY_MS);
        end.plus(-self.chance.random_range(60_000..most)).max(FIRST_TIME)
    }
}

impl Iterator for Pace {
    type Item = Test;

    fn next(&mut self) -> Option<Test> {
        self.begin_sittings();
        let Reverse((end, place)) = self.due.pop()?;
        let sitting = self.sittings.get_mut(place)?.take()?;
        self.free.push(place);
        let mut test = if sitting.left == 0 { sitting.next } else { self.go_on(sitting, end) };
        test.occurred_at = self.told_at(end);
        Some(test)
    }
}
