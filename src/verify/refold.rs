//! One lane folded again from its origin, in memory, and compared with what was found.
//!
//! It never asks for a row: what the fold does not hold is not there.

use std::{collections::HashMap, ops::Range, sync::Arc};

use tokio::runtime::Handle;
use workers::fold::{Changes, Entry, Fold, Model, Place, Presume, Progress, Role, Sort, Time, Value, Values, open_envelope};

use super::{
    difference::{Differences, Kind, Letter, Row},
    found::{Kept, Lane, hash},
};
use crate::{
    fault::Fault,
    kafka::consumer::Record,
    registry::{Lookup, Registry, Writer},
    store::positions::Moved,
};

/// Schemas of a topic by id, asked for once.
pub struct Writers {
    /// The role whose topic it is.
    pub role: &'static Role,
    /// Where they come from.
    pub registry: Arc<Registry>,
    /// The runtime that the registry is asked on.
    pub runtime: Handle,
    /// Those met so far.
    pub known: HashMap<u32, Arc<Writer>>,
}

/// What was folded and compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Records read.
    pub records: u64,
    /// Records left out: lettered for a cause outside their bytes or so long ago that the letter went, or passed over by a move.
    pub skipped: u64,
    /// Records rejected.
    pub rejects: u64,
    /// Rows compared.
    pub rows: u64,
    /// Rows left out because their months were archived.
    pub archived: u64,
    /// Differences.
    pub differences: u64,
}

/// The fold of one lane.
pub struct Refold<'a> {
    skipped: Vec<Range<i64>>,
    fold: Fold,
    counters: Model,
    against: Against<'a>,
}

/// What the fold is compared with: what is left of the lane is what the fold has not come to.
struct Against<'a> {
    role: &'static Role,
    partition: i32,
    lane: Lane,
    kept: &'a Kept,
    tally: Tally,
    differences: &'a mut Differences,
}

impl<'a> Refold<'a> {
    /// The fold of a lane from nothing.
    pub fn new(role: &'static Role, (partition, lane): (i32, Lane), kept: &'a Kept, differences: &'a mut Differences) -> Self {
        Self {
            skipped: skipped(&lane.moves),
            fold: Fold::new(role, partition, Presume::Everything, usize::MAX),
            counters: Model::new(role),
            against: Against { role, partition, lane, kept, tally: Tally::default(), differences },
        }
    }

    /// Folds records on, and compares the history rows that they append.
    ///
    /// # Errors
    /// A schema that cannot be had.
    pub fn take(&mut self, records: &[Record], writers: &mut Writers) -> Result<(), Fault> {
        let against = &mut self.against;
        against.tally.records += records.len() as u64;
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            if against.leaves_out(record.offset) || self.skipped.iter().any(|it| it.contains(&record.offset)) {
                against.tally.skipped += 1;
            } else {
                entries.push(writers.entry(against.partition, record)?);
            }
        }
        if self.fold.advance(&entries) != Progress::Done {
            return Err(Fault::fatal(format!("{}: the fold asked for a row, which it never should", against.role.name)));
        }
        let changes = self.fold.take();
        self.fold.settle();
        against.letters(&entries, &changes);
        for (table, rows) in &changes.appends {
            rows.iter().for_each(|row| against.row(*table, row));
        }
        let steps = Changes { adds: changes.adds, ..Changes::default() };
        self.counters.apply(&steps).map_err(|_| Fault::fatal(format!("{}: a counter that is no counter", against.role.name)))
    }

    /// Compares what the fold came to, and counts what is left over.
    pub fn finish(self) -> Tally {
        let Self { fold, counters, mut against, .. } = self;
        for (place, table) in against.role.tables.iter().enumerate() {
            match table.sort {
                Sort::State => fold.rows(place).for_each(|(_, row)| against.row(place, row)),
                Sort::Counter => counters.rows(place).for_each(|row| against.row(place, row)),
                Sort::History | Sort::Queue | Sort::Catalogue => {}
            }
        }
        against.rest();
        against.tally
    }
}

impl Against<'_> {
    /// Whether a record was lettered for a cause that no replay sees.
    fn leaves_out(&mut self, offset: i64) -> bool {
        let outside = self.lane.letters.get(&offset) == Some(&false);
        if outside {
            self.lane.letters.remove(&offset);
        }
        outside
    }

    /// Compares rejects with letters.
    fn letters(&mut self, entries: &[Entry], changes: &Changes) {
        for (place, reject) in &changes.rejects {
            let Some(entry) = entries.get(*place) else { continue };
            self.tally.rejects += 1;
            if self.lane.letters.remove(&entry.offset).is_none() {
                if self.kept.letters.is_some_and(|since| entry.timestamp < since) {
                    self.tally.skipped += 1;
                    continue;
                }
                let (partition, offset, reason) = (self.partition, entry.offset, Some(reject.reason.clone()));
                self.tally.differences += 1;
                self.differences.letter(Letter { kind: Kind::Missing, partition, offset, reason });
            }
        }
    }

    /// Compares a row of the fold with the one that was found under its key.
    fn row(&mut self, place: usize, row: &Values) {
        let Some(table) = self.role.tables.get(place) else { return };
        let key = hash(row.get(..table.key).unwrap_or(row));
        let found = self.lane.tables.get_mut(place).and_then(|it| it.remove(&key));
        if found.is_none() && self.is_archived(place, row) {
            self.tally.archived += 1;
            return;
        }
        self.tally.rows += 1;
        if found != Some(hash(row)) {
            let kind = if found.is_some() { Kind::Differs } else { Kind::Missing };
            self.differ(Row {
                kind,
                partition: self.partition,
                table: place,
                key,
                hash: found,
                expected: Some(Values::clone(row)),
                found: None,
            });
        }
    }

    /// What the database has and the fold has not.
    fn rest(&mut self) {
        for (table, rows) in std::mem::take(&mut self.lane.tables).into_iter().enumerate() {
            for (key, hash) in rows {
                self.differ(Row {
                    kind: Kind::Extra,
                    partition: self.partition,
                    table,
                    key,
                    hash: Some(hash),
                    expected: None,
                    found: None,
                });
            }
        }
        let position = &self.lane.position;
        let ends = position.origin_offset.unwrap_or(0)..position.next_offset.unwrap_or(0);
        for (offset, is_data) in std::mem::take(&mut self.lane.letters) {
            if is_data && ends.contains(&offset) {
                self.tally.differences += 1;
                self.differences.letter(Letter { kind: Kind::Extra, partition: self.partition, offset, reason: None });
            }
        }
    }

    /// Whether a history row happened in a month that is no longer kept.
    fn is_archived(&self, place: usize, row: &[Value]) -> bool {
        let since = self.kept.rows.get(place).copied().flatten();
        let at = self.role.tables.get(place).and_then(|it| row.get(it.place("occurred_at")?));
        matches!((since, at), (Some(since), Some(Value::Long(at))) if *at < since.0)
    }

    fn differ(&mut self, row: Row) {
        self.tally.differences += 1;
        self.differences.row(row);
    }
}

impl Writers {
    /// A record as the fold takes it.
    fn entry(&mut self, partition: i32, record: &Record) -> Result<Entry, Fault> {
        let timestamp = Time(record.timestamp);
        let event = match open_envelope(record.value.as_deref()) {
            Err(reject) => Err(reject),
            Ok((id, datum)) => {
                let writer = self.writer(id).map_err(|it| it.during(format!("partition {partition} offset {}", record.offset)))?;
                let partitions = self.role.topic.partitions;
                let place = Place { partition, partitions, timestamp, key: record.key.as_deref() };
                (self.role.decode)(datum, &writer.codec, place)
            }
        };
        Ok(Entry { offset: record.offset, timestamp, event })
    }

    fn writer(&mut self, id: u32) -> Result<Arc<Writer>, Fault> {
        if let Some(writer) = self.known.get(&id) {
            return Ok(Arc::clone(writer));
        }
        match self.runtime.block_on(self.registry.schema(id, self.role.topic))? {
            Lookup::Known(writer) => {
                self.known.insert(id, Arc::clone(&writer));
                Ok(writer)
            }
            Lookup::Unknown | Lookup::Never => Err(Fault::fatal(format!(
                "the registry does not know schema id {id}, with which an applied record was written: restore the registry"
            ))),
            Lookup::Incompatible(reason) => {
                Err(Fault::fatal(format!("schema id {id} cannot be read: {reason}: run `fleet schemas check`")))
            }
        }
    }
}

/// The offsets that moves by hand passed over and none came back for.
fn skipped(moves: &[Moved]) -> Vec<Range<i64>> {
    let mut skipped: Vec<Range<i64>> = Vec::new();
    for moved in moves {
        let from = moved.from.unwrap_or(i64::MIN);
        for range in &mut skipped {
            range.end = range.end.min(moved.to.max(range.start));
        }
        skipped.retain(|it| !it.is_empty());
        if from < moved.to {
            skipped.push(from..moved.to);
        }
    }
    skipped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(from: Option<i64>, to: i64) -> Moved {
        Moved { partition: 0, from, to, reason: String::new() }
    }

    #[test]
    fn what_a_move_passed_over_is_not_folded_unless_a_later_one_came_back() {
        assert_eq!(skipped(&[]), Vec::<Range<i64>>::new());
        assert_eq!(skipped(&[moved(Some(10), 20)]), Vec::from([{ 10..20 }]));
        assert_eq!(skipped(&[moved(Some(10), 20), moved(Some(30), 15)]), Vec::from([{ 10..15 }]));
        assert_eq!(skipped(&[moved(Some(10), 20), moved(Some(30), 5)]), Vec::<Range<i64>>::new());
        assert_eq!(skipped(&[moved(Some(10), 20), moved(Some(30), 40)]), [10..20, 30..40]);
        assert_eq!(skipped(&[moved(None, 7)]), Vec::from([{ i64::MIN..7 }]));
    }
}
