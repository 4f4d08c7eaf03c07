//! `fleet run`: plays roles until SIGTERM.
//!
//! It checks everything that can be checked before a partition is taken, and says in one line what is not as it must be.

use std::{net::SocketAddr, process, sync::Arc, time::Duration};

use sqlx::MySqlPool;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use workers::{ROLES, fold::Role};

use super::{Outcome, host, let_in, role_flag};
use crate::{
    config::Config,
    fault::Fault,
    health::Health,
    http,
    kafka::{admin::Admin, producer::Producer},
    lane::{Context, Group, Held, Seldom, Settings},
    metrics::Metrics,
    registry::Registry,
    store::{migrations, mysql, mysql::flush::Flusher, redis::Caches},
    worker,
};

const TEACHES: &str = "\
Examples:
  fleet run --role ROLE          one role; each further process takes over a share of its partitions
  fleet run --role ROLE,ROLE     several in one process
  fleet run --all                every role
  fleet run --role ROLE --http 127.0.0.1:0    a second process on one machine: a free port, which its log names

SIGTERM or ctrl-c ends it within 30 seconds: batches in flight are finished or rolled back, positions are kept.
A second signal ends it at once; nothing is lost by that either.
/metrics, /livez, /readyz and /state are served at --http.";

/// Which roles.
#[derive(clap::Args)]
#[command(after_help = TEACHES)]
pub struct Args {
    /// The roles to play, separated by commas
    #[arg(long, value_name = "ROLE", value_delimiter = ',', value_parser = role_flag(), required_unless_present = "all")]
    pub role: Vec<&'static Role>,
    /// Play every role
    #[arg(long, conflicts_with = "role")]
    pub all: bool,
}

impl Args {
    /// The roles to play, each once, in the order of `fleet roles`.
    pub fn roles(&self) -> Vec<&'static Role> {
        ROLES.iter().copied().filter(|role| self.all || self.role.iter().any(|it| it.name == role.name)).collect()
    }
}

/// A second signal, or a stop that takes too long, ends the process with this code.
const ENDED_AT_ONCE: i32 = 130;
/// How long a graceful stop may take.
const STOP: Duration = Duration::from_secs(29);

/// Small transactions of all roles of a process at once: each waits for disks and for its answers, so one alone would leave the database idle.
const AT_ONCE: usize = 2;

/// What the roles of one process share.
struct Shared {
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    registry: Arc<Registry>,
    producer: Producer,
    admin: Admin,
    owner: String,
    /// Small transactions of all roles take turns.
    turn: Arc<Semaphore>,
}

/// Plays roles until a signal.
///
/// # Errors
/// Fatal: what keeps a role from starting, or ended one.
pub async fn run(config: &Config, args: Args) -> Result<Outcome, Fault> {
    let signals = Signals::new()?;
    let (stop, stopping) = watch::channel(false);
    let metrics = Arc::new(Metrics::new()?);
    let health = Health::new(Arc::clone(&metrics));
    let listener = http::bind(config.http).await?;
    let address = listener.local_addr().map_err(|error| Fault::fatal(format!("FLEET_HTTP: {error}")))?;
    tokio::spawn(http::serve(listener, Arc::clone(&health), Arc::clone(&metrics), std::future::pending()));
    let owner = format!("{} {} http://{}", host(), process::id(), reachable(address));
    tracing::info!(config = ?config, "serving metrics and health at http://{address}");
    let shared = Shared {
        registry: Arc::new(Registry::new(config, &metrics)?),
        producer: Producer::new(&config.kafka())?,
        admin: Admin::new(config)?,
        metrics,
        health,
        owner,
        turn: Arc::new(Semaphore::new(AT_ONCE)),
    };
    tokio::spawn(signals.obey(stop.clone()));
    let Some(contexts) = contexts(config, &args.roles(), &shared, &stopping).await? else { return Ok(Outcome::Fine) };
    let mut roles = JoinSet::new();
    for context in contexts {
        let (config, health, stopping) = (config.clone(), Arc::clone(&shared.health), stopping.clone());
        roles.spawn(async move { worker::play(&config, context, health, stopping).await });
    }
    let mut first = None;
    while let Some(ended) = roles.join_next().await {
        let ended = ended.unwrap_or_else(|error| Err(Fault::fatal(format!("a role ended badly: {error}"))));
        // One role that cannot go on ends the process: a supervisor starts it again, half a worker helps nobody.
        let _ = stop.send(true);
        first = first.or(ended.err());
    }
    first.map_or(Ok(Outcome::Fine), Err)
}

/// What each role needs, all checked before the first takes a partition. `None` when told to stop while waiting for the weather.
async fn contexts(
    config: &Config,
    roles: &[&'static Role],
    shared: &Shared,
    stopping: &watch::Receiver<bool>,
) -> Result<Option<Vec<Context>>, Fault> {
    // Named before any is met, so that a worker of several roles is not ready when the first is.
    for need in roles.iter().flat_map(|it| [mysql_of(it), worker::group_of(it)]) {
        shared.health.need(need);
    }
    let mut contexts = Vec::new();
    for role in roles {
        let Some(context) = context(config, role, shared, stopping.clone()).await? else { return Ok(None) };
        contexts.push(context);
    }
    Ok(Some(contexts))
}

/// Everything that the lanes of a role share, checked. `None` when told to stop while waiting for the weather.
async fn context(
    config: &Config,
    role: &'static Role,
    shared: &Shared,
    mut stopping: watch::Receiver<bool>,
) -> Result<Option<Context>, Fault> {
    let answered = shared.health.need(mysql_of(role));
    let pool = mysql::pool(config.mysql(), config.mysql_connections);
    let topic = config.topic(role.topic);
    let told = async {
        // The sender lives as long as this function's caller.
        let _ = stopping.wait_for(|it| *it).await;
    };
    let waits = |fault: &Fault, _: Duration| tracing::warn!(role = role.name, "waiting to start: {fault}");
    let checked = crate::retry::until_done(told, waits, async || check(config, &pool, &shared.admin, (role, &topic)).await).await?;
    if checked.is_none() {
        return Ok(None);
    }
    answered.met();
    shared.metrics.promise(role.name, role.topic.freshness_ms);
    let flusher = Arc::new(Flusher::new(role, &topic, &pool));
    let metrics = shared.metrics.role(role.name);
    Ok(Some(Context {
        role,
        topic,
        emit_topics: role.emits.iter().map(|it| (config.topic(it), config.subject(it))).collect(),
        group: Group::start(&flusher, (config.mysql_connections, &shared.turn), &metrics),
        flusher,
        registry: Arc::clone(&shared.registry),
        producer: shared.producer.clone(),
        caches: Caches::new(config.redis.secret(), role, pool.clone())?,
        admin: shared.admin.clone(),
        held: Held::default(),
        settings: Settings {
            lane_memory: config.lane_memory,
            breaker: config.breaker,
            session_timeout: config.session_timeout(),
            owner: shared.owner.clone(),
        },
        cache_warnings: Seldom::default(),
        metrics,
        process: Arc::clone(&shared.metrics),
        pool,
    }))
}

/// The name of what a role needs of MySQL before it is ready.
fn mysql_of(role: &Role) -> String {
    format!("mysql of {}", role.name)
}

/// The address by which others reach this process: one that stands for every address of the machine is told by its name.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("{}:{}", host(), address.port()) } else { address.to_string() }
}

/// What must hold before a role starts: the database's version, and that the topic exists.
async fn check(config: &Config, pool: &MySqlPool, admin: &Admin, (role, topic): (&Role, &str)) -> Result<(), Fault> {
    let_in(config, pool).await?;
    migrations::check(pool).await?;
    match admin.topic_id(topic).await? {
        Some(_) => Ok(()),
        None => Err(Fault::fatal(format!("topic {topic} of role {} does not exist: run `fleet topics apply`", role.name))),
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, Fault> {
        let listen = |kind| signal(kind).map_err(|error| Fault::fatal(format!("cannot listen to signals: {error}")));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// The first signal stops in order, the second at once, and so does time.
    async fn obey(mut self, stop: watch::Sender<bool>) {
        self.next().await;
        tracing::info!("stopping: batches in flight end first; a second signal ends at once");
        // Whoever listened may have ended by itself.
        let _ = stop.send(true);
        tokio::select! {
            () = self.next() => tracing::warn!("ended at once by a second signal"),
            () = tokio::time::sleep(STOP) => tracing::warn!("ended at once: the stop took longer than 29 s"),
        }
        process::exit(ENDED_AT_ONCE);
    }
}
