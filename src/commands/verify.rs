//! `fleet verify`: folds a topic again from its origin, and compares with the tables.

use workers::fold::Role;

use super::{Outcome, role_flag};
use crate::{config::Config, fault::Fault};

const TEACHES: &str = "\
It folds the records below the ledger's position in memory, never reading the rows it checks, and prints each row that
differs. Workers may go on meanwhile. Exit code 0: no difference; 1: differences; 2: the log no longer reaches the origin.";

/// What to check.
#[derive(clap::Args)]
#[command(after_help = TEACHES)]
pub struct Args {
    /// The role
    #[arg(long, value_name = "ROLE", value_parser = role_flag())]
    pub role: &'static Role,
    /// Only this partition
    #[arg(long, value_name = "N")]
    pub partition: Option<i32>,
}

/// Not built yet.
///
/// # Errors
/// Always.
pub async fn run(_: &Config, _: Args) -> Result<Outcome, Fault> {
    Err(Fault::fatal("not built yet"))
}
