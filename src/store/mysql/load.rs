//! Loading the rows that a batch misses: one look-up a table, in fixed shapes.

use std::collections::{BTreeMap, HashMap};

use sqlx::{Arguments as _, MySqlConnection, mysql::MySqlArguments};
use tokio::time::timeout;
use workers::fold::{Key, Missing, Role, Values};

use super::{DEADLINE, acquire, discard, fault, flush::Flusher, statements::Statements, values};
use crate::fault::Fault;

/// The rows of these keys as the database has them, `None` for each that is absent.
///
/// # Errors
/// Transient or fatal, as the database says.
pub async fn load(flusher: &Flusher, missing: Vec<Missing>) -> Result<Vec<(Missing, Option<Values>)>, Fault> {
    let Flusher { role, statements, pool, .. } = flusher;
    let mut by_table: BTreeMap<usize, Vec<Key>> = BTreeMap::new();
    for it in missing {
        by_table.entry(it.table).or_default().push(it.key);
    }
    let mut connection = acquire(pool).await?;
    match timeout(DEADLINE, load_tables(&mut connection, role, statements, by_table)).await {
        Ok(Ok(rows)) => Ok(rows),
        Ok(Err(fault)) => {
            discard(connection);
            Err(fault)
        }
        Err(_) => {
            discard(connection);
            Err(Fault::transient("mysql: a look-up took more than 20 s"))
        }
    }
}

/// The same on one connection, and in the transaction that is open on it: keys by their table's place. A key that is named twice is
/// answered once.
///
/// # Errors
/// As [`load`].
pub async fn load_tables(
    connection: &mut MySqlConnection,
    role: &Role,
    statements: &[Statements],
    by_table: BTreeMap<usize, Vec<Key>>,
) -> Result<Vec<(Missing, Option<Values>)>, Fault> {
    let mut loaded = Vec::new();
    for (table, mut keys) in by_table {
        keys.sort_unstable();
        keys.dedup();
        let (Some(declared), Some(texts)) = (role.tables.get(table), statements.get(table)) else {
            return Err(Fault::fatal(format!("{} has no table at place {table}", role.name)));
        };
        let mut found: HashMap<Key, Values> = HashMap::with_capacity(keys.len());
        let mut rest = keys.as_slice();
        // To ask for one key again is cheaper than another statement.
        while let Some((text, now, later)) = texts.read.repeating(rest) {
            rest = later;
            let mut arguments = MySqlArguments::default();
            arguments.reserve(now.clone().count() * declared.key, now.clone().flatten().map(values::room).sum());
            for key in now {
                for (column, value) in declared.key_columns().iter().zip(key.iter()) {
                    values::bind(&mut arguments, column, value)?;
                }
            }
            for row in sqlx::query_with(text, arguments).fetch_all(&mut *connection).await.map_err(|error| fault(&error))? {
                let row = values::read_row(&texts.read_columns, &row)?;
                found.insert(row.get(..declared.key).unwrap_or_default().into(), row);
            }
        }
        loaded.extend(keys.into_iter().map(|key| {
            let row = found.remove(&key);
            (Missing { table, key }, row)
        }));
    }
    Ok(loaded)
}
