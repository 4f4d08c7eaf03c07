//! The producer of derived events: idempotent, all acks, patient without limit; every ack is awaited.

use std::time::Duration;

use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{FutureProducer, FutureRecord, Producer as _},
};

use crate::{fault::Fault, retry::Retry};

/// A producer that any lane may use.
#[derive(Clone)]
pub struct Producer {
    inner: FutureProducer,
}

/// One record to be produced.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The topic's name on the cluster.
    pub topic: String,
    /// The record's key.
    pub key: String,
    /// The value, with its envelope.
    pub value: Vec<u8>,
}

impl Producer {
    /// A producer; it connects by itself.
    ///
    /// # Errors
    /// Fatal: a setting that librdkafka refuses.
    pub fn new(base: &ClientConfig) -> Result<Self, Fault> {
        let mut config = base.clone();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", "0")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "5")
            .set("compression.codec", "lz4")
            .set("message.max.bytes", workers::fold::MAX_MESSAGE_BYTES.to_string())
            .set("queue.buffering.max.kbytes", "65536");
        let inner = config.create().map_err(|error| Fault::fatal(format!("kafka producer: {error}")))?;
        Ok(Self { inner })
    }

    /// Produces records in order and waits until the brokers have acknowledged each.
    ///
    /// # Errors
    /// Fatal: a record that the cluster refuses for what it is, or a topic that does not exist.
    pub async fn produce(&self, records: &[Outgoing]) -> Result<(), Fault> {
        let mut acks = Vec::with_capacity(records.len());
        for record in records {
            acks.push(self.enqueue(record).await?);
        }
        for ack in acks {
            match ack.await {
                Ok(Ok(_)) => {}
                Ok(Err((error, _))) => return Err(refused(&error)),
                Err(_) => return Err(Fault::transient("the producer ended before a record was acknowledged")),
            }
        }
        Ok(())
    }

    /// Hands one record over, waiting while the producer's queue is full.
    async fn enqueue(&self, record: &Outgoing) -> Result<rdkafka::producer::DeliveryFuture, Fault> {
        let mut retry = Retry::default();
        loop {
            let outgoing = FutureRecord::to(&record.topic).key(&record.key).payload(&record.value);
            match self.inner.send_result(outgoing) {
                Ok(ack) => return Ok(ack),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => tokio::time::sleep(retry.next_delay()).await,
                Err((error, _)) => return Err(refused(&error)),
            }
        }
    }

    /// Waits until all that was handed over is acknowledged, or the time is up.
    pub fn flush(&self, limit: Duration) -> bool {
        self.inner.flush(limit).is_ok()
    }
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
