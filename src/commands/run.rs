//! `fleet run`: plays roles until SIGTERM.

use workers::{ROLES, fold::Role};

use super::{Outcome, role_flag};
use crate::{config::Config, fault::Fault};

const TEACHES: &str = "\
Examples:
  fleet run --role ROLE          one role; each further process takes over a share of its partitions
  fleet run --role ROLE,ROLE     several in one process
  fleet run --all                every role

SIGTERM or ctrl-c ends it within 30 seconds: batches in flight are finished or rolled back, positions are kept.
A second signal ends it at once; nothing is lost by that either.
/metrics, /livez, /readyz and /state are served at --http.";

/// Which roles.
#[derive(clap::Args)]
#[command(after_help = TEACHES)]
pub struct Args {
    /// The roles to play, separated by commas
    #[arg(long, value_name = "ROLE", value_delimiter = ',', value_parser = role_flag(), required_unless_present = "all")]
    pub role: Vec<&'static Role>,
    /// Play every role
    #[arg(long, conflicts_with = "role")]
    pub all: bool,
}

impl Args {
    /// The roles to play, each once, in the order of `fleet roles`.
    pub fn roles(&self) -> Vec<&'static Role> {
        ROLES.iter().copied().filter(|role| self.all || self.role.iter().any(|it| it.name == role.name)).collect()
    }
}

/// Not built yet.
///
/// # Errors
/// Always.
pub async fn run(_: &Config, _: Args) -> Result<Outcome, Fault> {
    Err(Fault::fatal("not built yet"))
}
