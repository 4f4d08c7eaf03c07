//! Gathered lists: one JSON value an owner, of rows that lie in many lanes.
//!
//! No lane knows what the others' rows are, so a list is read from the table, in one snapshot with the ledger of all lanes, and
//! its version is the sum of theirs. No lane's version ever falls, and of two snapshots of one database the later holds all that the
//! earlier does: so the sum tells which is the later, and the script that refuses an older document refuses an older list. It merges
//! nothing in Redis, and holds no row between two calls.

use std::time::{Duration, Instant};

use redis::Cmd;
use sqlx::{MySqlConnection, MySqlPool, mysql::MySqlArguments};
use tokio::sync::Mutex;
use workers::fold::{Column, Family, Form, Gathered, Key, Value, Values, object};

use super::{
    Caches, Inner, Shown, documents,
    rows::{self, Page, Snapshot},
};
use crate::{
    fault::Fault,
    store::mysql::{statements, values},
};

/// Owners whose lists are read in one snapshot.
const OWNERS: usize = 200;
/// How long a connection may rest and be used again; the server ends it after a minute.
const REST: Duration = Duration::from_secs(30);

/// The connection that lists are read on, kept from one flush to the next: lanes of a process take turns.
#[derive(Default)]
pub struct Reader(Mutex<Option<(MySqlConnection, Instant)>>);

/// The command that writes an owner's list.
pub fn command(gathered: &Gathered, family: &Family, row: &Shown) -> Cmd {
    let key = documents::key(gathered.key, family.key_columns(), &row.key);
    let data = if let Some([Value::Text(list)]) = row.values.as_deref() { list } else { "[]" };
    documents::set(&key, row.version, data, gathered.ttl_s)
}

impl Caches {
    /// Writes the lists of these owners as the tables are now.
    pub(super) async fn gather(&self, owners: &[(usize, Key)]) -> Result<(), Fault> {
        if owners.is_empty() {
            return Ok(());
        }
        // Taken out while it is used: whoever stops listening in the middle leaves none behind.
        let mut kept = self.inner.reader.0.lock().await;
        let mut connection = fresh(kept.take(), &self.inner.mysql).await?;
        for page in owners.chunks(OWNERS) {
            let read = lists(&mut connection, &self.inner, page).await?;
            self.show(&read.lanes, read.last_event_at, &read.rows).await?;
        }
        *kept = Some((connection, Instant::now()));
        Ok(())
    }

    /// Writes the lists of all owners of a family: how many.
    ///
    /// A missing key would do for readers. But a list that was read before Redis was emptied may be written after it, or one may be
    /// ahead of a database that was put back: only a newer list keeps those from standing.
    pub(super) async fn rebuild_gathered(&self, place: usize, connection: &mut MySqlConnection) -> Result<u64, Fault> {
        let Some(family) = self.inner.role.caches.get(place) else { return Ok(0) };
        let Form::Gathered(gathered) = &family.form else { return Ok(0) };
        let (mut after, mut shown) = (None, 0);
        loop {
            let owners = owners(connection, (family, gathered), after).await?;
            let owners: Vec<(usize, Key)> = owners.into_iter().map(|it| (place, it)).collect();
            let Some((_, last)) = owners.last() else { return Ok(shown) };
            after = Some(last.clone());
            for page in owners.chunks(OWNERS) {
                let read = lists(connection, &self.inner, page).await?;
                self.show(&read.lanes, read.last_event_at, &read.rows).await?;
            }
            shown += owners.len() as u64;
        }
    }
}

/// The connection that was kept, or another where it may be gone.
async fn fresh(kept: Option<(MySqlConnection, Instant)>, pool: &MySqlPool) -> Result<MySqlConnection, Fault> {
    match kept {
        Some((connection, since)) if since.elapsed() < REST => Ok(connection),
        _ => rows::connect(pool).await,
    }
}

/// The next owners of a family, in order.
async fn owners(connection: &mut MySqlConnection, family: (&Family, &Gathered), after: Option<Key>) -> Result<Vec<Key>, Fault> {
    let (family, gathered) = family;
    let text = statements::owners(family.table, gathered, (after.is_some(), rows::PAGE));
    let mut arguments = MySqlArguments::default();
    for (column, value) in family.key_columns().iter().zip(after.iter().flatten()) {
        values::bind(&mut arguments, column, value)?;
    }
    let rows = rows::within(sqlx::query_with(&text, arguments).fetch_all(connection)).await?;
    rows.iter().map(|it| Ok(values::read_row(family.key_columns(), it)?.to_vec().into())).collect()
}

/// The lists of these owners, in one snapshot.
async fn lists(connection: &mut MySqlConnection, inner: &Inner, owners: &[(usize, Key)]) -> Result<Page, Fault> {
    let snapshot = Snapshot::open(connection, inner.role).await?;
    let version = snapshot.together();
    let mut lists = Vec::with_capacity(owners.len());
    for (place, owner) in owners {
        let Some(family) = inner.role.caches.get(*place) else { continue };
        let Form::Gathered(gathered) = &family.form else { continue };
        let list: Value = Value::Text(list(connection, (family, gathered), owner).await?.into());
        let values: Values = [list].into();
        lists.push(Shown { family: *place, key: owner.clone(), values: Some(values), version });
    }
    rows::run(connection, "COMMIT").await?;
    Ok(Page { lanes: snapshot.lanes(), last_event_at: snapshot.last_event_at, rows: lists })
}

/// An owner's list as JSON.
async fn list(connection: &mut MySqlConnection, (family, gathered): (&Family, &Gathered), owner: &Key) -> Result<String, Fault> {
    let text = statements::newest(family.table, gathered);
    let mut arguments = MySqlArguments::default();
    for (column, value) in family.key_columns().iter().zip(owner.iter()) {
        values::bind(&mut arguments, column, value)?;
    }
    let columns: Vec<Column> = gathered.shown(family.table);
    let mut objects = Vec::new();
    for row in rows::within(sqlx::query_with(&text, arguments).fetch_all(connection)).await? {
        objects.push(object(&columns, &values::read_row(&columns, &row)?));
    }
    Ok(format!("[{}]", objects.join(",")))
}
