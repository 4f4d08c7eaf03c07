//! Open breakers, as rows that people see and accept.

use sqlx::{MySqlPool, Row as _, mysql::MySqlRow};
use time::PrimitiveDateTime;
use workers::fold::Time;

use super::mysql::{fault, values};
use crate::fault::Fault;

/// Which lane.
#[derive(Clone, Debug)]
pub struct Key {
    /// The role.
    pub role: &'static str,
    /// The topic's name on the cluster.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// A breaker that opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The offset that it holds back.
    pub from_offset: i64,
    /// Letters below this offset were accepted.
    pub accepted_to: Option<i64>,
}

const FIND: &str = "SELECT from_offset, accepted_to FROM breakers WHERE role = ? AND topic = ? AND partition_id = ?";
const OPEN: &str = "INSERT INTO breakers (role, topic, partition_id, opened_at, from_offset, reason) VALUES (?, ?, ?, UTC_TIMESTAMP(3), ?, ?) \
     ON DUPLICATE KEY UPDATE opened_at = VALUES(opened_at), from_offset = VALUES(from_offset), reason = VALUES(reason), \
     accepted_to = NULL, accepted_at = NULL, accepted_by = NULL, accept_reason = NULL";

const CLOSE: &str = "DELETE FROM breakers WHERE role = ? AND topic = ? AND partition_id = ? AND accepted_to IS NULL";

/// The cause is gone: what nobody accepted is no longer to be accepted.
///
/// # Errors
/// As the database says.
pub async fn close(pool: &MySqlPool, key: &Key) -> Result<(), Fault> {
    let query = sqlx::query(CLOSE).bind(key.role).bind(&key.topic).bind(key.partition);
    query.execute(pool).await.map_err(|error| fault(&error))?;
    Ok(())
}

/// The breaker of a lane, if it ever opened.
///
/// # Errors
/// As the database says.
pub async fn find(pool: &MySqlPool, key: &Key) -> Result<Option<Open>, Fault> {
    let row = sqlx::query(FIND).bind(key.role).bind(&key.topic).bind(key.partition).fetch_optional(pool).await;
    let Some(row) = row.map_err(|error| fault(&error))? else { return Ok(None) };
    let open =
        || -> Result<Open, sqlx::Error> { Ok(Open { from_offset: row.try_get("from_offset")?, accepted_to: row.try_get("accepted_to")? }) };
    open().map(Some).map_err(|error| fault(&error))
}

/// Writes down that a breaker opened.
///
/// # Errors
/// As the database says.
pub async fn open(pool: &MySqlPool, key: &Key, from_offset: i64, reason: &str) -> Result<(), Fault> {
    let query = sqlx::query(OPEN).bind(key.role).bind(&key.topic).bind(key.partition).bind(from_offset).bind(reason);
    query.execute(pool).await.map_err(|error| fault(&error))?;
    Ok(())
}

/// A breaker as people see it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The role.
    pub role: String,
    /// The topic's name on the cluster.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// When it opened.
    pub opened_at: Time,
    /// The record that it holds back.
    pub from_offset: i64,
    /// Why that record cannot be applied.
    pub reason: String,
    /// Letters below this offset were accepted.
    pub accepted_to: Option<i64>,
}

const ALL: &str = "SELECT role, topic, partition_id, opened_at, from_offset, reason, accepted_to FROM breakers \
     ORDER BY role, topic, partition_id";
const ACCEPT: &str = "UPDATE breakers SET accepted_to = ?, accepted_at = UTC_TIMESTAMP(3), accepted_by = ?, accept_reason = ? \
     WHERE role = ? AND topic = ? AND partition_id = ?";

/// Every breaker that ever opened, as it did last.
///
/// # Errors
/// As the database says.
pub async fn all(pool: &MySqlPool) -> Result<Vec<Shown>, Fault> {
    let rows = sqlx::query(ALL).fetch_all(pool).await.map_err(|error| fault(&error))?;
    let shown = |row: &MySqlRow| {
        Ok(Shown {
            role: row.try_get_unchecked("role")?,
            topic: row.try_get_unchecked("topic")?,
            partition: row.try_get("partition_id")?,
            opened_at: Time(values::millis(row.try_get::<PrimitiveDateTime, _>("opened_at")?)),
            from_offset: row.try_get("from_offset")?,
            reason: row.try_get_unchecked("reason")?,
            accepted_to: row.try_get("accepted_to")?,
        })
    };
    rows.iter().map(|row| shown(row).map_err(|error: sqlx::Error| fault(&error))).collect()
}

/// Writes down that letters below an offset are accepted, by whom and why. `false`: no such breaker.
///
/// # Errors
/// As the database says.
pub async fn accept(pool: &MySqlPool, key: &Key, to: i64, (by, reason): (&str, &str)) -> Result<bool, Fault> {
    let query = sqlx::query(ACCEPT).bind(to).bind(by).bind(reason).bind(key.role).bind(&key.topic).bind(key.partition);
    Ok(query.execute(pool).await.map_err(|error| fault(&error))?.rows_affected() == 1)
}
