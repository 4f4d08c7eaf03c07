//! Caches: which Redis keys a role keeps, as data. The shell writes them, and makes them again from the tables.

use super::{row::Table, units::Time, value::Value};

/// One family of Redis keys, made from the rows of one table.
#[derive(Debug)]
pub struct Family {
    /// Its name, in metrics and in `pending`.
    pub name: &'static str,
    /// The table whose rows it shows.
    pub table: &'static Table,
    /// What stands under its keys.
    pub form: Form,
}

/// What stands under a family's keys.
#[derive(Debug)]
pub enum Form {
    /// One JSON document a row.
    Document(Document),
    /// Sorted sets, a member a row.
    Board(Board),
}

/// `{"v":…,"data":…}` under one key a row, with the bytes of one column as data.
#[derive(Debug)]
pub struct Document {
    /// The key, with `{column}` where a key column's text goes.
    pub key: &'static str,
    /// The JSON column.
    pub column: &'static str,
    /// Seconds until Redis forgets it.
    pub ttl_s: u32,
}

/// A ranking by a monotone score: one sorted set a window, and one under the public name for the current window.
#[derive(Debug)]
pub struct Board {
    /// Where a row stands.
    pub place: fn(&[Value]) -> Option<Placing>,
    /// Members kept under the public name.
    pub top: u32,
    /// Members kept in each window's set.
    pub window_top: u32,
    /// Seconds until the public name goes when no worker lives.
    pub ttl_s: u32,
    /// Milliseconds that a window's set is kept after the window's end.
    pub linger_ms: i64,
    /// The best rows of every board's window that was current at an instant: the last of its windows to have begun by then. The query
    /// has one `?`, the instant (DATETIME(3)), and gives the table's columns in order.
    pub rebuild: &'static str,
}

/// A row's place on a board.
#[derive(Clone, Debug, PartialEq)]
pub struct Placing {
    /// The public key.
    pub board: String,
    /// The window's first instant.
    pub window_start: Time,
    /// The instant after its last, `None` for one that never ends.
    pub window_end: Option<Time>,
    /// Who stands there.
    pub member: String,
    /// The score, which never falls for a member of a window.
    pub score: f64,
    /// The member's name, for people.
    pub label: String,
}
