//! The fold of one lane: a batch of decoded records in, merged changes out.
//!
//! It asks for rows by naming those that the whole batch misses; it never fetches one.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::{
    event::{Decoded, Missing, Reject, Stop},
    memory::Memory,
    role::Role,
    row::{Key, Values},
    tables::{Emit, Presume, Source, Staged, Tables},
    units::Time,
    value::Value,
};

/// One record of a batch, decoded or refused.
pub struct Entry {
    /// Its offset.
    pub offset: i64,
    /// Its Kafka timestamp.
    pub timestamp: Time,
    /// Its event, or why it has none.
    pub event: Result<Box<dyn Decoded>, Reject>,
}

/// All that a batch changes, merged: every row once, keys in order.
#[derive(Debug, Default)]
pub struct Changes {
    /// Rows to set, by the table's place.
    pub puts: BTreeMap<usize, Vec<Values>>,
    /// Rows to remove, by the table's place.
    pub deletes: BTreeMap<usize, Vec<Key>>,
    /// History rows to append, by the table's place.
    pub appends: BTreeMap<usize, Vec<Values>>,
    /// Counter rows whose other columns are steps to add, by the table's place.
    pub adds: BTreeMap<usize, Vec<Values>>,
    /// Queue rows to insert if absent, by the table's place.
    pub queued: BTreeMap<usize, Vec<Values>>,
    /// Cache entries to write, a row once.
    pub caches: Vec<Cached>,
    /// Derived events, in the order of their sources.
    pub emits: Vec<Emit>,
    /// Records that can never be applied: their place in the batch, and why.
    pub rejects: Vec<(usize, Reject)>,
    /// Events applied.
    pub applied: u64,
    /// Events seen before.
    pub duplicates: u64,
    /// What changed nothing, by the role's name for it.
    pub counts: BTreeMap<&'static str, u64>,
    /// The greatest min(occurred_at, Kafka timestamp) of the applied events.
    pub last_event_at: Option<Time>,
}

/// A row whose cache entry is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The family's place among the role's caches.
    pub family: usize,
    /// The row's primary key.
    pub key: Key,
    /// The row at the end of the batch; `None` where the batch did not hold it.
    pub row: Option<Values>,
    /// The greatest min(occurred_at, Kafka timestamp) of the events that asked for it.
    pub at: Time,
}

/// How far a batch came.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Every record is applied or refused.
    Done,
    /// These rows must be held before it goes on; each is named once. A batch may miss more after them.
    Missing(Vec<Missing>),
    /// The lane's memory is full: flush what is applied, and go on with the rest in the next batch.
    Full,
}

/// Room for what a usual event asks for.
const USUAL_STAGED: usize = 12;

/// The fold of one lane, and the rows that it holds.
pub struct Fold {
    role: &'static Role,
    lane: i32,
    memory: Memory,
    presume: Presume,
    /// Records of the current batch that are done.
    done: usize,
    changes: Changes,
    /// Sums of steps by key, a map a table.
    adds: Vec<FxHashMap<Key, Vec<i64>>>,
    cached: FxHashMap<(usize, Key), Time>,
}

impl Fold {
    /// An empty fold of a lane, holding rows of about so many bytes.
    pub fn new(role: &'static Role, lane: i32, presume: Presume, memory_bytes: usize) -> Self {
        Self {
            role,
            lane,
            memory: Memory::new(role.tables.len(), memory_bytes),
            presume,
            done: 0,
            changes: Changes::default(),
            adds: vec![FxHashMap::default(); role.tables.len()],
            cached: FxHashMap::default(),
        }
    }

    /// What is taken as absent without a look, from here on.
    pub fn presume(&mut self, presume: Presume) {
        self.presume = presume;
    }

    /// Applies the records that are not yet, in order, until one misses a row.
    pub fn advance(&mut self, batch: &[Entry]) -> Progress {
        while let Some(entry) = batch.get(self.done) {
            if self.memory.is_full() && self.done > 0 && self.presume != Presume::Everything {
                return Progress::Full;
            }
            match self.judge(entry) {
                Ok(()) => {}
                Err(Stop::Reject(reject)) => self.changes.rejects.push((self.done, reject)),
                Err(Stop::Missing(first)) => return Progress::Missing(self.probe(batch, first)),
            }
            self.done += 1;
        }
        Progress::Done
    }

    /// Records of the batch that are applied or refused.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Holds a row as the database has it, `None` for an absent one.
    pub fn hold(&mut self, missing: Missing, row: Option<Values>) {
        self.memory.load(missing.table, missing.key, row);
    }

    /// The changes of the records done so far. The batch is over with [`Fold::settle`] or [`Fold::undo`].
    pub fn take(&mut self) -> Changes {
        let mut changes = std::mem::take(&mut self.changes);
        for table in 0..self.role.tables.len() {
            self.take_rows(table, &mut changes);
        }
        for (table, sums) in self.adds.iter_mut().enumerate().filter(|it| !it.1.is_empty()) {
            let row = |(key, steps): (Key, Vec<i64>)| key.into_iter().chain(steps.into_iter().map(Value::Long)).collect();
            changes.adds.insert(table, sums.drain().map(row).collect());
        }
        for rows in changes.puts.values_mut().chain(changes.adds.values_mut()).chain(changes.appends.values_mut()) {
            rows.sort_unstable();
        }
        for ((family, key), at) in std::mem::take(&mut self.cached) {
            let row = self.cached_row(family, &key);
            changes.caches.push(Cached { family, key, row, at });
        }
        changes.caches.sort_unstable_by(|a, b| (a.family, &a.key).cmp(&(b.family, &b.key)));
        changes
    }

    /// Keeps the batch: its changes are in the database.
    pub fn settle(&mut self) {
        self.memory.settle();
        self.done = 0;
    }

    /// Takes the batch back: nothing of it happened.
    pub fn undo(&mut self) {
        self.memory.undo();
        self.done = 0;
        self.changes = Changes::default();
        self.adds.iter_mut().for_each(FxHashMap::clear);
        self.cached.clear();
    }

    /// Every row that a fold from the log's origin holds of a table: its key and its values.
    pub fn rows(&self, table: usize) -> impl Iterator<Item = (&Key, &Values)> {
        self.memory.rows(table)
    }

    /// Applies an event. One that is refused although taken as new may be a repeat, which changes nothing: then a look must tell.
    fn judge(&mut self, entry: &Entry) -> Result<(), Stop> {
        let verdict = self.apply(entry, None);
        if self.presume != Presume::New || entry.event.is_err() || !matches!(verdict, Err(Stop::Reject(_))) {
            return verdict;
        }
        self.presume = Presume::Nothing;
        let verdict = self.apply(entry, None);
        self.presume = Presume::New;
        verdict
    }

    /// The keys that the records not yet done would miss, after the first: those of the next record, and of as many more as there is
    /// room for. Nothing they ask for is kept.
    fn probe(&mut self, batch: &[Entry], first: Missing) -> Vec<Missing> {
        let mut missing = vec![first];
        for (ahead, entry) in batch.get(self.done..).unwrap_or_default().iter().enumerate() {
            if ahead > 0 && !self.memory.has_room(missing.len()) {
                break;
            }
            // What a probe refuses may be right once the rows are there: the verdict is advance's.
            let _ = self.apply(entry, Some(&mut missing));
        }
        let mut once = BTreeSet::new();
        missing.retain(|it| once.insert((it.table, it.key.clone())));
        missing
    }

    fn apply(&mut self, entry: &Entry, probe: Option<&mut Vec<Missing>>) -> Result<(), Stop> {
        let event = match &entry.event {
            Ok(event) => event,
            Err(reject) => return Err(reject.clone().into()),
        };
        let source = Source { key: event.key(), event_id: event.event_id(), lane: self.lane };
        let probing = probe.is_some();
        let mut tables = Tables {
            role: self.role,
            memory: &mut self.memory,
            source,
            presume: self.presume,
            probe,
            staged: Vec::with_capacity(USUAL_STAGED),
        };
        event.apply(&mut tables)?;
        let staged = tables.staged;
        if !probing {
            let at = event.occurred_at().min(entry.timestamp);
            self.keep(staged, at)?;
        }
        Ok(())
    }

    /// Makes what an event asked for part of the batch.
    fn keep(&mut self, staged: Vec<Staged>, at: Time) -> Result<(), Stop> {
        self.check_sums(&staged)?;
        self.changes.applied += 1;
        self.changes.last_event_at = self.changes.last_event_at.max(Some(at));
        for change in staged {
            match change {
                Staged::Row(table, key, row) => self.memory.change(table, key, row),
                Staged::Append(table, key, row) => {
                    let body = row.last().map_or_else(|| Values::from([]), |it| Values::from([it.clone()]));
                    self.memory.change(table, key, Some(body));
                    self.changes.appends.entry(table).or_default().push(row);
                }
                Staged::Add(table, values) => self.add(table, &values),
                Staged::Enqueue(table, row) => self.changes.queued.entry(table).or_default().push(row),
                Staged::Cache(family, key) => {
                    let latest = self.cached.entry((family, key)).or_insert(at);
                    *latest = at.max(*latest);
                }
                Staged::Emit(emit) => self.changes.emits.push(emit),
                Staged::Duplicate => {
                    self.changes.duplicates += 1;
                    self.changes.applied -= 1;
                }
                Staged::Count(name) => *self.changes.counts.entry(name).or_default() += 1,
            }
        }
        Ok(())
    }

    /// Refuses an event whose steps would overflow the batch's sums, before any of it is kept.
    fn check_sums(&self, staged: &[Staged]) -> Result<(), Stop> {
        for change in staged {
            let Staged::Add(table, values) = change else { continue };
            let (key, steps) = self.split(*table, values);
            let sums = self.adds.get(*table).and_then(|it| it.get(key));
            for (place, step) in steps.iter().enumerate() {
                let sum = sums.and_then(|it| it.get(place)).copied().unwrap_or_default();
                sum.checked_add(long(step)).ok_or_else(|| Reject::new("a counter overflows"))?;
            }
        }
        Ok(())
    }

    fn add(&mut self, table: usize, values: &[Value]) {
        let (key, steps) = self.split(table, values);
        let Some(of_table) = self.adds.get_mut(table) else { return };
        match of_table.get_mut(key) {
            Some(sums) => sums.iter_mut().zip(steps).for_each(|(sum, step)| *sum = sum.saturating_add(long(step))),
            None => drop(of_table.insert(key.into(), steps.iter().map(long).collect())),
        }
    }

    /// A counter's key, and its steps.
    fn split<'v>(&self, table: usize, values: &'v [Value]) -> (&'v [Value], &'v [Value]) {
        let length = self.role.tables.get(table).map_or(0, |it| it.key).min(values.len());
        values.split_at(length)
    }

    fn take_rows(&self, table: usize, changes: &mut Changes) {
        if self.role.tables.get(table).is_none_or(|it| it.sort != super::row::Sort::State) {
            return;
        }
        for (key, held, row) in self.memory.changed(table) {
            let before = held.and_then(Option::as_ref);
            // A row that no one asked for may be there.
            let unknown = held.is_none() && self.presume != Presume::Everything;
            match row {
                Some(row) if before != Some(&row) => changes.puts.entry(table).or_default().push(row),
                None if before.is_some() || unknown => changes.deletes.entry(table).or_default().push(key.clone()),
                _ => {}
            }
        }
        if let Some(keys) = changes.deletes.get_mut(&table) {
            keys.sort_unstable();
        }
    }

    fn cached_row(&mut self, family: usize, key: &[Value]) -> Option<Values> {
        let table = self.role.caches.get(family)?.table;
        let place = self.role.tables.iter().position(|it| it.name == table.name)?;
        self.memory.get(place, key).flatten()
    }
}

fn long(value: &Value) -> i64 {
    if let Value::Long(long) = value { *long } else { 0 }
}
