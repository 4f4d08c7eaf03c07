//! Topics: the contract with producers, and how a record's bytes are told apart.
//!
//! Names, keys, partitions and schemas only; nothing here talks to a broker or a registry.

use std::{sync::OnceLock, time::Duration};

use serde_avro_fast::Schema;

use super::{event::Reject, plain::Plain};

/// One topic as the contract fixes it.
#[derive(Debug)]
pub struct Topic {
    /// Its name; the subject is `<name>-value`.
    pub name: &'static str,
    /// The field whose text is the Kafka key.
    pub key: &'static str,
    /// Partitions at creation, for good.
    pub partitions: i32,
    /// `retention.ms`; -1 keeps the log, since tables are made from it.
    pub retention_ms: i64,
    /// The Avro schema, as JSON.
    pub schema: &'static str,
    /// Example events in plain JSON, a line each.
    pub examples: &'static str,
    /// Peak rate that a role must hold, events a second.
    pub rate: u32,
    /// Freshness that a role must hold, produced to visible, in milliseconds.
    pub freshness_ms: u32,
    /// The schema as parsed; start with [`Parsed::new`].
    pub parsed: Parsed,
}

/// `max.message.bytes` of every topic: 8 MiB.
pub const MAX_MESSAGE_BYTES: usize = 8 << 20;

/// A schema parsed at first use, in the two forms that the core needs.
#[derive(Debug)]
pub struct Parsed {
    codec: OnceLock<Option<Schema>>,
    plain: OnceLock<Option<Plain>>,
}

impl Parsed {
    /// Not parsed yet.
    #[expect(clippy::new_without_default, reason = "a const constructor for statics")]
    pub const fn new() -> Self {
        Self { codec: OnceLock::new(), plain: OnceLock::new() }
    }
}

impl Topic {
    /// [`Topic::freshness_ms`] as a duration.
    pub fn freshness(&self) -> Duration {
        Duration::from_millis(self.freshness_ms.into())
    }

    /// The subject of the schema registry (TopicNameStrategy).
    pub fn subject(&self) -> String {
        format!("{}-value", self.name)
    }

    /// The schema ready to encode and decode.
    ///
    /// # Errors
    /// A schema that does not parse; a test of the house keeps that from happening.
    pub fn codec(&self) -> Result<&Schema, Reject> {
        let parsed = self.parsed.codec.get_or_init(|| self.schema.parse().ok());
        parsed.as_ref().ok_or_else(|| Reject::new("the contract's own schema does not parse"))
    }

    /// The schema ready for plain JSON.
    ///
    /// # Errors
    /// As [`Topic::codec`].
    pub fn plain(&self) -> Result<&Plain, Reject> {
        let parsed = self.parsed.plain.get_or_init(|| Plain::parse(self.schema).ok());
        parsed.as_ref().ok_or_else(|| Reject::new("the contract's own schema does not parse"))
    }

    /// The partition of a key, by the contract's partitioner.
    pub fn partition_of(&self, key: &[u8]) -> i32 {
        partition_of(key, self.partitions)
    }
}

/// Partition of a key by `murmur2_random`, as the Java client and librdkafka compute it.
pub fn partition_of(key: &[u8], partitions: i32) -> i32 {
    let positive = (murmur2(key) & 0x7fff_ffff).cast_signed();
    positive % partitions.max(1)
}

/// MurmurHash2, 32 bits, with the seed that Kafka's clients use.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    for (place, byte) in tail.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * place);
    }
    if !tail.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The bytes before every datum: a zero and the schema's id.
pub const ENVELOPE: usize = 5;

/// The schema id and the datum of a value in Confluent's wire format.
///
/// # Errors
/// An empty value, another magic byte, or fewer than five bytes.
pub fn open_envelope(value: Option<&[u8]>) -> Result<(u32, &[u8]), Reject> {
    match value {
        None => Err(Reject::new("tombstone: the value is null")),
        Some([]) => Err(Reject::new("the value is empty")),
        Some([0, a, b, c, d, datum @ ..]) => Ok((u32::from_be_bytes([*a, *b, *c, *d]), datum)),
        Some([0, ..]) => Err(Reject::new("truncated: no schema id")),
        Some(_) => Err(Reject::new("wrong magic byte")),
    }
}

/// A datum behind its envelope.
pub fn envelope(schema_id: u32, datum: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ENVELOPE + datum.len());
    bytes.push(0);
    bytes.extend_from_slice(&schema_id.to_be_bytes());
    bytes.extend_from_slice(datum);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_the_java_client_does() {
        // Figures of Kafka's own UtilsTest.
        for (text, hash) in [("21", -973_932_308_i32), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536)] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        }
        assert_eq!(murmur2(b"abc").cast_signed(), 479_470_107);
    }

    #[test]
    fn opens_only_a_whole_envelope() {
        assert_eq!(open_envelope(Some(&envelope(7, b"x"))).unwrap(), (7, &b"x"[..]));
        for bad in [None, Some(&b""[..]), Some(&[0, 0, 0, 0][..]), Some(&[1, 0, 0, 0, 1, 2][..])] {
            assert!(open_envelope(bad).is_err());
        }
    }
}
