//! A backlog while events keep arriving: how long until the tables are up to date, and how fresh they are then.

use std::time::{Duration, Instant};

use fleet::{commands::Outcome, config::Config, fault::Fault};
use tokio::time::sleep;
use workers::simulate::Plan;

use crate::{
    clock::Watch,
    events::{self, Amount},
    figures::Figures,
    latency, limit,
    machine::Servers,
    probe::Probe,
    stage::Stage,
    worker::Worker,
};

/// The longest that events arrive.
const LONGEST_S: u32 = 300;
/// What follows once the tables are up to date.
const FRESH: Duration = Duration::from_secs(10);
/// The first of it is left out.
const SETTLE: Duration = Duration::from_secs(1);

/// How much is behind, and how fast more arrives.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    amount: Amount,
    /// Events a second that arrive meanwhile
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
}

/// Measures, and prints.
///
/// # Errors
/// What kept it from measuring.
pub async fn run(config: &Config, args: &Args) -> Result<Outcome, Fault> {
    let (stage, servers) = (Stage::build(config, latency::role()?).await?, Servers::find()?);
    events::produce(&stage, args.amount.of_last_week()).await?;
    let events = u64::from(args.rate) * u64::from(LONGEST_S);
    let seed = args.amount.seed.wrapping_add(1);
    let plan = Plan { users: args.amount.users, events, seed, start: events::now(), span_ms: i64::from(LONGEST_S) * 1000 };
    let probe = Probe::start(&stage, config, plan, args.rate).await?;
    let worker = Worker::start(stage.role, 1)?;
    let started = Instant::now();
    catch_up(&stage, &probe, args).await?;
    let caught_up = started.elapsed().as_secs_f64();
    let since = Instant::now() + SETTLE;
    sleep(FRESH).await;
    let found = probe.finish().await?;
    let scrape = worker.scrape().await;
    worker.stop().await?;
    stage.clear().await?;
    let batch = scrape.sum("fleet_batch_records_sum", "") / scrape.sum("fleet_batch_records_count", "").max(1.0);
    let limit = limit::run(&stage, batch as usize, &servers).await?;
    let produced = scrape.sum("fleet_events_applied_total", "") + scrape.sum("fleet_events_duplicate_total", "");
    let mut figures = Figures::default();
    figures.next_run();
    let beside = args.amount.events as f64 / (produced / limit.seconds - f64::from(args.rate)).max(1.0);
    figures.add("seconds from the worker's start until nothing is behind", "s", caught_up).beside(beside);
    let lost = latency::tell(&found, since, &mut figures);
    figures.print(config.output)?;
    Ok(Outcome::trouble_if(|| lost > 0))
}

/// Waits until less is behind than arrives in a tenth of a second.
async fn catch_up(stage: &Stage, probe: &Probe, args: &Args) -> Result<(), Fault> {
    let mut watch = Watch::new();
    loop {
        let applied = stage.progress().await?.applied;
        let behind = (args.amount.events + probe.sent()).cast_signed() - applied;
        if behind <= i64::from(args.rate / 10) {
            return Ok(());
        }
        watch.look(applied, "the tables")?;
        sleep(Duration::from_millis(25)).await;
    }
}
