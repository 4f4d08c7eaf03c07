//! Open breakers, as rows that people see and accept.

use sqlx::{MySqlPool, Row as _};

use super::mysql::fault;
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
