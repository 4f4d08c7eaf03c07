//! `fleet lag`: what is not projected yet, by role and partition.
//!
//! It asks the database, the brokers and the owners' HTTP, and joins no group.

mod owners;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use sqlx::MySqlPool;
use workers::{ROLES, fold::Role};

use self::owners::Owners;
use super::{Outcome, database, role_flag};
use crate::{
    config::Config,
    fault::Fault,
    health::State,
    kafka::{admin::Admin, log::Log},
    store::{
        mysql,
        positions::{self, Standing},
    },
};

const TEACHES: &str = "\
records = the log's end - the ledger's next offset; seconds = the age of the oldest record that is not projected yet, 0 at
the log's end. The state is asked from the owner's HTTP address; `unknown` when it does not answer or has no such lane.
Exit code 1: a lane does not get on, a ledger has lost its row, or records wait and nobody works on their partition.";

/// How often `--wait` looks again.
const AGAIN: Duration = Duration::from_millis(500);

/// Which roles.
#[derive(clap::Args)]
#[command(after_help = TEACHES)]
pub struct Args {
    /// Only these roles, separated by commas
    #[arg(long, value_name = "ROLE", value_delimiter = ',', value_parser = role_flag())]
    pub role: Vec<&'static Role>,
    /// Wait until nothing is left to project, at most so many seconds; exit code 1 if something is
    #[arg(long, value_name = "SECONDS")]
    pub wait: Option<u64>,
}

/// One partition.
#[derive(Clone, Debug, Serialize)]
struct Line {
    role: &'static str,
    topic: String,
    partition: i32,
    end: i64,
    next_offset: Option<i64>,
    records: i64,
    seconds: f64,
    state: Option<State>,
    detail: Option<String>,
    owner: Option<String>,
    #[serde(skip)]
    is_lost: bool,
    #[serde(skip)]
    low: i64,
    /// The topic's id as claimed.
    #[serde(skip)]
    claimed: Option<String>,
}

impl Line {
    /// The first offset that is not projected, as far as the log still has it.
    fn waiting(&self) -> i64 {
        self.next_offset.unwrap_or(self.low).max(self.low)
    }

    /// What position and log show, whatever the owner says.
    fn seen(&self, topic_id: Option<&String>) -> Option<State> {
        if self.is_lost {
            return Some(State::LedgerMissing);
        }
        let next = self.next_offset?;
        if next > self.end || (self.claimed.is_some() && self.claimed.as_ref() != topic_id) {
            return Some(State::LogChanged);
        }
        (next < self.low).then_some(State::OutOfRange)
    }

    /// Whether something is left to project. A partition without a position may lack all of it.
    fn is_left(&self) -> bool {
        self.records > 0 || self.is_lost
    }

    /// Whether somebody must look.
    fn is_trouble(&self) -> bool {
        self.state.map_or(self.records > 0, State::is_blocked)
    }
}

/// Prints every partition of the roles.
///
/// # Errors
/// A server that does not answer, a topic or a table that is missing.
pub async fn run(config: &Config, args: Args) -> Result<Outcome, Fault> {
    let wanted = |role: &&&'static Role| args.role.is_empty() || args.role.iter().any(|it| it.name == role.name);
    let watch = Watch::new(config, ROLES.iter().filter(wanted).copied().collect()).await?;
    let deadline = Instant::now() + Duration::from_secs(args.wait.unwrap_or_default());
    let waiting = config.output.spinner("records wait");
    let mut lines = watch.lines().await?;
    while args.wait.is_some() && lines.iter().any(Line::is_left) && Instant::now() < deadline {
        waiting.set_position(left(&lines));
        tokio::time::sleep(AGAIN).await;
        lines = watch.lines().await?;
    }
    waiting.finish_and_clear();
    watch.add_ages(&mut lines).await?;
    watch.add_states(&mut lines).await?;
    config.output.rows(
        &lines,
        &[
            ("role", |it| it.role.to_owned()),
            ("partition", |it| it.partition.to_string()),
            ("end", |it| it.end.to_string()),
            ("next", |it| it.next_offset.map_or_else(|| "-".to_owned(), |it| it.to_string())),
            ("records", |it| it.records.to_string()),
            ("seconds", |it| format!("{:.1}", it.seconds)),
            ("state", |it| it.state.map_or("unknown", State::as_str).to_owned()),
            ("owner", |it| it.owner.clone().unwrap_or_else(|| "-".to_owned())),
            ("", |it| it.detail.clone().unwrap_or_default()),
        ],
    )?;
    Ok(Outcome::trouble_if(|| lines.iter().any(Line::is_trouble) || (args.wait.is_some() && lines.iter().any(Line::is_left))))
}

fn left(lines: &[Line]) -> u64 {
    lines.iter().map(|it| it.records.unsigned_abs()).sum()
}

/// What is asked, again and again.
struct Watch {
    pool: MySqlPool,
    logs: Vec<(&'static Role, Arc<Log>)>,
    admin: Admin,
}

impl Watch {
    async fn new(config: &Config, roles: Vec<&'static Role>) -> Result<Self, Fault> {
        let admin = Admin::new(config)?;
        let cluster = admin.cluster().await?;
        let mut logs = Vec::with_capacity(roles.len());
        for role in roles {
            let topic = config.topic(role.topic);
            if !cluster.partitions.contains_key(&topic) {
                return Err(Fault::fatal(format!("topic {topic} does not exist: run `fleet topics apply`")));
            }
            logs.push((role, Arc::new(Log::new(config, topic)?)));
        }
        Ok(Self { pool: database(config).await?, logs, admin })
    }

    /// Positions and ends of all partitions.
    async fn lines(&self) -> Result<Vec<Line>, Fault> {
        let mut lines = Vec::new();
        let mut connection = mysql::acquire(&self.pool).await?;
        for (role, log) in &self.logs {
            let mut standings = positions::all(&mut connection, role).await?;
            let lost = positions::missing(role, &standings);
            standings.extend(lost.iter().map(|it| Standing { partition: *it, ..Standing::default() }));
            standings.sort_by_key(|it| it.partition);
            let partitions: Vec<i32> = standings.iter().map(|it| it.partition).collect();
            let asked = Arc::clone(log);
            let ends = move || partitions.into_iter().map(|it| asked.watermarks(it)).collect::<Result<Vec<_>, Fault>>();
            // After the positions, so that no position lies past the end that it is compared with.
            let ends = blocking(ends).await??;
            lines.extend(standings.into_iter().zip(ends).map(|(standing, ends)| {
                let line = line((role, log.topic()), standing, ends);
                let is_lost = lost.contains(&line.partition);
                Line { is_lost, detail: is_lost.then(|| positions::give_back(role, line.partition)), ..line }
            }));
        }
        Ok(lines)
    }

    /// The ages of the oldest records that wait.
    async fn add_ages(&self, lines: &mut [Line]) -> Result<(), Fault> {
        for (role, log) in &self.logs {
            let mine = |it: &&mut Line| it.role == role.name && it.records > 0;
            let offsets: Vec<(i32, i64)> = lines.iter_mut().filter(mine).map(|it| (it.partition, it.waiting())).collect();
            if offsets.is_empty() {
                continue;
            }
            let log = Arc::clone(log);
            let found = blocking(move || log.timestamps(&offsets)).await??;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
            for line in lines.iter_mut().filter(mine) {
                line.seconds = found.get(&line.partition).map_or(0.0, |at| (now - *at as f64 / 1000.0).max(0.0));
            }
        }
        Ok(())
    }

    /// The states of the lanes: as their owners say, or as positions and log show without them.
    async fn add_states(&self, lines: &mut [Line]) -> Result<(), Fault> {
        let owners = Owners::ask(lines.iter().filter_map(|it| it.owner.as_deref())).await?;
        let mut ids = BTreeMap::new();
        for (role, log) in &self.logs {
            let id = self.admin.topic_id(log.topic()).await?;
            ids.insert(role.name, id.map(|it| uuid::Uuid::from_bytes(it).to_string()));
        }
        for line in lines {
            let lane = line.owner.as_deref().and_then(|it| owners.lane(it, line.role, line.partition));
            let said = lane.map(|it| it.state);
            let seen = line.seen(ids.get(line.role).and_then(Option::as_ref));
            line.state = said.filter(|it| it.is_blocked()).or(seen).or(said);
            line.detail = lane.and_then(|it| it.detail.clone()).or_else(|| line.detail.take());
        }
        Ok(())
    }
}

fn line((role, topic): (&'static Role, &str), standing: Standing, (low, end): (i64, i64)) -> Line {
    let position = standing.position;
    Line {
        role: role.name,
        topic: topic.to_owned(),
        partition: standing.partition,
        end,
        next_offset: position.next_offset,
        records: (end - position.next_offset.unwrap_or(low)).max(0),
        seconds: 0.0,
        state: None,
        detail: None,
        owner: standing.owner,
        is_lost: false,
        low,
        claimed: position.topic_id,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(Fault::transient)
}
