//! The log: records into topics byte for byte, topics read back whole, and what is done to topics behind a worker's back.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, ResourceSpecifier},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    message::{Header, Headers as _, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use serde_json::Value as Json;
use tokio::runtime::Runtime;
use workers::fold::{Topic, envelope, open_envelope, plain};

use super::wait::{soon, when};

const ANSWER: Duration = Duration::from_secs(10);

/// A record to be sent as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// Where it goes, right or wrong.
    pub partition: i32,
    /// Its Kafka timestamp; the present where there is none.
    pub timestamp: Option<i64>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Message {
    /// An event in its right place, under a schema's id.
    ///
    /// # Panics
    /// Plain JSON that does not fit the topic's schema.
    pub fn of(topic: &Topic, schema_id: u32, event: &Json) -> Self {
        let plain = plain::encode(topic, event).unwrap_or_else(|it| panic!("{}: {event}", it.reason));
        Self::placed(topic, plain.key, envelope(schema_id, &plain.datum))
    }

    /// A value under a key, in the key's partition.
    pub fn placed(topic: &Topic, key: String, value: Vec<u8>) -> Self {
        let partition = topic.partition_of(key.as_bytes());
        Self { key: Some(key.into_bytes()), value: Some(value), partition, ..Self::default() }
    }
}

/// A record as it lies in a topic.
#[derive(Clone, Debug)]
pub struct Lying {
    pub partition: i32,
    pub offset: i64,
    pub message: Message,
}

impl Lying {
    /// The event that it holds, in plain JSON.
    pub fn event(&self, topic: &Topic) -> Json {
        let (_, datum) = open_envelope(self.message.value.as_deref()).expect("an envelope");
        plain::decode(topic, datum).expect("a datum of the topic's schema")
    }
}

/// A cluster.
pub struct Log {
    runtime: Arc<Runtime>,
    producer: FutureProducer,
    consumer: BaseConsumer,
    admin: AdminClient<DefaultClientContext>,
}

impl Log {
    pub fn new(brokers: &str, runtime: Arc<Runtime>) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("group.id", "fleet-tests").set("enable.auto.commit", "false");
        config.set("topic.metadata.refresh.interval.ms", "1000");
        let consumer = config.create().expect("a consumer");
        let admin = config.create().expect("an admin client");
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("enable.idempotence", "true")
            .set("linger.ms", "2")
            .set("message.timeout.ms", "120000");
        config.set("topic.metadata.refresh.interval.ms", "1000");
        config.set("message.max.bytes", "9000000").set("queue.buffering.max.kbytes", "262144");
        Self { runtime, producer: config.create().expect("a producer"), consumer, admin }
    }

    /// Sends records in order and waits for every ack: partition and offset of each.
    pub fn send(&self, topic: &str, messages: &[Message]) -> Vec<(i32, i64)> {
        let acks: Vec<_> = messages.iter().map(|it| self.enqueue(topic, it)).collect();
        let all = async {
            let mut places = Vec::with_capacity(acks.len());
            for ack in acks {
                let delivery = ack.await.expect("an answer").unwrap_or_else(|(it, _)| panic!("{topic}: {it}"));
                places.push((delivery.partition, delivery.offset));
            }
            places
        };
        self.runtime.block_on(all)
    }

    fn enqueue(&self, topic: &str, message: &Message) -> rdkafka::producer::DeliveryFuture {
        soon("room in the producer's queue", || {
            let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(topic).partition(message.partition);
            record.key = message.key.as_deref();
            record.payload = message.value.as_deref();
            record.timestamp = message.timestamp;
            if !message.headers.is_empty() {
                let headers =
                    message.headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value) }));
                record.headers = Some(headers);
            }
            self.producer.send_result(record).map_err(|(it, _)| it.to_string())
        })
    }

    /// The first and the end offset of a partition.
    pub fn watermarks(&self, topic: &str, partition: i32) -> Result<(i64, i64), String> {
        self.consumer.fetch_watermarks(topic, partition, ANSWER).map_err(|it| format!("{topic} {partition}: {it}"))
    }

    /// Partitions of a topic, 0 where there is none.
    pub fn partitions(&self, topic: &str) -> Result<i32, String> {
        let metadata = self.consumer.fetch_metadata(Some(topic), ANSWER).map_err(|it| it.to_string())?;
        Ok(metadata.topics().first().map_or(0, |it| i32::try_from(it.partitions().len()).expect("few")))
    }

    /// Every record of a topic that is there now, partition by partition.
    pub fn read(&self, topic: &str) -> Vec<Lying> {
        let partitions = self.partitions(topic).expect("metadata");
        let mut left: BTreeMap<i32, (i64, i64)> = BTreeMap::new();
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            let (start, end) = self.watermarks(topic, partition).expect("watermarks");
            if start < end {
                left.insert(partition, (start, end));
                list.add_partition_offset(topic, partition, Offset::Offset(start)).expect("an offset");
            }
        }
        self.consumer.assign(&list).expect("an assignment");
        let mut records = Vec::new();
        soon(&format!("the end of {topic}"), || {
            while !left.is_empty()
                && let Some(message) = self.consumer.poll(Duration::from_millis(100))
            {
                let record = lying(&message.map_err(|it| it.to_string())?);
                left.retain(|partition, (_, end)| *partition != record.partition || record.offset + 1 < *end);
                records.push(record);
            }
            when(left.is_empty(), || format!("not read yet: {left:?}"))
        });
        self.consumer.unassign().expect("no assignment");
        records.sort_by_key(|it| (it.partition, it.offset));
        records
    }

    pub fn delete_topics(&self, topics: &[&str]) {
        let _ = self.runtime.block_on(self.admin.delete_topics(topics, &AdminOptions::new()));
    }

    /// Deletes a topic and waits until it is gone.
    pub fn delete_topic(&self, topic: &str) {
        self.delete_topics(&[topic]);
        soon(&format!("the end of topic {topic}"), || when(self.partitions(topic)? == 0, || "it is still there".to_owned()));
    }

    pub fn add_partitions(&self, topic: &str, count: usize) {
        let more = NewPartitions::new(topic, count);
        let done = self.runtime.block_on(self.admin.create_partitions([&more], &AdminOptions::new())).expect("an answer");
        assert!(done.iter().all(Result::is_ok), "partitions of {topic}: {done:?}");
    }

    /// From now on a topic takes no record of more bytes; `fleet topics apply` mends it.
    pub fn limit_records(&self, topic: &str, bytes: usize) {
        let (place, bytes) = (ResourceSpecifier::Topic(topic), bytes.to_string());
        let limit = AlterConfig::new(place).set("max.message.bytes", &bytes);
        let done = self.runtime.block_on(self.admin.alter_configs([&limit], &AdminOptions::new())).expect("an answer");
        assert!(done.iter().all(Result::is_ok), "{topic}: {done:?}");
        soon(&format!("the limit of {topic}"), || {
            let told = self.runtime.block_on(self.admin.describe_configs([&place], &AdminOptions::new()));
            let told = told.map_err(|it| it.to_string())?.remove(0).map_err(|it| it.to_string())?;
            let value = told.get("max.message.bytes").and_then(|it| it.value.clone());
            when(value.as_ref() == Some(&bytes), || format!("it is {value:?}"))
        });
    }

    /// Deletes the records of a partition before an offset, as retention does.
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(before)).expect("an offset");
        self.runtime.block_on(self.admin.delete_records(&list, &AdminOptions::new())).expect("an answer");
        soon("retention", || when(self.watermarks(topic, partition)?.0 == before, || "the log still begins before".to_owned()));
    }
}

fn lying(message: &rdkafka::message::BorrowedMessage<'_>) -> Lying {
    let headers = message
        .headers()
        .map_or_else(Vec::new, |it| it.iter().map(|it| (it.key.to_owned(), it.value.unwrap_or_default().to_vec())).collect());
    let (key, value) = (message.key().map(<[u8]>::to_vec), message.payload().map(<[u8]>::to_vec));
    let (partition, timestamp) = (message.partition(), message.timestamp().to_millis());
    Lying { partition, offset: message.offset(), message: Message { key, value, partition, timestamp, headers } }
}

/// Event ids of a topic by key, each once, in the order in which they first came.
pub fn first_ids(topic: &Topic, records: &[Lying]) -> BTreeMap<String, Vec<String>> {
    let mut seen = HashSet::new();
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in records {
        let event = record.event(topic);
        let id = event["event_id"].as_str().expect("an id").to_owned();
        let key = String::from_utf8(record.message.key.clone().expect("a key")).expect("text");
        if seen.insert(id.clone()) {
            ids.entry(key).or_default().push(id);
        }
    }
    ids
}
