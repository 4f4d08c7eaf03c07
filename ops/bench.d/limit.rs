//! The limit: the rows that the role makes of the log, as prepared statements of 1000 rows, from plain clients.
//!
//! The rows are those of a fold in batches as large as the worker's were, so a row that a batch touches often counts once. Rows that a
//! later batch removes are removed, and those of them that were not sent yet are not.
//! All is encoded before the clock starts. No ledger, no fence, no Kafka, nothing outside MySQL.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use fleet::{
    fault::Fault,
    kafka::{consumer::Record, log::Log},
    store::mysql::{
        self,
        statements::{Shape, Statements},
        values,
    },
};
use sqlx::{
    MySql, MySqlConnection,
    mysql::{MySqlArguments, MySqlDatabaseError},
    pool::PoolConnection,
};
use tokio::task::JoinSet;
use workers::fold::{Column, Entry, Fold, Key, Place, Presume, Progress, Role, Time, Value, Values, open_envelope};

use crate::{
    machine::{Servers, Usage},
    stage::Stage,
};

/// MySQL's code for a deadlock that it broke.
const DEADLOCK: u16 = 1213;
/// Rows of one statement.
const SHEET: usize = 1000;

/// What plain clients did.
pub struct Limit {
    /// Rows written.
    pub rows: u64,
    /// From the first statement to the end of the last.
    pub seconds: f64,
    /// Statements that were sent again after a deadlock.
    pub again: f64,
    /// CPU seconds of MySQL, if it runs here.
    pub mysqld: Option<f64>,
}

/// One statement, ready to be sent.
struct Sheet {
    table: usize,
    verb: Verb,
    rows: usize,
    arguments: MySqlArguments,
}

/// What a statement does with its rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Delete,
    Write,
}

impl Verb {
    fn of(self, statements: &Statements) -> &Shape {
        match self {
            Self::Delete => &statements.delete,
            Self::Write => &statements.write,
        }
    }
}

/// Sends the rows of the whole log into the empty tables, a connection a partition.
///
/// # Errors
/// The servers' own.
pub async fn run(stage: &Stage, batch: usize, servers: &Servers) -> Result<Limit, Fault> {
    let lanes = prepare(stage, batch.max(1)).await?;
    let rows = lanes.iter().flatten().filter(|it| it.verb == Verb::Write).map(|it| it.rows as u64).sum();
    let pool = mysql::pool(stage.config.mysql(), u32::try_from(lanes.len()).unwrap_or(u32::MAX));
    let mut connections = Vec::new();
    for _ in &lanes {
        connections.push(mysql::acquire(&pool).await?);
    }
    let statements = Arc::new(of_sheets(stage.role));
    let (before, started) = (Usage::now(&[], servers), Instant::now());
    let mut clients = JoinSet::new();
    for (sheets, connection) in lanes.into_iter().zip(connections) {
        clients.spawn(send(connection, sheets, Arc::clone(&statements)));
    }
    let mut again = 0;
    while let Some(client) = clients.join_next().await {
        again += client.map_err(Fault::fatal)??;
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok(Limit { rows, seconds, again: again as f64, mysqld: Usage::now(&[], servers).since(&before).server("mysql") })
}

fn of_sheets(role: &Role) -> Vec<Statements> {
    role.tables.iter().map(|it| Statements::up_to(it, SHEET)).collect()
}

/// A plain client: one statement after the other, each its own transaction. Answers how many had to be sent again.
async fn send(mut connection: PoolConnection<MySql>, sheets: Vec<Sheet>, statements: Arc<Vec<Statements>>) -> Result<u64, Fault> {
    let mut again = 0;
    for sheet in sheets {
        let text = statements.get(sheet.table).and_then(|it| sheet.verb.of(it).at_most(sheet.rows));
        let (_, text) = text.ok_or_else(|| Fault::fatal("a statement of no size"))?;
        again += execute(&mut connection, text, sheet.arguments).await?;
    }
    Ok(again)
}

/// Sends a statement until it passes; answers how often the database broke a deadlock by refusing it.
async fn execute(connection: &mut MySqlConnection, text: &str, arguments: MySqlArguments) -> Result<u64, Fault> {
    for again in 0.. {
        match sqlx::query_with(text, arguments.clone()).execute(&mut *connection).await {
            Ok(_) => return Ok(again),
            Err(error) if is_deadlock(&error) => {}
            Err(error) => return Err(mysql::fault(&error)),
        }
    }
    Ok(0)
}

fn is_deadlock(error: &sqlx::Error) -> bool {
    let database = error.as_database_error().and_then(|it| it.try_downcast_ref::<MySqlDatabaseError>());
    database.is_some_and(|it| it.number() == DEADLOCK)
}

/// The statements of each partition, in the order in which a worker would come to them.
async fn prepare(stage: &Stage, batch: usize) -> Result<Vec<Vec<Sheet>>, Fault> {
    let mut lanes = Vec::new();
    let mut folding = JoinSet::new();
    for partition in 0..stage.role.topic.partitions {
        let (config, topic, role) = (stage.config.clone(), stage.topic(), stage.role);
        folding.spawn_blocking(move || fold(&Log::new(&config, topic)?, role, partition, batch));
    }
    while let Some(sheets) = folding.join_next().await {
        lanes.push(sheets.map_err(Fault::fatal)??);
    }
    Ok(lanes)
}

fn fold(log: &Log, role: &'static Role, partition: i32, batch: usize) -> Result<Vec<Sheet>, Fault> {
    let (low, high) = log.watermarks(partition)?;
    let mut writer = Writer {
        role,
        fold: Fold::new(role, partition, Presume::Everything, usize::MAX),
        statements: of_sheets(role),
        gathered: BTreeMap::new(),
        sheets: Vec::new(),
    };
    let mut entries = Vec::with_capacity(batch);
    log.read(partition, low..high, |records| {
        for record in &records {
            entries.push(entry(role, partition, record));
            if entries.len() >= batch {
                writer.batch(&entries)?;
                entries.clear();
            }
        }
        Ok(())
    })?;
    writer.batch(&entries)?;
    writer.finish()
}

fn entry(role: &Role, partition: i32, record: &Record) -> Entry {
    let timestamp = Time(record.timestamp);
    let place = Place { partition, partitions: role.topic.partitions, timestamp, key: record.key.as_deref() };
    let datum = open_envelope(record.value.as_deref()).map(|it| it.1);
    let event = datum.and_then(|datum| (role.decode)(datum, role.topic.codec()?, place));
    Entry { offset: record.offset, timestamp, event }
}

/// Gathers the rows of batches into statements.
struct Writer {
    role: &'static Role,
    fold: Fold,
    statements: Vec<Statements>,
    gathered: BTreeMap<usize, Gathered>,
    sheets: Vec<Sheet>,
}

/// What waits for a statement of a table. Deletes go first, so a row that waits is one of after them.
#[derive(Default)]
struct Gathered {
    deletes: Vec<Key>,
    rows: Vec<Values>,
}

impl Writer {
    fn batch(&mut self, entries: &[Entry]) -> Result<(), Fault> {
        if self.fold.advance(entries) != Progress::Done {
            return Err(Fault::fatal("a fold from the origin misses a row"));
        }
        let changes = self.fold.take();
        self.fold.settle();
        for (table, keys) in changes.deletes {
            let gathered = self.gathered.entry(table).or_default();
            gathered.rows.retain(|row| !keys.iter().any(|key| row.starts_with(key)));
            gathered.deletes.extend(keys);
        }
        for (table, rows) in [changes.puts, changes.appends, changes.queued, changes.adds].into_iter().flatten() {
            let gathered = self.gathered.entry(table).or_default();
            gathered.rows.extend(rows);
            if gathered.rows.len() >= SHEET {
                self.write(table, SHEET)?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Sheet>, Fault> {
        for table in 0..self.role.tables.len() {
            self.write(table, 1)?;
        }
        Ok(self.sheets)
    }

    /// Makes statements of all keys of a table that wait, and then of its rows while there are at least so many.
    fn write(&mut self, table: usize, least: usize) -> Result<(), Fault> {
        let (Some(declared), Some(texts)) = (self.role.tables.get(table), self.statements.get(table)) else { return Ok(()) };
        let Gathered { deletes, rows } = self.gathered.entry(table).or_default();
        let sheet = |verb| move |(rows, arguments)| Sheet { table, verb, rows, arguments };
        self.sheets.extend(cut(&texts.delete, declared.key_columns(), deletes, 1)?.into_iter().map(sheet(Verb::Delete)));
        self.sheets.extend(cut(&texts.write, declared.columns, rows, least)?.into_iter().map(sheet(Verb::Write)));
        Ok(())
    }
}

/// The arguments of statements for what waits, while there is at least so much: how much each takes. The rest waits on.
fn cut<R: AsRef<[Value]>>(
    shape: &Shape,
    columns: &[Column],
    waiting: &mut Vec<R>,
    least: usize,
) -> Result<Vec<(usize, MySqlArguments)>, Fault> {
    let (mut statements, mut from) = (Vec::new(), 0);
    while waiting.len() - from >= least
        && let Some((size, _)) = shape.at_most(waiting.len() - from)
    {
        let mut arguments = MySqlArguments::default();
        for row in waiting.iter().skip(from).take(size) {
            for (column, value) in columns.iter().zip(row.as_ref()) {
                values::bind(&mut arguments, column, value)?;
            }
        }
        statements.push((size, arguments));
        from += size;
    }
    waiting.drain(..from);
    Ok(statements)
}
