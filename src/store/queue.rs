//! Queues: rows that a fold inserts and a drain then owns. Statements are made once, from the queue's declaration.
//!
//! It decides nothing: which rows are claimed and what becomes of them is the drain's business.

use sqlx::{
    Arguments as _, MySqlConnection, Row as _,
    mysql::{MySqlArguments, MySqlRow},
};
use time::PrimitiveDateTime;
use uuid::Uuid;
use workers::fold::{
    Column, Key, Role, Table, Time, Value,
    drain::{Drain, OWNED},
    limit::{Bucket, Class},
};

use super::{
    ledger::Token,
    mysql::{fault, statements::quote, values},
};
use crate::fault::Fault;

/// Columns that a drain writes; the others stay as the fold inserted them.
const WRITTEN: [&str; 7] = ["state", "attempts", "due_at", "lease", "smtp_reply", "settled_at", "reported"];

/// A row of a queue: the values of all its columns, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    table: &'static Table,
    values: Vec<Value>,
}

impl Entry {
    /// All values.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The value of a column, NULL where there is none of that name.
    pub fn value(&self, column: &str) -> &Value {
        self.table.place(column).and_then(|it| self.values.get(it)).unwrap_or(&Value::Null)
    }

    /// A whole number, 0 where there is none.
    pub fn long(&self, column: &str) -> i64 {
        if let Value::Long(long) = self.value(column) { *long } else { 0 }
    }

    /// The same row with another value in a column.
    #[must_use]
    pub fn with(mut self, column: &str, value: Value) -> Self {
        if let Some(held) = self.table.place(column).and_then(|it| self.values.get_mut(it)) {
            *held = value;
        }
        self
    }

    /// Its key.
    pub fn key(&self) -> Key {
        self.values.get(..self.table.key).unwrap_or_default().into()
    }
}

/// How a lane stands, as its ledger says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneRow {
    /// The partition.
    pub partition: i32,
    /// Under which claim.
    pub token: Option<Token>,
    /// Its next offset.
    pub next: Option<i64>,
    /// The log's end as that claim saw it.
    pub seen_end: Option<i64>,
}

/// The statements of one queue.
#[derive(Debug)]
pub struct Queue {
    drain: &'static Drain,
    lanes: String,
    any: String,
    candidates: String,
    lock: String,
    write: String,
    acknowledge: String,
    unreported: String,
    waiting: String,
}

impl Queue {
    /// The queue of a role's drain.
    pub fn of(role: &Role, drain: &'static Drain) -> Self {
        let (queue, all) = (quote(drain.queue.name), names(drain.queue.columns));
        let key = equal(drain.queue.key_columns());
        let set: Vec<String> = WRITTEN.iter().map(|it| format!("{} = ?", quote(it))).collect();
        let due = "reported = 1 AND due_at <= CAST(? AS DATETIME(3))";
        Self {
            drain,
            lanes: format!("SELECT partition_id, token, next_offset, seen_end FROM {} WHERE shard = 0", quote(role.ledger)),
            any: format!("SELECT 1 FROM {queue} WHERE bulk IN (0, 1) AND {due} AND FIND_IN_SET(lane, ?) LIMIT 1"),
            candidates: format!(
                "SELECT {} FROM {queue} WHERE bulk = ? AND {due} AND FIND_IN_SET(lane, ?) ORDER BY due_at LIMIT ?",
                names(drain.queue.key_columns())
            ),
            lock: format!("SELECT {all} FROM {queue} WHERE {key} AND {due} FOR UPDATE SKIP LOCKED"),
            write: format!("UPDATE {queue} SET {} WHERE {key} AND lease <=> ?", set.join(", ")),
            acknowledge: format!("UPDATE {queue} SET reported = 1 WHERE {key} AND attempts = ? AND reported = 0"),
            unreported: format!(
                "SELECT {all} FROM {queue} WHERE reported = 0 AND settled_at <= CAST(? AS DATETIME(3)) ORDER BY settled_at LIMIT ?"
            ),
            waiting: format!("SELECT bulk, COUNT(*) FROM {queue} WHERE due_at IS NOT NULL GROUP BY bulk"),
        }
    }

    /// Every lane of the ledger.
    ///
    /// # Errors
    /// As the database says.
    pub async fn lanes(&self, connection: &mut MySqlConnection) -> Result<Vec<LaneRow>, Fault> {
        let rows = sqlx::query(&self.lanes).fetch_all(connection).await.map_err(|error| fault(&error))?;
        let lane = |row: &MySqlRow| -> Result<LaneRow, sqlx::Error> {
            let token: Option<Vec<u8>> = row.try_get("token")?;
            Ok(LaneRow {
                partition: row.try_get("partition_id")?,
                token: token.and_then(|it| it.try_into().ok()),
                next: row.try_get("next_offset")?,
                seen_end: row.try_get("seen_end")?,
            })
        };
        rows.iter().map(|row| lane(row).map_err(|error| fault(&error))).collect()
    }

    /// Whether any row of these lanes is due.
    ///
    /// # Errors
    /// As the database says.
    pub async fn any_due(&self, connection: &mut MySqlConnection, (lanes, now): (&str, Time)) -> Result<bool, Fault> {
        let query = sqlx::query(&self.any).bind(values::datetime(now)).bind(lanes);
        Ok(query.fetch_optional(connection).await.map_err(|error| fault(&error))?.is_some())
    }

    /// Keys of rows of these lanes that are due, those due first before others; none is locked.
    ///
    /// # Errors
    /// As the database says.
    pub async fn candidates(
        &self,
        connection: &mut MySqlConnection,
        (lanes, now): (&str, Time),
        class: Class,
        most: usize,
    ) -> Result<Vec<Key>, Fault> {
        let query = sqlx::query(&self.candidates).bind(class == Class::Bulk).bind(values::datetime(now)).bind(lanes);
        let query = query.bind(u32::try_from(most).unwrap_or(u32::MAX));
        let rows = query.fetch_all(connection).await.map_err(|error| fault(&error))?;
        let key = |row: &MySqlRow| Ok(values::read_row(self.drain.queue.key_columns(), row)?.as_ref().into());
        rows.iter().map(key).collect()
    }

    /// Locks a row, if it is still due and nobody else has it.
    ///
    /// # Errors
    /// As the database says.
    pub async fn lock(&self, connection: &mut MySqlConnection, key: &Key, now: Time) -> Result<Option<Entry>, Fault> {
        let mut arguments = MySqlArguments::default();
        self.bind_key(&mut arguments, key)?;
        add(&mut arguments, values::datetime(now))?;
        let row = sqlx::query_with(&self.lock, arguments).fetch_optional(connection).await.map_err(|error| fault(&error))?;
        row.map(|it| self.entry(&it)).transpose()
    }

    /// What the fold's tables know of a row.
    ///
    /// # Errors
    /// As the database says.
    pub async fn facts(&self, connection: &mut MySqlConnection, key: &Key) -> Result<Option<Vec<Value>>, Fault> {
        let facts = &self.drain.facts;
        let mut arguments = MySqlArguments::default();
        self.bind_key(&mut arguments, key)?;
        let row = sqlx::query_with(facts.query, arguments).fetch_optional(connection).await.map_err(|error| fault(&error))?;
        row.map(|it| Ok(values::read_row(facts.columns, &it)?.to_vec())).transpose()
    }

    /// Writes what a drain made of a row, if the row is still under this lease. Whether it was.
    ///
    /// # Errors
    /// As the database says.
    pub async fn write(&self, connection: &mut MySqlConnection, entry: &Entry, lease: Option<Uuid>) -> Result<bool, Fault> {
        let mut arguments = MySqlArguments::default();
        for name in WRITTEN {
            let column = OWNED.iter().find(|it| it.name == name);
            let column = column.ok_or_else(|| Fault::fatal(format!("a queue has no column {name}")))?;
            values::bind(&mut arguments, column, entry.value(name))?;
        }
        self.bind_key(&mut arguments, &entry.key())?;
        add(&mut arguments, lease.map(|it| it.to_string()))?;
        self.execute(connection, &self.write, arguments).await
    }

    /// Notes that the outcome of an attempt is acknowledged by the log.
    ///
    /// # Errors
    /// As the database says.
    pub async fn acknowledge(&self, connection: &mut MySqlConnection, entry: &Entry) -> Result<bool, Fault> {
        let mut arguments = MySqlArguments::default();
        self.bind_key(&mut arguments, &entry.key())?;
        add(&mut arguments, entry.long("attempts"))?;
        self.execute(connection, &self.acknowledge, arguments).await
    }

    /// Rows whose last outcome was recorded before an instant and is not acknowledged.
    ///
    /// # Errors
    /// As the database says.
    pub async fn unreported(&self, connection: &mut MySqlConnection, before: Time, most: u32) -> Result<Vec<Entry>, Fault> {
        let query = sqlx::query(&self.unreported).bind(values::datetime(before)).bind(most);
        let rows = query.fetch_all(connection).await.map_err(|error| fault(&error))?;
        rows.iter().map(|it| self.entry(it)).collect()
    }

    /// How many rows are not done with, by class.
    ///
    /// # Errors
    /// As the database says.
    pub async fn waiting(&self, connection: &mut MySqlConnection) -> Result<[(Class, i64); 2], Fault> {
        let rows = sqlx::query(&self.waiting).fetch_all(connection).await.map_err(|error| fault(&error))?;
        let mut waiting = [(Class::First, 0), (Class::Bulk, 0)];
        for row in rows {
            let (bulk, count): (bool, i64) =
                (row.try_get(0).map_err(|error| fault(&error))?, row.try_get(1).map_err(|error| fault(&error))?);
            let class = if bulk { Class::Bulk } else { Class::First };
            waiting.iter_mut().filter(|it| it.0 == class).for_each(|it| it.1 = count);
        }
        Ok(waiting)
    }

    fn entry(&self, row: &MySqlRow) -> Result<Entry, Fault> {
        let table = self.drain.queue;
        Ok(Entry { table, values: values::read_row(table.columns, row)?.to_vec() })
    }

    fn bind_key(&self, arguments: &mut MySqlArguments, key: &Key) -> Result<(), Fault> {
        self.drain.queue.key_columns().iter().zip(key.iter()).try_for_each(|(column, value)| values::bind(arguments, column, value))
    }

    async fn execute(&self, connection: &mut MySqlConnection, text: &str, arguments: MySqlArguments) -> Result<bool, Fault> {
        let done = sqlx::query_with(text, arguments).execute(connection).await.map_err(|error| fault(&error))?;
        Ok(done.rows_affected() > 0)
    }
}

/// A class as a label.
pub fn label(class: Class) -> &'static str {
    match class {
        Class::First => "first",
        Class::Bulk => "bulk",
    }
}

const BUCKET: &str = "SELECT parts, bulk_parts, refilled_at FROM drain_limits WHERE drain = ? FOR UPDATE";
const NEW_BUCKET: &str = "INSERT IGNORE INTO drain_limits (drain, parts, bulk_parts, refilled_at) VALUES (?, ?, ?, ?)";
const SET_BUCKET: &str = "UPDATE drain_limits SET parts = ?, bulk_parts = ?, refilled_at = ? WHERE drain = ?";

/// A drain's tokens, which all workers share: locked, and made full by whoever comes first.
///
/// # Errors
/// As the database says.
pub async fn lock_bucket(connection: &mut MySqlConnection, drain: &str, full: Bucket) -> Result<Bucket, Fault> {
    let query = sqlx::query(BUCKET).bind(drain);
    if let Some(row) = query.fetch_optional(&mut *connection).await.map_err(|error| fault(&error))? {
        return bucket(&row).map_err(|error| fault(&error));
    }
    let query = sqlx::query(NEW_BUCKET).bind(drain).bind(full.parts).bind(full.bulk_parts).bind(values::datetime(full.at));
    query.execute(&mut *connection).await.map_err(|error| fault(&error))?;
    let row = sqlx::query(BUCKET).bind(drain).fetch_one(connection).await.map_err(|error| fault(&error))?;
    bucket(&row).map_err(|error| fault(&error))
}

fn bucket(row: &MySqlRow) -> Result<Bucket, sqlx::Error> {
    let at: PrimitiveDateTime = row.try_get("refilled_at")?;
    Ok(Bucket { parts: row.try_get("parts")?, bulk_parts: row.try_get("bulk_parts")?, at: Time(values::millis(at)) })
}

/// Keeps a drain's tokens.
///
/// # Errors
/// As the database says.
pub async fn write_bucket(connection: &mut MySqlConnection, drain: &str, bucket: &Bucket) -> Result<(), Fault> {
    let query = sqlx::query(SET_BUCKET).bind(bucket.parts).bind(bucket.bulk_parts).bind(values::datetime(bucket.at)).bind(drain);
    query.execute(connection).await.map(|_| ()).map_err(|error| fault(&error))
}

/// The database's clock, by which all workers agree.
///
/// # Errors
/// As the database says.
pub async fn now(connection: &mut MySqlConnection) -> Result<Time, Fault> {
    let row = sqlx::query("SELECT UTC_TIMESTAMP(3)").fetch_one(connection).await.map_err(|error| fault(&error))?;
    let at: PrimitiveDateTime = row.try_get(0).map_err(|error| fault(&error))?;
    Ok(Time(values::millis(at)))
}

fn add<'q, T: sqlx::Encode<'q, sqlx::MySql> + sqlx::Type<sqlx::MySql> + 'q>(arguments: &mut MySqlArguments, value: T) -> Result<(), Fault> {
    arguments.add(value).map_err(|error| Fault::fatal(format!("a statement of a queue: {error}")))
}

fn names(columns: &[Column]) -> String {
    let quoted: Vec<String> = columns.iter().map(|it| quote(it.name)).collect();
    quoted.join(", ")
}

fn equal(columns: &[Column]) -> String {
    let equal: Vec<String> = columns.iter().map(|it| format!("{} = ?", quote(it.name))).collect();
    equal.join(" AND ")
}
