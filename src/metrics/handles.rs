//! Handles of metrics, with their labels filled in once.
//!
//! A role's series stay for the process's life; a partition's go with its lane.

use std::sync::{Arc, PoisonError};

use prometheus::{Gauge, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::Metrics;
use crate::health::State;

/// A step of a flush, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Bytes into events.
    Decode,
    /// Rows that the batch misses, from MySQL.
    Load,
    /// Events into changes.
    Fold,
    /// Waiting for its turn, for a connection, or for room in what is pending outside MySQL.
    Wait,
    /// The ledger's row: the fence.
    Ledger,
    /// The tables' rows.
    Rows,
    /// COMMIT.
    Commit,
    /// Derived events or Redis, from COMMIT until they are confirmed.
    Outside,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 8] = [Self::Decode, Self::Load, Self::Fold, Self::Wait, Self::Ledger, Self::Rows, Self::Commit, Self::Outside];

    /// Its label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Load => "load",
            Self::Fold => "fold",
            Self::Wait => "wait",
            Self::Ledger => "ledger",
            Self::Rows => "rows",
            Self::Commit => "commit",
            Self::Outside => "outside",
        }
    }
}

/// A store, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// MySQL.
    Mysql,
    /// Redis.
    Redis,
    /// The brokers.
    Kafka,
    /// The schema registry.
    Registry,
}

impl Store {
    /// Its label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Redis => "redis",
            Self::Kafka => "kafka",
            Self::Registry => "registry",
        }
    }
}

/// What the ledger said of a commit whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It had been done.
    Applied,
    /// It had not; it was done again.
    Redone,
    /// Another worker holds the partition.
    Fenced,
}

impl Resolution {
    /// Its label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Redone => "redone",
            Self::Fenced => "fenced",
        }
    }
}

/// A pool's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Open.
    pub open: u32,
    /// Open and not in use.
    pub idle: u32,
}

/// The handles of a role. Cheap to clone.
#[derive(Clone)]
pub struct RoleMetrics {
    /// `fleet_events_applied_total`.
    pub events_applied: IntCounter,
    /// `fleet_events_duplicate_total`.
    pub events_duplicate: IntCounter,
    /// `fleet_records_skipped_total`.
    pub records_skipped: IntCounter,
    /// `fleet_event_age_seconds`; many at once with [`RoleMetrics::observe`].
    pub event_age: Histogram,
    /// `fleet_record_age_seconds`; many at once with [`RoleMetrics::observe`].
    pub record_age: Histogram,
    /// `fleet_batch_records`.
    pub batch_size: Histogram,
    /// `fleet_flush_lanes`.
    pub flush_lanes: Histogram,
    /// `fleet_fenced_total`.
    pub fenced: IntCounter,
    /// `fleet_rebalances_total`.
    pub rebalances: IntCounter,
    /// `fleet_assigned_partitions`.
    pub assigned_partitions: IntGauge,
    /// `fleet_redis_rebuilds_total`.
    pub redis_rebuilds: IntCounter,
    role: &'static str,
    steps: [Histogram; Step::ALL.len()],
    commit_unknown: [IntCounter; 3],
    events_rejected: IntCounterVec,
    events_noted: IntCounterVec,
    rows_written: IntCounterVec,
    derived_events: IntCounterVec,
    mysql_connections: IntGaugeVec,
}

impl RoleMetrics {
    pub(super) fn new(metrics: &Metrics, role: &'static str) -> Self {
        let of = |step: Step| metrics.flush_duration.with_label_values(&[role, step.as_str()]);
        let resolved = |it: Resolution| metrics.commit_unknown.with_label_values(&[role, it.as_str()]);
        Self {
            events_applied: metrics.events_applied.with_label_values(&[role]),
            events_duplicate: metrics.events_duplicate.with_label_values(&[role]),
            records_skipped: metrics.records_skipped.with_label_values(&[role]),
            event_age: metrics.event_age.with_label_values(&[role]),
            record_age: metrics.record_age.with_label_values(&[role]),
            batch_size: metrics.batch_size.with_label_values(&[role]),
            flush_lanes: metrics.flush_lanes.with_label_values(&[role]),
            fenced: metrics.fenced.with_label_values(&[role]),
            rebalances: metrics.rebalances.with_label_values(&[role]),
            assigned_partitions: metrics.assigned_partitions.with_label_values(&[role]),
            redis_rebuilds: metrics.redis_rebuilds.with_label_values(&[role]),
            role,
            steps: Step::ALL.map(of),
            commit_unknown: [Resolution::Applied, Resolution::Redone, Resolution::Fenced].map(resolved),
            events_rejected: metrics.events_rejected.clone(),
            events_noted: metrics.events_noted.clone(),
            rows_written: metrics.rows_written.clone(),
            derived_events: metrics.derived_events.clone(),
            mysql_connections: metrics.mysql_connections.clone(),
        }
    }

    /// `fleet_flush_duration_seconds` of a step.
    pub fn step(&self, step: Step) -> &Histogram {
        let [decode, load, fold, wait, ledger, rows, commit, outside] = &self.steps;
        match step {
            Step::Decode => decode,
            Step::Load => load,
            Step::Fold => fold,
            Step::Wait => wait,
            Step::Ledger => ledger,
            Step::Rows => rows,
            Step::Commit => commit,
            Step::Outside => outside,
        }
    }

    /// Counts a commit whose answer was lost.
    pub fn commit_unknown(&self, resolution: Resolution) {
        let [applied, redone, fenced] = &self.commit_unknown;
        match resolution {
            Resolution::Applied => applied.inc(),
            Resolution::Redone => redone.inc(),
            Resolution::Fenced => fenced.inc(),
        }
    }

    /// Counts letters by their cause.
    pub fn letters(&self, cause: &'static str, count: u64) {
        self.events_rejected.with_label_values(&[self.role, cause]).inc_by(count);
    }

    /// Counts events under a name of the role's own.
    pub fn noted(&self, name: &'static str, count: u64) {
        self.events_noted.with_label_values(&[self.role, name]).inc_by(count);
    }

    /// Counts rows written to a table.
    pub fn rows(&self, table: &'static str, count: u64) {
        self.rows_written.with_label_values(&[self.role, table]).inc_by(count);
    }

    /// Counts derived events that a topic took.
    pub fn derived(&self, topic: &'static str, count: u64) {
        self.derived_events.with_label_values(&[self.role, topic]).inc_by(count);
    }

    /// Tells how the pool stands.
    pub fn connections(&self, pool: Connections) {
        let used = pool.open.saturating_sub(pool.idle);
        self.mysql_connections.with_label_values(&[self.role, "used"]).set(used.into());
        self.mysql_connections.with_label_values(&[self.role, "idle"]).set(pool.idle.into());
    }

    /// Observes many values with one update of the shared buckets.
    pub fn observe(histogram: &Histogram, values: impl IntoIterator<Item = f64>) {
        let local = histogram.local();
        values.into_iter().for_each(|it| local.observe(it));
        local.flush();
    }
}

/// The gauges of one partition.
pub struct LaneMetrics {
    /// `fleet_consumer_lag_records`.
    pub lag_records: IntGauge,
    /// `fleet_consumer_lag_seconds`.
    pub lag_seconds: Gauge,
    metrics: Arc<Metrics>,
    labels: [String; 3],
}

impl LaneMetrics {
    pub(super) fn new(metrics: &Arc<Metrics>, labels: [String; 3]) -> Self {
        *metrics.lanes.lock().unwrap_or_else(PoisonError::into_inner).entry(labels.clone()).or_default() += 1;
        Self {
            lag_records: metrics.lag_records.with_label_values(&labels),
            lag_seconds: metrics.lag_seconds.with_label_values(&labels),
            metrics: Arc::clone(metrics),
            labels,
        }
    }

    /// Shows this state, and no other.
    pub fn state(&self, shown: State) {
        for state in State::ALL.into_iter().filter(|it| *it != shown) {
            self.forget_state(state);
        }
        self.metrics.lane_state.with_label_values(&self.labels_with(shown)).set(1);
    }

    fn labels_with(&self, state: State) -> [&str; 4] {
        let [role, topic, partition] = &self.labels;
        [role, topic, partition, state.as_str()]
    }

    fn forget_state(&self, state: State) {
        // It fails when there is no such series, which is what is wanted.
        let _ = self.metrics.lane_state.remove_label_values(&self.labels_with(state));
    }
}

impl Drop for LaneMetrics {
    fn drop(&mut self) {
        let mut lanes = self.metrics.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let left = lanes.get_mut(&self.labels).map_or(0, |count| {
            *count = count.saturating_sub(1);
            *count
        });
        if left > 0 {
            return;
        }
        lanes.remove(&self.labels);
        State::ALL.into_iter().for_each(|it| self.forget_state(it));
        // As above: a series that is not there is what is wanted.
        let _ = self.metrics.lag_records.remove_label_values(&self.labels);
        let _ = self.metrics.lag_seconds.remove_label_values(&self.labels);
    }
}
