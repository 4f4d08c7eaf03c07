//! A backlog: produced first, then drained by one worker, with the limit beside it.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use fleet::{commands::Outcome, config::Config, fault::Fault};
use tokio::time::sleep;
use workers::{ROLES, fold::Role};

use crate::{
    clock::Watch,
    events::{self, Amount},
    figures::Figures,
    limit::{self, Limit},
    machine::{Servers, Spent, Usage, peak_rss},
    scrape::Scrape,
    stage::Stage,
    worker::Worker,
};

/// How often the database is asked how far the tables are.
const SAMPLE: Duration = Duration::from_millis(25);
/// The steps of a flush, as their metric names them.
const STEPS: [&str; 8] = ["decode", "load", "fold", "wait", "ledger", "rows", "commit", "outside"];

/// What to drain.
#[derive(clap::Args)]
pub struct Args {
    /// The role
    #[arg(long, value_name = "ROLE", default_value = "test-results", value_parser = role_flag())]
    role: &'static Role,
    #[command(flatten)]
    amount: Amount,
    /// How often
    #[arg(long, value_name = "N", default_value_t = 1)]
    runs: u32,
}

/// The roles by name, the bench's own among them.
pub fn role_flag() -> impl TypedValueParser<Value = &'static Role> {
    let names = PossibleValuesParser::new(ROLES.iter().map(|it| it.name));
    names.try_map(|name| ROLES.iter().find(|it| it.name == name).copied().ok_or("no such role"))
}

/// What is wanted of a role, where anything is.
pub struct Goals {
    /// Events a second.
    pub events: f64,
    /// Rows a second, as a share of the limit.
    pub share: f64,
    /// Worker CPU in microseconds an event.
    pub cpu: f64,
    /// Peak memory in MiB.
    pub rss: f64,
}

const TEST_RESULTS: Goals = Goals { events: 15_000.0, share: 0.6, cpu: 25.0, rss: 200.0 };

/// Measures, and prints.
///
/// # Errors
/// What kept it from measuring.
pub async fn run(config: &Config, args: &Args) -> Result<Outcome, Fault> {
    let goals = (args.role.name == "test-results").then_some(TEST_RESULTS);
    runs(config, args.role, (args.amount, args.runs), goals).await
}

/// So many runs of one role over the same log.
///
/// # Errors
/// As [`run`].
pub async fn runs(config: &Config, role: &'static Role, (amount, runs): (Amount, u32), goals: Option<Goals>) -> Result<Outcome, Fault> {
    let (stage, servers) = (Stage::build(config, role).await?, Servers::find()?);
    events::produce(&stage, amount.of_last_week()).await?;
    let (mut figures, mut outcome) = (Figures::default(), Outcome::Fine);
    for _ in 0..runs {
        figures.next_run();
        let drained = drain(&stage, amount.events, &servers).await?;
        let counts = stage.counts().await?;
        stage.clear().await?;
        let limit = limit::run(&stage, drained.batch(), &servers).await?;
        if !drained.is_right(amount.events) || stage.counts().await? != counts {
            outcome = Outcome::Trouble;
            config.output.remark(&format!("wrong: the tables hold {counts:?}, plain clients left {:?}", stage.counts().await?));
        }
        drained.tell(&limit, goals.as_ref(), &mut figures);
        stage.clear().await?;
    }
    figures.print(config.output)?;
    Ok(outcome)
}

/// One worker through the whole log.
struct Drained {
    spent: Spent,
    /// Seconds from the last row until all was acknowledged outside MySQL too.
    after: f64,
    /// Rows that the database was sent.
    touched: f64,
    scrape: Scrape,
    peak_rss: f64,
    events: f64,
}

async fn drain(stage: &Stage, events: u64, servers: &Servers) -> Result<Drained, Fault> {
    let total = events.cast_signed();
    let untouched = stage.touched().await?;
    let mut worker = Worker::start(stage.role, 1)?;
    let mut watch = Watch::new();
    let mut begun = Usage::now(&[worker.pid], servers);
    while stage.touched().await? == untouched {
        begun = Usage::now(&[worker.pid], servers);
        worker.check(stage.role, 1)?;
        watch.look(0, "the tables")?;
        sleep(SAMPLE).await;
    }
    let bar = stage.config.output.bar("drained", events);
    let mut progress = stage.progress().await?;
    while progress.applied < total {
        bar.set_position(progress.applied.unsigned_abs());
        worker.check(stage.role, 1)?;
        watch.look(progress.applied, "the tables")?;
        sleep(SAMPLE).await;
        progress = stage.progress().await?;
    }
    let ended = Usage::now(&[worker.pid], servers);
    while progress.confirmed < total {
        watch.look(progress.confirmed, "the confirmed offsets")?;
        sleep(SAMPLE).await;
        progress = stage.progress().await?;
    }
    let after = Usage::now(&[], servers).since(&ended).seconds;
    bar.finish_and_clear();
    let touched = (stage.touched().await? - untouched) as f64;
    let (scrape, peak_rss) = (worker.scrape().await, peak_rss(worker.pid));
    worker.stop().await?;
    Ok(Drained { spent: ended.since(&begun), after, touched, scrape, peak_rss, events: events as f64 })
}

impl Drained {
    fn rows(&self) -> f64 {
        self.scrape.sum("fleet_rows_written_total", "")
    }

    /// Records of a flush, on average.
    fn batch(&self) -> usize {
        let flushes = self.scrape.sum("fleet_batch_records_count", "").max(1.0);
        (self.scrape.sum("fleet_batch_records_sum", "") / flushes).round() as usize
    }

    /// Whether every event was applied, known, or lettered.
    fn is_right(&self, events: u64) -> bool {
        let counted = ["applied", "duplicate", "rejected"].map(|it| self.scrape.sum(&format!("fleet_events_{it}_total"), ""));
        counted.iter().sum::<f64>() == events as f64
    }

    fn tell(&self, limit: &Limit, goals: Option<&Goals>, figures: &mut Figures) {
        let (spent, per_million) = (&self.spent, 1e6 / self.events);
        let events = figures.add("events a second", "1/s", self.events / spent.seconds).beside(self.events / limit.seconds);
        goals.map(|it| events.at_least(it.events));
        let rows = figures.add("rows a second", "1/s", self.rows() / spent.seconds).beside(limit.rows as f64 / limit.seconds);
        goals.map(|it| rows.share_at_least(it.share));
        figures.add("seconds from first to last row", "s", spent.seconds).beside(limit.seconds);
        figures.add("seconds until the last acknowledgement outside", "s", self.after);
        figures.add("rows written", "", self.rows()).beside(limit.rows as f64);
        figures.add("rows that the database was sent", "", self.touched);
        figures.add("records a flush", "", self.batch() as f64);
        let again = self.scrape.sum("fleet_store_errors_total", "store=\"mysql\"");
        figures.add("flushes tried again, statements of plain clients sent again", "", again).beside(limit.again);
        let cpu = figures.add("worker CPU per million events", "s", spent.workers * per_million);
        goals.map(|it| cpu.at_most(it.cpu));
        for name in ["mysql", "kafka", "redis"] {
            let Some(seconds) = spent.server(name) else { continue };
            let figure = figures.add(format!("{name} CPU per million events"), "s", seconds * per_million);
            limit.mysqld.filter(|_| name == "mysql").map(|it| figure.beside(it * per_million));
        }
        figures.add("CPU of everything else on the machine", "cores", spent.others / spent.seconds);
        let rss = figures.add("worker peak memory", "MiB", self.peak_rss);
        goals.map(|it| rss.at_most(it.rss));
        tell_steps(&self.scrape, figures);
    }
}

/// Tells how long flushes spend in each step.
pub fn tell_steps(scrape: &Scrape, figures: &mut Figures) {
    const METRIC: &str = "fleet_flush_duration_seconds";
    for step in STEPS {
        let label = format!("step=\"{step}\"");
        let count = scrape.sum(&format!("{METRIC}_count"), &label);
        if count > 0.0 {
            let sum = scrape.sum(&format!("{METRIC}_sum"), &label);
            figures.add(format!("flush, {step}: all together"), "s", sum);
            for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
                figures.add(format!("flush, {step}: {name}"), "ms", scrape.quantile(METRIC, &label, share) * 1000.0);
            }
        }
    }
}
