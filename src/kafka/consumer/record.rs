//! What a lane gets from the consumer, and how much of it waits.

use std::sync::atomic::{AtomicI64, Ordering};

use rdkafka::{Message, message::Headers};

/// Messages waiting in a lane above which the owner takes no more for a while.
const HIGH_WATER: i64 = 2_500;
/// Bytes waiting in a lane above which the owner takes no more for a while.
const HIGH_BYTES: i64 = 8 << 20;

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
    pub(super) fn add(&self, records: &[Record]) {
        self.messages.fetch_add(records.len() as i64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes(records), Ordering::Relaxed);
    }

    /// The lane has taken these.
    pub fn taken(&self, records: &[Record]) {
        self.messages.fetch_sub(records.len() as i64, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes(records), Ordering::Relaxed);
    }

    pub(super) fn is_high(&self) -> bool {
        self.messages.load(Ordering::Relaxed) > HIGH_WATER || self.bytes.load(Ordering::Relaxed) > HIGH_BYTES
    }

    pub(super) fn is_low(&self) -> bool {
        self.messages.load(Ordering::Relaxed) < HIGH_WATER / 4 && self.bytes.load(Ordering::Relaxed) < HIGH_BYTES / 4
    }
}

fn bytes(records: &[Record]) -> i64 {
    records.iter().map(|it| it.size() as i64).sum()
}

/// A message's own copy.
pub(in crate::kafka) fn record(message: &rdkafka::message::BorrowedMessage<'_>) -> Record {
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
