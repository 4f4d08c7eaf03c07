//! From produced to visible, at a steady rate.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use fleet::{commands::Outcome, config::Config, fault::Fault};
use tokio::time::sleep;
use workers::{ROLES, fold::Role, simulate::Plan};

use crate::{
    clock::{Watch, quantile},
    drain::{role_flag, tell_steps},
    events,
    figures::Figures,
    load::{Load, Steady, rate_of_a_process},
    machine::{Servers, Spent, Usage},
    probe::{Found, Probe},
    scrape::Scrape,
    stage::Stage,
    watchers::{Seen, WARM},
    worker::Worker,
};

/// From a record's Kafka timestamp until it is visible.
pub const AGE: &str = "fleet_record_age_seconds";

/// How fast for how long.
#[derive(clap::Args)]
pub struct Args {
    /// The role. Events of test-results are followed into both stores; what others take, the worker's own metric says
    #[arg(long, value_name = "ROLE", default_value = "test-results", value_parser = role_flag())]
    role: &'static Role,
    /// Events a second; if not given, the rate that a process of the role must hold
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// For how long
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u32).range(5..))]
    seconds: u32,
    /// Of how many users
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(20_000..))]
    users: u64,
    /// What chance begins with
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Measures, and prints.
///
/// # Errors
/// What kept it from measuring.
pub async fn run(config: &Config, args: &Args) -> Result<Outcome, Fault> {
    let (stage, servers) = (Stage::build(config, args.role).await?, Servers::find()?);
    let worker = Worker::start(stage.role, 1)?;
    wait_for_lanes(&stage).await?;
    let rate = args.rate.unwrap_or_else(|| rate_of_a_process(args.role));
    if args.role.name != role()?.name {
        return by_metric(config, (&stage, worker, &servers), args, rate).await;
    }
    let events = u64::from(rate) * u64::from(args.seconds);
    let plan = Plan { users: args.users, events, seed: args.seed, start: events::now(), span_ms: i64::from(args.seconds) * 1000 };
    let probe = Probe::start(&stage, config, plan, rate).await?;
    sleep(WARM).await;
    let (before, used) = (worker.scrape().await, Usage::now(&[worker.pid], &servers));
    sleep(Duration::from_secs(args.seconds.into()).saturating_sub(WARM)).await;
    let (after, used) = (worker.scrape().await, Usage::now(&[worker.pid], &servers).since(&used));
    let found = probe.finish().await?;
    worker.stop().await?;
    let mut figures = Figures::default();
    figures.next_run();
    let since = found.started + WARM;
    let lost = tell(&found, since, &mut figures);
    tell_own(&before, &after, &mut figures);
    tell_cpu(&used, &mut figures);
    figures.print(config.output)?;
    Ok(Outcome::trouble_if(|| lost > 0))
}

/// A role whose events nobody follows: the age at which they became visible, as the worker counts it.
async fn by_metric(
    config: &Config,
    (stage, worker, servers): (&Stage, Worker, &Servers),
    args: &Args,
    rate: u32,
) -> Result<Outcome, Fault> {
    let stop = Arc::new(AtomicBool::new(false));
    // Stopped below: longer than measured, so that none is missing at the end.
    let seconds = f64::from(args.seconds) + 2.0 * WARM.as_secs_f64();
    let steady = Steady { rate: rate.into(), seconds, users: args.users, seed: args.seed };
    let load = Load::start(stage, steady, &stop).await?;
    sleep(WARM).await;
    let (before, sent, used) = (worker.scrape().await, load.sent(), Usage::now(&[worker.pid], servers));
    sleep(Duration::from_secs(args.seconds.into()).saturating_sub(WARM)).await;
    let (after, used) = (worker.scrape().await, Usage::now(&[worker.pid], servers).since(&used));
    let sent = load.sent() - sent;
    stop.store(true, Ordering::Relaxed);
    load.end().await?;
    worker.stop().await?;
    let mut figures = Figures::default();
    figures.next_run();
    figures.add("events sent a second", "1/s", sent as f64 / used.seconds).at_least(f64::from(rate) * 0.99);
    let p99 = after.minus(&before).quantile(AGE, "", 0.99) * 1000.0;
    figures.add("produced to visible, p99 beside the role's freshness", "ms", p99).at_most(f64::from(args.role.topic.freshness_ms));
    tell_own(&before, &after, &mut figures);
    tell_cpu(&used, &mut figures);
    figures.print(config.output)?;
    Ok(Outcome::Fine)
}

fn tell_cpu(used: &Spent, figures: &mut Figures) {
    figures.add("worker CPU", "cores", used.workers / used.seconds);
    for name in ["mysql", "kafka", "redis"] {
        used.server(name).map(|it| figures.add(format!("{name} CPU"), "cores", it / used.seconds));
    }
    figures.add("CPU of everything else on the machine", "cores", used.others / used.seconds);
}

/// The role that is followed: its rows and documents name events.
pub fn role() -> Result<&'static Role, Fault> {
    ROLES.iter().find(|it| it.name == "test-results").copied().ok_or_else(|| Fault::fatal("no role test-results"))
}

/// Waits until every partition is claimed.
///
/// # Errors
/// They are not.
pub async fn wait_for_lanes(stage: &Stage) -> Result<(), Fault> {
    let mut watch = Watch::new();
    loop {
        let claimed = stage.claimed().await?;
        if claimed == i64::from(stage.role.topic.partitions) {
            return Ok(());
        }
        watch.look(claimed, "the claimed partitions")?;
        sleep(Duration::from_millis(50)).await;
    }
}

/// Tells how long events took that were sent after a moment; answers how many were never seen.
pub fn tell(found: &Found, since: Instant, figures: &mut Figures) -> usize {
    let (read, commit) = (sorted(found.plain.read.clone()), sorted(found.plain.commit.clone()));
    let mut lost = 0;
    for (store, seen, goal) in [("MySQL", &found.mysql, 50.0), ("Redis", &found.redis, 60.0)] {
        let took = sorted(milliseconds(seen, since));
        lost += seen.iter().filter(|it| it.after.is_none()).count();
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            let figure = figures.add(format!("produced to visible in {store}: {name}"), "ms", quantile(&took, share));
            figure.beside(quantile(&read, share) + quantile(&commit, share));
            if name == "p99" {
                figure.at_most(goal);
            }
        }
        figures.add(format!("events followed to {store}"), "", took.len() as f64);
    }
    for (what, took) in [("produced to a plain consumer", &read), ("a plain client's commit of a row", &commit)] {
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            figures.add(format!("{what}: {name}"), "ms", quantile(took, share));
        }
    }
    figures.add("events never seen", "", lost as f64).at_most(0.0);
    lost
}

fn milliseconds(seen: &[Seen], since: Instant) -> Vec<f64> {
    let seen = seen.iter().filter(|it| it.sent >= since);
    seen.filter_map(|it| it.after).map(|it| it.as_secs_f64() * 1000.0).collect()
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// What the worker itself says of the same time.
fn tell_own(before: &Scrape, after: &Scrape, figures: &mut Figures) {
    let between = after.minus(before);
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        figures.add(format!("produced to visible, by the worker's metric: {name}"), "ms", between.quantile(AGE, "", share) * 1000.0);
    }
    let flushes = between.sum("fleet_batch_records_count", "");
    figures.add("records a flush", "", between.sum("fleet_batch_records_sum", "") / flushes.max(1.0));
    let transactions = between.sum("fleet_flush_lanes_count", "");
    figures.add("lanes a transaction", "", between.sum("fleet_flush_lanes_sum", "") / transactions.max(1.0));
    tell_steps(&between, figures);
}
