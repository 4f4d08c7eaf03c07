//! A worker plays one role in this process: it follows the group's assignments with lanes, and ends them in order.
//!
//! It does no work of a lane itself.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{interval, timeout},
};

use workers::fold::Role;

use crate::{
    config::Config,
    fault::Fault,
    health::{Health, LaneHandle, Need},
    kafka::consumer::{Consumer, Handle, Rebalance},
    lane::{Context, Lane, LogEnd, Order},
    metrics::Connections,
};

/// How long all lanes together may take to end: the whole stop stays within 30 s.
const PARTING: Duration = Duration::from_secs(20);
/// How often the log's end is asked for, for the lag.
const LAG: Duration = Duration::from_secs(1);
/// How often public keys of boards are kept alive.
const REFRESH: Duration = Duration::from_secs(60);
/// How often it is looked whether Redis is whole.
const WHOLE: Duration = Duration::from_secs(2);
/// How long the owner thread may go without a round.
const TICK: Duration = Duration::from_secs(15);

/// One lane under way.
struct Running {
    assignment: u64,
    orders: watch::Sender<Order>,
    status: LaneHandle,
    log_end: Arc<LogEnd>,
    task: JoinHandle<()>,
}

/// One role being played.
pub struct Worker {
    context: Arc<Context>,
    consumer: Handle,
    health: Arc<Health>,
    joined: Need,
    /// Whether the group gave its partitions, or none, since it last took all away.
    is_member: bool,
    lanes: BTreeMap<i32, Running>,
}

/// Plays a role until `stop` turns true.
///
/// # Errors
/// Fatal: what keeps the role from starting.
pub async fn play(config: &Config, context: Context, health: Arc<Health>, mut stop: watch::Receiver<bool>) -> Result<(), Fault> {
    let (sender, mut rebalances) = mpsc::unbounded_channel();
    let context = Arc::new(context);
    let times = (context.settings.session_timeout, context.role.topic.freshness());
    let (owner, consumer) = Consumer::join(&config.kafka(), &config.group(context.role), &context.topic, times, sender)?;
    let ended = Arc::new(AtomicBool::new(false));
    let thread = start_owner(owner, Arc::clone(&ended), &health, context.role.name)?;
    let shown = health.need(format!("redis of {}", context.role.name));
    let tending = tokio::spawn(tend_caches(Arc::clone(&context), shown));
    let drains = crate::drain::start(config, &context, &health, &stop);
    tokio::spawn(crate::retention::tend(context.pool.clone(), context.role, context.topic.clone(), stop.clone()));
    let joined = health.need(group_of(context.role));
    let mut worker = Worker { context, consumer, health, joined, is_member: false, lanes: BTreeMap::new() };
    let mut lag = interval(LAG);
    lag.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|it| *it) => break,
            rebalance = rebalances.recv() => match rebalance {
                Some(rebalance) => worker.follow(rebalance),
                None => break,
            },
            _ = lag.tick() => {
                worker.measure_lag();
                worker.look_at_group();
            }
        }
    }
    worker.end().await;
    // Told to stop when the lanes were, and done within the same time.
    let _ = timeout(PARTING, futures_util::future::join_all(drains)).await;
    tending.abort();
    ended.store(true, Ordering::SeqCst);
    let joined = tokio::task::spawn_blocking(move || thread.join()).await;
    if !matches!(joined, Ok(Ok(()))) {
        return Err(Fault::fatal("the thread of the consumer ended badly"));
    }
    Ok(())
}

/// The name of what a role needs of its group before it is ready.
pub fn group_of(role: &Role) -> String {
    format!("group of {}", role.name)
}

/// The thread that polls; it says at every round that it lives.
fn start_owner(
    owner: Consumer,
    ended: Arc<AtomicBool>,
    health: &Arc<Health>,
    role: &'static str,
) -> Result<std::thread::JoinHandle<()>, Fault> {
    let beat = health.beat(format!("consumer of {role}"), TICK);
    let run = move || owner.run(&ended, || beat.tick());
    std::thread::Builder::new()
        .name(format!("consumer {role}"))
        .spawn(run)
        .map_err(|error| Fault::fatal(format!("a thread for the consumer: {error}")))
}

impl Worker {
    fn follow(&mut self, rebalance: Rebalance) {
        match rebalance {
            Rebalance::Assigned(partitions) => {
                self.context.metrics.rebalances.inc();
                for (partition, assignment) in partitions {
                    self.start(partition, assignment);
                }
                self.is_member = true;
                self.joined.met();
            }
            Rebalance::Revoked(partitions) => {
                self.context.metrics.rebalances.inc();
                for partition in partitions {
                    if let Some(running) = self.lanes.remove(&partition) {
                        // A lane that has ended by itself needs no order.
                        let _ = running.orders.send(Order::Revoked);
                    }
                }
                // An assignment follows, if there is still a group: who cannot reach the brokers loses all by itself.
                if self.lanes.is_empty() {
                    self.is_member = false;
                    self.joined.failing("all partitions were taken away, and none assigned since: are the brokers away?");
                }
            }
            Rebalance::OutOfRange => self.restart_lanes(),
        }
        self.context.metrics.assigned_partitions.set(self.lanes.len() as i64);
    }

    /// A lost range names no partition: every lane compares the log again by claiming anew.
    fn restart_lanes(&mut self) {
        let lanes: Vec<(i32, u64)> = self.lanes.iter().map(|(partition, it)| (*partition, it.assignment)).collect();
        for (partition, assignment) in lanes {
            if let Some(running) = self.lanes.remove(&partition) {
                let _ = running.orders.send(Order::Revoked);
            }
            self.consumer.unassign((partition, assignment));
            self.start(partition, assignment);
        }
    }

    fn start(&mut self, partition: i32, assignment: u64) {
        let (orders, receiver) = watch::channel(Order::Work);
        let role = self.context.role;
        let (status, log_end) = (self.health.lane(role.name, role.topic.name, partition), Arc::new(LogEnd::default()));
        let lane = Lane {
            context: Arc::clone(&self.context),
            partition,
            assignment,
            consumer: self.consumer.clone(),
            orders: receiver,
            status: status.clone(),
            log_end: Arc::clone(&log_end),
            said: None,
            warned: None,
            topic_id: None,
        };
        let before = self.lanes.insert(partition, Running { assignment, orders, status, log_end, task: tokio::spawn(lane.run()) });
        if let Some(before) = before {
            let _ = before.orders.send(Order::Revoked);
        }
    }

    /// Asks for the log's end of every lane, aside from the lanes' own work.
    fn measure_lag(&self) {
        for (partition, running) in &self.lanes {
            if running.task.is_finished() {
                continue;
            }
            let (consumer, status, log_end, partition) =
                (self.consumer.clone(), running.status.clone(), Arc::clone(&running.log_end), *partition);
            tokio::spawn(async move {
                // A broker that does not answer leaves the last figure, and the state says why.
                if let Ok((_, end)) = consumer.watermarks(partition).await {
                    log_end.told(end);
                    status.log_end(end);
                }
            });
        }
        let pool = &self.context.pool;
        self.context.metrics.connections(Connections { open: pool.size(), idle: u32::try_from(pool.num_idle()).unwrap_or(u32::MAX) });
    }

    /// A lane tells of the brokers and its topic. Where there is none, although the group gave what it had, they are asked here.
    fn look_at_group(&self) {
        if !self.lanes.is_empty() {
            return self.joined.met();
        }
        if !self.is_member {
            return;
        }
        let (consumer, joined, topic) = (self.consumer.clone(), self.joined.clone(), self.context.topic.clone());
        tokio::spawn(async move {
            match consumer.partitions().await {
                Ok(0) => joined.failing(format!("topic {topic} does not exist: run `fleet topics apply`")),
                Ok(_) => joined.met(),
                Err(fault) => joined.failing(fault.to_string()),
            }
        });
    }

    /// Ends all lanes at once, each after its batch.
    async fn end(&mut self) {
        for running in self.lanes.values() {
            let _ = running.orders.send(Order::Stop);
        }
        let all = async {
            for running in self.lanes.values_mut() {
                let _ = (&mut running.task).await;
            }
        };
        if timeout(PARTING, all).await.is_err() {
            tracing::warn!(role = self.context.role.name, "some lanes did not end within 20 s; what they had in flight is rolled back");
        }
    }
}

/// Keeps the role's Redis keys alive and whole, and says whether Redis answers.
async fn tend_caches(context: Arc<Context>, shown: Need) {
    let (mut refresh, mut whole) = (interval(REFRESH), interval(WHOLE));
    loop {
        tokio::select! {
            _ = refresh.tick() => if let Err(error) = context.caches.refresh().await {
                tracing::debug!("redis: {error}");
            },
            _ = whole.tick() => match make_whole(&context).await {
                Ok(()) => shown.met(),
                Err(error) => shown.failing(error.to_string()),
            },
        }
    }
}

async fn make_whole(context: &Context) -> Result<(), Fault> {
    if context.caches.whole().await? {
        return Ok(());
    }
    let rebuilt = context.caches.rebuild().await.inspect_err(|error| context.cache_trouble(error))?;
    // None: another worker did it.
    if rebuilt.is_some() {
        context.metrics.redis_rebuilds.inc();
    }
    Ok(())
}
