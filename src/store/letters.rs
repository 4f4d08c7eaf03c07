//! Letters, as people see them and as `verify` compares them.
//!
//! Lanes write them, in their flushes.

use futures_util::TryStreamExt as _;
use sqlx::{MySqlConnection, MySqlPool, Row as _, mysql::MySqlRow};
use time::PrimitiveDateTime;
use workers::fold::{Time, Topic};

use super::mysql::{fault, values};
use crate::fault::Fault;

/// That a record was lettered, and where the cause lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// In the record's bytes, so that every replay rejects it again; else outside them.
    pub is_data: bool,
}

const MARKS: &str = "SELECT partition_id, record_offset, cause = 'data' AS is_data FROM letters WHERE role = ? AND topic = ?";

/// Hands over the marks of all letters of a role's topic.
///
/// # Errors
/// As the database says.
pub async fn each_mark(connection: &mut MySqlConnection, (role, topic): (&str, &str), mut each: impl FnMut(Mark)) -> Result<(), Fault> {
    let mut rows = sqlx::query(MARKS).bind(role).bind(topic).fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(|error| fault(&error))? {
        let mark = || Ok(Mark { partition: row.try_get(0)?, offset: row.try_get(1)?, is_data: row.try_get(2)? });
        each(mark().map_err(|error: sqlx::Error| fault(&error))?);
    }
    Ok(())
}

const AGO: &str = "SELECT UTC_TIMESTAMP(3) - INTERVAL ? * 1000 MICROSECOND";
/// Deletes some letters of a role and topic from before an instant, by their index: the statistics of a small table would have it read
/// every letter of the role. A record without a time in the calendar is as old as its letter.
pub const EXPIRE: &str = "DELETE /*+ INDEX(letters expiry) */ FROM letters WHERE role = ? AND topic = ? AND (kafka_timestamp < ? OR kafka_timestamp IS NULL AND lettered_at < ?) \
     ORDER BY kafka_timestamp LIMIT 500";

/// Since when a topic's letters are kept: as long as its records by the contract. `None`: for good.
///
/// # Errors
/// As the database says, by whose clock it is.
pub async fn kept_since(connection: &mut MySqlConnection, topic: &Topic) -> Result<Option<Time>, Fault> {
    if topic.retention_ms < 0 {
        return Ok(None);
    }
    let row = sqlx::query(AGO).bind(topic.retention_ms).fetch_one(connection).await.map_err(|error| fault(&error))?;
    let at: PrimitiveDateTime = row.try_get(0).map_err(|error| fault(&error))?;
    Ok(Some(Time(values::millis(at))))
}

/// Deletes some of a role's letters of records before an instant: how many, 0 when none is left.
///
/// # Errors
/// As the database says.
pub async fn expire(connection: &mut MySqlConnection, (role, topic): (&str, &str), before: Time) -> Result<u64, Fault> {
    let before = values::datetime(before);
    let query = sqlx::query(EXPIRE).bind(role).bind(topic).bind(before).bind(before);
    Ok(query.execute(connection).await.map_err(|error| fault(&error))?.rows_affected())
}

/// Which letters are meant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only this role's.
    pub role: Option<&'a str>,
    /// Only this partition's.
    pub partition: Option<i32>,
    /// Only those written since.
    pub since: Option<Time>,
    /// At most so many lines, the latest first.
    pub limit: u32,
}

/// Letters of one lane with one reason.
#[derive(Clone, Debug)]
pub struct Group {
    /// The role.
    pub role: String,
    /// The topic's name on the cluster.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// `data` or `environment`.
    pub cause: String,
    /// Why.
    pub reason: String,
    /// How many.
    pub count: i64,
    /// The first of their offsets.
    pub first_offset: i64,
    /// The last of their offsets.
    pub last_offset: i64,
    /// When the last of them was written.
    pub lettered_at: Time,
}

/// A letter, whole.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The schema id on its envelope.
    pub schema_id: Option<u32>,
    /// The record's Kafka timestamp.
    pub timestamp: Option<Time>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers as JSON: names, and values in base 16.
    pub headers: Option<String>,
    /// Why.
    pub reason: String,
    /// `data` or `environment`.
    pub cause: String,
    /// When it was written.
    pub lettered_at: Time,
}

const GROUPS: &str = "SELECT role, topic, partition_id, cause, reason, COUNT(*) AS letters, MIN(record_offset) AS first_offset, \
     MAX(record_offset) AS last_offset, MAX(lettered_at) AS lettered_at FROM letters \
     WHERE (? IS NULL OR role = ?) AND (? IS NULL OR partition_id = ?) AND (? IS NULL OR lettered_at >= ?) \
     GROUP BY role, topic, partition_id, cause, reason ORDER BY MAX(lettered_at) DESC, role, partition_id, reason LIMIT ?";
const EACH: &str = "SELECT role, topic, partition_id, cause, reason, 1 AS letters, record_offset AS first_offset, \
     record_offset AS last_offset, lettered_at FROM letters \
     WHERE (? IS NULL OR role = ?) AND (? IS NULL OR partition_id = ?) AND (? IS NULL OR lettered_at >= ?) \
     ORDER BY lettered_at DESC, role, partition_id, record_offset DESC LIMIT ?";
const FIND: &str = "SELECT schema_id, kafka_timestamp, record_key, value, headers, reason, cause, lettered_at FROM letters \
     WHERE role = ? AND topic = ? AND partition_id = ? AND record_offset = ?";

/// Letters by lane and reason, or one by one, which are then groups of one.
///
/// # Errors
/// As the database says.
pub async fn list(pool: &MySqlPool, filter: Filter<'_>, by: By) -> Result<Vec<Group>, Fault> {
    let since = filter.since.and_then(values::datetime);
    let query = sqlx::query(match by {
        By::Reason => GROUPS,
        By::Letter => EACH,
    });
    let query = query.bind(filter.role).bind(filter.role).bind(filter.partition).bind(filter.partition).bind(since).bind(since);
    let rows = query.bind(filter.limit).fetch_all(pool).await.map_err(|error| fault(&error))?;
    rows.iter().map(|row| group(row).map_err(|error| fault(&error))).collect()
}

/// How letters are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Counted by lane and reason.
    Reason,
    /// Each for itself.
    Letter,
}

fn group(row: &MySqlRow) -> Result<Group, sqlx::Error> {
    Ok(Group {
        role: row.try_get_unchecked("role")?,
        topic: row.try_get_unchecked("topic")?,
        partition: row.try_get("partition_id")?,
        cause: row.try_get_unchecked("cause")?,
        reason: row.try_get_unchecked("reason")?,
        count: row.try_get("letters")?,
        first_offset: row.try_get("first_offset")?,
        last_offset: row.try_get("last_offset")?,
        lettered_at: instant(row, "lettered_at")?.unwrap_or_default(),
    })
}

/// One letter, if it is there.
///
/// # Errors
/// As the database says.
pub async fn find(pool: &MySqlPool, (role, topic): (&str, &str), partition: i32, offset: i64) -> Result<Option<Letter>, Fault> {
    let query = sqlx::query(FIND).bind(role).bind(topic).bind(partition).bind(offset);
    let row = query.fetch_optional(pool).await.map_err(|error| fault(&error))?;
    row.map(|row| letter(&row).map_err(|error| fault(&error))).transpose()
}

fn letter(row: &MySqlRow) -> Result<Letter, sqlx::Error> {
    Ok(Letter {
        schema_id: row.try_get("schema_id")?,
        timestamp: instant(row, "kafka_timestamp")?,
        key: row.try_get("record_key")?,
        value: row.try_get("value")?,
        headers: row.try_get_unchecked("headers")?,
        reason: row.try_get_unchecked("reason")?,
        cause: row.try_get_unchecked("cause")?,
        lettered_at: instant(row, "lettered_at")?.unwrap_or_default(),
    })
}

fn instant(row: &MySqlRow, column: &str) -> Result<Option<Time>, sqlx::Error> {
    let at: Option<PrimitiveDateTime> = row.try_get(column)?;
    Ok(at.map(|it| Time(values::millis(it))))
}
