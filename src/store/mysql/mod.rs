//! MySQL: connections, and what an error of the database means for a lane.
//!
//! It knows tables only as the core declares them, and holds no statement of its own: see `statements`.

pub mod flush;
pub mod load;
pub mod scan;
pub mod statements;
pub mod values;

use std::time::Duration;

use sqlx::{
    ConnectOptions, Executor, MySqlConnection, MySqlPool,
    mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlPoolOptions},
    pool::PoolConnection,
};

use crate::fault::{Fault, Weather};

/// How long one piece of work on a connection may take before the connection is given up.
pub const DEADLINE: Duration = Duration::from_secs(20);
/// How long a lane waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);

/// Statements that a connection keeps prepared, those used last: a server has 16,382 for all (`max_prepared_stmt_count`).
const STATEMENTS: usize = 160;

/// Every session of a worker: strict, READ COMMITTED, UTC, and cut by the server when its owner freezes. Backslashes are letters: where
/// the binlog is on, MySQL writes out each prepared statement that changes rows, and to escape the quotes of documents costs it a sixth
/// of what their rows do.
const SESSION: &str = "SET SESSION transaction_isolation='READ-COMMITTED', wait_timeout=5, innodb_lock_wait_timeout=5, time_zone='+00:00', \
     sql_mode='STRICT_ALL_TABLES,ONLY_FULL_GROUP_BY,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,\
     NO_BACKSLASH_ESCAPES'";

/// A pool of at most `connections` sessions, opened when first needed.
pub fn pool(options: MySqlConnectOptions, connections: u32) -> MySqlPool {
    let options = options
        .charset("utf8mb4")
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging();
    MySqlPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(Duration::from_secs(4))
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(SESSION).await?;
                Ok(())
            })
        })
        .connect_lazy_with(options)
}

/// What an error of MySQL means.
#[derive(Debug)]
pub enum Failure {
    /// Weather, or a standstill.
    Fault(Fault),
    /// A key that was taken to be new is there (1062).
    Duplicate,
    /// The database refuses a row for its data; the code and its meaning, without the data.
    Refused(String),
    /// The ledger's row carries another token or offset: this lane is no longer the owner.
    Fenced,
    /// The connection was lost in COMMIT: it may have happened or not.
    Unknown,
    /// Of several flushes in one transaction one failed, and none landed: each is to be tried alone.
    Apart,
}

/// What it means where no lane waits for the answer.
impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Fault(fault) => fault,
            Failure::Refused(line) => Self::fatal(line),
            other => Self::transient(format!("mysql: {other:?}")),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Data errors: too long, out of range, not a value of its type, NULL where none may be, a check violated.
const DATA: [u16; 12] = [1048, 1264, 1265, 1292, 1366, 1406, 3140, 3156, 3819, 1411, 1690, 3141];
/// What mends an error that no retry does.
fn mending(code: u16) -> Option<&'static str> {
    match code {
        // No such column or table, no partition for a value, another number of columns, no such statement.
        1054 | 1146 | 1526 | 1136 | 1064 => Some("run `fleet migrate`"),
        1044 | 1045 | 1142 | 1143 => Some("check the user's password and rights"),
        1049 => Some("create it, then run `fleet migrate`"),
        _ => None,
    }
}

/// What kind of weather an error is that passes.
fn weather(code: u16) -> Weather {
    match code {
        1213 => Weather::Deadlock,
        1205 => Weather::LockTimeout,
        // An option that forbids it, a transaction or a server that only reads.
        1290 | 1792 | 1836 => Weather::ReadOnly,
        // No room on disk, in a tablespace, in a temporary table, in the binlog.
        1021 | 1114 | 1026 | 1030 => Weather::Full,
        // It ends, or ended the connection.
        1053 | 1927 | 3169 | 4031 => Weather::Away,
        _ => Weather::Other,
    }
}

/// Sorts an error of the database by what it asks for. Messages of data errors may quote the data and are left out.
pub fn classify(error: &sqlx::Error) -> Failure {
    let Some(database) = error.as_database_error().and_then(|it| it.try_downcast_ref::<MySqlDatabaseError>()) else {
        return Failure::Fault(outside(error));
    };
    let (code, message) = (database.number(), database.message());
    if code == 1062 {
        return Failure::Duplicate;
    }
    if DATA.contains(&code) {
        return Failure::Refused(format!("the database refuses a row: error {code}"));
    }
    Failure::Fault(match mending(code) {
        Some(mending) => Fault::fatal(format!("mysql error {code}: {message}: {mending}")),
        None => Fault::Transient(format!("mysql error {code}: {message}"), weather(code)),
    })
}

/// An error without a code: the connection's, or a row that is not as declared.
fn outside(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::Decode(_) => {
            Fault::fatal(format!("mysql: a row is not as declared ({error}): run `fleet migrate --check`"))
        }
        sqlx::Error::PoolTimedOut => Fault::transient("mysql: no connection within 5 s"),
        _ => Fault::transient(format!("mysql: {error}")),
    }
}

/// An error as a fault; a data error outside a flush is a standstill.
pub fn fault(error: &sqlx::Error) -> Fault {
    classify(error).into()
}

/// A connection of the pool.
///
/// # Errors
/// Transient, when none is free or none can be opened.
pub async fn acquire(pool: &MySqlPool) -> Result<PoolConnection<sqlx::MySql>, Fault> {
    pool.acquire().await.map_err(|error| fault(&error))
}

/// Closes a connection whose state is unknown; the server rolls back what it holds.
pub fn discard(connection: PoolConnection<sqlx::MySql>) {
    drop::<MySqlConnection>(connection.detach());
}
