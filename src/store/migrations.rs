//! The database's version: what is applied, what is missing, the months of tables partitioned by time, and the catalogues.
//!
//! Forward only: nothing here undoes a migration or drops a partition.

use std::{collections::BTreeMap, time::Duration};

use sqlx::{Executor as _, MySqlConnection, MySqlPool, Row as _, migrate::Migrator};
use time::OffsetDateTime;
use workers::{
    ROLES,
    fold::{Day, Role, Time},
};

use super::{
    catalogues, freshness,
    mysql::{acquire, fault, statements::quote},
    positions,
};
use crate::fault::Fault;

/// Every migration, compiled in.
static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// The last partition of a table partitioned by time: everything from its months' end on.
const LATER: &str = "later";
/// Months kept ahead of and behind the current one.
const MONTHS: std::ops::RangeInclusive<i32> = -24..=3;
/// How long one migration or another may hold the lock.
const LOCK_WAIT: Duration = Duration::from_secs(60);

const APPLIED: &str = "SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version";
const PARTITIONS: &str = "SELECT table_name AS name, partition_name AS part, partition_description AS bound FROM information_schema.partitions \
     WHERE table_schema = DATABASE() AND partition_method = 'RANGE COLUMNS' ORDER BY table_name, partition_ordinal_position";

/// What a database lacks.
#[derive(Debug, Default)]
pub struct Lacks {
    /// Migrations that are not applied, as `<version> <description>`.
    pub migrations: Vec<String>,
    /// Tables whose months must be made: the table and the partitions.
    pub months: Vec<(String, Vec<String>)>,
    /// Catalogues that are not the program's: the table and how many rows.
    pub catalogues: Vec<(&'static str, usize)>,
    /// Views that must be made anew.
    pub views: Vec<&'static str>,
    /// Roles whose ledgers have no row for a partition: that is damage, which nothing here mends.
    pub lanes: Vec<(&'static Role, i32)>,
}

impl Lacks {
    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        let made = self.migrations.is_empty() && self.months.is_empty() && self.catalogues.is_empty() && self.views.is_empty();
        made && self.lanes.is_empty()
    }
}

/// Whether a worker may start on this database.
///
/// # Errors
/// Fatal: the database is behind or ahead of this version; transient, as the database says.
pub async fn check(pool: &MySqlPool) -> Result<(), Fault> {
    let missing = missing(pool).await?;
    match missing.first() {
        None => Ok(()),
        Some(first) => Err(Fault::fatal(format!("the database lacks {} migrations, first {first}: run `fleet migrate`", missing.len()))),
    }
}

/// What a database lacks.
///
/// # Errors
/// Fatal: the database is ahead of this version; transient, as the database says.
pub async fn lacks(pool: &MySqlPool) -> Result<Lacks, Fault> {
    let migrations = missing(pool).await?;
    if !migrations.is_empty() {
        return Ok(Lacks { migrations, ..Lacks::default() });
    }
    let names = |(table, parts): (String, Vec<(String, String)>)| (table, parts.into_iter().map(|(name, _)| name).collect());
    let months = missing_months(pool).await?.into_iter().map(names).collect();
    let mut connection = acquire(pool).await?;
    let catalogues = catalogues::differing(&mut connection).await?;
    let views = outdated_views(&mut connection).await?;
    drop(connection);
    Ok(Lacks { migrations, months, catalogues, views, lanes: missing_lanes(pool).await? })
}

async fn outdated_views(connection: &mut MySqlConnection) -> Result<Vec<&'static str>, Fault> {
    Ok(if freshness::outdated(connection).await? { vec![freshness::VIEW] } else { Vec::new() })
}

/// Partitions of a role's topic that its ledger has no row for.
async fn missing_lanes(pool: &MySqlPool) -> Result<Vec<(&'static Role, i32)>, Fault> {
    let mut missing = Vec::new();
    for role in ROLES {
        let found = positions::all(&mut *acquire(pool).await?, role).await?;
        missing.extend(positions::missing(role, &found).into_iter().map(|it| (*role, it)));
    }
    Ok(missing)
}

/// Applies what is missing, makes the months, and puts the catalogues in place.
///
/// # Errors
/// As the database says; a migration that fails names itself.
pub async fn apply(pool: &MySqlPool) -> Result<Lacks, Fault> {
    let mut connection = pool.acquire().await.map_err(|error| fault(&error))?;
    let relaxed = "SET SESSION wait_timeout=3600, innodb_lock_wait_timeout=50";
    connection.execute(relaxed).await.map_err(|error| fault(&error))?;
    take_lock(&mut connection).await?;
    let done = apply_locked(pool, &mut connection).await;
    // The lock goes with this connection, whatever became of it.
    drop(connection.detach());
    done
}

async fn apply_locked(pool: &MySqlPool, connection: &mut MySqlConnection) -> Result<Lacks, Fault> {
    let migrations = missing(pool).await?;
    MIGRATOR.run_direct(&mut *connection).await.map_err(|error| Fault::fatal(format!("migration: {error}")))?;
    let mut months = Vec::new();
    for (table, parts) in missing_months(pool).await? {
        connection
            .execute(reorganize(&table, &parts).as_str())
            .await
            .map_err(|error| fault(&error).during(format!("months of {table}")))?;
        months.push((table, parts.into_iter().map(|(name, _)| name).collect()));
    }
    let catalogues = catalogues::put(connection).await?;
    let views = outdated_views(connection).await?;
    if !views.is_empty() {
        freshness::make(connection).await?;
    }
    Ok(Lacks { migrations, months, catalogues, views, lanes: missing_lanes(pool).await? })
}

/// Two `fleet migrate` at once wait for each other.
async fn take_lock(connection: &mut MySqlConnection) -> Result<(), Fault> {
    let query = sqlx::query("SELECT GET_LOCK(CONCAT('fleet migrate ', DATABASE()), ?)").bind(LOCK_WAIT.as_secs());
    let taken: Option<i64> = query.fetch_one(connection).await.and_then(|row| row.try_get(0)).map_err(|error| fault(&error))?;
    if taken == Some(1) { Ok(()) } else { Err(Fault::fatal("another `fleet migrate` has been at work for 60 s: wait for it")) }
}

/// Migrations of this version that the database has not.
async fn missing(pool: &MySqlPool) -> Result<Vec<String>, Fault> {
    let applied = match pool.fetch_all(APPLIED).await {
        Ok(rows) => rows,
        Err(error) if error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some("42S02") => Vec::new(),
        Err(error) => return Err(fault(&error)),
    };
    let mut there = BTreeMap::new();
    for row in &applied {
        let version: i64 = row.try_get("version").map_err(|error| fault(&error))?;
        let success: bool = row.try_get("success").map_err(|error| fault(&error))?;
        if !success {
            return Err(Fault::fatal(format!("migration {version} failed half-way: restore the database, then run `fleet migrate`")));
        }
        there.insert(version, ());
    }
    let ahead = there.keys().find(|version| !MIGRATOR.iter().any(|it| it.version == **version));
    if let Some(version) = ahead {
        return Err(Fault::fatal(format!("the database is ahead of this version of fleet (migration {version}): deploy the newer fleet")));
    }
    let lacking = MIGRATOR.iter().filter(|it| !there.contains_key(&it.version));
    Ok(lacking.map(|it| format!("{:04} {}", it.version, it.description)).collect())
}

/// Partitions that the months from two years ago to a quarter ahead lack, by table: their names and upper bounds.
async fn missing_months(pool: &MySqlPool) -> Result<Vec<(String, Vec<(String, String)>)>, Fault> {
    let now = i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    let wanted = months(Time(now).day());
    let mut bounds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in pool.fetch_all(PARTITIONS).await.map_err(|error| fault(&error))? {
        let name: String = row.try_get_unchecked("name").map_err(|error| fault(&error))?;
        let bound: String = row.try_get_unchecked("bound").map_err(|error| fault(&error))?;
        bounds.entry(name).or_default().push(bound.trim_matches('\'').to_owned());
    }
    let lacking = bounds.into_iter().map(|(table, bounds)| {
        let greatest = bounds.into_iter().filter(|it| it != "MAXVALUE").max().unwrap_or_default();
        let parts = wanted.iter().filter(|(_, bound)| *bound > greatest).cloned().collect();
        (table, parts)
    });
    Ok(lacking.filter(|(_, parts): &(String, Vec<_>)| !parts.is_empty()).collect())
}

/// The partitions wanted around a day: name and upper bound, oldest first.
fn months(today: Day) -> Vec<(String, String)> {
    let mut month = today.month();
    for _ in 0..-MONTHS.start() {
        month = month.plus(-1).month();
    }
    let mut wanted = vec![("older".to_owned(), bound(month))];
    for _ in MONTHS {
        let next = month.next_month();
        wanted.push((format!("p{}", bound(month).replace('-', "").get(..6).unwrap_or_default()), bound(next)));
        month = next;
    }
    wanted
}

fn bound(day: Day) -> String {
    day.date().map_or_else(String::new, |it| it.to_string())
}

/// Splits months off a table's last partition.
fn reorganize(table: &str, parts: &[(String, String)]) -> String {
    let parts: String = parts.iter().map(|(name, bound)| format!("PARTITION {} VALUES LESS THAN ('{bound}'), ", quote(name))).collect();
    format!("ALTER TABLE {} REORGANIZE PARTITION {LATER} INTO ({parts}PARTITION {LATER} VALUES LESS THAN (MAXVALUE))", quote(table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_run_from_two_years_ago_to_a_quarter_ahead() {
        let months = months(Day::of(2026, time::Month::March, 31).unwrap());
        assert_eq!(months.len(), 29);
        assert_eq!(months[0], ("older".to_owned(), "2024-03-01".to_owned()));
        assert_eq!(months[1], ("p202403".to_owned(), "2024-04-01".to_owned()));
        assert_eq!(months[28], ("p202606".to_owned(), "2026-07-01".to_owned()));
    }
}
