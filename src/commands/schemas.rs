//! `fleet schemas`: the contract's schemas in the registry.

use clap::Subcommand;

use super::Outcome;
use crate::{config::Config, fault::Fault};

/// What to do with schemas.
#[derive(Subcommand)]
pub enum Args {
    /// Check that each parses, fits its examples and can read all that is registered
    Check,
    /// Set each subject to BACKWARD_TRANSITIVE and register its schema
    Register,
}

/// Not built yet.
///
/// # Errors
/// Always.
pub async fn run(_: &Config, _: Args) -> Result<Outcome, Fault> {
    Err(Fault::fatal("not built yet"))
}
