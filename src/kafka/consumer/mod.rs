//! The consumer of one role: one thread that owns the group membership, polls, and fans records out to lanes.
//!
//! It answers every rebalance at once and assigns a partition only when its lane has claimed it, so that a slow database
//! holds neither the group nor the other lanes. It decodes nothing and never reads a committed offset back.

mod membership;
mod record;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio::sync::mpsc::UnboundedSender;

use membership::{Command, Membership, lock};
pub use membership::{Handle, Rebalance};
pub(super) use record::record;
pub use record::{Delivery, Load, Record};

use crate::fault::Fault;

/// Messages taken in one round of polling.
const ROUND: usize = 1000;
/// How long an overfull lane may hold the others back before it alone is paused.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often the courtesy offsets go to the group.
const COURTESY: Duration = Duration::from_secs(1);
/// How often each lane is told the position, by which it knows that it is at the end.
const MARK: Duration = Duration::from_secs(1);
/// How long leaving the group may take.
const CLOSE: Duration = Duration::from_secs(5);

/// How long the owner thread may go without polling before the group gives its partitions away; no less than a session.
const POLLS: Duration = Duration::from_secs(30);
/// The share of a role's freshness for which a fetch gathers what trickles in: lanes flush no oftener, and answers of a record each cost
/// brokers and workers a third of what they do at 2,000 events a second.
const GATHERING: u32 = 50;
/// Settings of every consumer: little waits in it, since lanes hold their own.
const SETTINGS: [(&str, &str); 12] = [
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("heartbeat.interval.ms", "500"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("fetch.queue.backoff.ms", "10"),
    ("fetch.min.bytes", "65536"),
    ("max.partition.fetch.bytes", "262144"),
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
    /// Joins a group for one topic, by its session timeout and how fresh its tables are to be. `base` holds the brokers and what the user
    /// passes through.
    ///
    /// # Errors
    /// Fatal: a setting that librdkafka refuses.
    pub fn join(
        base: &ClientConfig,
        group: &str,
        topic: &str,
        (session_timeout, freshness): (Duration, Duration),
        rebalances: UnboundedSender<Rebalance>,
    ) -> Result<(Self, Handle), Fault> {
        let mut config = base.clone();
        let millis = |it: Duration| it.as_millis().to_string();
        let (gathering, polls) = (millis(freshness / GATHERING), millis(POLLS.max(session_timeout)));
        let derived = [("fetch.wait.max.ms", gathering.as_str()), ("max.poll.interval.ms", polls.as_str())];
        for (name, value) in SETTINGS.into_iter().chain(derived) {
            if base.get(name).is_none() {
                config.set(name, value);
            }
        }
        config.set("group.id", group).set("session.timeout.ms", millis(session_timeout));
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
        crate::failpoint_sync!("before-kafka-commit");
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
