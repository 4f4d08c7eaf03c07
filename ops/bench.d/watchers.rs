//! Readers that wait for events to become visible, and what plain clients do at the same time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use fleet::{
    config::Config,
    fault::Fault,
    store::mysql::{self, values},
};
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};
use sqlx::{Executor as _, MySqlPool, Row as _};
use tokio::{
    sync::mpsc::{UnboundedReceiver, error::TryRecvError},
    time::sleep,
};

use crate::{events, probe::Sample};

/// What is left out at the beginning: connections open, caches fill.
pub const WARM: Duration = Duration::from_secs(2);

/// The least time between two looks.
const LOOK: Duration = Duration::from_millis(5);
/// Events looked for at once.
const AT_ONCE: usize = 10;
/// How long an event may stay unseen after the last was sent.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often plain clients write.
const PLAIN: Duration = Duration::from_millis(50);

/// An event that became visible.
pub struct Seen {
    /// When it was sent.
    pub sent: Instant,
    /// How long it took; `None` if it was never seen.
    pub after: Option<Duration>,
}

/// What plain clients took, in milliseconds, under the same load.
#[derive(Default)]
pub struct Plain {
    /// From a record's Kafka timestamp until a plain consumer had it.
    pub read: Vec<f64>,
    /// One row inserted and committed.
    pub commit: Vec<f64>,
}

/// The events that still have to become visible.
struct Waiting {
    from: UnboundedReceiver<Sample>,
    open: Option<Instant>,
    waiting: Vec<Sample>,
    seen: Vec<Seen>,
}

impl Waiting {
    fn new(from: UnboundedReceiver<Sample>) -> Self {
        Self { from, open: None, waiting: Vec::new(), seen: Vec::new() }
    }

    /// The events to look for now, oldest first; `None` when nothing is left to wait for.
    async fn next(&mut self) -> Option<Vec<Sample>> {
        if self.waiting.is_empty() && self.open.is_none() {
            match self.from.recv().await {
                Some(sample) => self.waiting.push(sample),
                None => return None,
            }
        }
        loop {
            match self.from.try_recv() {
                Ok(sample) => self.waiting.push(sample),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.open.get_or_insert_with(Instant::now);
                    break;
                }
            }
        }
        let late = self.open.is_some_and(|it| it.elapsed() > PATIENCE);
        if self.waiting.is_empty() || late {
            self.seen.extend(self.waiting.drain(..).map(|it| Seen { sent: it.sent, after: None }));
            return None;
        }
        Some(self.waiting.iter().take(AT_ONCE).cloned().collect())
    }

    /// Those of the events looked for that are visible; the others go to the end if there are more than fit one look.
    fn saw(&mut self, looked: usize, visible: impl Fn(&Sample) -> bool) {
        let now = Instant::now();
        let rest = self.waiting.split_off(looked.min(self.waiting.len()));
        let (seen, unseen): (Vec<Sample>, Vec<Sample>) = std::mem::take(&mut self.waiting).into_iter().partition(visible);
        self.seen.extend(seen.into_iter().map(|it| Seen { sent: it.sent, after: Some(now - it.sent) }));
        self.waiting = rest;
        self.waiting.extend(unseen);
    }
}

/// Waits for rows, as any reader would see them.
///
/// # Errors
/// The database's own.
pub async fn mysql(pool: MySqlPool, samples: UnboundedReceiver<Sample>) -> Result<Vec<Seen>, Fault> {
    let places = ["(?,?,?)"; AT_ONCE].join(",");
    let text = format!("SELECT event_id FROM test_results WHERE (user_id, occurred_at, event_id) IN ({places})");
    let mut waiting = Waiting::new(samples);
    while let Some(looked) = waiting.next().await {
        let mut query = sqlx::query(&text);
        for sample in looked.iter().cycle().take(AT_ONCE) {
            query = query.bind(sample.user_id).bind(values::datetime(sample.occurred_at)).bind(sample.event_id.to_string());
        }
        let rows = query.fetch_all(&pool).await.map_err(|it| mysql::fault(&it))?;
        let ids: Vec<String> = rows.iter().filter_map(|it| it.try_get_unchecked(0).ok()).collect();
        waiting.saw(looked.len(), |it| ids.contains(&it.event_id.to_string()));
        sleep(LOOK).await;
    }
    Ok(waiting.seen)
}

/// Waits for documents.
///
/// # Errors
/// Redis' own.
pub async fn redis(url: String, samples: UnboundedReceiver<Sample>) -> Result<Vec<Seen>, Fault> {
    let trouble = |it: redis::RedisError| Fault::fatal(format!("redis: {it}"));
    let client = redis::Client::open(url).map_err(trouble)?;
    let mut connection = client.get_multiplexed_async_connection().await.map_err(trouble)?;
    let mut waiting = Waiting::new(samples);
    while let Some(looked) = waiting.next().await {
        let mut pipeline = redis::pipe();
        for sample in &looked {
            pipeline.get(format!("user:{}:recent-results", sample.user_id));
        }
        let documents: Vec<Option<String>> = pipeline.query_async(&mut connection).await.map_err(trouble)?;
        let there = |it: &Sample| documents.iter().flatten().any(|document| document.contains(&it.event_id.to_string()));
        waiting.saw(looked.len(), there);
        sleep(LOOK).await;
    }
    Ok(waiting.seen)
}

/// What plain clients take meanwhile, once connections are open and caches full: a consumer that only reads, a client that inserts one
/// row and commits.
///
/// # Errors
/// The servers' own.
pub async fn plain(config: Config, topic: String, pool: MySqlPool, stop: Arc<AtomicBool>) -> Result<Plain, Fault> {
    sleep(WARM).await;
    let reading_until = Arc::clone(&stop);
    let reading = tokio::task::spawn_blocking(move || read(&config, &topic, &reading_until));
    let mut commit = Vec::new();
    pool.execute("CREATE TABLE IF NOT EXISTS bench_probe (id BIGINT NOT NULL PRIMARY KEY)").await.map_err(|it| mysql::fault(&it))?;
    pool.execute("TRUNCATE TABLE bench_probe").await.map_err(|it| mysql::fault(&it))?;
    while !stop.load(Ordering::Relaxed) {
        sleep(PLAIN).await;
        let began = Instant::now();
        let insert = sqlx::query("INSERT INTO bench_probe (id) VALUES (?)").bind(commit.len() as u64);
        insert.execute(&pool).await.map_err(|it| mysql::fault(&it))?;
        commit.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(Plain { read: reading.await.map_err(Fault::fatal)??, commit })
}

/// Reads the topic's end until told to stop.
fn read(config: &Config, topic: &str, stop: &AtomicBool) -> Result<Vec<f64>, Fault> {
    let trouble = |it: rdkafka::error::KafkaError| Fault::fatal(format!("plain consumer: {it}"));
    let settings = [("enable.auto.commit", "false"), ("fetch.queue.backoff.ms", "10")];
    let mut client = config.kafka_with(&settings);
    client.set("group.id", "bench.plain");
    let consumer: BaseConsumer = client.create().map_err(trouble)?;
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10)).map_err(trouble)?;
    let mut ends = TopicPartitionList::new();
    // One partition says as much as all, and takes little from those who are measured.
    for partition in metadata.topics().iter().flat_map(|it| it.partitions()).take(1) {
        ends.add_partition_offset(topic, partition.id(), Offset::End).map_err(trouble)?;
    }
    consumer.assign(&ends).map_err(trouble)?;
    let mut took = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) {
            took.push((events::now().0 - message.timestamp().to_millis().unwrap_or_default()).max(0) as f64);
        }
    }
    Ok(took)
}
