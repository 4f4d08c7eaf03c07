//! A lane's memory: the rows it holds while it owns its partition, bounded, with the way back out of a batch.
//!
//! Two generations: what the last batches touched is young, the rest is old and goes when the young outgrow their half.
//! Within a batch nothing goes, so that a row loaded for it stays held until it is written.

use rustc_hash::FxHashMap;

use super::{
    row::{Key, Values},
    value::Value,
};

/// `None` where the row is known to be absent.
type Held = Option<Values>;

/// The rows of one table.
#[derive(Default)]
struct Shelf {
    young: FxHashMap<Key, Held>,
    old: FxHashMap<Key, Held>,
    /// As each key touched by this batch was before it; `None` where it was not held.
    before: FxHashMap<Key, Option<Held>>,
}

/// The rows of all tables of a role, for one lane.
pub(crate) struct Memory {
    shelves: Vec<Shelf>,
    young_bytes: usize,
    limit: usize,
    /// Rows loaded so far and their bytes: what the next ones will weigh, about.
    loaded: (usize, usize),
}

/// Rows of a first look-up, before any tells how much rows weigh.
const FIRST_LOOK: usize = 300;
const ENTRY: usize = 96;

fn size(key: &[Value], row: &Held) -> usize {
    ENTRY + size_of_values(key) + size_of_row(row)
}

fn size_of_row(row: &Held) -> usize {
    row.as_ref().map_or(0, |it| size_of_values(it))
}

fn size_of_values(values: &[Value]) -> usize {
    values.iter().map(Value::size).sum()
}

impl Memory {
    /// Memory for so many tables, of about `limit` bytes.
    pub(crate) fn new(tables: usize, limit: usize) -> Self {
        Self { shelves: (0..tables).map(|_| Shelf::default()).collect(), young_bytes: 0, limit, loaded: (0, 0) }
    }

    /// The row under a key: `None` if it is not held.
    pub(crate) fn get(&mut self, table: usize, key: &[Value]) -> Option<Held> {
        let shelf = self.shelves.get_mut(table)?;
        if let Some(held) = shelf.young.get(key) {
            return Some(held.clone());
        }
        let (key, held) = shelf.old.remove_entry(key)?;
        self.young_bytes += size(&key, &held);
        shelf.young.insert(key, held.clone());
        Some(held)
    }

    /// Holds a row that was looked up.
    pub(crate) fn load(&mut self, table: usize, key: Key, row: Held) {
        self.loaded.0 += 1;
        self.loaded.1 = self.loaded.1.saturating_add(size(&key, &row));
        self.hold(table, key, row);
    }

    /// Whether there is room for so many rows more, if they are like those loaded so far.
    pub(crate) fn has_room(&self, rows: usize) -> bool {
        let (count, bytes) = self.loaded;
        match bytes.checked_div(count) {
            None => rows <= FIRST_LOOK,
            Some(mean) => rows.saturating_mul(mean) <= self.limit.saturating_sub(self.young_bytes),
        }
    }

    /// Holds a row as it stands in the database.
    pub(crate) fn hold(&mut self, table: usize, key: Key, row: Held) {
        let Some(shelf) = self.shelves.get_mut(table) else { return };
        let (of_key, of_row) = (ENTRY + size_of_values(&key), size_of_row(&row));
        let replaced = shelf.young.insert(key, row).map_or(0, |it| of_key + size_of_row(&it));
        self.young_bytes = (self.young_bytes + of_key + of_row).saturating_sub(replaced);
    }

    /// Changes a row; [`Memory::undo`] takes it back.
    pub(crate) fn change(&mut self, table: usize, key: Key, row: Held) {
        let before = self.get(table, &key);
        if let Some(shelf) = self.shelves.get_mut(table)
            && !shelf.before.contains_key(&key)
        {
            shelf.before.insert(key.clone(), before);
        }
        self.hold(table, key, row);
    }

    /// The keys of a table that this batch changed: each with the row as it was, `None` where it was not held, and as it is.
    pub(crate) fn changed(&self, table: usize) -> impl Iterator<Item = (&Key, Option<&Held>, Held)> {
        let shelf = self.shelves.get(table);
        shelf.into_iter().flat_map(|shelf| {
            let current = |key: &Key| shelf.young.get(key).cloned().unwrap_or_default();
            shelf.before.iter().map(move |(key, before)| (key, before.as_ref(), current(key)))
        })
    }

    /// Keeps what the batch changed, and lets the old go if there is too much.
    pub(crate) fn settle(&mut self) {
        for shelf in &mut self.shelves {
            shelf.before.clear();
        }
        if self.young_bytes > self.limit / 2 {
            self.young_bytes = 0;
            for shelf in &mut self.shelves {
                shelf.old = std::mem::take(&mut shelf.young);
            }
        }
    }

    /// Takes back all that this batch changed.
    pub(crate) fn undo(&mut self) {
        for shelf in &mut self.shelves {
            for (key, before) in shelf.before.drain() {
                match before {
                    Some(held) => shelf.young.insert(key, held),
                    None => shelf.young.remove(&key),
                };
            }
        }
    }

    /// Whether one batch already fills the memory, so that it must end here.
    pub(crate) fn is_full(&self) -> bool {
        self.young_bytes > self.limit
    }

    /// All rows held of a table, for a fold that never forgets.
    pub(crate) fn rows(&self, table: usize) -> impl Iterator<Item = (&Key, &Values)> {
        let shelf = self.shelves.get(table);
        let entries = shelf.into_iter().flat_map(|it| it.young.iter().chain(it.old.iter()));
        entries.filter_map(|(key, held)| held.as_ref().map(|row| (key, row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: i64) -> Key {
        Box::new([Value::Long(n)])
    }
    fn row(n: i64) -> Held {
        Some([Value::Long(n), Value::Long(n)].into())
    }

    #[test]
    fn undo_restores_rows_absences_and_ignorance() {
        let mut memory = Memory::new(1, 1 << 20);
        memory.hold(0, key(1), row(1));
        memory.hold(0, key(2), None);
        for n in 1..=3 {
            memory.change(0, key(n), row(9));
            memory.change(0, key(n), row(10));
        }
        memory.undo();
        assert_eq!(memory.get(0, &key(1)), Some(row(1)));
        assert_eq!(memory.get(0, &key(2)), Some(None));
        assert_eq!(memory.get(0, &key(3)), None);
    }

    #[test]
    fn forgets_what_two_generations_did_not_touch_and_keeps_what_they_did() {
        let mut memory = Memory::new(1, 4_000);
        for n in 0..200 {
            memory.hold(0, key(n), row(n));
            memory.get(0, &key(0));
            memory.settle();
        }
        assert_eq!(memory.get(0, &key(0)), Some(row(0)), "touched by every batch");
        assert_eq!(memory.get(0, &key(1)), None, "not touched again");
        assert!(memory.rows(0).count() < 50);
    }

    #[test]
    fn there_is_room_for_as_many_rows_as_those_before_weighed() {
        let mut memory = Memory::new(1, 20_000);
        assert!(memory.has_room(300) && !memory.has_room(301), "before any is known");
        for n in 0..10 {
            memory.load(0, key(n), row(n));
        }
        let weight = memory.young_bytes / 10;
        let room = (20_000 - 10 * weight) / weight;
        assert!(memory.has_room(room) && !memory.has_room(room + 1));
        for n in 10..200 {
            memory.load(0, key(n), row(n));
        }
        assert!(memory.has_room(0) && !memory.has_room(1), "it is full");
    }

    #[test]
    fn a_batch_keeps_all_its_rows_however_many() {
        let mut memory = Memory::new(1, 1_000);
        for n in 0..100 {
            memory.hold(0, key(n), row(n));
        }
        assert!(memory.is_full());
        assert!((0..100).all(|n| memory.get(0, &key(n)) == Some(row(n))));
    }
}
