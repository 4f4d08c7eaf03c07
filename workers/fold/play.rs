//! A role played over an in-memory database, by the same steps as a lane's: decode, fold, load what is missing, flush.
//!
//! It knows one schema, the topic's own, and no time but the records'.

use std::collections::BTreeMap;

use super::{
    batch::{Changes, Entry, Fold, Progress},
    event::{Place, Reject},
    model::{Conflict, Model},
    plain::PlainEvent,
    role::Role,
    tables::Presume,
    topic::{Topic, envelope, open_envelope},
    units::Time,
};

/// One record as it lies in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its partition.
    pub partition: i32,
    /// Its Kafka timestamp.
    pub timestamp: Time,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value, envelope included. Any schema id stands for the topic's own schema.
    pub value: Option<Vec<u8>>,
}

impl Record {
    /// A record in its right place, produced when it happened.
    pub fn of(topic: &Topic, event: &PlainEvent) -> Self {
        Self {
            partition: topic.partition_of(event.key.as_bytes()),
            timestamp: event.occurred_at,
            key: Some(event.key.clone().into_bytes()),
            value: Some(envelope(1, &event.datum)),
        }
    }

    /// What a role makes of it.
    pub fn entry(&self, role: &Role, offset: i64) -> Entry {
        Entry { offset, timestamp: self.timestamp, event: self.decode(role) }
    }

    fn decode(&self, role: &Role) -> Result<Box<dyn super::Decoded>, Reject> {
        let (_, datum) = open_envelope(self.value.as_deref())?;
        let place =
            Place { partition: self.partition, partitions: role.topic.partitions, timestamp: self.timestamp, key: self.key.as_deref() };
        (role.decode)(datum, role.topic.codec()?, place)
    }
}

/// One flush of one lane.
#[derive(Debug)]
pub struct Flush {
    /// The partition.
    pub lane: i32,
    /// What was written. Rejects are named by their place among the records given to [`Play::batch`].
    pub changes: Changes,
}

/// A role, its lanes and its tables.
pub struct Play {
    role: &'static Role,
    presume: Presume,
    memory_bytes: usize,
    lanes: BTreeMap<i32, Fold>,
    model: Model,
    offset: i64,
}

impl Play {
    /// A play from the log's origin, which looks nothing up and forgets nothing.
    pub fn new(role: &'static Role) -> Self {
        Self::with(role, Presume::Everything, usize::MAX)
    }

    /// A play that looks its rows up as a worker would, with so many bytes of memory a lane.
    pub fn with(role: &'static Role, presume: Presume, memory_bytes: usize) -> Self {
        Self { role, presume, memory_bytes, lanes: BTreeMap::new(), model: Model::new(role), offset: 0 }
    }

    /// The tables as they stand.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Drops what the lanes hold, as when they move to other workers.
    pub fn forget(&mut self) {
        self.lanes.clear();
    }

    /// One batch: the records of each lane in one flush, or several where its memory is full.
    ///
    /// # Errors
    /// A history row that the role appends although it was there: it did not ask first.
    pub fn batch(&mut self, records: &[Record]) -> Result<Vec<Flush>, Conflict> {
        let mut lanes: BTreeMap<i32, (Vec<usize>, Vec<Entry>)> = BTreeMap::new();
        for (place, record) in records.iter().enumerate() {
            let (places, entries) = lanes.entry(record.partition).or_default();
            places.push(place);
            entries.push(record.entry(self.role, self.offset));
            self.offset += 1;
        }
        let mut flushes = Vec::new();
        for (lane, (places, entries)) in lanes {
            let fold = self.lanes.entry(lane);
            let fold = fold.or_insert_with(|| Fold::new(self.role, lane, self.presume, self.memory_bytes));
            let (mut entries, mut places) = (entries.as_slice(), places.as_slice());
            while !entries.is_empty() {
                let (mut changes, done) = flush(fold, &mut self.model, self.presume, entries)?;
                for (place, _) in &mut changes.rejects {
                    *place = places.get(*place).copied().unwrap_or(*place);
                }
                entries = entries.get(done..).unwrap_or_default();
                places = places.get(done..).unwrap_or_default();
                flushes.push(Flush { lane, changes });
            }
        }
        Ok(flushes)
    }
}

/// One flush: as many of the records as fit the lane's memory.
fn flush(fold: &mut Fold, model: &mut Model, presume: Presume, entries: &[Entry]) -> Result<(Changes, usize), Conflict> {
    let (changes, done) = attempt(fold, model, entries);
    if model.apply(&changes).is_ok() {
        fold.settle();
        return Ok((changes, done));
    }
    // An identity was not new after all: the same batch again, with every row looked up.
    fold.undo();
    fold.presume(Presume::Nothing);
    let (changes, done) = attempt(fold, model, entries);
    model.apply(&changes)?;
    fold.settle();
    fold.presume(presume);
    Ok((changes, done))
}

fn attempt(fold: &mut Fold, model: &Model, entries: &[Entry]) -> (Changes, usize) {
    while let Progress::Missing(missing) = fold.advance(entries) {
        for it in missing {
            let row = model.get(it.table, &it.key).cloned();
            fold.hold(it, row);
        }
    }
    let done = fold.done();
    (fold.take(), done)
}
