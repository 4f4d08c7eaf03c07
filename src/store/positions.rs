//! Ledgers as people see them, and as people move them.
//!
//! A lane's own steps stand in [`super::ledger`].

use serde::Serialize;
use sqlx::{MySqlConnection, Row as _, mysql::MySqlRow};
use time::PrimitiveDateTime;
use workers::fold::{Role, Time};

use super::{
    ledger::{Position, position},
    mysql::{fault, statements::quote, values},
};
use crate::fault::Fault;

/// A row of a ledger.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The partition.
    pub partition: i32,
    /// Where its lane stands.
    pub position: Position,
    /// Host, process and HTTP address of the last claim.
    pub owner: Option<String>,
    /// The log's end at the last claim.
    pub seen_end: Option<i64>,
    /// Greatest time of the events applied.
    pub last_event_at: Option<Time>,
    /// When a worker last wrote the row.
    pub applied_at: Option<Time>,
}

/// A move by hand, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The partition.
    pub partition: i32,
    /// The next offset before; `None` where the lane was never claimed.
    pub from: Option<i64>,
    /// The next offset after.
    pub to: i64,
    /// Why.
    pub reason: String,
}

const ALL: &str = "SELECT partition_id, epoch, topic_id, origin_offset, next_offset, confirmed_offset, last_record, pending, caches_behind, \
     owner, seen_end, last_event_at, applied_at FROM {ledger} WHERE shard = 0 ORDER BY partition_id";
const MOVES: &str = "SELECT partition_id, from_offset, to_offset, reason FROM ledger_moves WHERE role = ? ORDER BY partition_id, epoch";

/// All rows of a role's ledger, by partition.
///
/// # Errors
/// As the database says.
pub async fn all(connection: &mut MySqlConnection, role: &Role) -> Result<Vec<Standing>, Fault> {
    let select = ALL.replace("{ledger}", &quote(role.ledger));
    let rows = sqlx::query(&select).fetch_all(connection).await.map_err(|error| fault(&error))?;
    rows.iter().map(standing).collect()
}

/// All moves of a role's ledger, by partition, in their order.
///
/// # Errors
/// As the database says.
pub async fn moves(connection: &mut MySqlConnection, role: &Role) -> Result<Vec<Moved>, Fault> {
    let rows = sqlx::query(MOVES).bind(role.name).fetch_all(connection).await.map_err(|error| fault(&error))?;
    let moved = |row: &MySqlRow| {
        let partition = row.try_get("partition_id")?;
        let (from, to) = (row.try_get("from_offset")?, row.try_get("to_offset")?);
        Ok(Moved { partition, from, to, reason: row.try_get_unchecked("reason")? })
    };
    rows.iter().map(|row| moved(row).map_err(|error: sqlx::Error| fault(&error))).collect()
}

fn standing(row: &MySqlRow) -> Result<Standing, Fault> {
    let read = |error: sqlx::Error| fault(&error);
    Ok(Standing {
        partition: row.try_get("partition_id").map_err(read)?,
        position: position(row)?,
        owner: values::text(row, "owner")?,
        seen_end: row.try_get("seen_end").map_err(read)?,
        last_event_at: instant(row, "last_event_at")?,
        applied_at: instant(row, "applied_at")?,
    })
}

fn instant(row: &MySqlRow, column: &str) -> Result<Option<Time>, Fault> {
    let at: Option<PrimitiveDateTime> = row.try_get(column).map_err(|error| fault(&error))?;
    Ok(at.map(|it| Time(values::millis(it))))
}
