//! Whole tables, row by row, as one snapshot of the database has them.
//!
//! It writes nothing, and keeps no row.

use futures_util::TryStreamExt as _;
use sqlx::{ConnectOptions as _, Executor as _, MySqlConnection, Row as _, mysql::MySqlConnectOptions};
use time::Month;
use workers::fold::{Day, Sort, Table, Time, Values};

use super::{fault, statements, values};
use crate::fault::Fault;

/// A reader that may be slow: the server waits for it, and cuts it only when it has gone for long.
const SESSION: &str = "SET SESSION transaction_isolation='REPEATABLE-READ', transaction_read_only=1, wait_timeout=3600, net_write_timeout=3600, time_zone='+00:00'";
const BEGIN: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
/// A table's first partition by name.
const FIRST_PARTITION: &str = "SELECT partition_name FROM information_schema.partitions \
     WHERE table_schema = DATABASE() AND table_name = ? AND partition_method = 'RANGE COLUMNS' AND partition_ordinal_position = 1";

/// A session of its own in a snapshot that begins now and lasts until it is dropped.
///
/// # Errors
/// As the database says.
pub async fn snapshot(options: MySqlConnectOptions) -> Result<MySqlConnection, Fault> {
    let options = options.charset("utf8mb4").pipes_as_concat(false).no_engine_substitution(false).disable_statement_logging();
    let mut connection = options.connect().await.map_err(|error| fault(&error))?;
    connection.execute(SESSION).await.map_err(|error| fault(&error))?;
    connection.execute(BEGIN).await.map_err(|error| fault(&error))?;
    Ok(connection)
}

/// Hands over every row of a table, in no order.
///
/// # Errors
/// As the database says; fatal, where a column is not as declared.
pub async fn each_row(connection: &mut MySqlConnection, table: &Table, mut each: impl FnMut(Values)) -> Result<(), Fault> {
    let select = statements::whole(table);
    let mut rows = sqlx::query(&select).fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(|error| fault(&error))? {
        each(values::read_row(table.columns, &row)?);
    }
    Ok(())
}

/// The first instant whose rows a history table still keeps: months before it were archived and dropped. `None`: all are kept.
///
/// # Errors
/// As the database says.
pub async fn kept_since(connection: &mut MySqlConnection, table: &Table) -> Result<Option<Time>, Fault> {
    if table.sort != Sort::History {
        return Ok(None);
    }
    let row = sqlx::query(FIRST_PARTITION).bind(table.name).fetch_optional(connection).await.map_err(|error| fault(&error))?;
    let name = row.map(|it| it.try_get_unchecked::<String, _>(0)).transpose().map_err(|error| fault(&error))?;
    Ok(name.as_deref().and_then(month))
}

/// The start of the month that a partition's name, like p202405, says; the partition of all that is older says none.
fn month(name: &str) -> Option<Time> {
    let digits = name.strip_prefix('p').filter(|it| it.len() == 6)?;
    let (year, month) = digits.split_at_checked(4)?;
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    Some(Day::of(year.parse().ok()?, month, 1)?.start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_partition_named_by_a_month_says_since_when_rows_are_kept() {
        assert_eq!(month("p202403").and_then(Time::to_rfc3339).as_deref(), Some("2024-03-01T00:00:00Z"));
        for other in ["older", "later", "p2024", "p202413", "x202401"] {
            assert_eq!(month(other), None, "{other}");
        }
    }
}
