//! The view `projection_freshness`: every role's ledger, a row a partition, in one place for readers.
//!
//! It is made from the table of roles, so that no migration repeats another's. It is the only view that stands in no migration.

use sqlx::{Executor as _, MySqlConnection, Row as _};
use workers::{ROLES, fold::Role};
use xxhash_rust::xxh3::xxh3_64;

use super::mysql::{fault, statements::quote};
use crate::fault::Fault;

/// The view's name.
pub const VIEW: &str = "projection_freshness";

const DEFINITION: &str =
    "SELECT view_definition AS text FROM information_schema.views WHERE table_schema = DATABASE() AND table_name = 'projection_freshness'";
const COLUMNS: &str = "partition_id, next_offset, confirmed_offset, seen_end, last_event_at, applied_at";

/// Whether the view is absent, or was made by another statement than this program's.
///
/// # Errors
/// As the database says.
pub async fn outdated(connection: &mut MySqlConnection) -> Result<bool, Fault> {
    let Some(row) = connection.fetch_optional(DEFINITION).await.map_err(|error| fault(&error))? else { return Ok(true) };
    let text: String = row.try_get_unchecked("text").map_err(|error| fault(&error))?;
    Ok(!text.contains(&mark()))
}

/// Makes the view, in place of what stands there.
///
/// # Errors
/// As the database says.
pub async fn make(connection: &mut MySqlConnection) -> Result<(), Fault> {
    connection.execute(statement(&mark()).as_str()).await.map_err(|error| fault(&error).during(format!("view {VIEW}")))?;
    Ok(())
}

/// The statement that makes the view; each ledger goes by this name in it.
fn statement(ledger: &str) -> String {
    // The collation is said, since MySQL compares the bare text with a reader's under the two connections' collations, and refuses.
    let select =
        |role: &Role| format!("SELECT '{}' COLLATE utf8mb4_0900_bin AS role, {COLUMNS} FROM {} {ledger}", role.name, quote(role.ledger));
    let selects = ROLES.iter().map(|it| select(it)).collect::<Vec<_>>().join(" UNION ALL ");
    format!("CREATE OR REPLACE SQL SECURITY INVOKER VIEW {VIEW} AS {selects}")
}

/// A name that stands for the whole statement. MySQL keeps a view's text in words of its own and without comments, but with its names.
fn mark() -> String {
    format!("ledger_{:016x}", xxh3_64(statement("").as_bytes()))
}
