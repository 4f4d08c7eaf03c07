//! Metrics: one typed table. A field's doc comment is the metric's help, its type the metric's kind.
//!
//! It serves nothing ([`crate::http`] does), and keeps no series of a partition longer than its lane.

mod drain;
mod handles;
mod table;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use prometheus::{GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec, Registry, TextEncoder, process_collector::ProcessCollector};

use crate::fault::{Fault, Weather};

pub use drain::DrainMetrics;
pub use handles::{Connections, LaneMetrics, Resolution, RoleMetrics, Step, Store};
use table::metrics;

/// Seconds of a step, from half a millisecond to half a minute.
const STEPS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Seconds until a record is visible: fine where the promise lies, coarse for a backlog.
const FRESHNESS: &[f64] =
    &[0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0];
/// Seconds since something happened: clients may have been offline for weeks.
const AGE: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86_400.0, 604_800.0, 2_592_000.0];
/// Records of a batch.
const BATCH: &[f64] = &[1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0, 30_000.0];

metrics! {
    /// Records of the partition that are not projected yet: the log's end minus the ledger's next offset.
    lag_records: IntGaugeVec = "fleet_consumer_lag_records" [role, topic, partition];
    /// Age of the partition's oldest record that is not projected yet; 0 at the log's end.
    lag_seconds: GaugeVec = "fleet_consumer_lag_seconds" [role, topic, partition];
    /// Time from produced to visible that a role promises.
    promised_freshness: GaugeVec = "fleet_promised_freshness_seconds" [role];
    /// 1 for the state that the partition's lane is in.
    lane_state: IntGaugeVec = "fleet_lane_state" [role, topic, partition, state];
    /// Partitions that the group has assigned to this worker.
    assigned_partitions: IntGaugeVec = "fleet_assigned_partitions" [role];
    /// Times that the group moved partitions to or from this worker.
    rebalances: IntCounterVec = "fleet_rebalances_total" [role];
    /// Events applied to the tables.
    events_applied: IntCounterVec = "fleet_events_applied_total" [role];
    /// Events seen before, which changed nothing.
    events_duplicate: IntCounterVec = "fleet_events_duplicate_total" [role];
    /// Records that can never be applied, and became letters.
    events_rejected: IntCounterVec = "fleet_events_rejected_total" [role, cause];
    /// Events that a role counts by a name of its own without changing a row.
    events_noted: IntCounterVec = "fleet_events_noted_total" [role, name];
    /// Records delivered again below the lane's position, and dropped.
    records_skipped: IntCounterVec = "fleet_records_skipped_total" [role];
    /// Time from when an event happened (occurred_at) until its rows were visible.
    event_age: HistogramVec = "fleet_event_age_seconds" [role], AGE;
    /// Time from when a record was produced (its Kafka timestamp) until its rows were visible.
    record_age: HistogramVec = "fleet_record_age_seconds" [role], FRESHNESS;
    /// Time that a flush spends in each of its steps.
    flush_duration: HistogramVec = "fleet_flush_duration_seconds" [role, step], STEPS;
    /// Records of one flush.
    batch_size: HistogramVec = "fleet_batch_records" [role], BATCH;
    /// Lanes that share one transaction.
    flush_lanes: HistogramVec = "fleet_flush_lanes" [role], BATCH;
    /// Rows written, by table.
    rows_written: IntCounterVec = "fleet_rows_written_total" [role, table];
    /// Derived events that the brokers acknowledged, by the topic they went to.
    derived_events: IntCounterVec = "fleet_derived_events_total" [role, topic];
    /// Flushes that found another worker's token in the ledger, and were rolled back.
    fenced: IntCounterVec = "fleet_fenced_total" [role];
    /// Commits whose answer was lost, by what the ledger then said.
    commit_unknown: IntCounterVec = "fleet_commit_unknown_total" [role, resolution];
    /// Times that the Redis keys of a role were made again from its tables.
    redis_rebuilds: IntCounterVec = "fleet_redis_rebuilds_total" [role];
    /// Rows of a queue that are not done with, by class: first, or bulk; every worker counts all.
    queue_rows: IntGaugeVec = "fleet_queue_rows" [role, queue, class];
    /// 1 while a drain takes nothing from its queue: the server is away or lets nobody in, or none is named.
    drain_held: IntGaugeVec = "fleet_drain_held" [role, queue];
    /// Rows that a drain has dealt with, by what came of it.
    drain_outcomes: IntCounterVec = "fleet_drain_outcomes_total" [role, queue, outcome];
    /// Answers of the server that a drain talks to, by their class.
    drain_replies: IntCounterVec = "fleet_drain_replies_total" [role, queue, class];
    /// Time from when a row was due first until it was taken by the server.
    drain_age: HistogramVec = "fleet_drain_age_seconds" [role, queue], AGE;
    /// Rounds in which rows were due and had to wait for the rate limit.
    drain_limiter_waits: IntCounterVec = "fleet_drain_limiter_waits_total" [role, queue];
    /// Connections to MySQL: used or idle.
    mysql_connections: IntGaugeVec = "fleet_mysql_connections" [role, state];
    /// Failed calls to a store, by the class of the failure: away, deadlock, lock-timeout, read-only, full, other.
    store_errors: IntCounterVec = "fleet_store_errors_total" [store, class];
    /// Schemas asked from the registry, by its answer.
    registry_fetches: IntCounterVec = "fleet_registry_fetches_total" [answer];
}

impl Metrics {
    /// The handles of a role.
    pub fn role(&self, role: &'static str) -> RoleMetrics {
        RoleMetrics::new(self, role)
    }

    /// States what a role promises, for alerts to compare its lag with.
    pub fn promise(&self, role: &'static str, freshness_ms: u32) {
        self.promised_freshness.with_label_values(&[role]).set(f64::from(freshness_ms) / 1000.0);
    }

    /// The gauges of one partition. They vanish when the last handle of the partition is dropped.
    pub fn lane(self: &Arc<Self>, role: &'static str, topic: &str, partition: i32) -> LaneMetrics {
        LaneMetrics::new(self, [role.to_owned(), topic.to_owned(), partition.to_string()])
    }

    /// The handles of a role's drain.
    pub fn drain(&self, role: &'static str, queue: &'static str) -> DrainMetrics {
        DrainMetrics::new(self, role, queue)
    }

    /// Counts a failed call to a store.
    pub fn store_error(&self, store: Store, class: Weather) {
        self.store_errors.with_label_values(&[store.as_str(), class.name()]).inc();
    }

    /// Counts an answer of the registry.
    pub fn registry_fetch(&self, answer: &'static str) {
        self.registry_fetches.with_label_values(&[answer]).inc();
    }

    /// All series as text.
    ///
    /// # Errors
    /// What the encoder refuses.
    pub fn text(&self) -> Result<String, Fault> {
        TextEncoder::new().encode_to_string(&self.registry.gather()).map_err(bug)
    }
}

/// Names and labels are constants, so this never happens to a program that passed its tests.
fn bug(error: prometheus::Error) -> Fault {
    Fault::fatal(format!("metrics: {error}"))
}

#[cfg(test)]
mod tests;
