//! A lane: one assigned partition being worked, by one sequential loop, from claim to hand-over.
//!
//! It shares nothing with other lanes but pools. What it folds is the core's business, what it writes the stores'.

mod breaker;
mod claim;
mod group;
mod held;
mod intake;
mod log_end;
mod lookups;
mod outside;
mod work;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::MySqlPool;
use tokio::{sync::watch, time::sleep};
use workers::fold::{Emit, Role};

pub use group::Group;
pub use held::Held;
pub use log_end::LogEnd;

use crate::{
    config,
    fault::Fault,
    health::{LaneHandle, State},
    kafka::{
        admin::Admin,
        consumer::Handle,
        producer::{Outgoing, Producer},
    },
    metrics::{Metrics, RoleMetrics, Store},
    registry::Registry,
    retry::Retry,
    store::{mysql::flush::Flusher, redis::Caches},
};

/// What is set for all lanes of a role.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes of rows that a lane may hold.
    pub lane_memory: usize,
    /// When a lane stops for letters.
    pub breaker: config::Breaker,
    /// The group's session timeout: past it another may own the lane.
    pub session_timeout: Duration,
    /// Host, process and HTTP address, for people.
    pub owner: String,
}

/// What the lanes of one role in one process share.
pub struct Context {
    /// The role.
    pub role: &'static Role,
    /// Its topic's name on the cluster.
    pub topic: String,
    /// The topics of its derived events: name on the cluster, and subject.
    pub emit_topics: Vec<(String, String)>,
    /// Connections.
    pub pool: MySqlPool,
    /// Its ledger and its statements.
    pub flusher: Arc<Flusher>,
    /// The way of its look-ups and flushes into MySQL.
    pub group: Group,
    /// Schemas by id.
    pub registry: Arc<Registry>,
    /// Derived events.
    pub producer: Producer,
    /// Redis.
    pub caches: Caches,
    /// Topic ids.
    pub admin: Admin,
    /// The lanes claimed here.
    pub held: Held,
    /// What is set.
    pub settings: Settings,
    /// When trouble with the caches was last told.
    pub cache_warnings: Seldom,
    /// The role's metrics.
    pub metrics: RoleMetrics,
    /// Those of the process.
    pub process: Arc<Metrics>,
}

impl Context {
    /// Produces derived events in order and waits for every ack, through any weather.
    ///
    /// # Errors
    /// A line about an event that can never be produced.
    pub async fn emit(&self, emits: &[Emit], retry: &mut Retry) -> Result<(), String> {
        loop {
            match self.try_emit(emits).await {
                Ok(()) => return Ok(()),
                Err(Fault::Fatal(line)) => return Err(line),
                Err(error) => {
                    tracing::warn!(role = self.role.name, "derived events wait: {error}");
                    self.process.store_error(Store::Kafka, error.weather());
                    sleep(retry.next_delay()).await;
                }
            }
        }
    }

    async fn try_emit(&self, emits: &[Emit]) -> Result<(), Fault> {
        let mut destinations = BTreeMap::new();
        let mut outgoing = Vec::with_capacity(emits.len());
        for emit in emits {
            let (topic, schema_id) = match destinations.entry(emit.topic) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(unknown) => *unknown.insert(self.destination(emit.topic).await?),
            };
            outgoing.push(Outgoing { topic, key: &emit.key, schema_id, datum: &emit.datum });
        }
        self.send(&outgoing).await?;
        for (place, topic) in self.role.emits.iter().enumerate() {
            self.metrics.derived(topic.name, emits.iter().filter(|it| it.topic == place).count() as u64);
        }
        Ok(())
    }

    /// The topic of the role's derived events at a place, and the id of its schema.
    async fn destination(&self, place: usize) -> Result<(&str, u32), Fault> {
        let (Some((topic, subject)), Some(declared)) = (self.emit_topics.get(place), self.role.emits.get(place)) else {
            return Err(Fault::fatal(format!("{} derives events for no topic at place {place}", self.role.name)));
        };
        let id = self.registry.id_of(subject, declared.schema).await?;
        let id = id.ok_or_else(|| Fault::transient(format!("the schema of {subject} is not registered: run `fleet schemas register`")))?;
        Ok((topic, id))
    }

    #[cfg(not(feature = "failpoints"))]
    async fn send(&self, outgoing: &[Outgoing<'_>]) -> Result<(), Fault> {
        self.producer.produce(outgoing).await
    }

    /// One by one, so that a crash can be had between two.
    #[cfg(feature = "failpoints")]
    async fn send(&self, outgoing: &[Outgoing<'_>]) -> Result<(), Fault> {
        crate::failpoint!("before-emits");
        if !crate::failpoint::is_set() {
            return self.producer.produce(outgoing).await;
        }
        for one in outgoing {
            self.producer.produce(std::slice::from_ref(one)).await?;
            crate::failpoint!("between-emits");
        }
        Ok(())
    }

    /// Counts and tells trouble with Redis, which holds nothing back.
    pub fn cache_trouble(&self, error: &Fault) {
        // Every lane meets the same weather, again and again.
        if self.cache_warnings.is_due() {
            tracing::warn!(role = self.role.name, "caches wait: {error}");
        } else {
            tracing::debug!(role = self.role.name, "caches wait: {error}");
        }
        self.process.store_error(Store::Redis, error.weather());
    }
}

/// Says what is worth saying once in a while.
#[derive(Debug, Default)]
pub struct Seldom {
    last: Mutex<Option<Instant>>,
}

/// How often the same trouble is worth a line.
const ONCE_IN: Duration = Duration::from_secs(30);

impl Seldom {
    /// Whether it is time again.
    pub fn is_due(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|it| it.elapsed() >= ONCE_IN);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

/// What a lane is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Work on.
    Work,
    /// The partition is another's: end what is in flight, and go.
    Revoked,
    /// The process ends: finish the batch, confirm it, and go.
    Stop,
}

/// Why a lane's work ended.
#[derive(Debug)]
enum End {
    /// It was told to.
    Ordered(Order),
    /// The ledger carries another token.
    Fenced,
    /// Something that no retry mends: the lane stands in this state and says why.
    Standstill(State, String),
    /// A server failed before any work began.
    Weather(Store, Fault),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::of(Store::Mysql, fault)
    }
}

impl End {
    /// What a fault of a server means.
    fn of(store: Store, fault: Fault) -> Self {
        match fault {
            Fault::Transient(..) => Self::Weather(store, fault),
            Fault::Fatal(line) => Self::Standstill(State::Stuck, line),
        }
    }

    /// What a fault of the brokers means.
    fn of_brokers(fault: Fault) -> Self {
        Self::of(Store::Kafka, fault)
    }
}

/// How often a lane that stands still looks whether it was mended.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// One assigned partition.
pub struct Lane {
    /// What it shares with others.
    pub context: Arc<Context>,
    /// Its partition.
    pub partition: i32,
    /// The number of the group's assignment.
    pub assignment: u64,
    /// Its end of the consumer.
    pub consumer: Handle,
    /// What it is told to do.
    pub orders: watch::Receiver<Order>,
    /// Where it says how it is.
    pub status: LaneHandle,
    /// The log's end, as measured last.
    pub log_end: Arc<LogEnd>,
    /// What it said last of how it is, so that only changes are told.
    pub said: Option<(State, String)>,
    /// What it logged last, until it gets on again.
    pub warned: Option<(State, String)>,
    /// The topic's id as claimed.
    pub topic_id: Option<String>,
}

impl Lane {
    /// Claims and works the partition until told otherwise.
    pub async fn run(mut self) {
        let mut retry = Retry::default();
        loop {
            self.state(State::Claiming, "");
            let end = match self.claim().await {
                Ok(claimed) => {
                    retry.reset();
                    let end = work::Work::new(&mut self, claimed).run().await;
                    self.context.held.forget(self.partition);
                    end
                }
                Err(end) => end,
            };
            self.consumer.unassign((self.partition, self.assignment));
            let pause = match end {
                End::Ordered(_) => return,
                End::Fenced => {
                    tracing::info!(role = self.context.role.name, partition = self.partition, "fenced: another claimed this lane");
                    self.context.metrics.fenced.inc();
                    retry.next_delay()
                }
                End::Weather(store, error) => {
                    self.state(State::SinkBlocked, &error.to_string());
                    self.context.process.store_error(store, error.weather());
                    retry.next_delay()
                }
                End::Standstill(state, line) => {
                    self.state(state, &line);
                    LOOK_AGAIN
                }
            };
            if self.wait(pause).await.is_err() || !self.consumer.is_mine(self.partition, self.assignment) {
                return;
            }
        }
    }

    /// Says how the lane is; a change for the worse is logged once, here.
    fn state(&mut self, state: State, detail: &str) {
        if self.said.as_ref().is_some_and(|(said, line)| *said == state && line == detail) {
            return;
        }
        self.said = Some((state, detail.to_owned()));
        if detail.is_empty() {
            self.status.set_state(state);
            if matches!(state, State::Idle | State::Flowing) {
                self.warned = None;
            }
            return;
        }
        self.status.set_state_because(state, detail);
        if self.warned != self.said {
            self.warned.clone_from(&self.said);
            tracing::warn!(role = self.context.role.name, topic = %self.context.topic, partition = self.partition, %state, "{detail}");
        }
    }

    /// Says how far the tables are.
    fn progress(&self, next: i64, oldest: Option<i64>) {
        self.status.progress(next, self.log_end.last().max(next), oldest);
    }

    /// Waits, unless ordered away.
    async fn wait(&mut self, pause: Duration) -> Result<(), End> {
        self.unless_ordered(sleep(pause)).await
    }

    /// What a future gives, unless the lane is ordered away first; the future must not mind being dropped.
    async fn unless_ordered<T>(&mut self, future: impl Future<Output = T>) -> Result<T, End> {
        tokio::select! {
            biased;
            order = ordered(&mut self.orders) => Err(End::Ordered(order)),
            done = future => Ok(done),
        }
    }
}

/// Comes true when the lane is told to go.
async fn ordered(orders: &mut watch::Receiver<Order>) -> Order {
    match orders.wait_for(|it| *it != Order::Work).await {
        Ok(order) => *order,
        Err(_) => Order::Stop,
    }
}
