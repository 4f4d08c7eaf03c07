//! The flush: batches of one or more lanes of a role in one transaction, each fenced by its row of the ledger.
//!
//! It is opened only when all is ready; nothing in here waits for anything but MySQL.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use sqlx::{Arguments as _, Executor as _, MySqlConnection, MySqlPool, mysql::MySqlArguments};
use tokio::time::timeout;
use workers::fold::{Changes, Column, Role, Sort, Table, Value, Values};

use super::{
    DEADLINE, Failure, acquire, classify, discard,
    statements::{MAX_ROWS, Shape, Statements},
    values,
};
use crate::{
    fault::Fault,
    store::ledger::{Advance, Ledger},
};

/// A rejected record as the table `letters` keeps it.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its offset.
    pub offset: i64,
    /// Its Kafka timestamp in milliseconds.
    pub timestamp: i64,
    /// The schema id on its envelope, if it has one.
    pub schema_id: Option<u32>,
    /// Its key, byte for byte.
    pub key: Option<Vec<u8>>,
    /// Its value, byte for byte.
    pub value: Option<Vec<u8>>,
    /// Its headers as JSON: names, and values in base 16.
    pub headers: Option<String>,
    /// Why.
    pub reason: String,
    /// Whether the cause lies in its bytes, or outside them.
    pub cause: Cause,
}

/// Where a letter's cause lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// In its bytes: every replay rejects it again.
    Data,
    /// Outside them, like a schema that no registry knew.
    Environment,
}

impl Cause {
    /// As the column has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Environment => "environment",
        }
    }
}

/// Rows by their table's place.
type Rows = BTreeMap<usize, Vec<Values>>;

/// What one batch of a lane writes.
#[derive(Debug)]
pub struct Flush {
    /// The ledger's step.
    pub advance: Advance,
    /// The rows.
    pub changes: Changes,
    /// The rejected records.
    pub letters: Vec<Letter>,
}

impl Flush {
    /// How many rows it writes beside the ledger's.
    pub fn rows(&self) -> usize {
        let Changes { puts, appends, queued, adds, deletes, .. } = &self.changes;
        let rows = [puts, appends, queued, adds].into_iter().flat_map(BTreeMap::values).map(Vec::len);
        rows.chain(deletes.values().map(Vec::len)).sum::<usize>() + self.letters.len()
    }
}

/// What all flushes of a role share.
#[derive(Debug)]
pub struct Flusher {
    /// The role.
    pub role: &'static Role,
    /// Its statements, by table.
    pub statements: Vec<Statements>,
    /// Its ledger.
    pub ledger: Ledger,
    /// The topic's name on the cluster.
    pub topic: String,
    /// Connections.
    pub pool: MySqlPool,
}

/// How long the steps of a transaction took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    /// BEGIN and the ledger's compare-and-set.
    pub fence: Duration,
    /// The rows.
    pub rows: Duration,
    /// COMMIT.
    pub commit: Duration,
}

/// Inserts a letter; the same record lettered again is one letter.
const LETTER: &str = "INSERT INTO letters (role, topic, partition_id, record_offset, schema_id, kafka_timestamp, record_key, value, headers, reason, cause, lettered_at) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(3)) \
     ON DUPLICATE KEY UPDATE reason = VALUES(reason), cause = VALUES(cause)";

impl Flusher {
    /// The flusher of a role.
    pub fn new(role: &'static Role, topic: &str, pool: &MySqlPool) -> Self {
        Self { role, statements: Statements::of_role(role), ledger: Ledger::of(role), topic: topic.to_owned(), pool: pool.clone() }
    }

    /// Performs flushes of different lanes in one transaction: all of them, or none.
    ///
    /// # Errors
    /// [`Failure`], of any of them: nothing landed, except where that says it is unknown.
    pub async fn commit(&self, flushes: &[&Flush]) -> Result<Took, Failure> {
        let mut connection = acquire(&self.pool).await?;
        let outcome = timeout(DEADLINE, self.transaction(&mut connection, flushes)).await;
        let Ok(outcome) = outcome else {
            discard(connection);
            return Err(Failure::Unknown);
        };
        let clean = matches!(outcome, Err(Failure::Duplicate | Failure::Fenced | Failure::Refused(_)));
        if clean && connection.execute("ROLLBACK").await.is_ok() {
            return outcome;
        }
        if outcome.is_err() {
            discard(connection);
        }
        outcome
    }

    async fn transaction(&self, connection: &mut MySqlConnection, flushes: &[&Flush]) -> Result<Took, Failure> {
        let mut took = Took::default();
        let started = Instant::now();
        connection.execute("BEGIN").await.map_err(|error| classify(&error))?;
        let advances: Vec<&Advance> = flushes.iter().map(|it| &it.advance).collect();
        if !self.ledger.advance(connection, &advances).await.map_err(|error| classify(&error))? {
            return Err(Failure::Fenced);
        }
        took.fence = started.elapsed();
        crate::failpoint!("in-transaction");
        self.write(connection, flushes).await?;
        took.rows = started.elapsed() - took.fence;
        connection.execute("COMMIT").await.map_err(|error| commit_failure(&error))?;
        took.commit = started.elapsed() - took.fence - took.rows;
        Ok(took)
    }

    async fn write(&self, connection: &mut MySqlConnection, flushes: &[&Flush]) -> Result<(), Failure> {
        for (place, keys) in by_table(flushes, |it| &it.deletes) {
            let Some((table, texts)) = self.table(place) else { continue };
            send(connection, &texts.delete, (table, table.key_columns()), &keys).await?;
        }
        let sorts: [fn(&Changes) -> &Rows; 4] = [|it| &it.puts, |it| &it.appends, |it| &it.queued, |it| &it.adds];
        for of in sorts {
            for (place, rows) in by_table(flushes, of) {
                let Some((table, texts)) = self.table(place) else { continue };
                send(connection, &texts.write, (table, table.columns), &rows).await?;
            }
        }
        for flush in flushes {
            for letter in &flush.letters {
                self.write_letter(connection, flush.advance.partition, letter).await?;
            }
        }
        Ok(())
    }

    fn table(&self, place: usize) -> Option<(&'static Table, &Statements)> {
        Some((*self.role.tables.get(place)?, self.statements.get(place)?))
    }

    async fn write_letter(&self, connection: &mut MySqlConnection, partition: i32, letter: &Letter) -> Result<(), Failure> {
        let query = sqlx::query(LETTER)
            .bind(self.role.name)
            .bind(&self.topic)
            .bind(partition)
            .bind(letter.offset)
            .bind(letter.schema_id)
            .bind(values::datetime(workers::fold::Time(letter.timestamp)))
            .bind(letter.key.as_deref())
            .bind(letter.value.as_deref())
            .bind(letter.headers.as_deref())
            .bind(letter.reason.as_str())
            .bind(letter.cause.name());
        query.execute(connection).await.map_err(|error| match classify(&error) {
            Failure::Refused(line) => Failure::Fault(Fault::fatal(format!("a letter does not fit the table letters: {line}"))),
            other => other,
        })?;
        Ok(())
    }
}

/// The rows of several flushes, by their table's place.
fn by_table<'f, R>(flushes: &[&'f Flush], of: impl Fn(&'f Changes) -> &'f BTreeMap<usize, Vec<R>>) -> BTreeMap<usize, Vec<&'f R>> {
    let mut tables: BTreeMap<usize, Vec<&R>> = BTreeMap::new();
    for (place, rows) in flushes.iter().flat_map(|it| of(&it.changes)) {
        tables.entry(*place).or_default().extend(rows);
    }
    tables
}

/// Bytes of one statement, about, unless it is of one row: far below `max_allowed_packet`.
const MOST_BYTES: usize = 4 << 20;

/// A row or a key, as values in the order of columns.
trait AsValues {
    fn values(&self) -> &[Value];
}
impl AsValues for Values {
    fn values(&self) -> &[Value] {
        self
    }
}
impl AsValues for Box<[Value]> {
    fn values(&self) -> &[Value] {
        self
    }
}
impl<R: AsValues> AsValues for &R {
    fn values(&self) -> &[Value] {
        R::values(self)
    }
}

/// Writes rows of a table by its sort, in statements of the few fixed sizes.
///
/// # Errors
/// [`Failure`], as the database says.
pub async fn write_rows(connection: &mut MySqlConnection, statements: &Statements, table: &Table, rows: &[Values]) -> Result<(), Failure> {
    send(connection, &statements.write, (table, table.columns), rows).await
}

/// Sends rows, or their keys, in statements of the few fixed sizes.
async fn send<R: AsValues>(
    connection: &mut MySqlConnection,
    shape: &Shape,
    (table, columns): (&Table, &[Column]),
    rows: &[R],
) -> Result<(), Failure> {
    let mut rest = rows;
    loop {
        let fitting = fitting(rest);
        let next = if table.sort == Sort::History { shape.at_most(fitting) } else { shape.filled(fitting) };
        let Some((size, text)) = next else { return Ok(()) };
        let (now, later) = rest.split_at(size.min(fitting));
        rest = later;
        let said_again = if size > now.len() { said_again(table, now) } else { Vec::new() };
        let filling = std::iter::repeat_n(said_again.as_slice(), size - now.len());
        let mut arguments = MySqlArguments::default();
        arguments.reserve(size * columns.len(), now.iter().map(room).sum());
        for row in now.iter().map(AsValues::values).chain(filling) {
            for (column, value) in columns.iter().zip(row) {
                values::bind(&mut arguments, column, value)?;
            }
        }
        sqlx::query_with(text, arguments).execute(&mut *connection).await.map_err(|error| classify(&error))?;
    }
}

/// What stands where a statement has more places than there are rows: the shortest of them once more, of a counter with no step.
fn said_again<R: AsValues>(table: &Table, rows: &[R]) -> Vec<Value> {
    let mut row = rows.iter().min_by_key(|it| room(*it)).map_or_else(Vec::new, |it| it.values().to_vec());
    if table.sort == Sort::Counter {
        row.iter_mut().skip(table.key).for_each(|it| *it = Value::Long(0));
    }
    row
}

/// Bytes of a row on the wire, at most.
fn room<R: AsValues>(row: &R) -> usize {
    row.values().iter().map(values::room).sum()
}

/// How many of these rows, at least one if there is any, one statement may carry by their bytes.
fn fitting<R: AsValues>(rows: &[R]) -> usize {
    let mut left = MOST_BYTES;
    let fit = rows.iter().take(MAX_ROWS).take_while(|row| {
        let bytes = room(*row);
        let fits = bytes <= left;
        left = left.saturating_sub(bytes);
        fits
    });
    fit.count().max(1).min(rows.len())
}

/// An error in COMMIT: the server's own word is a rollback, a lost connection says nothing.
fn commit_failure(error: &sqlx::Error) -> Failure {
    if error.as_database_error().is_some() { classify(error) } else { Failure::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(bytes: &[usize]) -> Vec<Values> {
        bytes.iter().map(|it| Values::from([Value::Text("x".repeat(*it).into())])).collect()
    }

    #[test]
    fn what_is_said_again_changes_nothing() {
        const fn column(name: &'static str) -> Column {
            Column { name, kind: workers::fold::Kind::Text, nullable: false }
        }
        static COLUMNS: [Column; 2] = [column("key"), column("rest")];
        let table = |sort| Table { name: "t", sort, key: 1, columns: &COLUMNS };
        let row = |key: &str, rest| Values::from([Value::Text(key.into()), rest]);
        let rows = [row("long", Value::Long(7)), row("k", Value::Long(5))];
        assert_eq!(said_again(&table(Sort::State), &rows), row("k", Value::Long(5)).to_vec(), "the shortest, as it is");
        assert_eq!(said_again(&table(Sort::Counter), &rows), row("k", Value::Long(0)).to_vec(), "no step");
        assert_eq!(said_again::<Values>(&table(Sort::State), &[]), []);
    }

    #[test]
    fn a_statement_carries_as_many_rows_as_its_bytes_allow() {
        assert_eq!(fitting(&rows(&[])), 0);
        assert_eq!(fitting(&rows(&[10; 2_000])), MAX_ROWS);
        assert_eq!(fitting(&rows(&[1 << 20; 9])), 3, "four of them and what stands around each are more");
        assert_eq!(fitting(&rows(&[5 << 20, 1])), 1, "one alone, however large");
        assert_eq!(fitting(&rows(&[1, 5 << 20])), 1);
    }
}
