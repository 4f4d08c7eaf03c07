//! Letters, as people see them and as `verify` compares them.
//!
//! Lanes write them, in their flushes.

use futures_util::TryStreamExt as _;
use sqlx::{MySqlConnection, Row as _};

use super::mysql::fault;
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
