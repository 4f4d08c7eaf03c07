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

/// How often a stream that others fill looks whether it is to go on.
const LOOK: Duration = Duration::from_millis(100);

/// Events a second that one process of a role must hold.
pub fn rate_of_a_process(role: &Role) -> u32 {
    OF_A_PROCESS.iter().find(|it| it.0 == role.name).map_or(role.topic.rate, |it| it.1)
}

/// How fast, for how long at most, and of what.
#[derive(Clone, Copy)]
pub struct Steady {
    /// Events a second, those among them that others send to the topic.
    pub rate: f64,
    /// Seconds until there are no more.
    pub seconds: f64,
    /// Of how many users.
    pub users: u64,
    /// What chance begins with.
    pub seed: u64,
}

/// Events since a stream began: its own, and those that others sent to its topic.
#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    others: AtomicU64,
}

/// A stream under way.
pub struct Load {
    counts: Arc<Counts>,
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
        let stream = events::of(stage.role, plan)?;
        let counts = Arc::new(Counts::default());
        let (counted, stop) = (Arc::clone(&counts), Arc::clone(stop));
        let producing = tokio::task::spawn_blocking(move || send(&bulk, stream, rate, (&stop, &counted)));
        Ok(Self { counts, producing })
    }

    /// Takes note of how many events others have sent to the topic since it began: so many fewer are sent.
    pub fn others(&self, sent: u64) {
        self.counts.others.store(sent, Ordering::Relaxed);
    }

    /// Events sent so far.
    pub fn sent(&self) -> u64 {
        self.counts.sent.load(Ordering::Relaxed)
    }

    /// Waits until all that was sent is acknowledged.
    ///
    /// # Errors
    /// The brokers' own.
    pub async fn end(self) -> Result<(), Fault> {
        self.producing.await.map_err(Fault::fatal)?
    }
}

fn send(bulk: &Bulk, stream: Stream, rate: f64, (stop, counts): (&AtomicBool, &Counts)) -> Result<(), Fault> {
    let started = Instant::now();
    for event in stream {
        loop {
            if stop.load(Ordering::Relaxed) {
                return bulk.finish();
            }
            let before = counts.sent.load(Ordering::Relaxed) + counts.others.load(Ordering::Relaxed);
            let due = started + Duration::from_secs_f64(before as f64 / rate);
            let early = due.saturating_duration_since(Instant::now());
            if early.is_zero() {
                break;
            }
            thread::sleep(early.min(LOOK));
        }
        events::send(bulk, &event)?;
        counts.sent.fetch_add(1, Ordering::Relaxed);
    }
    bulk.finish()
}
