//! `fleet lag`: what is not projected yet, by role and partition.

use workers::fold::Role;

use super::{Outcome, role_flag};
use crate::{config::Config, fault::Fault};

const TEACHES: &str = "\
records = the log's end - the ledger's next offset; seconds = the age of the oldest record that is not projected yet.
The state is asked from the owner's HTTP address; `unknown` when it does not answer.
Exit code 1: a partition has no owner, or its lane is blocked.";

/// Which roles.
#[derive(clap::Args)]
#[command(after_help = TEACHES)]
pub struct Args {
    /// Only these roles, separated by commas
    #[arg(long, value_name = "ROLE", value_delimiter = ',', value_parser = role_flag())]
    pub role: Vec<&'static Role>,
    /// Wait until nothing is left to project, at most so many seconds; exit code 1 if something is
    #[arg(long, value_name = "SECONDS")]
    pub wait: Option<u64>,
}

/// Not built yet.
///
/// # Errors
/// Always.
pub async fn run(_: &Config, _: Args) -> Result<Outcome, Fault> {
    Err(Fault::fatal("not built yet"))
}
