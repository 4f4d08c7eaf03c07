//! Membership of the group: what callbacks and lanes share, and the lanes' end of it.
//!
//! Callbacks answer at once; nothing in here waits for a store.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::KafkaError,
    types::RDKafkaRespErr,
};
use tokio::sync::mpsc::UnboundedSender;

use super::record::{Delivery, Load};
use crate::fault::Fault;

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
pub(super) enum Command {
    Assign { partition: i32, assignment: u64, offset: i64, inbox: UnboundedSender<Delivery>, load: Arc<Load> },
    Unassign { partition: i32, assignment: u64 },
    Commit { partition: i32, offset: i64 },
}

/// What callbacks and lanes share.
pub(super) struct Membership {
    /// Partitions that the group gave this member, with the number of the assignment.
    pub(super) group: Mutex<BTreeMap<i32, u64>>,
    /// Partitions assigned locally: being fetched.
    pub(super) local: Mutex<BTreeSet<i32>>,
    pub(super) assignments: AtomicU64,
    pub(super) closing: AtomicBool,
    pub(super) rebalances: UnboundedSender<Rebalance>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
    pub(super) topic: Arc<str>,
    pub(super) consumer: Arc<BaseConsumer<Membership>>,
    pub(super) commands: mpsc::Sender<Command>,
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
