//! `fleet ledger`: positions of the roles in their topics, and how to move one by hand.

use clap::Subcommand;
use workers::fold::Role;

use super::{Outcome, role_flag};
use crate::{config::Config, fault::Fault};

const TEACHES: &str = "\
Examples:
  fleet ledger show --role ROLE
  fleet ledger move --role ROLE --partition 3 --to 1200 --accept-loss --reason 'topic restored from backup of 2024-05-01'

A move is the way out of the states log-changed and out-of-range. Records between the old and the new position are never
applied (or applied again, where the position moves back); each move is kept in ledger_moves.";

/// What to do with the ledger.
#[derive(Subcommand)]
#[command(after_help = TEACHES)]
pub enum Args {
    /// Print positions, owners and what is not confirmed
    Show(Show),
    /// Set a partition's next offset
    Move(Move),
}

/// Which rows.
#[derive(clap::Args)]
pub struct Show {
    /// Only these roles, separated by commas
    #[arg(long, value_name = "ROLE", value_delimiter = ',', value_parser = role_flag())]
    pub role: Vec<&'static Role>,
}

/// Which row, where to, and why.
#[derive(clap::Args)]
pub struct Move {
    /// Its role
    #[arg(long, value_name = "ROLE", value_parser = role_flag())]
    pub role: &'static Role,
    /// Its partition
    #[arg(long, value_name = "N")]
    pub partition: i32,
    /// The next offset to apply: a number, `start` or `end` of the log
    #[arg(long, value_name = "OFFSET")]
    pub to: String,
    /// Yes: what lies between the positions is lost, or applied again
    #[arg(long, required = true)]
    pub accept_loss: bool,
    /// Why; it is kept
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Not built yet.
///
/// # Errors
/// Always.
pub async fn run(_: &Config, _: Args) -> Result<Outcome, Fault> {
    Err(Fault::fatal("not built yet"))
}
