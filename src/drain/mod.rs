//! Drains: what the fold put into a queue is called out for, once, by whichever worker holds the row's lane.
//!
//! What a row becomes and what an answer means the core says; here rows are claimed, handed over, recorded and reported.

mod domains;
pub mod message;
mod round;
mod settle;
pub mod smtp;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use lettre::message::Mailbox;
use sqlx::{MySqlConnection, MySqlPool};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{interval, sleep, timeout},
};
use workers::fold::{
    Key, Time,
    drain::{Channel, Drain, Mail, Sender},
    limit::Class,
};

use crate::{
    config::{Config, smtp as settings},
    fault::Fault,
    health::{Beat, Health},
    lane::Context,
    metrics::{DrainMetrics, Store},
    retry::Retry,
    store::{
        mysql::{DEADLINE, acquire, discard, pool},
        queue::{self, Entry, Queue},
    },
};

use domains::Domains;
use round::Round;
use smtp::Smtp;

/// Rows under way at once.
const AT_ONCE: usize = 32;
/// Connections to MySQL of one drain, apart from those of the lanes.
const CONNECTIONS: u32 = 3;
/// How often an idle drain looks for rows that are due.
const LOOK: Duration = Duration::from_millis(250);
/// Claims of a busy drain begin at least so far apart, so that each takes several rows.
const PACE: Duration = Duration::from_millis(25);
/// How often outcomes that nobody acknowledged are looked for.
const LOOK_BACK: Duration = Duration::from_secs(5);
/// How often rows that wait are counted.
const COUNT: Duration = Duration::from_secs(10);
/// How long what is under way may take to end when the process stops.
const PARTING: Duration = Duration::from_secs(20);
/// Attempts remembered, and for how long where there are more: a lane reads its outcomes back from the log much sooner.
const MADE: usize = 10_000;
const REMEMBERED: Duration = Duration::from_secs(600);
/// Outcomes reported again at once.
const AGAIN: u32 = 100;

/// One drain of one role in this process.
struct Draining {
    context: Arc<Context>,
    health: Arc<Health>,
    drain: &'static Drain,
    queue: Queue,
    pool: MySqlPool,
    metrics: DrainMetrics,
    clock: Clock,
    /// How long a claim holds.
    lease: Duration,
    /// Why this process can tell its topic nothing any more.
    broken: OnceLock<String>,
    /// Rows whose outcome cannot be told: each was said once.
    untold: Mutex<BTreeSet<Key>>,
    /// Attempts made here of late, by row.
    made: Mutex<HashMap<Key, (i64, Instant)>>,
}

/// What a drain of mails needs to send.
struct Post {
    own: Arc<Draining>,
    mail: &'static Mail,
    smtp: Smtp,
    sender: Sender,
    from: Mailbox,
    settings: settings::Smtp,
    domains: Mutex<Domains>,
    /// Since when no mail gets in, as a mail that was handed over found.
    shut: Mutex<Option<Instant>>,
    /// Tokens of rows that were given back, until the next round puts them back.
    unused: Mutex<Vec<Class>>,
    stop: watch::Receiver<bool>,
}

/// The database's clock, read now and then, and carried on by this process's.
#[derive(Default)]
struct Clock(Mutex<Option<(Time, Instant)>>);

impl Clock {
    fn set(&self, now: Time) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Instant::now()));
    }

    /// The time, `None` before the database told it.
    fn now(&self) -> Option<Time> {
        let read = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read.map(|(at, read)| at.plus(millis(read.elapsed())))
    }
}

/// Starts the drains of a role. They end by themselves, within 20 s, when `stop` turns true.
pub fn start(config: &Config, context: &Arc<Context>, health: &Arc<Health>, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    for drain in context.role.drains {
        let patience = config.smtp.as_ref().map_or(Duration::from_secs(60), |it| it.patience);
        let own = Arc::new(Draining {
            context: Arc::clone(context),
            health: Arc::clone(health),
            drain,
            queue: Queue::of(context.role, drain),
            pool: pool(config.mysql(), CONNECTIONS),
            metrics: context.process.drain(context.role.name, drain.name),
            clock: Clock::default(),
            lease: lease(patience),
            broken: OnceLock::new(),
            untold: Mutex::default(),
            made: Mutex::default(),
        });
        tasks.push(tokio::spawn(tend(Arc::clone(&own), stop.clone())));
        let Channel::Mail(mail) = drain.channel;
        match &config.smtp {
            Some(settings) => tasks.push(tokio::spawn(Post::new(own, mail, settings.clone(), stop.clone()).run())),
            None => own.hold(Some("FLEET_SMTP_URL is not set: mails wait".to_owned())),
        }
    }
    tasks
}

/// How long a claim holds: longer than a conversation's beginning and the two halves of a handing over together.
fn lease(patience: Duration) -> Duration {
    patience * 3 + Duration::from_secs(2)
}

impl Draining {
    /// Says whether the drain takes rows, or why not; a change is logged once. What is broken stays so.
    fn hold(&self, why: Option<String>) {
        let why = self.broken.get().cloned().or(why);
        let (role, queue) = (self.context.role.name, self.drain.name);
        self.metrics.held.set(i64::from(why.is_some()));
        if self.health.drain(role, queue, why.clone()) {
            match why {
                Some(why) => tracing::warn!(role, queue, "held: {why}"),
                None => tracing::info!(role, queue, "goes on"),
            }
        }
    }

    /// An attempt was made: whatever becomes of the database, its row is not sent again before the log has told its outcome.
    fn note_made(&self, entry: &Entry) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.len() >= MADE {
            made.retain(|_, (_, at)| at.elapsed() < REMEMBERED);
        }
        made.insert(entry.key(), (entry.long("attempts"), Instant::now()));
    }

    /// Whether a row is older than an attempt that was made here: the database was put back, and the lane has not yet read what came of it.
    fn is_put_back(&self, row: &Entry) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.get(&row.key()).is_some_and(|(attempts, _)| row.long("attempts") < *attempts)
    }

    fn weather(&self, fault: &Fault) {
        tracing::warn!(role = self.context.role.name, queue = self.drain.name, "waits: {fault}");
        self.context.process.store_error(Store::Mysql, fault.weather());
    }
}

/// Comes true when the worker is told to stop, or nobody is left who would tell it.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|it| *it).await;
}

/// Counts what waits, and reports outcomes whose worker did not live to have them acknowledged.
async fn tend(own: Arc<Draining>, mut stop: watch::Receiver<bool>) {
    let (mut look_back, mut count) = (interval(LOOK_BACK), interval(COUNT));
    loop {
        let tended = tokio::select! {
            biased;
            () = told(&mut stop) => return,
            _ = look_back.tick() => own.report_again().await,
            _ = count.tick() => own.count().await,
        };
        if let Err(fault) = tended {
            own.weather(&fault);
        }
    }
}

impl Draining {
    async fn report_again(&self) -> Result<(), Fault> {
        if self.broken.get().is_some() {
            return Ok(());
        }
        let unreported = self.on_connection(async |connection| {
            let now = queue::now(connection).await?;
            let before = now.plus(-millis(self.lease));
            self.queue.unreported(connection, before, AGAIN).await
        });
        for entry in unreported.await? {
            self.report(&entry).await;
        }
        Ok(())
    }

    async fn count(&self) -> Result<(), Fault> {
        for (class, rows) in self.on_connection(async |connection| self.queue.waiting(connection).await).await? {
            self.metrics.waiting(queue::label(class), rows);
        }
        Ok(())
    }

    /// What some work on a connection gives; a connection on which it failed or hung is closed, and what it began undone.
    async fn on_connection<T>(&self, work: impl AsyncFnOnce(&mut MySqlConnection) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut connection = acquire(&self.pool).await?;
        let done = timeout(DEADLINE, work(&mut connection)).await;
        let done = done.unwrap_or_else(|_| Err(Fault::transient("mysql: work on a queue took more than 20 s")));
        if done.is_err() {
            discard(connection);
        }
        done
    }
}

/// As the database's instants count.
fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

impl Post {
    fn new(own: Arc<Draining>, mail: &'static Mail, settings: settings::Smtp, stop: watch::Receiver<bool>) -> Arc<Self> {
        let sender = Sender { address: settings.address.to_string(), unsubscribe_url: settings.unsubscribe.clone() };
        Arc::new(Self {
            own,
            mail,
            smtp: Smtp::new(settings.clone(), crate::commands::host()),
            sender,
            from: settings.from.clone(),
            settings,
            domains: Mutex::default(),
            shut: Mutex::default(),
            unused: Mutex::default(),
            stop,
        })
    }

    /// Claims and hands over until told to stop.
    async fn run(self: Arc<Self>) {
        let name = format!("drain {} of {}", self.own.drain.name, self.own.context.role.name);
        let beat = self.own.health.beat(name, self.settings.patience * 2 + DEADLINE * 2);
        let (mut stop, mut under_way, mut retry) = (self.stop.clone(), JoinSet::new(), Retry::default());
        let mut pause = Duration::ZERO;
        loop {
            tokio::select! {
                biased;
                () = told(&mut stop) => break,
                () = sleep(pause) => {}
            }
            beat.tick();
            while under_way.try_join_next().is_some() {}
            pause = self.look(&mut under_way, &mut retry).await;
        }
        self.part(under_way, beat).await;
    }

    /// One look for rows that are due; how long to wait for the next. While no mail gets in, one is tried at a time.
    async fn look(self: &Arc<Self>, under_way: &mut JoinSet<()>, retry: &mut Retry) -> Duration {
        let is_shut = self.is_shut();
        let room = if is_shut { 1 } else { AT_ONCE }.saturating_sub(under_way.len());
        if room == 0 {
            return PACE;
        }
        match self.round(room).await {
            Ok(Round::Held) => retry.next_delay(),
            Ok(Round::Taken { jobs, looked_at }) => {
                let tries = is_shut && !jobs.is_empty();
                for job in jobs {
                    under_way.spawn(Arc::clone(self).perform(job));
                }
                if tries {
                    return retry.next_delay();
                }
                if !is_shut {
                    retry.reset();
                }
                if looked_at > 0 { PACE } else { LOOK }
            }
            Err(fault) => {
                self.own.weather(&fault);
                retry.next_delay()
            }
        }
    }

    /// What is under way ends: before its content it is given back, after it the answer is waited for.
    async fn part(&self, mut under_way: JoinSet<()>, beat: Beat) {
        let all = async { while under_way.join_next().await.is_some() {} };
        if timeout(PARTING, all).await.is_err() {
            tracing::warn!(queue = self.own.drain.name, "some rows did not end within 20 s; whoever holds their lanes next decides");
        }
        self.smtp.close().await;
        drop(beat);
    }
}
