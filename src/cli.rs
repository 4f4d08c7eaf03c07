//! The command line: one command, its flags, and what `--help` teaches.
//!
//! The flags of a command stand in its own file; those of every command in [`crate::config`].

use clap::{Parser, Subcommand};

use crate::{commands, config};

const EXAMPLES: &str = "\
Examples:
  eval \"$(ops/stack env)\"                         use the servers of ops/stack
  fleet migrate && fleet topics apply && fleet schemas register
  fleet run --all                                 every role in one process, for a laptop
  fleet run --role ROLE                           one role; start more of them to share its partitions
  fleet lag                                       what is not projected yet, and who works on it
  fleet simulate --topic TOPIC --users 1000 --events 10000 --seed 1
  fleet verify --role ROLE                        fold the topic again and compare with the tables

Exit codes: 0 fine, 1 found trouble, 2 could not run.
`fleet COMMAND --help` says more; `fleet roles` lists the roles and their topics.";

/// Avro events from Kafka into MySQL tables and Redis keys that equal a fold of the log, exactly once.
#[derive(Parser)]
#[command(name = "fleet", version, about, after_help = EXAMPLES, disable_help_subcommand = true, max_term_width = 120)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub config: config::Args,
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// List the roles: topic, key, consumer group, tables
    Roles,
    /// Work: consume the topics of roles until SIGTERM
    Run(commands::run::Args),
    /// Bring the database to this program's schema, and make the months of history tables
    Migrate(commands::migrate::Args),
    /// Compare topics with the contract, and create or alter them
    #[command(subcommand)]
    Topics(commands::topics::Args),
    /// Check the contract's schemas, and register them
    #[command(subcommand)]
    Schemas(commands::schemas::Args),
    /// Tell what is not projected yet, by role and partition
    Lag(commands::lag::Args),
    /// Look at records that could not be applied, and let a stopped lane go on
    #[command(subcommand)]
    Letters(commands::letters::Args),
    /// Look at positions, and move one by hand
    #[command(subcommand)]
    Ledger(commands::ledger::Args),
    /// Send events from a file, encoded, keyed and partitioned as the contract says
    Produce(commands::produce::Args),
    /// Send made-up events, the same ones for the same seed
    Simulate(commands::simulate::Args),
    /// Fold a topic again from its origin, and compare with the tables
    Verify(commands::verify::Args),
}

#[cfg(test)]
mod tests;
