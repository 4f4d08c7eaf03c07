//! The commands, a file each: its flags and what it does.
//!
//! What two commands need stands with its noun (store, kafka, registry), not here.

pub mod lag;
pub mod ledger;
pub mod letters;
pub mod migrate;
pub mod produce;
pub mod roles;
pub mod run;
pub mod schemas;
pub mod simulate;
pub mod topics;
pub mod verify;

use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use sqlx::MySqlPool;
use workers::{
    ROLES,
    fold::{Role, Topic},
};

use crate::{cli::Command, config::Config, fault::Fault, store::mysql};

/// How a command that could run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is as it should be.
    Fine,
    /// It found what somebody must look at, and said so.
    Trouble,
}

impl Outcome {
    /// Trouble, if there is any.
    pub fn trouble_if(found: impl FnOnce() -> bool) -> Self {
        if found() { Self::Trouble } else { Self::Fine }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Fine => Self::SUCCESS,
            Outcome::Trouble => Self::FAILURE,
        }
    }
}

/// Does what the command line asks for.
///
/// # Errors
/// What kept it from running, in a line.
pub async fn run(config: &Config, command: Command) -> Result<Outcome, Fault> {
    match command {
        Command::Roles => roles::run(config),
        Command::Run(args) => run::run(config, args).await,
        Command::Migrate(args) => migrate::run(config, args).await,
        Command::Topics(args) => topics::run(config, args).await,
        Command::Schemas(args) => schemas::run(config, args).await,
        Command::Lag(args) => lag::run(config, args).await,
        Command::Letters(args) => letters::run(config, args).await,
        Command::Ledger(args) => ledger::run(config, args).await,
        Command::Produce(args) => produce::run(config, args).await,
        Command::Simulate(args) => simulate::run(config, args).await,
        Command::Verify(args) => verify::run(config, args).await,
    }
}

/// Connections to MySQL of a command that asks, one question after the other.
const CONNECTIONS: u32 = 2;

/// The database, once it has let us in.
///
/// # Errors
/// As [`let_in`].
pub(crate) async fn database(config: &Config) -> Result<MySqlPool, Fault> {
    let pool = mysql::pool(config.mysql(), CONNECTIONS);
    let_in(config, &pool).await?;
    Ok(pool)
}

/// Opens a connection of a pool, if it has none.
///
/// # Errors
/// There is none to be had, with what to look at: the setting, and the address in it.
pub(crate) async fn let_in(config: &Config, pool: &MySqlPool) -> Result<(), Fault> {
    let options = config.mysql();
    let taken = mysql::acquire(pool).await;
    taken.map(drop).map_err(|fault| fault.during(format!("FLEET_MYSQL_URL ({}:{})", options.get_host(), options.get_port())))
}

/// A flag that names a role.
pub(crate) fn role_flag() -> impl TypedValueParser<Value = &'static Role> {
    let names = PossibleValuesParser::new(ROLES.iter().map(|it| it.name));
    names.try_map(|name| ROLES.iter().find(|it| it.name == name).copied().ok_or("no such role"))
}

/// A flag that names a topic of the contract.
pub(crate) fn topic_flag() -> impl TypedValueParser<Value = &'static Topic> {
    let names = PossibleValuesParser::new(workers::topics().into_iter().map(|it| it.name));
    names.try_map(|name| workers::topics().into_iter().find(|it| it.name == name).ok_or("no such topic"))
}

/// A reason that is kept beside what was done.
pub(crate) fn kept(text: &str) -> Result<String, String> {
    let text = text.trim();
    let fits = (1..=255).contains(&text.chars().count());
    if fits { Ok(text.to_owned()) } else { Err("1 to 255 characters".to_owned()) }
}

/// Who types, for what is kept.
pub(crate) fn by() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "somebody".to_owned());
    let by = format!("{user}@{}", host());
    by.chars().take(255).collect()
}

/// This machine's name.
pub(crate) fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "localhost".to_owned(), |it| it.trim().to_owned())
}
