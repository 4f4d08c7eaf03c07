//! One event, one row: the work on which other systems are measured.

use fleet::{commands::Outcome, config::Config, fault::Fault};
use workers::{ROLES, fold::Role};

use crate::{
    drain::{self, Goals},
    events::Amount,
    figures::Figures,
    stage::Stage,
    takeover,
};

/// What to copy.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    amount: Amount,
    /// How often
    #[arg(long, value_name = "N", default_value_t = 1)]
    runs: u32,
    /// Instead, kill one of two workers in mid-load, and time the other
    #[arg(long)]
    kill: bool,
}

const GOALS: Goals = Goals { events: 60_000.0, share: 0.6, cpu: 8.0, rss: 150.0 };

/// Measures, and prints.
///
/// # Errors
/// What kept it from measuring.
pub async fn run(config: &Config, args: &Args) -> Result<Outcome, Fault> {
    if args.kill { kill(config, args).await } else { drain::runs(config, role()?, (args.amount, args.runs), Some(GOALS)).await }
}

async fn kill(config: &Config, args: &Args) -> Result<Outcome, Fault> {
    let mut figures = Figures::default();
    for _ in 0..args.runs {
        figures.next_run();
        takeover::run(&Stage::build(config, role()?).await?, args.amount, &mut figures).await?;
    }
    figures.print(config.output)?;
    Ok(Outcome::Fine)
}

fn role() -> Result<&'static Role, Fault> {
    ROLES.iter().find(|it| it.name == "copy").copied().ok_or_else(|| Fault::fatal("built without the role copy"))
}
