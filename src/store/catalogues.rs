//! Catalogues: tables whose rows are the program's own, put in place by `fleet migrate`.
//!
//! It deletes nothing: a row that the program no longer gives may be referred to, and is marked as retired.

use std::collections::BTreeMap;

use sqlx::{Connection as _, MySqlConnection};
use workers::{
    ROLES,
    fold::{Catalogue, Key, Value, Values},
};

use super::mysql::{fault, flush::write_rows, scan, statements::Statements};
use crate::fault::Fault;

/// Every catalogue of every role.
fn all() -> impl Iterator<Item = &'static Catalogue> {
    ROLES.iter().flat_map(|it| it.catalogues).copied()
}

/// The catalogues that differ from the program's, by table: how many rows.
///
/// # Errors
/// As the database says; fatal, where the program's own rows cannot be read.
pub async fn differing(connection: &mut MySqlConnection) -> Result<Vec<(&'static str, usize)>, Fault> {
    let mut differing = Vec::new();
    for catalogue in all() {
        let rows = missing(connection, catalogue).await?;
        if !rows.is_empty() {
            differing.push((catalogue.table.name, rows.len()));
        }
    }
    Ok(differing)
}

/// Puts every catalogue in place, each in one transaction: the tables that changed, and how many rows.
///
/// # Errors
/// As [`differing`].
pub async fn put(connection: &mut MySqlConnection) -> Result<Vec<(&'static str, usize)>, Fault> {
    let mut written = Vec::new();
    for catalogue in all() {
        let mut transaction = connection.begin().await.map_err(|error| fault(&error))?;
        let rows = missing(&mut transaction, catalogue).await?;
        write_rows(&mut transaction, &Statements::of(catalogue.table), catalogue.table, &rows).await?;
        transaction.commit().await.map_err(|error| fault(&error))?;
        if !rows.is_empty() {
            written.push((catalogue.table.name, rows.len()));
        }
    }
    Ok(written)
}

/// Rows to be written: those that are not there as they should be.
async fn missing(connection: &mut MySqlConnection, catalogue: &Catalogue) -> Result<Vec<Values>, Fault> {
    let mut found = Vec::new();
    scan::each_row(connection, catalogue.table, |row| found.push(row)).await?;
    let given = (catalogue.rows)().map_err(|it| Fault::fatal(format!("{}: {}", catalogue.table.name, it.reason)))?;
    Ok(changes(catalogue.table.key, &found, &given))
}

/// What makes the rows found into those given, and retires those that are not given.
fn changes(key: usize, found: &[Values], given: &[Values]) -> Vec<Values> {
    let key_of = |row: &Values| -> Key { row.iter().take(key).cloned().collect() };
    let mut wanted: BTreeMap<Key, Values> = found.iter().map(|row| (key_of(row), retired(row))).collect();
    wanted.extend(given.iter().map(|row| (key_of(row), Values::clone(row))));
    wanted.into_values().filter(|row| !found.contains(row)).collect()
}

fn retired(row: &Values) -> Values {
    let last = row.len().saturating_sub(1);
    row.iter().enumerate().map(|(place, value)| if place == last { Value::Long(1) } else { value.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: i64, what: &str, retired: i64) -> Values {
        [Value::Long(key), Value::Text(what.into()), Value::Long(retired)].into()
    }

    #[test]
    fn only_what_differs_is_written_and_what_is_gone_is_retired_once() {
        let given = [row(1, "same", 0), row(2, "new text", 0), row(3, "new", 0), row(5, "back", 0)];
        let found = [row(1, "same", 0), row(2, "old text", 0), row(4, "gone", 0), row(5, "back", 1), row(6, "long gone", 1)];
        let expected = [row(2, "new text", 0), row(3, "new", 0), row(4, "gone", 1), row(5, "back", 0)];
        assert_eq!(changes(1, &found, &given), expected);
        let after = [row(1, "same", 0), row(2, "new text", 0), row(3, "new", 0), row(4, "gone", 1), row(5, "back", 0)];
        assert_eq!(changes(1, &after, &given), Vec::<Values>::new());
    }
}
