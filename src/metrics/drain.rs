//! Handles of a drain's metrics, with role and queue filled in.
//!
//! Which outcomes there are, the core says.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::Metrics;

/// The handles of one drain. Cheap to clone.
#[derive(Clone)]
pub struct DrainMetrics {
    /// `fleet_drain_held`.
    pub held: IntGauge,
    /// `fleet_drain_age_seconds`.
    pub age: Histogram,
    /// `fleet_drain_limiter_waits_total`.
    pub limiter_waits: IntCounter,
    labels: [&'static str; 2],
    rows: IntGaugeVec,
    outcomes: IntCounterVec,
    replies: IntCounterVec,
}

impl DrainMetrics {
    pub(super) fn new(metrics: &Metrics, role: &'static str, queue: &'static str) -> Self {
        let labels = [role, queue];
        Self {
            held: metrics.drain_held.with_label_values(&labels),
            age: metrics.drain_age.with_label_values(&labels),
            limiter_waits: metrics.drain_limiter_waits.with_label_values(&labels),
            labels,
            rows: metrics.queue_rows.clone(),
            outcomes: metrics.drain_outcomes.clone(),
            replies: metrics.drain_replies.clone(),
        }
    }

    /// Tells how many rows of a class wait.
    pub fn waiting(&self, class: &str, rows: i64) {
        let [role, queue] = self.labels;
        self.rows.with_label_values(&[role, queue, class]).set(rows);
    }

    /// Counts what came of a row.
    pub fn outcome(&self, outcome: &str) {
        let [role, queue] = self.labels;
        self.outcomes.with_label_values(&[role, queue, outcome]).inc();
    }

    /// Counts an answer.
    pub fn reply(&self, class: &str) {
        let [role, queue] = self.labels;
        self.replies.with_label_values(&[role, queue, class]).inc();
    }
}
