//! A role's events at a steady rate, from a thread of their own, until they are told to stop.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use fleet::{fault::Fault, kafka::bulk::Bulk};
use tokio::task::JoinHandle;
use workers::{fold::Role, simulate::Plan};

use crate::{
    events::{self, Stream},
    stage::Stage,
};

/// Rates that a single process must hold, where that is less than the role's.
const OF_A_PROCESS: [(&str, u32); 1] = [("keystroke-analytics", 300)];

/// Events a second that one process of a role must hold.
pub fn rate_of_a_process(role: &Role) -> u32 {
    OF_A_PROCESS.iter().find(|it| it.0 == role.name).map_or(role.topic.rate, |it| it.1)
}

/// How fast, for how long at most, and of what.
#[derive(Clone, Copy)]
pub struct Steady {
    /// Events a second.
    pub rate: f64,
    /// Seconds until there are no more.
    pub seconds: f64,
    /// Of how many users.
    pub users: u64,
    /// What chance begins with.
    pub seed: u64,
}

/// A stream under way.
pub struct Load {
    sent: Arc<AtomicU64>,
    producing: JoinHandle<Result<(), Fault>>,
}

impl Load {
    /// Begins to send, as of now.
    ///
    /// # Errors
    /// The brokers' own, or nobody makes such events up.
    pub async fn start(stage: &Stage, steady: Steady, stop: &Arc<AtomicBool>) -> Result<Self, Fault> {
        let Steady { rate, seconds, users, seed } = steady;
        let (events, span_ms) = ((rate * seconds).ceil() as u64, (seconds * 1000.0) as i64);
        let plan = Plan { users, events, seed, start: events::now(), span_ms };
        let bulk = Bulk::open(&stage.config, &stage.registry, stage.role.topic).await?;
        let (stream, stop, sent) = (events::of(stage.role, plan)?, Arc::clone(stop), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&sent);
        let producing = tokio::task::spawn_blocking(move || send(&bulk, stream, rate, (&stop, &count)));
        Ok(Self { sent, producing })
    }

    /// Events sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Waits until all that was sent is acknowledged.
    ///
    /// # Errors
    /// The brokers' own.
    pub async fn end(self) -> Result<(), Fault> {
        self.producing.await.map_err(Fault::fatal)?
    }
}

fn send(bulk: &Bulk, stream: Stream, rate: f64, (stop, sent): (&AtomicBool, &AtomicU64)) -> Result<(), Fault> {
    let started = Instant::now();
    for (number, event) in stream.enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let due = started + Duration::from_secs_f64(number as f64 / rate);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        events::send(bulk, &event)?;
        sent.fetch_add(1, Ordering::Relaxed);
    }
    bulk.finish()
}
