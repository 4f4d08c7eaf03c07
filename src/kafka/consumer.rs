//! The consumer of one role: one thread that owns the group membership, polls, and fans records out to lanes.
//!
//! It answers every rebalance at once and assigns a partition only when its lane has claimed it, so that a slow database
//! holds neither the group nor the other lanes. It decodes nothing and never reads a committed offset back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext, Message, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    message::Headers,
    types::RDKafkaRespErr,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::fault::Fault;

/// Messages taken in one round of polling.
const ROUND: usize = 1000;
/// Messages waiting in a lane above which the owner takes no more for a while.
const HIGH_WATER: i64 = 16_000;
/// Bytes waiting in a lane above which the owner takes no more for a while.
const HIGH_BYTES: i64 = 8 << 20;
/// How long an overfull lane may hold the others back before it alone is paused.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often the courtesy offsets go to the group.
const COURTESY: Duration = Duration::from_secs(1);
/// How often each lane is told the position, by which it knows that it is at the end.
const MARK: Duration = Duration::from_secs(1);
/// How long a worker may be silent before the group gives its partitions away.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
/// How long leaving the group may take.
const CLOSE: Duration = Duration::from_secs(5);

/// One record, with its bytes as they lie in the log.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its offset.
    pub offset: i64,
    /// Its Kafka timestamp in milliseconds.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    /// Bytes of key and value.
    pub fn size(&self) -> usize {
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// What a lane gets from the consumer, in order.
#[derive(Debug)]
pub enum Delivery {
    /// Records of its partition.
    Records(Vec<Record>),
    /// All records before this offset have been delivered.
    Position(i64),
}

/// Records delivered to a lane and not yet taken by it.
#[derive(Debug, Default)]
pub struct Load {
    messages: AtomicI64,
    bytes: AtomicI64,
}

impl Load {
    fn add(&self, records: &[Record]) {
        self.messages.fetch_add(records.len() as i64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes(records), Ordering::Relaxed);
    }

    /// The lane has taken these.
    pub fn taken(&self, records: &[Record]) {
        self.messages.fetch_sub(records.len() as i64, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes(records), Ordering::Relaxed);
    }

    fn is_high(&self) -> bool {
        self.messages.load(Ordering::Relaxed) > HIGH_WATER || self.bytes.load(Ordering::Relaxed) > HIGH_BYTES
    }

    fn is_low(&self) -> bool {
        self.messages.load(Ordering::Relaxed) < HIGH_WATER / 4 && self.bytes.load(Ordering::Relaxed) < HIGH_BYTES / 4
    }
}

fn bytes(records: &[Record]) -> i64 {
    records.iter().map(|it| it.size() as i64).sum()
}

/// What the group did.
#[derive(Debug, PartialEq, Eq)]
pub enum Rebalance {
    /// These partitions are this member's: each with the number of this assignment.
    Assigned(Vec<(i32, u64)>),
    /// These partitions are no longer.
    Revoked(Vec<i32>),
    /// An offset was not on the broker; which partition's, nobody says.
    OutOfRange,
}

/// What a lane asks of the owner thread.
enum Command {
    Assign { partition: i32, assignment: u64, offset: i64, inbox: UnboundedSender<Delivery>, load: Arc<Load> },
    Unassign { partition: i32, assignment: u64 },
    Commit { partition: i32, offset: i64 },
}

/// What callbacks and lanes share.
struct Membership {
    /// Partitions that the group gave this member, with the number of the assignment.
    group: Mutex<BTreeMap<i32, u64>>,
    /// Partitions assigned locally: being fetched.
    local: Mutex<BTreeSet<i32>>,
    assignments: AtomicU64,
    closing: AtomicBool,
    rebalances: UnboundedSender<Rebalance>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        let courtesy = fac == "COMMITFAIL";
        if (level as i32) <= (RDKafkaLogLevel::Error as i32) && !courtesy {
            tracing::warn!(target: "kafka", fac, "{message}");
        } else {
            tracing::debug!(target: "kafka", fac, "{message}");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "kafka", "{error}: {reason}");
    }
}

impl ConsumerContext for Membership {
    /// Answers at once: every callback needs exactly one answer, and an empty list is one.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions: Vec<i32> = list.elements().iter().map(rdkafka::topic_partition_list::TopicPartitionListElem::partition).collect();
        if error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            if let Err(error) = consumer.incremental_assign(&TopicPartitionList::new()) {
                tracing::warn!("answer to an assignment: {error}");
            }
            if !self.closing.load(Ordering::SeqCst) {
                self.assigned(&partitions);
            }
            return;
        }
        let mut fetched = TopicPartitionList::new();
        {
            let (mut local, mut group) = (lock(&self.local), lock(&self.group));
            for element in list.elements() {
                group.remove(&element.partition());
                if local.remove(&element.partition()) {
                    fetched.add_partition(element.topic(), element.partition());
                }
            }
        }
        if let Err(error) = consumer.incremental_unassign(&fetched) {
            tracing::warn!("answer to a revocation: {error}");
        }
        // Nobody listens once the role has ended; then there is nothing left to tell.
        let _ = self.rebalances.send(Rebalance::Revoked(partitions));
    }
}

impl Membership {
    fn assigned(&self, partitions: &[i32]) {
        let mut group = lock(&self.group);
        let numbered: Vec<(i32, u64)> =
            partitions.iter().map(|partition| (*partition, self.assignments.fetch_add(1, Ordering::SeqCst))).collect();
        group.extend(numbered.iter().copied());
        let _ = self.rebalances.send(Rebalance::Assigned(numbered));
    }
}

/// A lane's end of the consumer.
#[derive(Clone)]
pub struct Handle {
    topic: Arc<str>,
    consumer: Arc<BaseConsumer<Membership>>,
    commands: mpsc::Sender<Command>,
}

impl Handle {
    /// Whether the group still assigns this partition to this member, by the same assignment.
    pub fn is_mine(&self, partition: i32, assignment: u64) -> bool {
        lock(&self.consumer.context().group).get(&partition) == Some(&assignment)
    }

    /// Begins to fetch a claimed partition, unless it is revoked meanwhile.
    pub fn assign(&self, lane: (i32, u64), offset: i64, inbox: UnboundedSender<Delivery>, load: Arc<Load>) {
        let _ = self.commands.send(Command::Assign { partition: lane.0, assignment: lane.1, offset, inbox, load });
    }

    /// Stops fetching a partition that the group still assigns.
    pub fn unassign(&self, lane: (i32, u64)) {
        let _ = self.commands.send(Command::Unassign { partition: lane.0, assignment: lane.1 });
    }

    /// Tells the group, as a courtesy to tools, how far the tables are.
    pub fn commit(&self, partition: i32, offset: i64) {
        let _ = self.commands.send(Command::Commit { partition, offset });
    }

    /// The log's first and end offset.
    ///
    /// # Errors
    /// Transient, when the broker does not answer within 5 s.
    pub async fn watermarks(&self, partition: i32) -> Result<(i64, i64), Fault> {
        let (consumer, topic) = (Arc::clone(&self.consumer), Arc::clone(&self.topic));
        let fetch = move || consumer.fetch_watermarks(&topic, partition, Duration::from_secs(5));
        blocking(fetch).await?.map_err(|error| Fault::transient(format!("watermarks of {} {partition}: {error}", self.topic)))
    }

    /// Partitions of the topic now, 0 where it does not exist.
    ///
    /// # Errors
    /// Transient, when the broker does not answer within 5 s.
    pub async fn partitions(&self) -> Result<i32, Fault> {
        let (consumer, topic) = (Arc::clone(&self.consumer), Arc::clone(&self.topic));
        let fetch = move || {
            consumer
                .fetch_metadata(Some(&topic), Duration::from_secs(5))
                .map(|it| it.topics().first().map_or(0, |it| it.partitions().len()))
        };
        let count = blocking(fetch).await?.map_err(|error| Fault::transient(format!("metadata of {}: {error}", self.topic)))?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(Fault::transient)
}

/// Settings of every consumer; claim.md-style measurements stand in ARCHITECTURE.md.
const SETTINGS: [(&str, &str); 13] = [
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("heartbeat.interval.ms", "500"),
    ("max.poll.interval.ms", "30000"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("fetch.queue.backoff.ms", "10"),
    ("fetch.wait.max.ms", "500"),
    ("fetch.message.max.bytes", "262144"),
    ("queued.min.messages", "2000"),
    ("queued.max.messages.kbytes", "16384"),
    ("isolation.level", "read_committed"),
    ("enable.partition.eof", "false"),
];

/// The owner thread of one role's consumer.
pub struct Consumer {
    topic: Arc<str>,
    consumer: Arc<BaseConsumer<Membership>>,
    commands: mpsc::Receiver<Command>,
    lanes: BTreeMap<i32, Inbox>,
    courtesy: BTreeMap<i32, i64>,
    committed_at: Instant,
    marked_at: Instant,
}

/// A lane as the owner sees it.
struct Inbox {
    sender: UnboundedSender<Delivery>,
    load: Arc<Load>,
    high_since: Option<Instant>,
    paused: bool,
}

impl Consumer {
    /// Joins a group for one topic. `base` holds the brokers and what the user passes through.
    ///
    /// # Errors
    /// Fatal: a setting that librdkafka refuses.
    pub fn join(
        base: &ClientConfig,
        group: &str,
        topic: &str,
        session_timeout: Duration,
        rebalances: UnboundedSender<Rebalance>,
    ) -> Result<(Self, Handle), Fault> {
        let mut config = base.clone();
        for (name, value) in SETTINGS {
            if base.get(name).is_none() {
                config.set(name, value);
            }
        }
        config.set("group.id", group).set("session.timeout.ms", session_timeout.as_millis().to_string());
        let membership = Membership {
            group: Mutex::default(),
            local: Mutex::default(),
            assignments: AtomicU64::new(1),
            closing: AtomicBool::new(false),
            rebalances,
        };
        let consumer: BaseConsumer<Membership> =
            config.create_with_context(membership).map_err(|error| Fault::fatal(format!("kafka consumer: {error}")))?;
        consumer.subscribe(&[topic]).map_err(|error| Fault::fatal(format!("kafka consumer: {error}")))?;
        let (sender, commands) = mpsc::channel();
        let (topic, consumer): (Arc<str>, _) = (topic.into(), Arc::new(consumer));
        let handle = Handle { topic: Arc::clone(&topic), consumer: Arc::clone(&consumer), commands: sender };
        let now = Instant::now();
        let owner =
            Self { topic, consumer, commands, lanes: BTreeMap::new(), courtesy: BTreeMap::new(), committed_at: now, marked_at: now };
        Ok((owner, handle))
    }

    /// Polls until `stop`, calling `tick` every round; then leaves the group.
    pub fn run(mut self, stop: &AtomicBool, tick: impl Fn()) {
        while !stop.load(Ordering::SeqCst) {
            tick();
            self.obey();
            if self.is_overfull() {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            }
            self.round();
            self.mark();
            if self.committed_at.elapsed() >= COURTESY {
                self.commit(CommitMode::Async);
            }
        }
        self.obey();
        self.leave();
    }

    /// Takes what is there, up to a round's worth, and delivers it a chunk a lane.
    fn round(&mut self) {
        let mut chunks: BTreeMap<i32, Vec<Record>> = BTreeMap::new();
        let mut wait = Duration::from_millis(10);
        for _ in 0..ROUND {
            let message = match self.consumer.poll(wait) {
                Some(Ok(message)) => message,
                Some(Err(error)) => {
                    self.report(&error);
                    break;
                }
                None => break,
            };
            wait = Duration::ZERO;
            chunks.entry(message.partition()).or_default().push(record(&message));
        }
        for (partition, records) in chunks {
            self.deliver(partition, records);
        }
    }

    fn deliver(&self, partition: i32, records: Vec<Record>) {
        // Records of a partition just revoked may still arrive: nobody wants them.
        let Some(inbox) = self.lanes.get(&partition) else { return };
        inbox.load.add(&records);
        let _ = inbox.sender.send(Delivery::Records(records));
    }

    /// Tells each lane the position, after all records before it.
    fn mark(&mut self) {
        if self.marked_at.elapsed() < MARK {
            return;
        }
        self.marked_at = Instant::now();
        let Ok(positions) = self.consumer.position() else { return };
        for element in positions.elements() {
            if let (Offset::Offset(offset), Some(inbox)) = (element.offset(), self.lanes.get(&element.partition())) {
                let _ = inbox.sender.send(Delivery::Position(offset));
            }
        }
    }

    fn report(&self, error: &KafkaError) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                let _ = self.consumer.context().rebalances.send(Rebalance::OutOfRange);
            }
            _ => tracing::debug!("poll of {}: {error}", self.topic),
        }
    }

    /// Whether a lane that is too full asks for patience; one that has had it is paused alone.
    fn is_overfull(&mut self) -> bool {
        let mut patience = false;
        for (partition, inbox) in &mut self.lanes {
            if inbox.paused {
                if inbox.load.is_low() {
                    inbox.paused = false;
                    resume(&self.consumer, &self.topic, *partition);
                }
                continue;
            }
            if !inbox.load.is_high() {
                inbox.high_since = None;
                continue;
            }
            if inbox.high_since.get_or_insert_with(Instant::now).elapsed() < PATIENCE {
                patience = true;
            } else if self.consumer.pause(&list(&self.topic, *partition, None)).is_ok() {
                inbox.paused = true;
                inbox.high_since = None;
            }
        }
        patience
    }

    fn obey(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Assign { partition, assignment, offset, inbox, load } => {
                    self.assign((partition, assignment), offset, Inbox { sender: inbox, load, high_since: None, paused: false });
                }
                Command::Unassign { partition, assignment } => self.unassign((partition, assignment)),
                Command::Commit { partition, offset } => {
                    self.courtesy.insert(partition, offset);
                }
            }
        }
        let group = lock(&self.consumer.context().group);
        self.lanes.retain(|partition, _| group.contains_key(partition));
        self.courtesy.retain(|partition, _| group.contains_key(partition));
    }

    fn assign(&mut self, lane: (i32, u64), offset: i64, inbox: Inbox) {
        let (partition, assignment) = lane;
        {
            let membership = self.consumer.context();
            if lock(&membership.group).get(&partition) != Some(&assignment) {
                return;
            }
        }
        if let Err(error) = self.consumer.incremental_assign(&list(&self.topic, partition, Some(offset))) {
            tracing::warn!("assignment of {} {partition}: {error}", self.topic);
            return;
        }
        lock(&self.consumer.context().local).insert(partition);
        self.lanes.insert(partition, inbox);
    }

    fn unassign(&mut self, lane: (i32, u64)) {
        let (partition, assignment) = lane;
        let membership = self.consumer.context();
        if lock(&membership.group).get(&partition) != Some(&assignment) {
            return;
        }
        self.lanes.remove(&partition);
        if lock(&membership.local).remove(&partition)
            && let Err(error) = self.consumer.incremental_unassign(&list(&self.topic, partition, None))
        {
            tracing::warn!("end of {} {partition}: {error}", self.topic);
        }
    }

    fn commit(&mut self, mode: CommitMode) {
        self.committed_at = Instant::now();
        if self.courtesy.is_empty() {
            return;
        }
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in std::mem::take(&mut self.courtesy) {
            // An offset that cannot be named is none worth telling.
            let _ = offsets.add_partition_offset(&self.topic, partition, Offset::Offset(offset));
        }
        if let Err(error) = self.consumer.commit(&offsets, mode) {
            tracing::debug!("courtesy commit of {}: {error}", self.topic);
        }
    }

    /// Leaves the group, within a bound: a broker that does not answer must not hold the process.
    fn leave(mut self) {
        self.commit(CommitMode::Sync);
        self.consumer.context().closing.store(true, Ordering::SeqCst);
        self.lanes.clear();
        if let Err(error) = self.consumer.close_queue() {
            tracing::warn!("leaving the group of {}: {error}", self.topic);
        }
        let deadline = Instant::now() + CLOSE;
        while !self.consumer.closed() && Instant::now() < deadline {
            let _ = self.consumer.poll(Duration::from_millis(50));
        }
        if !self.consumer.closed() {
            tracing::warn!("the group of {} was not left within 5 s; its session will time out", self.topic);
            // Dropping it would poll until it is closed.
            std::mem::forget(self.consumer);
        }
    }
}

fn list(topic: &str, partition: i32, offset: Option<i64>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    let mut element = list.add_partition(topic, partition);
    if let Some(offset) = offset {
        // Only an offset below zero is refused, and the ledger holds none.
        let _ = element.set_offset(Offset::Offset(offset));
    }
    list
}

/// Resumes a lane, and wakes the fetch thread, which would sleep for up to a second.
fn resume(consumer: &BaseConsumer<Membership>, topic: &str, partition: i32) {
    if let Err(error) = consumer.resume(&list(topic, partition, None)) {
        tracing::warn!("resuming {topic} {partition}: {error}");
    }
    let _ = consumer.fetch_watermarks(topic, partition, Duration::from_millis(500));
}

fn record(message: &rdkafka::message::BorrowedMessage<'_>) -> Record {
    let headers = message
        .headers()
        .map_or_else(Vec::new, |headers| headers.iter().map(|it| (it.key.to_owned(), it.value.map(<[u8]>::to_vec))).collect());
    Record {
        offset: message.offset(),
        timestamp: message.timestamp().to_millis().unwrap_or_default(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers,
    }
}
