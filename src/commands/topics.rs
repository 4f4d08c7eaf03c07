//! `fleet topics`: the contract's topics on the brokers.

use clap::Subcommand;

use super::Outcome;
use crate::{config::Config, fault::Fault};

/// What to do with topics.
#[derive(Subcommand)]
pub enum Args {
    /// Compare with the contract; exit code 1 if anything differs
    Plan,
    /// Create what is missing, alter settings that differ
    Apply(Apply),
}

/// How to create.
#[derive(clap::Args)]
pub struct Apply {
    /// Replicas of a new topic's partitions [default: 1 on one broker, else 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=100))]
    pub replication: Option<i32>,
}

/// Not built yet.
///
/// # Errors
/// Always.
pub async fn run(_: &Config, _: Args) -> Result<Outcome, Fault> {
    Err(Fault::fatal("not built yet"))
}
