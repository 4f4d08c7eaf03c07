//! Events: from a record's bytes to a typed value that a role may apply, or the reason why not.
//!
//! Every check that does not depend on rows stands here or in an event's `check`; none of them looks at a clock.

use std::io::Read;

use serde::{Deserialize, Deserializer, Serializer, de::DeserializeOwned};
use serde_avro_fast::{
    Schema,
    de::{DeserializerConfig, DeserializerState, read::SliceRead},
};
use uuid::Uuid;

use super::{
    row::Key,
    tables::Tables,
    units::{END_OF_TIME, FIRST_TIME, Time},
};

/// Why a record can never be applied as it is. The reason names fields and bounds, never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Lower case, no full stop.
    pub reason: String,
}

impl Reject {
    /// A reject for this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// A row that a lane would need.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Missing {
    /// Its table's place among the role's tables.
    pub table: usize,
    /// Its primary key.
    pub key: Key,
}

/// What ends the application of an event early. Nothing it asked for is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A row that the lane does not hold yet: the shell loads it and applies the event again.
    Missing(Missing),
    /// The event can never be applied.
    Reject(Reject),
}

impl From<Reject> for Stop {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}

/// One kind of event as one role reads it. Fields of the schema that the struct does not name are skipped.
pub trait Event: DeserializeOwned + Send + Sync + 'static {
    /// Its id.
    fn event_id(&self) -> Uuid;
    /// When it happened.
    fn occurred_at(&self) -> Time;
    /// The key field's text, which must be the record's key.
    fn key(&self) -> String;
    /// Whether every value lies within the contract's bounds.
    ///
    /// # Errors
    /// The first field that does not.
    fn check(&self) -> Result<(), Reject>;
    /// The role: what this event changes.
    ///
    /// # Errors
    /// A row that is not held yet, or an event that the rows refuse.
    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), Stop>;
}

/// An [`Event`] of any kind, decoded and checked.
pub trait Decoded: Send + Sync {
    /// Its id.
    fn event_id(&self) -> Uuid;
    /// When it happened.
    fn occurred_at(&self) -> Time;
    /// The key field's text.
    fn key(&self) -> String;
    /// See [`Event::apply`].
    ///
    /// # Errors
    /// As there.
    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), Stop>;
}

impl<E: Event> Decoded for E {
    fn event_id(&self) -> Uuid {
        Event::event_id(self)
    }
    fn occurred_at(&self) -> Time {
        Event::occurred_at(self)
    }
    fn key(&self) -> String {
        Event::key(self)
    }
    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), Stop> {
        Event::apply(self, tables)
    }
}

/// Where and when a record lies in the log.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its partition.
    pub partition: i32,
    /// Partitions of its topic, by the contract.
    pub partitions: i32,
    /// Its Kafka timestamp.
    pub timestamp: Time,
    /// Its key.
    pub key: Option<&'a [u8]>,
}

/// How far an event's time may lie after its record's Kafka timestamp: 10 minutes.
pub const FUTURE_MS: i64 = 600_000;
/// The reason of a record in another partition than its key's.
pub const WRONG_PARTITION: &str = "wrong-partition: the key's murmur2 gives another partition";
const BAD_EVENT_ID: &str = "event_id is not a lower-case UUID";
const BAD_OTHER_ID: &str = "an id in the body is not a lower-case UUID";
const MAX_ITEMS: usize = 100_000;

/// How a role reads a datum: the type is chosen once, in the role's line of the table.
pub type Decode = fn(&[u8], &Schema, Place<'_>) -> Result<Box<dyn Decoded>, Reject>;

/// Reads one datum written with `writer`, whole, and checks it.
///
/// # Errors
/// Bytes that are no such datum, a key or partition that is not the event's, a value out of bounds.
pub fn decode<E: Event>(datum: &[u8], writer: &Schema, place: Place<'_>) -> Result<Box<dyn Decoded>, Reject> {
    let event: E = read_datum(datum, writer)?;
    admit(&event, place)?;
    event.check()?;
    Ok(Box::new(event))
}

/// One value from a datum, which must hold nothing else.
fn read_datum<E: DeserializeOwned>(datum: &[u8], writer: &Schema) -> Result<E, Reject> {
    let mut config = DeserializerConfig::new(writer);
    config.max_seq_size = MAX_ITEMS;
    let mut state = DeserializerState::with_config(SliceRead::new(datum), config);
    let event = E::deserialize(state.deserializer()).map_err(|error| {
        let text = error.to_string();
        let known = [BAD_EVENT_ID, BAD_OTHER_ID].into_iter().find(|it| text.contains(it));
        Reject::new(known.unwrap_or("undecodable: the bytes are no datum of their schema"))
    })?;
    let mut rest = [0; 1];
    match state.into_reader().read(&mut rest) {
        Ok(0) => Ok(event),
        _ => Err(Reject::new("undecodable: bytes after the datum")),
    }
}

/// The checks that hold for every event of every topic.
fn admit<E: Event>(event: &E, place: Place<'_>) -> Result<(), Reject> {
    let key = event.key();
    if place.key != Some(key.as_bytes()) {
        return Err(Reject::new("the record's key is not the event's key field"));
    }
    if super::topic::partition_of(key.as_bytes(), place.partitions) != place.partition {
        return Err(Reject::new(WRONG_PARTITION));
    }
    if event.occurred_at() < FIRST_TIME {
        return Err(Reject::new("occurred_at is before 2000-01-01"));
    }
    if event.occurred_at() >= END_OF_TIME {
        return Err(Reject::new("occurred_at is after the year 9999"));
    }
    if event.occurred_at() > place.timestamp.plus(FUTURE_MS) {
        return Err(Reject::new("occurred_at is more than 10 minutes after the record's Kafka timestamp"));
    }
    Ok(())
}

/// Reads an `event_id`: 36 characters, hyphenated, lower case.
///
/// # Errors
/// Any other text.
pub fn event_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    id(deserializer, BAD_EVENT_ID)
}

/// Reads an id that a body names as [`event_id`] does.
///
/// # Errors
/// Any other text.
pub fn other_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    id(deserializer, BAD_OTHER_ID)
}

fn id<'de, D: Deserializer<'de>>(deserializer: D, otherwise: &str) -> Result<Uuid, D::Error> {
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    let strict = text.len() == 36 && !text.bytes().any(|it| it.is_ascii_uppercase());
    let id = if strict { Uuid::try_parse(&text).ok() } else { None };
    id.ok_or_else(|| serde::de::Error::custom(otherwise))
}

/// Writes an `event_id` as [`event_id`] reads it.
///
/// # Errors
/// Those of the serializer.
pub fn write_event_id<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
}

/// Whether a text has so many characters (Unicode scalars) and no NUL.
///
/// # Errors
/// The field, and which of the two.
pub fn check_text(field: &str, text: &str, length: std::ops::RangeInclusive<usize>) -> Result<(), Reject> {
    // A scalar has at least one byte, so a short text of bytes needs no count.
    let fits = *length.start() <= 1 && length.contains(&text.len());
    if !fits && !length.contains(&text.chars().count()) {
        let (low, high) = length.into_inner();
        return Err(Reject::new(format!("{field} has not {low}..{high} characters")));
    }
    if text.contains('\0') {
        return Err(Reject::new(format!("{field} holds a NUL")));
    }
    Ok(())
}

/// Whether a number lies within its bounds; NaN and infinity lie within none.
///
/// # Errors
/// The field and its bounds.
pub fn check_within<N: PartialOrd + std::fmt::Display>(field: &str, number: N, bounds: std::ops::RangeInclusive<N>) -> Result<(), Reject> {
    if bounds.contains(&number) {
        return Ok(());
    }
    Err(Reject::new(format!("{field} is not within {}..{}", bounds.start(), bounds.end())))
}
