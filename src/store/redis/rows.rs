//! Rows as they are to be shown: read from MySQL together with the ledger, in one snapshot.
//!
//! A snapshot lasts a page, so that none holds back MySQL's clean-up, and each page is as of its own ledger. It writes nothing.
//! Its connections are its own: whoever stops listening in the middle of a page leaves none behind in the pool.

use std::collections::BTreeMap;

use sqlx::{Executor as _, MySqlConnection, MySqlPool, Row as _, mysql::MySqlArguments};
use tokio::time::timeout;
use workers::fold::{Key, Role, Table, Time, key_text};

use super::{Inner, Shown, Version};
use crate::{
    fault::Fault,
    store::mysql::{self, DEADLINE, fault, load, statements, values},
};

/// Rows of one page.
pub const PAGE: usize = 1000;

/// A page may wait for Redis between its snapshots, longer than a lane's session may.
const SESSION: &str = "SET SESSION transaction_isolation='REPEATABLE-READ', wait_timeout=60";
const SNAPSHOT: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
const LEDGER: &str = "SELECT partition_id, epoch, COALESCE(next_offset, 0) AS next_offset, last_event_at FROM {ledger} WHERE shard = 0";

/// A connection of its own.
pub async fn connect(pool: &MySqlPool) -> Result<MySqlConnection, Fault> {
    let mut connection = mysql::acquire(pool).await?.detach();
    run(&mut connection, SESSION).await?;
    Ok(connection)
}

/// Says good-bye to the server.
pub async fn close(connection: MySqlConnection) {
    use sqlx::Connection as _;
    // Whether or not it hears it: the connection is gone.
    let _ = connection.close().await;
}

/// The ledger as of a snapshot that stays open on its connection.
pub struct Snapshot {
    lanes: BTreeMap<i32, Version>,
    /// The greatest min(occurred_at, Kafka timestamp) of the events applied.
    pub last_event_at: Option<Time>,
}

impl Snapshot {
    /// Opens one; the one before on this connection is over.
    pub async fn open(connection: &mut MySqlConnection, role: &Role) -> Result<Self, Fault> {
        run(connection, SNAPSHOT).await?;
        let select = LEDGER.replace("{ledger}", &statements::quote(role.ledger));
        let mut snapshot = Self { lanes: BTreeMap::new(), last_event_at: None };
        for row in within(sqlx::query(&select).fetch_all(connection)).await? {
            let read = |error: sqlx::Error| fault(&error);
            let epoch = row.try_get("epoch").map_err(read)?;
            let next_offset = row.try_get("next_offset").map_err(read)?;
            snapshot.lanes.insert(row.try_get("partition_id").map_err(read)?, Version { epoch, next_offset });
            let at = row.try_get::<Option<time::PrimitiveDateTime>, _>("last_event_at").map_err(read)?;
            snapshot.last_event_at = snapshot.last_event_at.max(at.map(|it| Time(values::millis(it))));
        }
        Ok(snapshot)
    }

    /// All lanes and their versions.
    pub fn lanes(&self) -> Vec<(i32, Version)> {
        self.lanes.iter().map(|(lane, version)| (*lane, *version)).collect()
    }

    /// One version for what is made of all lanes' rows: it rises with each of theirs.
    pub fn together(&self) -> Version {
        self.lanes.values().fold(Version::default(), |sum, it| Version {
            epoch: sum.epoch.saturating_add(it.epoch),
            next_offset: sum.next_offset.saturating_add(it.next_offset),
        })
    }

    /// The version of a lane.
    fn version(&self, role: &Role, partition: i32) -> Result<Version, Fault> {
        let missing = || Fault::fatal(format!("ledger-missing: {} has no row of partition {partition}", role.ledger));
        self.lanes.get(&partition).copied().ok_or_else(missing)
    }

    /// The version of the lane that a row belongs to, by the topic's key field in the row's key.
    fn version_of(&self, role: &Role, table: &Table, key: &Key) -> Result<Version, Fault> {
        let field = role.topic.key;
        let value = table.place(field).and_then(|it| key.get(it));
        let value = value.ok_or_else(|| Fault::fatal(format!("the key of {} does not hold {field}", table.name)))?;
        self.version(role, role.topic.partition_of(key_text(value).as_bytes()))
    }
}

/// Rows of one snapshot.
pub struct Page {
    /// The lanes that they may be of, at their versions.
    pub lanes: Vec<(i32, Version)>,
    /// The greatest time of the events applied.
    pub last_event_at: Option<Time>,
    /// The rows.
    pub rows: Vec<Shown>,
}

/// The rows of these entries of one lane, absent ones as such.
pub async fn by_key(connection: &mut MySqlConnection, inner: &Inner, lane: (i32, &[(usize, Key)])) -> Result<Page, Fault> {
    let (partition, keys) = lane;
    let role = inner.role;
    let snapshot = Snapshot::open(connection, role).await?;
    let version = snapshot.version(role, partition)?;
    let mut rows = Vec::new();
    for (family, of_family) in by_family(keys) {
        let Some(table) = role.caches.get(family).and_then(|it| role.tables.iter().position(|table| table.name == it.table.name)) else {
            continue;
        };
        let asked = BTreeMap::from([(table, of_family)]);
        let loaded = timeout(DEADLINE, load::load_tables(connection, role, &inner.statements, asked)).await.map_err(|_| slow())??;
        rows.extend(loaded.into_iter().map(|(it, values)| Shown { family, key: it.key, values, version }));
    }
    Ok(Page { lanes: vec![(partition, version)], last_event_at: snapshot.last_event_at, rows })
}

fn by_family(keys: &[(usize, Key)]) -> BTreeMap<usize, Vec<Key>> {
    let mut families: BTreeMap<usize, Vec<Key>> = BTreeMap::new();
    for (family, key) in keys {
        families.entry(*family).or_default().push(key.clone());
    }
    families
}

/// A family's rows in the order of their keys.
pub struct Pages {
    family: usize,
    table: &'static Table,
    texts: statements::Pages,
    after: Option<Key>,
}

impl Pages {
    /// All rows of a family's table.
    pub fn of(family: usize, table: &'static Table) -> Self {
        Self { family, table, texts: statements::Pages::of(table, PAGE), after: None }
    }

    /// The next page, `None` after the last.
    pub async fn next(&mut self, connection: &mut MySqlConnection, role: &Role) -> Result<Option<Page>, Fault> {
        let snapshot = Snapshot::open(connection, role).await?;
        let (text, arguments) = match &self.after {
            None => (&self.texts.first, MySqlArguments::default()),
            Some(key) => (&self.texts.next, self.arguments(key)?),
        };
        let mut rows = Vec::with_capacity(PAGE);
        for row in within(sqlx::query_with(text, arguments).fetch_all(connection)).await? {
            let read = values::read_row(self.table.columns, &row)?;
            let key: Key = read.get(..self.table.key).unwrap_or_default().into();
            let version = snapshot.version_of(role, self.table, &key)?;
            rows.push(Shown { family: self.family, key, values: Some(read), version });
        }
        let Some(last) = rows.last() else { return Ok(None) };
        self.after = Some(last.key.clone());
        Ok(Some(Page { lanes: snapshot.lanes(), last_event_at: snapshot.last_event_at, rows }))
    }

    /// The place of the page before, for each alternative of the statement.
    fn arguments(&self, after: &Key) -> Result<MySqlArguments, Fault> {
        let mut arguments = MySqlArguments::default();
        for bound in 1..=self.table.key {
            for (column, value) in self.table.columns.iter().zip(after.iter()).take(bound) {
                values::bind(&mut arguments, column, value)?;
            }
        }
        Ok(arguments)
    }
}

/// Runs a statement without an answer.
pub async fn run(connection: &mut MySqlConnection, statement: &str) -> Result<(), Fault> {
    within(connection.execute(statement)).await.map(drop)
}

/// An answer of MySQL within the time that any piece of work may take.
pub async fn within<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Fault> {
    timeout(DEADLINE, answer).await.map_err(|_| slow())?.map_err(|error| fault(&error))
}

fn slow() -> Fault {
    Fault::transient("mysql: rows to show took more than 20 s")
}
