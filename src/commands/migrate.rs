//! `fleet migrate`: the database's schema, and the months of history tables.

use super::Outcome;
use crate::{config::Config, fault::Fault};

/// Whether to change anything.
#[derive(clap::Args)]
pub struct Args {
    /// Change nothing: say what is missing, exit code 1 if anything is
    #[arg(long)]
    pub check: bool,
}

/// Not built yet.
///
/// # Errors
/// Always.
pub async fn run(_: &Config, _: Args) -> Result<Outcome, Fault> {
    Err(Fault::fatal("not built yet"))
}
