//! Health: what every lane is doing, whether every loop ticks, what the worker still waits for.
//!
//! It asks nothing of anyone: lanes and loops tell it. What hangs cannot tell, so `stuck` and overdue ticks are seen here.

mod lane;
mod state;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::metrics::Metrics;

use lane::Lane;
pub use lane::{LaneHandle, LaneStatus};
pub use state::State;

/// What a worker tells of itself at /state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Worker {
    /// The version of the program.
    pub version: String,
    /// Its lanes, by role and partition.
    pub lanes: Vec<LaneStatus>,
    /// Its drains, by role and queue.
    #[serde(default)]
    pub drains: Vec<DrainStatus>,
}

/// A drain as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainStatus {
    /// Its role.
    pub role: String,
    /// The queue that it empties.
    pub queue: String,
    /// Why it takes nothing from it, where it does not.
    pub held: Option<String>,
}

/// The health of one process. Lanes, loops and stores write to it, HTTP reads it.
pub struct Health {
    metrics: Arc<Metrics>,
    ids: AtomicU64,
    lanes: Mutex<BTreeMap<u64, Lane>>,
    beats: Mutex<BTreeMap<u64, Due>>,
    needs: Mutex<BTreeMap<String, Stand>>,
    drains: Mutex<BTreeMap<(&'static str, &'static str), Option<String>>>,
}

/// When a loop must have ticked again, or a call must have ended.
struct Due {
    name: String,
    deadline: Duration,
    at: Instant,
}

/// How a need stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stand {
    Awaited,
    Met,
    Failing(String),
}

impl Health {
    /// Nothing is known yet.
    pub fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        let (lanes, beats, needs, drains) = (Mutex::default(), Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { metrics, ids: AtomicU64::default(), lanes, beats, needs, drains })
    }

    /// A lane begins, in the state `claiming`. It is over when the last clone of the handle is dropped.
    pub fn lane(self: &Arc<Self>, role: &'static str, topic: &str, partition: i32) -> LaneHandle {
        let id = self.next_id();
        let metrics = self.metrics.lane(role, topic, partition);
        lock(&self.lanes).insert(id, Lane::new(role, topic, partition, metrics));
        LaneHandle::new(self, id)
    }

    /// A loop promises to tick at least once in `deadline`, or a call to end within it.
    /// Drop it when the loop or the call ended; a panic does not count as an end.
    pub fn beat(self: &Arc<Self>, name: impl Into<String>, deadline: Duration) -> Beat {
        let id = self.next_id();
        let due = Due { name: name.into(), deadline, at: Instant::now() + deadline };
        lock(&self.beats).insert(id, due);
        Beat { health: Arc::clone(self), id }
    }

    /// The worker is not ready before this is met: a store answered, a group was joined.
    pub fn need(self: &Arc<Self>, name: impl Into<String>) -> Need {
        let name = name.into();
        lock(&self.needs).entry(name.clone()).or_insert(Stand::Awaited);
        Need { health: Arc::clone(self), name }
    }

    /// What is overdue, and for how long. Empty means alive.
    pub fn overdue(&self) -> Vec<String> {
        let now = Instant::now();
        let late = |it: &Due| {
            let late = now.checked_duration_since(it.at)?;
            Some(format!("{}: overdue by {:.1} s (deadline {:.1} s)", it.name, late.as_secs_f64(), it.deadline.as_secs_f64()))
        };
        lock(&self.beats).values().filter_map(late).collect()
    }

    /// What the worker waits for, and which lanes are blocked. Empty means ready.
    pub fn not_ready(&self) -> Vec<String> {
        let needs = lock(&self.needs);
        let needs = needs.iter().filter_map(|(name, stand)| match stand {
            Stand::Met => None,
            Stand::Awaited => Some(format!("{name}: not yet")),
            Stand::Failing(line) => Some(format!("{name}: {line}")),
        });
        let lanes = self.lanes();
        let lanes = lanes.iter().filter(|it| it.state.is_blocked()).map(|it| {
            let detail = it.detail.as_deref().unwrap_or_default();
            format!("role {} partition {}: {} {detail}", it.role, it.partition, it.state).trim_end().to_owned()
        });
        needs.chain(lanes).collect()
    }

    /// Every lane as it stands, by role and partition.
    pub fn lanes(&self) -> Vec<LaneStatus> {
        let mut lanes: Vec<LaneStatus> = lock(&self.lanes).values().map(Lane::status).collect();
        lanes.sort_by(|a, b| (&a.role, a.partition).cmp(&(&b.role, b.partition)));
        lanes
    }

    /// What /state tells.
    pub fn worker(&self) -> Worker {
        let told = |((role, queue), held): (&(&str, &str), &Option<String>)| DrainStatus {
            role: (*role).to_owned(),
            queue: (*queue).to_owned(),
            held: held.clone(),
        };
        let drains = lock(&self.drains).iter().map(told).collect();
        Worker { version: env!("CARGO_PKG_VERSION").to_owned(), lanes: self.lanes(), drains }
    }

    /// Says whether a drain works, or why it does not, and answers whether that is news.
    /// Neither alive nor ready depends on it: rows that wait are not lost.
    pub fn drain(&self, role: &'static str, queue: &'static str, held: Option<String>) -> bool {
        let said = lock(&self.drains).insert((role, queue), held.clone());
        said.map_or(held.is_some(), |it| it != held)
    }

    /// Sets the gauges of every lane to how it stands now: ages grow while nothing happens.
    pub fn refresh_gauges(&self) {
        lock(&self.lanes).values().for_each(Lane::refresh_gauges);
    }

    fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn with_lane(&self, id: u64, change: impl FnOnce(&mut Lane)) {
        if let Some(lane) = lock(&self.lanes).get_mut(&id) {
            change(lane);
        }
    }

    fn end_lane(&self, id: u64) {
        let ended = lock(&self.lanes).remove(&id);
        drop(ended);
    }
}

/// A panic elsewhere must not take health down with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A promise to tick.
pub struct Beat {
    health: Arc<Health>,
    id: u64,
}

impl Beat {
    /// Ticks.
    pub fn tick(&self) {
        if let Some(due) = lock(&self.health.beats).get_mut(&self.id) {
            due.at = Instant::now() + due.deadline;
        }
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            lock(&self.health.beats).remove(&self.id);
        }
    }
}

/// Something that the worker needs before it is ready. Cheap to clone.
#[derive(Clone)]
pub struct Need {
    health: Arc<Health>,
    name: String,
}

impl Need {
    /// It is there.
    pub fn met(&self) {
        self.stands(Stand::Met);
    }

    /// It is not, for this reason, in a line.
    pub fn failing(&self, line: impl Into<String>) {
        self.stands(Stand::Failing(line.into()));
    }

    fn stands(&self, stand: Stand) {
        lock(&self.health.needs).insert(self.name.clone(), stand);
    }
}

#[cfg(test)]
mod tests;
