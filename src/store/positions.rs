//! Ledgers as people see them, and as people move them.
//!
//! A lane's own steps stand in [`super::ledger`].

use serde::Serialize;
use sqlx::{MySqlConnection, MySqlPool, Row as _, mysql::MySqlRow};
use time::PrimitiveDateTime;
use workers::fold::{Role, Time};

use super::{
    ledger::{Position, position},
    mysql::{fault, statements::quote, values},
    pending::Pending,
};
use crate::fault::Fault;

/// A row of a ledger.
#[derive(Clone, Debug, Default)]
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

/// Partitions of a role's topic that its ledger has no row for.
pub fn missing(role: &Role, standings: &[Standing]) -> Vec<i32> {
    (0..role.topic.partitions).filter(|it| !standings.iter().any(|standing| standing.partition == *it)).collect()
}

/// What to do about a partition that the ledger has no row for.
pub fn give_back(role: &Role, partition: i32) -> String {
    let (ledger, again) = (role.ledger, move_to_earliest(role, partition));
    format!("no row in the ledger: restore {ledger} from the backup of the role's tables, or {again}")
}

/// The command that has a partition applied from its log's start.
pub fn move_to_earliest(role: &Role, partition: i32) -> String {
    format!("`fleet ledger move --role {} --partition {partition} --to earliest --accept-loss --reason …`", role.name)
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

/// A move, and what it says for itself.
#[derive(Clone, Debug)]
pub struct Move<'a> {
    /// The partition.
    pub partition: i32,
    /// The next offset from now on.
    pub to: i64,
    /// The id of the topic that it is an offset of.
    pub topic_id: &'a str,
    /// Who moves it.
    pub by: &'a str,
    /// Why.
    pub reason: &'a str,
}

const LOCK: &str = "SELECT partition_id, epoch, topic_id, origin_offset, next_offset, confirmed_offset, last_record, pending, caches_behind, \
     owner, seen_end, last_event_at, applied_at FROM {ledger} WHERE partition_id = ? AND shard = 0 FOR UPDATE";
const MOVE: &str = "UPDATE {ledger} SET token = NULL, epoch = ?, topic_id = ?, origin_offset = ?, next_offset = ?, confirmed_offset = ?, \
     last_record = NULL, pending = ? WHERE partition_id = ? AND shard = 0";
const GIVE_BACK: &str = "INSERT INTO {ledger} (partition_id, shard, caches_behind) VALUES (?, 0, 1)";
const KEEP: &str = "INSERT INTO ledger_moves (role, partition_id, epoch, moved_at, from_offset, to_offset, moved_by, reason) \
     VALUES (?, ?, ?, UTC_TIMESTAMP(3), ?, ?, ?, ?)";

/// Moves a lane, fences its owner, and keeps a row that says so, all or nothing. Answers the position before and after.
///
/// What is pending stays so, if this version can read it: it comes from rows that are there. A row that is lost is given back.
///
/// # Errors
/// As the database says.
pub async fn move_to(pool: &MySqlPool, role: &Role, wanted: &Move<'_>) -> Result<(Position, Position), Fault> {
    let mut transaction = pool.begin().await.map_err(|error| fault(&error))?;
    let lock = LOCK.replace("{ledger}", &quote(role.ledger));
    let row = sqlx::query(&lock).bind(wanted.partition).fetch_optional(&mut *transaction).await.map_err(|error| fault(&error))?;
    let before = match row {
        Some(row) => position(&row)?,
        None => {
            let insert = GIVE_BACK.replace("{ledger}", &quote(role.ledger));
            sqlx::query(&insert).bind(wanted.partition).execute(&mut *transaction).await.map_err(|error| fault(&error))?;
            Position { caches_behind: true, ..Position::default() }
        }
    };
    let after = moved(&before, wanted);
    let update = MOVE.replace("{ledger}", &quote(role.ledger));
    let update = sqlx::query(&update)
        .bind(after.epoch)
        .bind(after.topic_id.as_deref())
        .bind(after.origin_offset)
        .bind(after.next_offset)
        .bind(after.confirmed_offset)
        .bind(after.pending.as_deref())
        .bind(wanted.partition);
    update.execute(&mut *transaction).await.map_err(|error| fault(&error))?;
    let keep = sqlx::query(KEEP).bind(role.name).bind(wanted.partition).bind(after.epoch).bind(before.next_offset);
    let keep = keep.bind(wanted.to).bind(wanted.by).bind(wanted.reason);
    keep.execute(&mut *transaction).await.map_err(|error| fault(&error))?;
    transaction.commit().await.map_err(|error| fault(&error))?;
    Ok((before, after))
}

/// The position after a move. A log made anew has its origin where the lane begins in it.
fn moved(before: &Position, wanted: &Move<'_>) -> Position {
    let same_log = before.topic_id.as_deref().is_none_or(|it| it == wanted.topic_id);
    let pending = before.pending.clone().filter(|it| Pending::from_bytes(it).is_ok());
    let confirmed = before.confirmed_offset.filter(|_| pending.is_some() && same_log);
    Position {
        epoch: before.epoch + 1,
        topic_id: Some(wanted.topic_id.to_owned()),
        origin_offset: if same_log { before.origin_offset.or(Some(wanted.to)) } else { Some(wanted.to) },
        next_offset: Some(wanted.to),
        confirmed_offset: Some(confirmed.map_or(wanted.to, |it| it.min(wanted.to))),
        last_record: None,
        pending,
        caches_behind: before.caches_behind,
    }
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

#[cfg(test)]
mod tests {
    use workers::fold::Key;

    use super::*;

    fn before() -> Position {
        Position {
            epoch: 3,
            topic_id: Some("a".to_owned()),
            origin_offset: Some(5),
            next_offset: Some(100),
            confirmed_offset: Some(90),
            pending: Some(crate::store::pending::part_of_keys(&[(0, &Key::from([]))]).unwrap()),
            ..Position::default()
        }
    }

    fn to(to: i64, topic_id: &str) -> Move<'_> {
        Move { partition: 0, to, topic_id, by: "", reason: "" }
    }

    #[test]
    fn a_move_in_the_same_log_keeps_its_origin_and_what_is_pending() {
        let after = moved(&before(), &to(200, "a"));
        let expected = Position { epoch: 4, next_offset: Some(200), ..before() };
        assert_eq!(after, expected);
        assert_eq!(moved(&before(), &to(50, "a")).confirmed_offset, Some(50));
    }

    #[test]
    fn a_log_made_anew_begins_where_the_lane_does() {
        let after = moved(&before(), &to(7, "b"));
        assert_eq!((after.origin_offset, after.next_offset, after.confirmed_offset), (Some(7), Some(7), Some(7)));
        assert_eq!((after.topic_id.as_deref(), after.pending), (Some("b"), before().pending));
    }

    #[test]
    fn what_no_version_can_read_is_not_pending() {
        let after = moved(&Position { pending: Some(vec![0xff; 9]), ..before() }, &to(200, "a"));
        assert_eq!((after.pending, after.confirmed_offset), (None, Some(200)));
    }
}
