//! A role's tables in memory, as the database would hold them: what changes come to, for tests and for `verify`.
//!
//! It writes nothing outside itself, and holds every row: the caller decides whether that fits.

use std::collections::BTreeMap;

use super::{
    batch::Changes,
    role::Role,
    row::{Key, Table, Values},
    text,
    value::Value,
};

/// The rows of all tables of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    tables: &'static [&'static Table],
    rows: Vec<BTreeMap<Key, Values>>,
}

/// A history row whose key is there already: an identity that was taken as new was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The table's place among the role's tables.
    pub table: usize,
    /// The primary key.
    pub key: Key,
}

impl Model {
    /// The role's tables, empty.
    pub fn new(role: &'static Role) -> Self {
        Self { tables: role.tables, rows: role.tables.iter().map(|_| BTreeMap::new()).collect() }
    }

    /// Applies a batch's changes as one transaction would.
    ///
    /// # Errors
    /// A history row that is there already. Nothing is applied then.
    pub fn apply(&mut self, changes: &Changes) -> Result<(), Conflict> {
        self.check_new(changes)?;
        for (&table, rows) in changes.puts.iter().chain(&changes.appends) {
            for row in rows {
                self.set(table, row);
            }
        }
        for (&table, keys) in &changes.deletes {
            for key in keys {
                self.shelf(table).map(|it| it.remove(key));
            }
        }
        for (&table, rows) in &changes.queued {
            for row in rows {
                let key = self.key_of(table, row);
                self.shelf(table).map(|it| it.entry(key).or_insert_with(|| Values::clone(row)));
            }
        }
        for (&table, rows) in &changes.adds {
            for row in rows {
                self.add(table, row);
            }
        }
        Ok(())
    }

    /// The row under a key.
    pub fn get(&self, table: usize, key: &[Value]) -> Option<&Values> {
        self.rows.get(table)?.get(key)
    }

    /// All rows of a table, in the order of its key. A counter whose steps come to zero has no row.
    pub fn rows(&self, table: usize) -> impl Iterator<Item = &Values> {
        self.rows.get(table).into_iter().flat_map(BTreeMap::values)
    }

    /// Every row, a line each, tables in the role's order and rows in their key's.
    pub fn dump(&self) -> String {
        let mut out = String::new();
        for (place, table) in self.tables.iter().enumerate() {
            for row in self.rows(place) {
                text::push_line(&mut out, &[table.name, &text::columns(table.columns, row)]);
            }
        }
        out
    }

    fn check_new(&self, changes: &Changes) -> Result<(), Conflict> {
        for (&table, rows) in &changes.appends {
            for row in rows {
                let key = self.key_of(table, row);
                if self.get(table, &key).is_some() {
                    return Err(Conflict { table, key });
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, table: usize, row: &Values) {
        let key = self.key_of(table, row);
        self.shelf(table).map(|it| it.insert(key, Values::clone(row)));
    }

    fn add(&mut self, table: usize, row: &Values) {
        let key = self.key_of(table, row);
        let length = key.len();
        let Some(shelf) = self.shelf(table) else { return };
        let sum = match shelf.get(&key) {
            None => Values::clone(row),
            Some(before) => before
                .iter()
                .zip(row.iter())
                .enumerate()
                .map(|(place, (a, b))| if place < length { a.clone() } else { sum(a, b) })
                .collect(),
        };
        if sum.iter().skip(length).all(|it| *it == Value::Long(0)) {
            shelf.remove(&key);
        } else {
            shelf.insert(key, sum);
        }
    }

    fn key_of(&self, table: usize, row: &[Value]) -> Key {
        let length = self.tables.get(table).map_or(0, |it| it.key);
        row.get(..length).unwrap_or(row).into()
    }

    fn shelf(&mut self, table: usize) -> Option<&mut BTreeMap<Key, Values>> {
        self.rows.get_mut(table)
    }
}

fn sum(before: &Value, step: &Value) -> Value {
    match (before, step) {
        (Value::Long(before), Value::Long(step)) => Value::Long(before.saturating_add(*step)),
        _ => before.clone(),
    }
}
