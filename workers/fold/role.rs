//! A role, as the one table of roles lists it. All that names a role anywhere is derived from these.

use super::{cache::Family, drain::Drain, event::Decode, row::Table, topic::Topic};

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
}

impl Role {
    /// Its consumer group.
    pub fn group(&self) -> String {
        format!("fleet.{}", self.name)
    }
}
