//! All roles in one process: the largest common share of all their rates at which each of them holds its freshness.
//!
//! A role's rate is that of its topic: what other roles derive counts, and this program makes up the rest. Before the first share is tried
//! the users have a history, so that what is unlocked but once is behind most of them. Every share is tried with events that the process
//! has not seen.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use fleet::{commands::Outcome, config::Config, fault::Fault};
use tokio::time::sleep;
use workers::{ROLES, fold::Role};

use crate::{
    clock::Watch,
    drain::role_flag,
    events::{self, Amount},
    figures::Figures,
    latency::{AGE, wait_for_lanes},
    load::{self, Load, Steady},
    machine::{Servers, Usage},
    scrape::Scrape,
    stage::Stage,
    worker::Worker,
};

/// How often derived events are counted.
const COUNT: Duration = Duration::from_millis(500);
/// What is left out at the beginning of a trial.
const WARM: Duration = Duration::from_secs(3);
/// Shares that are tried differ by at least so much.
const FINEST: f64 = 0.03;
/// The part of a rate that must have been consumed at least.
const FLOWING: f64 = 0.95;
/// Events consumed, and events derived, as the worker counts them.
const CONSUMED: [&str; 2] = ["fleet_events_applied_total", "fleet_events_duplicate_total"];
const DERIVED: &str = "fleet_derived_events_total";
/// The role that all others follow.
const HISTORY: &str = "test-results";
/// The goal for all roles on two cores.
const GOAL: f64 = 0.25;

/// What to mix, and for how long.
#[derive(clap::Args)]
pub struct Args {
    /// The roles, separated by commas; all of them if none is named
    #[arg(long, value_name = "ROLE", value_delimiter = ',', value_parser = role_flag())]
    role: Vec<&'static Role>,
    /// Seconds that a share is tried
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = clap::value_parser!(u32).range(5..))]
    seconds: u32,
    /// Of how many users
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(20_000..))]
    users: u64,
    /// Test results that the users have had in the week before
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    history: u64,
    /// What chance begins with
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// One share as it went.
struct Trial {
    share: f64,
    /// By role: events consumed a second, and p99 of their age when visible, in seconds.
    roles: Vec<(&'static Role, f64, f64)>,
    /// CPU in cores: the worker's, and by name that of servers and of everything else.
    cpu: Vec<(String, f64)>,
}

impl Trial {
    fn holds(&self) -> bool {
        let flows = |role: &Role, rate: f64| rate >= FLOWING * self.share * f64::from(load::rate_of_a_process(role));
        self.roles.iter().all(|(role, rate, p99)| flows(role, *rate) && p99 * 1000.0 <= f64::from(role.topic.freshness_ms))
    }
}

/// Measures, and prints.
///
/// # Errors
/// What kept it from measuring.
pub async fn run(config: &Config, args: &Args) -> Result<Outcome, Fault> {
    let chosen = |it: &&&'static Role| it.name != "copy" && (args.role.is_empty() || args.role.iter().any(|role| role.name == it.name));
    let roles: Vec<&'static Role> = ROLES.iter().filter(chosen).copied().collect();
    let first = roles.first().ok_or_else(|| Fault::fatal("no role to mix"))?;
    let built = Stage::build(config, first).await?;
    let stages: Vec<Stage> = roles.iter().map(|role| built.of(role)).collect();
    let mut mix = Mix { stages, worker: Worker::start_all(&roles, 1)?, servers: Servers::find()?, args, trials: 0 };
    for stage in &mix.stages {
        wait_for_lanes(stage).await?;
    }
    mix.make_history().await?;
    let (best, least) = mix.search().await?;
    mix.worker.stop().await?;
    let mut figures = Figures::default();
    figures.next_run();
    figures.add("largest common share of all rates that is held", "", best.as_ref().map_or(0.0, |it| it.share)).at_least(GOAL);
    figures.add("smallest share tried that is not held", "", least.as_ref().map_or(0.0, |it| it.share));
    for trial in [best, least].into_iter().flatten() {
        tell(&trial, &mut figures);
    }
    figures.print(config.output)?;
    Ok(Outcome::Fine)
}

fn tell(trial: &Trial, figures: &mut Figures) {
    for (role, rate, p99) in &trial.roles {
        figures.add(format!("at {:.2}: {}", trial.share, role.name), "1/s", *rate);
        let age = figures.add(format!("at {:.2}: {}, produced to visible, p99", trial.share, role.name), "ms", p99 * 1000.0);
        age.at_most(f64::from(role.topic.freshness_ms));
    }
    for (name, cores) in &trial.cpu {
        figures.add(format!("at {:.2}: CPU of {name}", trial.share), "cores", *cores);
    }
}

struct Mix<'a> {
    stages: Vec<Stage>,
    worker: Worker,
    servers: Servers,
    args: &'a Args,
    trials: u64,
}

impl Mix<'_> {
    /// The best share that holds, and the least found that does not, by halves.
    async fn search(&mut self) -> Result<(Option<Trial>, Option<Trial>), Fault> {
        let (mut best, mut least): (Option<Trial>, Option<Trial>) = (None, None);
        // From below: right after its history the database still writes it to disk.
        let mut share = GOAL / 2.0;
        loop {
            let trial = self.run_trial(share).await?;
            let holds = trial.holds();
            tracing::info!(share, holds, "tried");
            *(if holds { &mut best } else { &mut least }) = Some(trial);
            let low = best.as_ref().map_or(0.0, |it| it.share);
            let high = least.as_ref().map_or(2.0 * low, |it| it.share);
            share = if least.is_none() { high } else { f64::midpoint(low, high) };
            if (least.is_some() && high - low < FINEST) || low >= 1.0 {
                return Ok((best, least));
            }
        }
    }

    /// Test results of last week, and what follows from them.
    async fn make_history(&mut self) -> Result<(), Fault> {
        let Some(stage) = self.stages.iter().find(|it| it.role.name == HISTORY) else { return Ok(()) };
        let Args { users, seed, history, .. } = *self.args;
        if history > 0 {
            events::produce(stage, Amount { events: history, users, seed }.of_last_week()).await?;
            self.await_end().await?;
        }
        Ok(())
    }

    async fn run_trial(&mut self, share: f64) -> Result<Trial, Fault> {
        self.trials += 1;
        let stop = Arc::new(AtomicBool::new(false));
        let (mut loads, start) = (Vec::new(), self.worker.scrape().await);
        for stage in &self.stages {
            // Another seed each time: the same events again would be duplicates.
            let seed = self.args.seed.wrapping_mul(1_000).wrapping_add(self.trials);
            let rate = (f64::from(load::rate_of_a_process(stage.role)) * share).max(1.0);
            let seconds = f64::from(self.args.seconds) + 4.0 * WARM.as_secs_f64();
            loads.push(Load::start(stage, Steady { rate, seconds, users: self.args.users, seed }, &stop).await?);
        }
        self.count_derived(&loads, &start, WARM).await;
        let (before, used) = (self.worker.scrape().await, Usage::now(&[self.worker.pid], &self.servers));
        self.count_derived(&loads, &start, Duration::from_secs(self.args.seconds.into())).await;
        let used = Usage::now(&[self.worker.pid], &self.servers).since(&used);
        let consumed = self.worker.scrape().await.minus(&before);
        stop.store(true, Ordering::Relaxed);
        for load in loads {
            load.end().await?;
        }
        // What came too late to be measured is measured too: a share that only lags behind does not hold.
        self.await_end().await?;
        let between = self.worker.scrape().await.minus(&before);
        let of = |role: &Role| format!("role=\"{}\"", role.name);
        let rate = |role: &Role| CONSUMED.iter().map(|it| consumed.sum(it, &of(role))).sum::<f64>() / used.seconds;
        let p99 = |role: &Role| between.quantile(AGE, &of(role), 0.99);
        let roles = self.stages.iter().map(|it| (it.role, rate(it.role), p99(it.role))).collect();
        let servers = ["mysql", "kafka", "redis"].into_iter().filter_map(|it| Some((it.to_owned(), used.server(it)?)));
        let others = [("the worker".to_owned(), used.workers), ("what makes and sends events".to_owned(), used.own)];
        let cpu = others.into_iter().chain(servers).chain([("everything else".to_owned(), used.others)]);
        Ok(Trial { share, roles, cpu: cpu.map(|(name, it)| (name, it / used.seconds)).collect() })
    }

    /// Tells the streams for a while what the worker has sent to their topics since they began.
    async fn count_derived(&self, loads: &[Load], start: &Scrape, lasting: Duration) {
        let until = Instant::now() + lasting;
        while Instant::now() < until {
            let now = self.worker.scrape().await;
            for (stage, load) in self.stages.iter().zip(loads) {
                let topic = format!("topic=\"{}\"", stage.role.topic.name);
                load.others((now.sum(DERIVED, &topic) - start.sum(DERIVED, &topic)) as u64);
            }
            sleep(COUNT.min(until.saturating_duration_since(Instant::now()))).await;
        }
    }

    async fn await_end(&mut self) -> Result<(), Fault> {
        let mut watch = Watch::new();
        for stage in &self.stages {
            let lag = |it: &Scrape| it.sum("fleet_consumer_lag_records", &format!("role=\"{}\"", stage.role.name)) as i64;
            while let left @ 1.. = lag(&self.worker.scrape().await) {
                watch.look(left, "records behind")?;
                sleep(Duration::from_millis(250)).await;
            }
        }
        Ok(())
    }
}
