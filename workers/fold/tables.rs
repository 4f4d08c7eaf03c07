//! What a role may ask for: `get`, `put`, `delete`, `add`, `seen`, `append`, `enqueue`, `cache`, `emit`.
//!
//! It performs nothing: what one event asks for is staged, and kept only if the event is applied whole.

use serde::Serialize;
use serde_avro_fast::ser::SerializerConfig;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    cache::Family,
    event::{Missing, Reject, Stop},
    memory::Memory,
    role::Role,
    row::{IntoKey, Key, Row, Sort, Table, Values},
    topic::Topic,
    value::Value,
};

/// A derived event: a datum for another topic, whose id depends on its source alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emit {
    /// The topic's place among the role's `emits`.
    pub topic: usize,
    /// The record's key.
    pub key: String,
    /// The datum, without the envelope.
    pub datum: Vec<u8>,
}

/// The most bytes that a derived event may have: a larger one makes its source a reject.
pub const MAX_EMIT: usize = 1 << 20;

/// Room for a usual one.
const USUAL_EMIT: usize = 256;

/// One thing an event asked for.
pub(crate) enum Staged {
    Row(usize, Key, Option<Values>),
    Append(usize, Key, Values),
    Add(usize, Vec<Value>),
    Enqueue(usize, Values),
    Cache(usize, Key),
    Emit(Emit),
    Duplicate,
    Count(&'static str),
}

/// The event being applied, as far as the fold cares.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) key: String,
    pub(crate) event_id: Uuid,
    pub(crate) lane: i32,
}

/// Which rows may be taken as absent without a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presume {
    /// None: every row is looked up.
    Nothing,
    /// Identities: a plain INSERT finds the duplicate.
    New,
    /// All: the fold begins at the log's origin and forgets nothing.
    Everything,
}

/// The tables as the events before this one left them.
pub struct Tables<'f> {
    pub(crate) role: &'static Role,
    pub(crate) memory: &'f mut Memory,
    pub(crate) source: Source,
    pub(crate) presume: Presume,
    /// In a probe a missing row is noted here and taken as absent. Only the list is kept, so nothing else is made.
    pub(crate) probe: Option<&'f mut Vec<Missing>>,
    pub(crate) staged: Vec<Staged>,
}

impl Tables<'_> {
    /// The row under a key, as the events before this one left it.
    ///
    /// # Errors
    /// [`Stop::Missing`] when the lane does not hold it yet.
    pub fn get<R: Row>(&mut self, key: impl IntoKey) -> Result<Option<R>, Stop> {
        let table = self.place_of(R::TABLE)?;
        let row = self.held(table, key.into_key())?;
        // A row that cannot be read is damage: it must not be started anew as if it were absent.
        let damaged = || Reject::new(format!("the row of {} under the event's key cannot be read", R::TABLE.name));
        row.map(|values| R::from_values(&values).ok_or_else(|| damaged().into())).transpose()
    }

    /// Says that the event asks for no further row: a probe, which finds out which it asks for, goes no further than this.
    ///
    /// # Errors
    /// That it is a probe; what an event is probed for is never its verdict.
    pub fn no_more_rows(&self) -> Result<(), Stop> {
        if self.probe.is_some() { Err(Reject::new("").into()) } else { Ok(()) }
    }

    /// Sets a row, in full.
    ///
    /// # Errors
    /// A table that the role does not declare.
    pub fn put<R: Row>(&mut self, row: &R) -> Result<(), Stop> {
        let table = self.place_of(R::TABLE)?;
        if self.probe.is_some() {
            return Ok(());
        }
        let values = row.to_values();
        let key = key_of(R::TABLE, &values);
        self.assert_own(R::TABLE, &key);
        self.staged.push(Staged::Row(table, key, Some(values.into())));
        Ok(())
    }

    /// Removes a row.
    ///
    /// # Errors
    /// A table that the role does not declare.
    pub fn delete<R: Row>(&mut self, key: impl IntoKey) -> Result<(), Stop> {
        let (table, key) = (self.place_of(R::TABLE)?, key.into_key());
        self.assert_own(R::TABLE, &key);
        self.staged.push(Staged::Row(table, key, None));
        Ok(())
    }

    /// Whether an event of this identity was applied before. Its last column must be `body_hash`.
    ///
    /// # Errors
    /// A reject when it was, with another body; [`Stop::Missing`] when the lane must look.
    pub fn seen<R: Row>(&mut self, row: &R) -> Result<bool, Stop> {
        let table = self.place_of(R::TABLE)?;
        match self.held(table, row.key())? {
            None => Ok(false),
            Some(held) if held.last() == Some(&row.last()) => {
                self.repeated();
                Ok(true)
            }
            Some(_) => Err(Reject::new("same identity as an earlier event, with another body").into()),
        }
    }

    /// Says that this event was applied before, of a role that remembers identities in its own rows.
    pub fn repeated(&mut self) {
        self.staged.push(Staged::Duplicate);
    }

    /// Appends the history row of this event, which [`Tables::seen`] said is new.
    ///
    /// # Errors
    /// A table that the role does not declare.
    pub fn append<R: Row>(&mut self, row: &R) -> Result<(), Stop> {
        let table = self.place_of(R::TABLE)?;
        if self.probe.is_some() {
            return Ok(());
        }
        let values = row.to_values();
        let key = key_of(R::TABLE, &values);
        self.assert_own(R::TABLE, &key);
        self.staged.push(Staged::Append(table, key, values.into()));
        Ok(())
    }

    /// Adds a counter's steps to those of its key and this lane.
    ///
    /// # Errors
    /// A table that the role does not declare.
    pub fn add<R: Row>(&mut self, steps: &R) -> Result<(), Stop> {
        let table = self.place_of(R::TABLE)?;
        if self.probe.is_some() {
            return Ok(());
        }
        let mut values = steps.to_values();
        let lane = R::TABLE.key.saturating_sub(1).min(values.len());
        values.insert(lane, Value::Long(i64::from(self.source.lane)));
        self.staged.push(Staged::Add(table, values));
        Ok(())
    }

    /// Inserts a queue row, if its key is absent.
    ///
    /// # Errors
    /// A table that the role does not declare.
    pub fn enqueue<R: Row>(&mut self, row: &R) -> Result<(), Stop> {
        let table = self.place_of(R::TABLE)?;
        self.staged.push(Staged::Enqueue(table, row.to_values().into()));
        Ok(())
    }

    /// Asks that the cache entry of a row be written, as the row stands at the end of the batch.
    ///
    /// # Errors
    /// A family that the role does not declare.
    pub fn cache(&mut self, family: &'static Family, key: impl IntoKey) -> Result<(), Stop> {
        let place = self.role.caches.iter().position(|it| it.name == family.name);
        let place = place.ok_or_else(|| undeclared(family.name))?;
        self.staged.push(Staged::Cache(place, key.into_key()));
        Ok(())
    }

    /// Derives an event: `make` gets its id, which depends on this event and `name` alone.
    ///
    /// # Errors
    /// A reject when it is larger than [`MAX_EMIT`] or does not fit its topic's schema.
    pub fn emit<E: Serialize>(&mut self, name: &str, topic: &'static Topic, make: impl FnOnce(Uuid) -> (String, E)) -> Result<(), Stop> {
        let place = self.role.emits.iter().position(|it| it.name == topic.name);
        let place = place.ok_or_else(|| undeclared(topic.name))?;
        if self.probe.is_some() {
            return Ok(());
        }
        let (key, event) = make(self.derived_id(name));
        let datum = to_datum(name, topic, &event)?;
        self.staged.push(Staged::Emit(Emit { topic: place, key, datum }));
        Ok(())
    }

    /// Counts something that changed nothing, under a name of the role's `counts`.
    pub fn count(&mut self, name: &'static str) {
        self.staged.push(Staged::Count(name));
    }

    /// UUIDv5 of (role, key, source event's id, name).
    pub fn derived_id(&self, name: &str) -> Uuid {
        let Source { key, event_id, .. } = &self.source;
        derived_id(&[self.role.name, key, event_id.hyphenated().encode_lower(&mut Uuid::encode_buffer()), name])
    }

    /// The row under a key, this event's own changes included.
    fn held(&mut self, table: usize, key: Key) -> Result<Option<Values>, Stop> {
        let staged = self.staged.iter().rev().find_map(|it| match it {
            Staged::Row(at, of, row) if *at == table && *of == key => Some(row.clone()),
            _ => None,
        });
        if let Some(row) = staged {
            return Ok(row);
        }
        if let Some(row) = self.memory.get(table, &key) {
            return Ok(row);
        }
        let new = self.role.tables.get(table).is_some_and(|it| it.sort == Sort::History);
        if self.presume == Presume::Everything || (self.presume == Presume::New && new) {
            return Ok(None);
        }
        let missing = Missing { table, key };
        match &mut self.probe {
            Some(list) => {
                list.push(missing);
                Ok(None)
            }
            None => Err(Stop::Missing(missing)),
        }
    }

    fn place_of(&self, table: &'static Table) -> Result<usize, Stop> {
        let place = self.role.tables.iter().position(|it| std::ptr::eq(*it, table) || it.name == table.name);
        place.ok_or_else(|| undeclared(table.name))
    }

    /// A role may change rows of its event's own key alone: two lanes never share one.
    fn assert_own(&self, table: &Table, key: &[Value]) {
        debug_assert!(
            table.place(self.role.topic.key).is_some_and(|at| key.get(at).is_some_and(|it| key_text(it) == self.source.key)),
            "{}: a row of {} that is not of the event's own key",
            self.role.name,
            table.name
        );
    }
}

fn undeclared(name: &str) -> Stop {
    Reject::new(format!("{name} is not declared by the role")).into()
}

fn key_of(table: &Table, values: &[Value]) -> Key {
    values.get(..table.key).unwrap_or(values).into()
}

/// The datum of an event that fleet makes; `name` stands for it in the reason.
///
/// # Errors
/// It is larger than [`MAX_EMIT`], or does not fit its topic's schema.
pub fn to_datum<E: Serialize>(name: &str, topic: &'static Topic, event: &E) -> Result<Vec<u8>, Reject> {
    let mut config = SerializerConfig::new(topic.codec()?);
    let datum = serde_avro_fast::to_datum(event, Vec::with_capacity(USUAL_EMIT), &mut config)
        .map_err(|_| Reject::new(format!("derived event {name} does not fit the schema of {}", topic.name)))?;
    if datum.len() > MAX_EMIT {
        return Err(Reject::new(format!("derived event {name} is larger than {MAX_EMIT} bytes")));
    }
    Ok(datum)
}

/// A key column's text, as it stands in a Kafka key or a Redis key.
pub fn key_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Long(long) => long.to_string(),
        Value::Id(id) => id.to_string(),
        Value::Text(text) => text.to_string(),
    }
}

/// The namespace of all ids that fleet makes; drawn once.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d0a_3c55_8d7e_5b0f_9c3d_2f4e_8a71_c6e9);

/// An id made of parts: UUIDv5 in fleet's namespace of the parts, each followed by a unit separator.
pub fn derived_id(parts: &[&str]) -> Uuid {
    let mut name = Vec::with_capacity(128);
    for part in parts {
        name.extend_from_slice(part.as_bytes());
        name.push(0x1f);
    }
    Uuid::new_v5(&NAMESPACE, &name)
}

/// The hash of an event's body as stored: XXH3-64 over each value's tag and little-endian bytes.
pub fn body_hash(values: &[Value]) -> i64 {
    let mut bytes = Vec::with_capacity(512);
    for value in values {
        match value {
            Value::Null => bytes.push(0),
            Value::Long(long) => {
                bytes.push(1);
                bytes.extend_from_slice(&long.to_le_bytes());
            }
            Value::Id(id) => {
                bytes.push(2);
                bytes.extend_from_slice(id.as_bytes());
            }
            Value::Text(text) => {
                bytes.push(3);
                bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
        }
    }
    xxh3_64(&bytes).cast_signed()
}
