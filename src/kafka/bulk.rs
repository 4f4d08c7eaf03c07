//! Sending many events as the contract says: keyed, partitioned, in their envelope, every acknowledgement counted.
//!
//! It is for people who wait at a terminal: what a lane derives goes through [`super::producer`], which is patient without
//! limit. Calls block, so that memory stays bounded by the client's queue.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer},
};
use workers::fold::{ENVELOPE, MAX_MESSAGE_BYTES, Topic, envelope};

use super::{admin::Admin, quiet::Quiet};
use crate::{config::Config, fault::Fault, registry::Registry};

/// How long an event may wait for its acknowledgement, in milliseconds.
const PATIENCE_MS: &str = "120000";
/// How long all that waits may take at the end.
const LAST: Duration = Duration::from_secs(150);
/// A moment for the client to make room in its queue.
const ROOM: Duration = Duration::from_millis(1);
/// What a record needs beside its key and value, at most.
const OVERHEAD: usize = 512;

const SETTINGS: [(&str, &str); 9] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("partitioner", "murmur2_random"),
    ("message.timeout.ms", PATIENCE_MS),
    ("linger.ms", "20"),
    ("batch.size", "262144"),
    ("compression.codec", "lz4"),
    ("queue.buffering.max.messages", "100000"),
    ("queue.buffering.max.kbytes", "65536"),
];

/// What became of the events handed over so far.
#[derive(Default)]
struct Acks {
    acknowledged: AtomicU64,
    lost: AtomicU64,
    reason: Mutex<Option<KafkaError>>,
}

struct Context(Arc<Acks>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        Quiet.log(level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Quiet.error(error, reason);
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.0.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => {
                self.0.lost.fetch_add(1, Ordering::Relaxed);
                self.0.reason.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.clone());
            }
        }
    }
}

/// Events on their way into one topic.
pub struct Bulk {
    topic: String,
    contract: &'static Topic,
    schema_id: u32,
    acks: Arc<Acks>,
    producer: ThreadedProducer<Context>,
}

impl Bulk {
    /// A way into a topic, which must have the contract's partitions and a registered schema.
    ///
    /// # Errors
    /// Which of them it has not, and the command that mends it.
    pub async fn open(config: &Config, registry: &Registry, contract: &'static Topic) -> Result<Self, Fault> {
        let (topic, subject) = (config.topic(contract), config.subject(contract));
        check_partitions(config, contract).await?;
        let schema_id = registry.id_of(&subject, contract.schema).await?;
        let schema_id =
            schema_id.ok_or_else(|| Fault::fatal(format!("{subject}: its schema is not registered: run `fleet schemas register`")))?;
        let acks = Arc::new(Acks::default());
        let mut client = config.kafka_with(&SETTINGS);
        client.set("message.max.bytes", MAX_MESSAGE_BYTES.to_string());
        let producer = client.create_with_context(Context(Arc::clone(&acks)));
        let producer = producer.map_err(|error| Fault::fatal(format!("kafka producer: {error}")))?;
        Ok(Self { topic, contract, schema_id, acks, producer })
    }

    /// Hands an event's key and datum over, waiting for room.
    ///
    /// # Errors
    /// The first event that was refused, or not acknowledged in time.
    pub fn send(&self, key: &str, datum: &[u8]) -> Result<(), Fault> {
        let value = envelope(self.schema_id, datum);
        let partition = self.contract.partition_of(key.as_bytes());
        let mut record = BaseRecord::to(&self.topic).key(key).payload(&value).partition(partition);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => record = back,
                Err((error, _)) => return Err(Fault::fatal(format!("{}: {error}", self.topic))),
            }
            self.check()?;
            sleep(ROOM);
        }
    }

    /// Waits for the last acknowledgements.
    ///
    /// # Errors
    /// How many events were not acknowledged, and why.
    pub fn finish(&self) -> Result<(), Fault> {
        let flushed = self.producer.flush(LAST);
        self.check()?;
        flushed.map_err(|error| Fault::transient(format!("{}: some events were not acknowledged: {error}", self.topic)))
    }

    /// How many events the brokers have acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acks.acknowledged.load(Ordering::Relaxed)
    }

    fn check(&self) -> Result<(), Fault> {
        let lost = self.acks.lost.load(Ordering::Relaxed);
        if lost == 0 {
            return Ok(());
        }
        let reason = self.acks.reason.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = reason.as_ref().map_or_else(String::new, ToString::to_string);
        Err(Fault::transient(format!("{}: {lost} events were not acknowledged: {reason}", self.topic)))
    }
}

/// Whether an event is small enough for its topic.
pub fn fits(key: &str, datum: &[u8]) -> bool {
    key.len() + ENVELOPE + datum.len() + OVERHEAD <= MAX_MESSAGE_BYTES
}

async fn check_partitions(config: &Config, contract: &'static Topic) -> Result<(), Fault> {
    let (topic, wanted) = (config.topic(contract), contract.partitions);
    match Admin::new(config)?.cluster().await?.partitions.get(&topic) {
        None => Err(Fault::fatal(format!("topic {topic} does not exist: run `fleet topics apply`"))),
        Some(count) if *count != wanted => Err(Fault::fatal(format!(
            "topic {topic} has {count} partitions and the contract {wanted}, so keys would go astray: see `fleet topics plan`"
        ))),
        Some(_) => Ok(()),
    }
}
