//! The view `projection_freshness`: every role's ledger, a row a partition, in one place for readers.
//!
//! It is made from the table of roles, so that no migration repeats another's. It is the only view that stands in no migration.

use sqlx::{Executor as _, MySqlConnection, Row as _};
use workers::{ROLES, fold::Role};

use super::mysql::{fault, statements::quote};
use crate::fault::Fault;

/// The view's name.
pub const VIEW: &str = "projection_freshness";

const USED: &str = "SELECT table_name AS name FROM information_schema.view_table_usage \
     WHERE view_schema = DATABASE() AND view_name = 'projection_freshness'";
const COLUMNS: &str = "partition_id, next_offset, confirmed_offset, seen_end, last_event_at, applied_at";

/// Whether the view is absent, or shows other ledgers than those of the roles.
///
/// # Errors
/// As the database says.
pub async fn outdated(connection: &mut MySqlConnection) -> Result<bool, Fault> {
    let rows = connection.fetch_all(USED).await.map_err(|error| fault(&error))?;
    let mut shown = Vec::new();
    for row in &rows {
        shown.push(row.try_get_unchecked::<String, _>("name").map_err(|error| fault(&error))?);
    }
    Ok(shown.len() != ROLES.len() || ROLES.iter().any(|role| !shown.iter().any(|it| it == role.ledger)))
}

/// Makes the view, in place of what stands there.
///
/// # Errors
/// As the database says.
pub async fn make(connection: &mut MySqlConnection) -> Result<(), Fault> {
    // The collation is said, since MySQL compares the bare text with a reader's under the two connections' collations, and refuses.
    let select = |role: &Role| format!("SELECT '{}' COLLATE utf8mb4_0900_bin AS role, {COLUMNS} FROM {}", role.name, quote(role.ledger));
    let ledgers = ROLES.iter().map(|it| select(it));
    let select = ledgers.collect::<Vec<_>>().join(" UNION ALL ");
    let view = format!("CREATE OR REPLACE SQL SECURITY INVOKER VIEW {VIEW} AS {select}");
    connection.execute(view.as_str()).await.map_err(|error| fault(&error).during(format!("view {VIEW}")))?;
    Ok(())
}
