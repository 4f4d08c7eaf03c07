//! The stage of a measurement: a database, a Redis database, topics and schemas of its own, made anew.
//!
//! It deletes nothing that is not named `bench`: another name is refused.

use std::{collections::BTreeMap, process::Stdio, sync::Arc, time::Duration};

use fleet::{
    config::Config,
    fault::Fault,
    metrics::Metrics,
    registry::Registry,
    store::mysql::{self, statements::quote},
};
use rdkafka::{
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};
use sqlx::{Connection as _, Executor as _, MySqlConnection, MySqlPool, Row as _};
use tokio::{process::Command, time::sleep};
use workers::fold::Role;

use crate::worker;

/// The only name that is deleted by.
const NAME: &str = "bench";
/// Databases here hold this table from their first moment.
const COPY: &str = include_str!("copy.sql");
/// After emptying tables the database settles.
const SETTLE: Duration = Duration::from_secs(2);

const LEDGER_AS_NEW: &str = "token = NULL, epoch = 0, owner = NULL, topic_id = NULL, origin_offset = NULL, next_offset = NULL, \
     confirmed_offset = NULL, seen_end = NULL, last_record = NULL, pending = NULL, caches_behind = 0, last_event_at = NULL, applied_at = NULL";

/// Where a role is measured.
pub struct Stage {
    /// The servers and names.
    pub config: Config,
    /// The role.
    pub role: &'static Role,
    /// Connections of the measurer.
    pub pool: MySqlPool,
    /// Schemas.
    pub registry: Arc<Registry>,
}

/// How far the role's tables are, in records since the log's origin.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// In the tables.
    pub applied: i64,
    /// Acknowledged outside MySQL too.
    pub confirmed: i64,
}

impl Stage {
    /// A stage for a role, empty.
    ///
    /// # Errors
    /// Servers that do not answer, or names that are not the bench's own.
    pub async fn build(config: &Config, role: &'static Role) -> Result<Self, Fault> {
        make_database(config).await?;
        delete_topics(config).await?;
        for command in [&["migrate"][..], &["topics", "apply"], &["schemas", "register"]] {
            fleet(command).await?;
        }
        let registry = Arc::new(Registry::new(config, &Arc::new(Metrics::new()?))?);
        let stage = Self { config: config.clone(), role, pool: mysql::pool(config.mysql(), 4), registry };
        stage.clear().await?;
        Ok(stage)
    }

    /// The same stage for another role.
    pub fn of(&self, role: &'static Role) -> Self {
        Self { config: self.config.clone(), role, pool: self.pool.clone(), registry: Arc::clone(&self.registry) }
    }

    /// Empties the role's tables, its ledger and Redis; the log stays.
    ///
    /// # Errors
    /// The servers' own.
    pub async fn clear(&self) -> Result<(), Fault> {
        for table in self.role.tables {
            self.execute(&format!("TRUNCATE TABLE {}", quote(table.name))).await?;
        }
        self.execute(&format!("UPDATE {} SET {LEDGER_AS_NEW}", quote(self.role.ledger))).await?;
        self.execute("DELETE FROM letters").await?;
        empty_redis(&self.config).await?;
        sleep(SETTLE).await;
        Ok(())
    }

    /// How far the tables are.
    ///
    /// # Errors
    /// The database's own.
    pub async fn progress(&self) -> Result<Progress, Fault> {
        let text = format!(
            "SELECT CAST(COALESCE(SUM(next_offset - origin_offset), 0) AS SIGNED), \
             CAST(COALESCE(SUM(confirmed_offset - origin_offset), 0) AS SIGNED) FROM {}",
            quote(self.role.ledger)
        );
        let row = sqlx::query(&text).fetch_one(&self.pool).await.map_err(|it| mysql::fault(&it))?;
        let number = |place: usize| row.try_get::<i64, _>(place).map_err(|it| mysql::fault(&it));
        Ok(Progress { applied: number(0)?, confirmed: number(1)? })
    }

    /// Partitions that a worker has claimed.
    ///
    /// # Errors
    /// The database's own.
    pub async fn claimed(&self) -> Result<i64, Fault> {
        let text = format!("SELECT COUNT(next_offset) FROM {}", quote(self.role.ledger));
        let row = sqlx::query(&text).fetch_one(&self.pool).await.map_err(|it| mysql::fault(&it))?;
        row.try_get(0).map_err(|it| mysql::fault(&it))
    }

    /// Rows sent to the role's tables so far, committed or not, as the database counts them.
    ///
    /// # Errors
    /// The database's own.
    pub async fn touched(&self) -> Result<i64, Fault> {
        const TEXT: &str = "SELECT OBJECT_NAME, COUNT_INSERT FROM performance_schema.table_io_waits_summary_by_table \
                            WHERE OBJECT_SCHEMA = DATABASE()";
        let rows = sqlx::query(TEXT).fetch_all(&self.pool).await.map_err(|it| mysql::fault(&it))?;
        let mut sum = 0;
        for row in rows {
            let name: String = row.try_get(0).map_err(|it| mysql::fault(&it))?;
            if self.role.tables.iter().any(|it| it.name == name) {
                sum += row.try_get::<u64, _>(1).map_err(|it| mysql::fault(&it))?.cast_signed();
            }
        }
        Ok(sum)
    }

    /// Rows of each of the role's tables.
    ///
    /// # Errors
    /// The database's own.
    pub async fn counts(&self) -> Result<BTreeMap<&'static str, i64>, Fault> {
        let mut counts = BTreeMap::new();
        for table in self.role.tables {
            let text = format!("SELECT COUNT(*) FROM {}", quote(table.name));
            let row = sqlx::query(&text).fetch_one(&self.pool).await.map_err(|it| mysql::fault(&it))?;
            counts.insert(table.name, row.try_get(0).map_err(|it| mysql::fault(&it))?);
        }
        Ok(counts)
    }

    /// The topic's name on the brokers.
    pub fn topic(&self) -> String {
        self.config.topic(self.role.topic)
    }

    async fn execute(&self, text: &str) -> Result<(), Fault> {
        self.pool.execute(text).await.map(|_| ()).map_err(|it| mysql::fault(&it))
    }
}

/// Drops the database and makes it again, with the tables that no migration makes.
async fn make_database(config: &Config) -> Result<(), Fault> {
    let options = config.mysql();
    if options.get_database() != Some(NAME) {
        return Err(Fault::fatal(format!("FLEET_MYSQL_URL names another database than {NAME}: use ops/bench")));
    }
    let fault = |it: sqlx::Error| mysql::fault(&it);
    let mut connection = MySqlConnection::connect_with(&options.database("information_schema")).await.map_err(fault)?;
    let foreign = "SELECT COUNT(*), COALESCE(SUM(table_name = 'copy_ledger'), 0) > 0 FROM tables WHERE table_schema = ?";
    let row = sqlx::query(foreign).bind(NAME).fetch_one(&mut connection).await.map_err(fault)?;
    let (tables, own): (i64, bool) = (row.try_get(0).map_err(fault)?, row.try_get(1).map_err(fault)?);
    if tables > 0 && !own {
        return Err(Fault::fatal(format!("the database {NAME} is not the bench's own: it is left alone")));
    }
    for text in ["DROP DATABASE IF EXISTS bench", "CREATE DATABASE bench", "USE bench", COPY] {
        connection.execute(text).await.map_err(fault)?;
    }
    connection.close().await.map_err(fault)
}

/// Deletes the bench's topics, and waits until they are gone.
async fn delete_topics(config: &Config) -> Result<(), Fault> {
    let names: Vec<String> = workers::topics().into_iter().map(|it| config.topic(it)).collect();
    if names.iter().any(|it| !it.starts_with("bench.")) {
        return Err(Fault::fatal(format!("FLEET_NAMESPACE is not {NAME}: use ops/bench")));
    }
    let client: AdminClient<DefaultClientContext> = config.kafka().create().map_err(Fault::fatal)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // A topic that is not there is as good as deleted.
    client.delete_topics(&names, &AdminOptions::new()).await.map_err(Fault::fatal)?;
    let admin = fleet::kafka::admin::Admin::new(config)?;
    for _ in 0..100 {
        let there = admin.cluster().await?.partitions;
        if !names.iter().any(|it| there.contains_key(*it)) {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    Err(Fault::fatal("the brokers did not delete the bench's topics within 10 s"))
}

async fn fleet(arguments: &[&str]) -> Result<(), Fault> {
    let ended = Command::new(worker::fleet()?).args(arguments).stdout(Stdio::null()).status().await;
    match ended {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Fault::fatal(format!("fleet {} failed", arguments.join(" ")))),
    }
}

async fn empty_redis(config: &Config) -> Result<(), Fault> {
    let trouble = |it: redis::RedisError| Fault::fatal(format!("redis: {it}"));
    let client = redis::Client::open(config.redis.secret()).map_err(trouble)?;
    if client.get_connection_info().redis_settings().db() == 0 {
        return Err(Fault::fatal("FLEET_REDIS_URL names database 0, which others use: use ops/bench"));
    }
    let mut connection = client.get_multiplexed_async_connection().await.map_err(trouble)?;
    redis::cmd("FLUSHDB").exec_async(&mut connection).await.map_err(trouble)
}
