//! Events at a steady rate, some of them followed until they are visible in MySQL and in Redis.
//!
//! What a worker says of itself plays no part here.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use fleet::{config::Config, fault::Fault, kafka::bulk::Bulk};
use tokio::{sync::mpsc, task::JoinHandle};
use uuid::Uuid;
use workers::{
    fold::Time,
    simulate::{Plan, Simulated},
};

use crate::{
    events::{self, Stream},
    stage::Stage,
    watchers::{self, Plain, Seen},
};

/// Events followed, a second.
const SAMPLES: u32 = 50;
/// An event that happened longer ago is not followed: newer ones of its user may keep it out of the document.
const LATE_MS: i64 = 30_000;
/// Nor are events of the first users, 1 in so many: theirs are so many that the next may push one out before it was looked for.
const BUSY: u64 = 20;
/// Among so many events before it an event may be a repeat.
const REPEATS: usize = 1000;

/// An event that is followed.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its identity.
    pub event_id: Uuid,
    /// Its user.
    pub user_id: i64,
    /// When it happened, as it says.
    pub occurred_at: Time,
    /// When it was handed to the producer.
    pub sent: Instant,
}

/// A steady stream under way.
pub struct Probe {
    started: Instant,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    producing: JoinHandle<Result<(), Fault>>,
    mysql: JoinHandle<Result<Vec<Seen>, Fault>>,
    redis: JoinHandle<Result<Vec<Seen>, Fault>>,
    plain: JoinHandle<Result<Plain, Fault>>,
}

/// What was seen.
pub struct Found {
    /// When the first event was sent.
    pub started: Instant,
    /// In MySQL.
    pub mysql: Vec<Seen>,
    /// In Redis.
    pub redis: Vec<Seen>,
    /// Without Fleet, at the same time.
    pub plain: Plain,
}

impl Probe {
    /// Begins to send the events of a plan at a rate.
    ///
    /// # Errors
    /// The servers' own.
    pub async fn start(stage: &Stage, config: &Config, plan: Plan, rate: u32) -> Result<Self, Fault> {
        let bulk = Bulk::open(config, &stage.registry, stage.role.topic).await?;
        let stream = events::of(stage.role, plan)?;
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (to_mysql, mysql) = mpsc::unbounded_channel();
        let (to_redis, redis) = mpsc::unbounded_channel();
        let mysql = tokio::spawn(watchers::mysql(stage.pool.clone(), mysql));
        let redis = tokio::spawn(watchers::redis(config.redis.secret().to_owned(), redis));
        let plain = tokio::spawn(watchers::plain(stage.config.clone(), stage.topic(), stage.pool.clone(), Arc::clone(&stop)));
        let busy = i64::try_from(plan.users / BUSY).unwrap_or(i64::MAX);
        let producer = Producer { bulk, rate, busy, stop: Arc::clone(&stop), sent: Arc::clone(&sent), followers: [to_mysql, to_redis] };
        let started = Instant::now();
        let producing = tokio::task::spawn_blocking(move || producer.run(stream));
        Ok(Self { started, stop, sent, producing, mysql, redis, plain })
    }

    /// Events sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends it, and waits until what is followed was seen.
    ///
    /// # Errors
    /// The servers' own.
    pub async fn finish(self) -> Result<Found, Fault> {
        self.stop.store(true, Ordering::Relaxed);
        self.producing.await.map_err(Fault::fatal)??;
        let (mysql, redis) = (self.mysql.await.map_err(Fault::fatal)??, self.redis.await.map_err(Fault::fatal)??);
        Ok(Found { started: self.started, mysql, redis, plain: self.plain.await.map_err(Fault::fatal)?? })
    }
}

struct Producer {
    bulk: Bulk,
    rate: u32,
    /// Users up to this number are not followed.
    busy: i64,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    followers: [mpsc::UnboundedSender<Sample>; 2],
}

impl Producer {
    fn run(self, stream: Stream) -> Result<(), Fault> {
        let started = Instant::now();
        let every = u64::from((self.rate / SAMPLES).max(1));
        let (mut known, mut next) = (HashSet::new(), 0);
        for (number, event) in (0_u64..).zip(stream) {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let due = started + Duration::from_secs_f64(number as f64 / f64::from(self.rate));
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let sample = sample(&event);
            events::send(&self.bulk, &event)?;
            self.sent.fetch_add(1, Ordering::Relaxed);
            let Some(sample) = sample else { continue };
            let is_new = known.insert(sample.event_id);
            let fits = sample.user_id > self.busy && sample.occurred_at.0 > events::now().0 - LATE_MS;
            if number >= next && is_new && fits {
                next = number + every;
                self.follow(&sample);
            }
            if known.len() > REPEATS {
                known.clear();
            }
        }
        self.bulk.finish()
    }

    fn follow(&self, sample: &Sample) {
        for follower in &self.followers {
            // One that has failed says so itself at the end.
            let _ = follower.send(sample.clone());
        }
    }
}

/// Every event begins with its id: a length and 36 characters.
fn sample(event: &Simulated) -> Option<Sample> {
    let text = std::str::from_utf8(event.datum.get(1..37)?).ok()?;
    Some(Sample {
        event_id: Uuid::try_parse(text).ok()?,
        user_id: event.key.parse().ok()?,
        occurred_at: event.occurred_at,
        sent: Instant::now(),
    })
}
