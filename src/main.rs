//! The program: flags, log, runtime, exit code.
//!
//! It does nothing itself: each command is a file of [`fleet::commands`].

use std::{io, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Parser;
use fleet::{
    cli::Cli,
    commands::{self, Outcome},
    config::{Config, LogFormat},
};
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What libraries say of connections that lanes replace by themselves, and of settings that only consumers have.
const QUIET: &str = "sqlx_core=warn,librdkafka=error";

/// A command that could not run.
const COULD_NOT: u8 = 2;

/// Blocking calls into libraries get so long to end after the command has.
const LAST_CALLS: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match start() {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("fleet: {error:#}");
            ExitCode::from(COULD_NOT)
        }
    }
}

fn start() -> anyhow::Result<Outcome> {
    let cli = Cli::parse();
    let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let config = Config::new(cli.config, variables)?;
    log(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let outcome = runtime.block_on(commands::run(&config, cli.command));
    runtime.shutdown_timeout(LAST_CALLS);
    Ok(outcome?)
}

fn log(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", config.log)).context("FLEET_LOG: not a list of levels")?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false);
    match config.log_format {
        LogFormat::Lines => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}
