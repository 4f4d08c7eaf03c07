//! A test's own MySQL database: queries in plain text, rows as dumps to compare byte for byte, rows as the core has them.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::Arc,
};

use sqlx::{MySqlPool, Row as _, mysql::MySqlPoolOptions};
use tokio::runtime::Runtime;
use workers::fold::{Column, Kind, Role, Sort, Table, Value};

use super::servers::Servers;

/// A row as text; `None` is NULL.
pub type Texts = Vec<Option<String>>;

/// What a dump leaves out of a table's rows that an SQL condition names: these columns, or, if there are none, the rows.
pub struct LeftOut {
    pub table: &'static str,
    pub rows: String,
    pub columns: &'static [&'static str],
}

/// One database.
pub struct Database {
    name: String,
    servers: Servers,
    runtime: Arc<Runtime>,
    pool: MySqlPool,
}

/// A row of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub partition: i32,
    pub next: Option<i64>,
    pub confirmed: Option<i64>,
    pub is_pending: bool,
    pub token: String,
    pub owner: String,
    pub epoch: i64,
}

impl Database {
    /// Makes the database.
    pub fn create(name: &str, servers: &Servers, runtime: Arc<Runtime>) -> Self {
        let admin = connect(&servers.mysql_url("mysql"), &runtime);
        runtime.block_on(sqlx::raw_sql(&format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4")).execute(&admin)).expect("a database");
        runtime.block_on(admin.close());
        let pool = connect(&servers.mysql_url(name), &runtime);
        Self { name: name.to_owned(), servers: servers.clone(), runtime, pool }
    }

    pub fn url(&self) -> String {
        self.servers.mysql_url(&self.name)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn drop_it(&self) {
        let _ = self.run(&format!("DROP DATABASE `{}`", self.name));
    }

    /// Runs a statement, or several.
    pub fn run(&self, sql: &str) -> Result<u64, String> {
        let done = self.runtime.block_on(sqlx::raw_sql(sql).execute(&self.pool));
        done.map(|it| it.rows_affected()).map_err(|it| format!("{sql}: {it}"))
    }

    /// The rows of a query.
    pub fn try_rows(&self, sql: &str) -> Result<Vec<Texts>, String> {
        let rows = self.runtime.block_on(sqlx::raw_sql(sql).fetch_all(&self.pool)).map_err(|it| format!("{sql}: {it}"))?;
        Ok(rows.iter().map(|row| (0..row.len()).map(|at| row.try_get_unchecked(at).expect("text")).collect()).collect())
    }

    /// The rows of a query that the database must answer now.
    pub fn rows(&self, sql: &str) -> Vec<Texts> {
        self.try_rows(sql).unwrap_or_else(|it| panic!("{it}"))
    }

    /// The one number of a query, 0 where it gives NULL.
    pub fn number(&self, sql: &str) -> i64 {
        let rows = self.rows(sql);
        rows[0][0].as_ref().map_or(0, |it| it.parse().expect("a whole number"))
    }

    /// Runs statements on one connection, which is kept until the guard is dropped: a lock, for one.
    pub fn hold(&self, sql: &str) -> Held {
        let mut connection = self.runtime.block_on(self.pool.acquire()).expect("a connection").detach();
        self.runtime.block_on(sqlx::raw_sql(sql).execute(&mut connection)).unwrap_or_else(|it| panic!("{sql}: {it}"));
        Held { connection, runtime: Arc::clone(&self.runtime) }
    }

    /// Keeps a copy of every table as it is now, for [`Self::put_back`].
    pub fn keep_copy(&self) {
        for table in self.tables() {
            self.run(&format!("CREATE TABLE `old_{table}` LIKE `{table}`; INSERT INTO `old_{table}` SELECT * FROM `{table}`"))
                .expect("a copy");
        }
    }

    /// Puts the copies in the tables' places, all at once.
    pub fn put_back(&self) {
        let swap = |it: String| format!("`{it}` TO `old_gone_{it}`, `old_{it}` TO `{it}`");
        let swaps: Vec<String> = self.tables().into_iter().map(swap).collect();
        self.run(&format!("RENAME TABLE {}", swaps.join(", "))).expect("the copies in place");
    }

    /// Tables, those of the migrations' own book and copies apart.
    fn tables(&self) -> Vec<String> {
        let rows = self.rows(
            "SELECT table_name FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name NOT LIKE '\\_sqlx%' AND table_name NOT LIKE 'old\\_%'",
        );
        rows.into_iter().map(|mut row| row.remove(0).expect("a name")).collect()
    }

    /// Every row of a role's tables, its ledger apart.
    pub fn dump(&self, role: &Role) -> Dump {
        self.dump_but(role, &[])
    }

    /// Every row of a role's tables but what these leave out. Steps that came to nothing leave a row, which is as good as none.
    pub fn dump_but(&self, role: &Role, out: &[LeftOut]) -> Dump {
        let of = |table: &Table| out.iter().filter(|it| it.table == table.name).collect::<Vec<_>>();
        Dump(role.tables.iter().map(|it| (it.name, self.dump_table(it, &of(it)))).collect())
    }

    fn dump_table(&self, table: &Table, out: &[&LeftOut]) -> Vec<String> {
        let column = |it: &Column| {
            let quoted = format!("QUOTE(`{}`)", it.name);
            out.iter().filter(|out| out.columns.contains(&it.name)).fold(quoted, |text, out| format!("IF({}, '-', {text})", out.rows))
        };
        let columns: Vec<String> = table.columns.iter().map(column).collect();
        let rows = out.iter().filter(|it| it.columns.is_empty()).map(|it| format!("({}) IS NOT TRUE", it.rows));
        let steps = table.columns[table.key..].iter().map(|it| format!("`{}` <> 0", it.name)).collect::<Vec<_>>().join(" OR ");
        let rows = rows.chain((table.sort == Sort::Counter).then(|| format!("({steps})")));
        let rows = rows.fold("TRUE".to_owned(), |all, one| format!("{all} AND {one}"));
        let sql = format!("SELECT CONCAT_WS(' ', {}) FROM `{}` WHERE {rows}", columns.join(", "), table.name);
        let mut lines: Vec<String> = self.rows(&sql).into_iter().map(|mut row| row.remove(0).unwrap_or_default()).collect();
        lines.sort_unstable();
        lines
    }

    /// The rows of a table as the core has them, in the order of the key. A reading of its own, apart from the program's.
    pub fn values(&self, table: &Table) -> Vec<Vec<Value>> {
        let columns: Vec<String> = table.columns.iter().map(selected).collect();
        let rows = self.rows(&format!("SELECT {} FROM `{}` ORDER BY {}", columns.join(", "), table.name, keys(table)));
        rows.into_iter().map(|row| row.into_iter().zip(table.columns).map(|(text, column)| value(column, text)).collect()).collect()
    }

    /// A role's ledger, by partition.
    pub fn ledger(&self, role: &Role) -> Result<Vec<Position>, String> {
        let sql = format!(
            "SELECT partition_id, next_offset, confirmed_offset, pending IS NOT NULL OR caches_behind, HEX(token), owner, epoch \
             FROM `{}` WHERE shard = 0 ORDER BY partition_id",
            role.ledger
        );
        let number = |it: &Option<String>| it.as_ref().map(|it| it.parse::<i64>().expect("a number"));
        let position = |row: Texts| Position {
            partition: i32::try_from(number(&row[0]).expect("a partition")).expect("a partition"),
            next: number(&row[1]),
            confirmed: number(&row[2]),
            is_pending: number(&row[3]) == Some(1),
            token: row[4].clone().unwrap_or_default(),
            owner: row[5].clone().unwrap_or_default(),
            epoch: number(&row[6]).unwrap_or_default(),
        };
        Ok(self.try_rows(&sql)?.into_iter().map(position).collect())
    }

    /// Records that a role has applied, over all partitions.
    pub fn applied(&self, role: &Role) -> i64 {
        self.ledger(role).map_or(0, |it| it.iter().filter_map(|it| it.next).sum())
    }
}

/// A connection with what was done on it.
pub struct Held {
    connection: sqlx::MySqlConnection,
    runtime: Arc<Runtime>,
}

impl Held {
    /// Does more on it.
    pub fn run(&mut self, sql: &str) {
        self.runtime.block_on(sqlx::raw_sql(sql).execute(&mut self.connection)).unwrap_or_else(|it| panic!("{sql}: {it}"));
    }
}

fn connect(url: &str, runtime: &Runtime) -> MySqlPool {
    let _inside = runtime.enter();
    MySqlPoolOptions::new().max_connections(4).connect_lazy(url).expect("FLEET_MYSQL_URL is a URL")
}

fn keys(table: &Table) -> String {
    let keys: Vec<String> = table.columns[..table.key].iter().map(|it| format!("`{}`", it.name)).collect();
    keys.join(", ")
}

/// How a column is asked for, so that its text is the core's value.
fn selected(column: &Column) -> String {
    let name = format!("`{}`", column.name);
    match column.kind {
        Kind::Long | Kind::Bool => format!("CAST({name} AS SIGNED)"),
        Kind::Hundredths => format!("CAST({name} * 100 AS SIGNED)"),
        Kind::Time => format!("TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {name}) DIV 1000"),
        Kind::Day => format!("TO_DAYS({name}) - TO_DAYS('1970-01-01')"),
        Kind::Id | Kind::Text | Kind::Json => name,
    }
}

fn value(column: &Column, text: Option<String>) -> Value {
    let Some(text) = text else { return Value::Null };
    match column.kind {
        Kind::Id => Value::Id(text.parse().expect("a UUID")),
        Kind::Text | Kind::Json => Value::Text(text.into()),
        _ => Value::Long(text.parse().expect("a whole number")),
    }
}

/// The rows of tables as text, in order.
#[derive(Clone, PartialEq, Eq)]
pub struct Dump(BTreeMap<&'static str, Vec<String>>);

impl Dump {
    /// Fails with the rows that differ, if any do.
    pub fn assert_equals(&self, expected: &Self, what: &str) {
        for (table, wanted) in &expected.0 {
            let found = &self.0[table];
            if found != wanted {
                let (missing, extra) = (difference(wanted, found), difference(found, wanted));
                panic!("{what}: {table} has {} rows, expected {}\n  missing: {missing:#?}\n  extra: {extra:#?}", found.len(), wanted.len());
            }
        }
    }
}

/// The first rows of one list that the other has not.
fn difference<'a>(one: &'a [String], other: &[String]) -> Vec<&'a String> {
    let other: HashSet<&String> = other.iter().collect();
    one.iter().filter(|it| !other.contains(it)).take(3).collect()
}

impl fmt::Debug for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(table, rows)| (table, rows.len()))).finish()
    }
}
