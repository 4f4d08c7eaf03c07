//! `fleet-bench`: what `ops/bench` runs. Produces, starts workers, measures them, and the limit beside them.
//!
//! It is built with the feature `bench` alone, and is no part of what is deployed.

mod catchup;
mod clock;
mod copy;
mod drain;
mod events;
mod figures;
mod latency;
mod limit;
mod load;
mod machine;
mod mix;
mod probe;
mod scrape;
mod stage;
mod takeover;
mod watchers;
mod worker;

use std::{io, process::ExitCode};

use clap::{Parser, Subcommand};
use fleet::{
    commands::Outcome,
    config::{self, Config},
    fault::Fault,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const COULD_NOT: u8 = 2;

const TEACHES: &str = "\
Examples:
  ops/bench drain --role test-results --events 500000
  ops/bench copy --events 1000000
  ops/bench copy --events 1000000 --kill

The limit beside a figure is what the same servers did in the same run without Fleet: the same rows into the same tables
as prepared upserts of 1000 rows, sent by plain clients over as many connections as the topic has partitions.
Exit codes: 0 measured, 1 measured, but the tables are not what the events make of them, 2 could not run.";

/// Measures Fleet on the servers of ops/stack
#[derive(Parser)]
#[command(name = "ops/bench", after_help = TEACHES, disable_help_subcommand = true, max_term_width = 120)]
struct Cli {
    #[command(flatten)]
    config: config::Args,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A role through a backlog: events and rows a second, CPU, memory
    Drain(drain::Args),
    /// One event, one row, as other systems are measured; with --kill the time until others take over
    Copy(copy::Args),
    /// At a steady rate: from produced to visible in MySQL and in Redis
    Latency(latency::Args),
    /// A backlog while events keep arriving: until nothing is behind, and how fresh then
    Catchup(catchup::Args),
    /// All roles in one process: the largest common share of their rates that is held
    Mix(mix::Args),
}

fn main() -> ExitCode {
    match start() {
        Ok(outcome) => outcome.into(),
        Err(fault) => {
            eprintln!("ops/bench: {fault}");
            ExitCode::from(COULD_NOT)
        }
    }
}

fn start() -> Result<Outcome, Fault> {
    let cli = Cli::parse();
    let config = Config::new(cli.config, own_variables(&cli.command).chain(std::env::vars()))?;
    tracing_subscriber::fmt()
        .with_env_filter(format!("{},rdkafka=off,librdkafka=off,sqlx=error", config.log))
        .with_writer(io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Fault::fatal)?;
    let done = runtime.block_on(run(&config, cli.command));
    runtime.shutdown_background();
    done
}

/// Producers that wait for nothing else linger for 5 ms, as is usual, where it is timed what they produce.
fn own_variables(command: &Command) -> impl Iterator<Item = (String, String)> {
    let timed = matches!(command, Command::Latency(_) | Command::Catchup(_) | Command::Mix(_))
        && std::env::var_os("FLEET_KAFKA_LINGER_MS").is_none();
    timed.then(|| ("FLEET_KAFKA_LINGER_MS".to_owned(), "5".to_owned())).into_iter()
}

async fn run(config: &Config, command: Command) -> Result<Outcome, Fault> {
    match command {
        Command::Drain(args) => drain::run(config, &args).await,
        Command::Copy(args) => copy::run(config, &args).await,
        Command::Latency(args) => latency::run(config, &args).await,
        Command::Catchup(args) => catchup::run(config, &args).await,
        Command::Mix(args) => mix::run(config, &args).await,
    }
}
