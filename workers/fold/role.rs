//! A role, as the one table of roles lists it. All that names a role anywhere is derived from these.

use super::{
    cache::Family,
    drain::Drain,
    event::{Decode, Reject},
    row::{Table, Values},
    topic::Topic,
};

/// A name, a topic and a pure function from events to changes.
#[derive(Debug)]
pub struct Role {
    /// Its name: the flag's value, the label of its metrics, `fleet.<name>` its consumer group.
    pub name: &'static str,
    /// What it keeps, in a line.
    pub about: &'static str,
    /// The one topic that it consumes.
    pub topic: &'static Topic,
    /// How it reads a datum: [`super::decode`] of its event type, which holds the fold.
    pub decode: Decode,
    /// Its ledger's table, one row a partition.
    pub ledger: &'static str,
    /// Its tables.
    pub tables: &'static [&'static Table],
    /// Its families of Redis keys.
    pub caches: &'static [&'static Family],
    /// The topics that it derives events for.
    pub emits: &'static [&'static Topic],
    /// What takes the rows of its queues.
    pub drains: &'static [&'static Drain],
    /// What it counts without changing a row, by name.
    pub counts: &'static [&'static str],
    /// Its tables whose rows are the program's own.
    pub catalogues: &'static [&'static Catalogue],
}

/// A table whose rows are part of the program, so that people can read them beside the others. `fleet migrate` puts them in place;
/// no fold reads or writes one.
#[derive(Debug)]
pub struct Catalogue {
    /// The table. Its last column, `retired`, is false in every row given; a row that is not given any more stays, and has it true.
    pub table: &'static Table,
    /// The rows.
    pub rows: fn() -> Result<Vec<Values>, Reject>,
}

impl Role {
    /// Its consumer group.
    pub fn group(&self) -> String {
        format!("fleet.{}", self.name)
    }
}
