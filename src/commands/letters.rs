//! `fleet letters`: records that could not be applied, and the breakers that they opened.

use clap::Subcommand;
use workers::fold::Role;

use super::{Outcome, role_flag};
use crate::{config::Config, fault::Fault};

const TEACHES: &str = "\
Examples:
  fleet letters list                                       by role, partition and reason
  fleet letters list --role ROLE --each                    one line a letter
  fleet letters show --role ROLE --partition 3 --offset 81 its bytes, headers and reason
  fleet letters accept --role ROLE --partition 3 --reason 'bad deploy 412, upstream rolled back'

A lane whose letters exceed --breaker-ratio or --breaker-run stops before it keeps them (state breaker-open). Mend the cause
upstream or deploy a fleet that reads such records, and it goes on by itself; or `accept` that they become letters.";

/// What to do with letters.
#[derive(Subcommand)]
#[command(after_help = TEACHES)]
pub enum Args {
    /// Count letters and show open breakers
    List(List),
    /// Show one letter whole; its bytes may hold personal data
    Show(Show),
    /// Close an open breaker: its records become letters, and the lane goes on
    Accept(Accept),
}

/// Which letters.
#[derive(clap::Args)]
pub struct List {
    /// Only this role's
    #[arg(long, value_name = "ROLE", value_parser = role_flag())]
    pub role: Option<&'static Role>,
    /// Only this partition's
    #[arg(long, value_name = "N", requires = "role")]
    pub partition: Option<i32>,
    /// One line a letter instead of counts by reason
    #[arg(long)]
    pub each: bool,
    /// At most so many lines, the latest first
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u32,
}

/// Which letter.
#[derive(clap::Args)]
pub struct Show {
    /// Its role
    #[arg(long, value_name = "ROLE", value_parser = role_flag())]
    pub role: &'static Role,
    /// Its partition
    #[arg(long, value_name = "N")]
    pub partition: i32,
    /// Its offset
    #[arg(long, value_name = "N")]
    pub offset: i64,
}

/// Which breaker, and why.
#[derive(clap::Args)]
pub struct Accept {
    /// Its role
    #[arg(long, value_name = "ROLE", value_parser = role_flag())]
    pub role: &'static Role,
    /// Its partition
    #[arg(long, value_name = "N")]
    pub partition: i32,
    /// Accept letters below this offset [default: the log's end now]
    #[arg(long, value_name = "OFFSET")]
    pub to: Option<i64>,
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
