//! The producer of derived events: idempotent, all acks, patient without limit; every ack is awaited.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use rdkafka::{
    ClientConfig, ClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer},
};
use tokio::sync::Notify;
use workers::fold::{MAX_MESSAGE_BYTES, envelope};

use crate::{fault::Fault, retry::Retry};

/// What derived events need: a configuration that sets one of these otherwise is refused before it comes here.
const FIXED: [(&str, &str); 4] =
    [("enable.idempotence", "true"), ("acks", "all"), ("message.timeout.ms", "0"), ("partitioner", "murmur2_random")];

/// What stands where the configuration says nothing.
const DEFAULTS: [(&str, &str); 3] = [("linger.ms", "5"), ("compression.codec", "lz4"), ("queue.buffering.max.kbytes", "65536")];

/// A producer that any lane may use.
#[derive(Clone)]
pub struct Producer {
    inner: Arc<ThreadedProducer<Context>>,
}

/// One record to be produced.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The topic's name on the cluster.
    pub topic: &'a str,
    /// The record's key.
    pub key: &'a str,
    /// The schema's id, for the envelope.
    pub schema_id: u32,
    /// The datum, without the envelope.
    pub datum: &'a [u8],
}

/// The acknowledgements that one call waits for.
struct Acks {
    /// Those that are to come, and one more until all records are handed over.
    missing: AtomicUsize,
    /// The first refusal.
    refusal: Mutex<Option<KafkaError>>,
    none_missing: Notify,
}

impl Acks {
    fn new() -> Self {
        Self { missing: AtomicUsize::new(1), refusal: Mutex::default(), none_missing: Notify::new() }
    }

    fn one_less(&self) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.none_missing.notify_one();
        }
    }
}

struct Context;

impl ClientContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = Arc<Acks>;

    fn delivery(&self, result: &DeliveryResult<'_>, acks: Arc<Acks>) {
        if let Err((error, _)) = result {
            acks.refusal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.clone());
        }
        acks.one_less();
    }
}

impl Producer {
    /// A producer with these properties, its own beside them; it connects by itself.
    ///
    /// # Errors
    /// Fatal: a setting that librdkafka refuses.
    pub fn new(base: &ClientConfig) -> Result<Self, Fault> {
        let inner = settings(base).create_with_context(Context).map_err(|error| Fault::fatal(format!("kafka producer: {error}")))?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Produces records in order and waits until the brokers have answered for each.
    ///
    /// # Errors
    /// Fatal: a record that the cluster refuses for what it is. Transient: a topic that does not exist.
    pub async fn produce(&self, records: &[Outgoing<'_>]) -> Result<(), Fault> {
        let acks = Arc::new(Acks::new());
        for record in records {
            self.enqueue(record, &acks).await?;
        }
        acks.one_less();
        // It is told once, and remembered until somebody waits.
        acks.none_missing.notified().await;
        let refusal = acks.refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
        refusal.map_or(Ok(()), |it| Err(refused(&it)))
    }

    /// Hands one record over, waiting while the producer's queue is full.
    async fn enqueue(&self, record: &Outgoing<'_>, acks: &Arc<Acks>) -> Result<(), Fault> {
        let value = envelope(record.schema_id, record.datum);
        let mut retry = Retry::default();
        acks.missing.fetch_add(1, Ordering::AcqRel);
        loop {
            let outgoing = BaseRecord::with_opaque_to(record.topic, Arc::clone(acks)).key(record.key).payload(&value);
            match self.inner.send(outgoing).map_err(|it| it.0) {
                Ok(()) => return Ok(()),
                Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) => tokio::time::sleep(retry.next_delay()).await,
                Err(error) => return Err(refused(&error)),
            }
        }
    }
}

fn settings(base: &ClientConfig) -> ClientConfig {
    let mut config = base.clone();
    for (name, value) in DEFAULTS {
        if base.get(name).is_none() {
            config.set(name, value);
        }
    }
    for (name, value) in FIXED {
        config.set(name, value);
    }
    config.set("message.max.bytes", MAX_MESSAGE_BYTES.to_string());
    config
}

fn refused(error: &KafkaError) -> Fault {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownPartition) => {
            Fault::transient("a topic of derived events is missing: run `fleet topics apply`")
        }
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidRecord | RDKafkaErrorCode::Fatal) => {
            Fault::fatal(format!("producing a derived event: {error}"))
        }
        _ => Fault::transient(format!("producing a derived event: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{cli::Cli, config::Config};

    #[test]
    fn what_the_environment_sets_wins_over_the_defaults_by_whatever_name() {
        let env = [("FLEET_KAFKA_QUEUE_BUFFERING_MAX_MS", "50"), ("FLEET_KAFKA_COMPRESSION_TYPE", "zstd")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::new(Cli::parse_from(["fleet", "roles"]).config, env).unwrap();
        let settings = settings(&config.kafka());
        let get = |name| settings.get(name);
        assert_eq!([get("linger.ms"), get("compression.codec")], [Some("50"), Some("zstd")]);
        assert_eq!([get("queue.buffering.max.ms"), get("compression.type")], [None, None], "the client takes them in any order");
        assert_eq!(get("queue.buffering.max.kbytes"), Some("65536"));
        assert_eq!(get("message.timeout.ms"), Some("0"));
        settings.create_native_config().unwrap();
    }
}
