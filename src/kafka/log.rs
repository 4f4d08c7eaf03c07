//! A topic's log as it lies: its ends, and the records between two offsets.
//!
//! It joins no group, commits nothing, creates no topic, and never waits for records that are not there yet.
//! Every call blocks: callers on the runtime go through `spawn_blocking`.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::{Duration, Instant},
};

use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{
    consumer::{Record, record},
    quiet::Quiet,
};
use crate::{config::Config, fault::Fault};

/// How long a broker may take to answer a question.
const ANSWER: Duration = Duration::from_secs(10);
/// How long the next record may take to come.
const SILENCE: Duration = Duration::from_secs(60);
/// Records handed over at once, at most.
const CHUNK: usize = 1000;

const SETTINGS: [(&str, &str); 9] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("isolation.level", "read_committed"),
    ("enable.partition.eof", "true"),
    ("fetch.queue.backoff.ms", "10"),
    // A partition's end is told by a fetch that finds nothing, and the next partition waits until that is answered: 500 ms each, if not set.
    ("fetch.wait.max.ms", "10"),
    ("queued.min.messages", "20000"),
    ("queued.max.messages.kbytes", "32768"),
];

/// A topic's log, read from outside of any group.
pub struct Log {
    topic: String,
    consumer: BaseConsumer<Quiet>,
}

impl Log {
    /// The log of a topic, by its name on the cluster.
    ///
    /// # Errors
    /// Fatal: a setting that the client refuses.
    pub fn new(config: &Config, topic: String) -> Result<Self, Fault> {
        let mut client = config.kafka_with(&SETTINGS);
        // The client wants a name for what it never joins.
        client.set("group.id", format!("{topic}.readers"));
        let consumer = client.create_with_context(Quiet).map_err(|error| Fault::fatal(format!("kafka consumer: {error}")))?;
        Ok(Self { topic, consumer })
    }

    /// The topic's name on the cluster.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// A partition's first and end offset.
    ///
    /// # Errors
    /// Transient, when no broker answers in time.
    pub fn watermarks(&self, partition: i32) -> Result<(i64, i64), Fault> {
        let found = self.consumer.fetch_watermarks(&self.topic, partition, ANSWER);
        found.map_err(|error| Fault::transient(format!("watermarks of {} partition {partition}: {error}", self.topic)))
    }

    /// Hands over the records of a partition from the first offset up to the last, which is not among them, in order.
    ///
    /// # Errors
    /// Fatal, where the log does not reach the first offset; transient, when nothing comes for a minute; those of `each`.
    pub fn read(&self, partition: i32, offsets: Range<i64>, mut each: impl FnMut(Vec<Record>) -> Result<(), Fault>) -> Result<(), Fault> {
        if offsets.is_empty() {
            return Ok(());
        }
        self.assign(partition, offsets.start)?;
        let done = self.read_assigned(partition, &offsets, &mut each);
        // Only this consumer's own memory of the assignment is undone here.
        let _ = self.consumer.unassign();
        done
    }

    /// The Kafka timestamps, in milliseconds, of the first record at or after each offset, by partition.
    ///
    /// Missing are partitions that have no such record, and those whose record did not come in time.
    ///
    /// # Errors
    /// Fatal: offsets that the client does not take.
    pub fn timestamps(&self, offsets: &[(i32, i64)]) -> Result<BTreeMap<i32, i64>, Fault> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            let named = list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset));
            named.map_err(|error| Fault::fatal(format!("reading {} partition {partition} from {offset}: {error}", self.topic)))?;
        }
        self.consumer.assign(&list).map_err(|error| Fault::fatal(format!("reading {}: {error}", self.topic)))?;
        let (mut found, mut ended) = (BTreeMap::new(), BTreeSet::new());
        let deadline = Instant::now() + ANSWER;
        while found.len() + ended.len() < offsets.len() && Instant::now() < deadline {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    found.entry(message.partition()).or_insert_with(|| message.timestamp().to_millis().unwrap_or_default());
                }
                Some(Err(KafkaError::PartitionEOF(partition))) if !found.contains_key(&partition) => {
                    ended.insert(partition);
                }
                _ => {}
            }
        }
        let _ = self.consumer.unassign();
        Ok(found)
    }

    fn assign(&self, partition: i32, offset: i64) -> Result<(), Fault> {
        let mut list = TopicPartitionList::new();
        let named = list.add_partition_offset(&self.topic, partition, Offset::Offset(offset));
        let assigned = named.and_then(|()| self.consumer.assign(&list));
        assigned.map_err(|error| Fault::fatal(format!("reading {} partition {partition} from {offset}: {error}", self.topic)))
    }

    fn read_assigned(
        &self,
        partition: i32,
        offsets: &Range<i64>,
        each: &mut impl FnMut(Vec<Record>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut heard = Instant::now();
        let mut chunk = Vec::new();
        loop {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) if message.offset() >= offsets.end => return each(chunk),
                Some(Ok(message)) => {
                    heard = Instant::now();
                    chunk.push(record(&message));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return each(chunk),
                Some(Err(error)) => self.check(partition, &error)?,
                None if heard.elapsed() > SILENCE => {
                    return Err(Fault::transient(format!("{} partition {partition}: no record for 60 s", self.topic)));
                }
                None => {}
            }
            if chunk.len() >= CHUNK {
                each(std::mem::take(&mut chunk))?;
            }
        }
    }

    /// Weather passes, or ends in silence; a lost range does not.
    fn check(&self, partition: i32, error: &KafkaError) -> Result<(), Fault> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                Err(Fault::fatal(format!("{} partition {partition}: retention took records while they were read", self.topic)))
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownPartition) => {
                Err(Fault::fatal(format!("topic {} partition {partition} does not exist: run `fleet topics plan`", self.topic)))
            }
            _ => {
                tracing::debug!("reading {} partition {partition}: {error}", self.topic);
                Ok(())
            }
        }
    }
}
