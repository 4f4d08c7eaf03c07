//! One lane as it tells of itself, and what follows from that.
//!
//! Lag is what is projected, not what was fetched.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{Health, State};
use crate::metrics::LaneMetrics;

/// A lane that says it gets on, is behind, and projected nothing for so long, is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// A lane, as /state shows it and `fleet lag` reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaneStatus {
    /// The role.
    pub role: String,
    /// The topic, as the contract names it.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// What it is doing, or what stopped it.
    pub state: State,
    /// The last error in a line, while it lasts.
    pub detail: Option<String>,
    /// Seconds in this state.
    pub state_seconds: f64,
    /// The first offset that is not projected, once claimed.
    pub next_offset: Option<i64>,
    /// The log's end, once known.
    pub end_offset: Option<i64>,
    /// Records not projected.
    pub lag_records: Option<i64>,
    /// Age of the oldest record not projected; 0 at the log's end.
    pub lag_seconds: Option<f64>,
}

/// What is known of a lane.
pub(super) struct Lane {
    role: &'static str,
    topic: String,
    partition: i32,
    state: State,
    detail: Option<String>,
    since: Instant,
    next_offset: Option<i64>,
    end_offset: Option<i64>,
    /// Kafka timestamp of the oldest record not projected.
    oldest: Option<i64>,
    /// Since when it is behind without getting on.
    stalled: Option<Instant>,
    metrics: LaneMetrics,
}

impl Lane {
    pub(super) fn new(role: &'static str, topic: &str, partition: i32, metrics: LaneMetrics) -> Self {
        let (state, since) = (State::Claiming, Instant::now());
        let (detail, next_offset, end_offset, oldest, stalled) = (None, None, None, None, None);
        Self { role, topic: topic.to_owned(), partition, state, detail, since, next_offset, end_offset, oldest, stalled, metrics }
    }

    pub(super) fn status(&self) -> LaneStatus {
        let (state, since) = self.shown();
        LaneStatus {
            role: self.role.to_owned(),
            topic: self.topic.clone(),
            partition: self.partition,
            state,
            detail: self.detail.clone(),
            state_seconds: since.elapsed().as_secs_f64(),
            next_offset: self.next_offset,
            end_offset: self.end_offset,
            lag_records: self.lag_records(),
            lag_seconds: self.lag_seconds(),
        }
    }

    pub(super) fn refresh_gauges(&self) {
        self.metrics.state(self.shown().0);
        self.metrics.lag_records.set(self.lag_records().unwrap_or_default());
        self.metrics.lag_seconds.set(self.lag_seconds().unwrap_or_default());
    }

    fn set_state(&mut self, state: State, detail: Option<String>) {
        if self.state != state {
            self.state = state;
            self.since = Instant::now();
            self.stalled = None;
            self.judge();
        }
        self.detail = detail;
    }

    fn moved(&mut self, next_offset: i64, end_offset: i64, oldest: Option<i64>) {
        if self.next_offset != Some(next_offset) {
            self.stalled = None;
        }
        self.next_offset = Some(next_offset);
        self.end_offset = Some(end_offset);
        self.oldest = oldest;
        self.judge();
    }

    fn log_end(&mut self, end_offset: i64) {
        self.end_offset = Some(end_offset);
        self.judge();
    }

    /// Starts or stops the watch on a lane that is behind.
    fn judge(&mut self) {
        let behind = self.lag_records().is_some_and(|it| it > 0);
        self.stalled = if behind { self.stalled.or_else(|| Some(Instant::now())) } else { None };
    }

    /// The state to show, and since when: what hangs cannot say so itself.
    fn shown(&self) -> (State, Instant) {
        let gets_on = matches!(self.state, State::Idle | State::Flowing);
        match self.stalled {
            Some(since) if gets_on && since.elapsed() >= STUCK_AFTER => (State::Stuck, since),
            _ => (self.state, self.since),
        }
    }

    fn lag_records(&self) -> Option<i64> {
        Some(self.end_offset?.saturating_sub(self.next_offset?).max(0))
    }

    /// Where the oldest record's time is not known, the time since it is known to be there.
    fn lag_seconds(&self) -> Option<f64> {
        if self.lag_records()? == 0 {
            return Some(0.0);
        }
        let known = self.stalled.map(|it| it.elapsed().as_secs_f64());
        let age = self.oldest.map(|it| (now_ms().saturating_sub(it)).max(0) as f64 / 1000.0);
        age.or(known)
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A lane's voice. Cheap to clone; the lane is over when the last clone is dropped.
#[derive(Clone)]
pub struct LaneHandle(Arc<Registered>);

struct Registered {
    health: Arc<Health>,
    id: u64,
}

impl LaneHandle {
    pub(super) fn new(health: &Arc<Health>, id: u64) -> Self {
        Self(Arc::new(Registered { health: Arc::clone(health), id }))
    }

    /// It is in this state, and no error is to be told.
    pub fn set_state(&self, state: State) {
        self.0.health.with_lane(self.0.id, |it| it.set_state(state, None));
    }

    /// It is in this state for this reason, in a line.
    pub fn set_state_because(&self, state: State, line: impl Into<String>) {
        self.0.health.with_lane(self.0.id, |it| it.set_state(state, Some(line.into())));
    }

    /// All before `next_offset` is projected, the log ends before `end_offset`, and the oldest record between has this Kafka
    /// timestamp in milliseconds, where it is known.
    pub fn progress(&self, next_offset: i64, end_offset: i64, oldest: Option<i64>) {
        self.0.health.with_lane(self.0.id, |it| it.moved(next_offset, end_offset, oldest));
    }

    /// The log ends before this offset.
    pub fn log_end(&self, end_offset: i64) {
        self.0.health.with_lane(self.0.id, |it| it.log_end(end_offset));
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.health.end_lane(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn lane() -> Lane {
        let metrics = Arc::new(Metrics::new().unwrap());
        Lane::new("some-role", "some-topic", 0, metrics.lane("some-role", "some-topic", 0))
    }

    fn long_ago() -> Option<Instant> {
        Instant::now().checked_sub(STUCK_AFTER)
    }

    #[test]
    fn what_is_behind_and_does_not_get_on_is_stuck() {
        let mut lane = lane();
        lane.set_state(State::Flowing, None);
        lane.moved(10, 20, None);
        lane.stalled = long_ago();
        lane.moved(10, 25, None);
        assert_eq!(lane.status().state, State::Stuck);
        lane.moved(11, 25, None);
        assert_eq!(lane.status().state, State::Flowing);
        lane.stalled = long_ago();
        lane.set_state(State::SinkBlocked, Some("mysql is away".to_owned()));
        assert_eq!(lane.status().state, State::SinkBlocked);
    }

    #[test]
    fn a_lane_at_the_end_is_never_stuck() {
        let mut lane = lane();
        lane.set_state(State::Idle, None);
        lane.moved(20, 20, None);
        assert_eq!((lane.stalled, lane.lag_seconds()), (None, Some(0.0)));
        lane.log_end(21);
        lane.stalled = long_ago();
        assert_eq!(lane.status().state, State::Stuck);
    }

    #[test]
    fn lag_is_the_age_of_the_oldest_record_not_projected() {
        let mut lane = lane();
        assert_eq!(lane.lag_records(), None);
        lane.moved(10, 12, Some(now_ms() - 5000));
        assert_eq!(lane.lag_records(), Some(2));
        assert!((5.0..6.0).contains(&lane.lag_seconds().unwrap()));
    }
}
