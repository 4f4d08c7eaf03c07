//! The group flush: lanes of a role that are not behind write in one transaction for all of them.
//!
//! A small flush costs MySQL its statements more than its rows, so lanes that have few rows each share the statements. They leave by a
//! common timetable. What goes wrong in company is tried again alone, so that it shows whose it is and is nobody else's.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore, mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::lookups::Lookups;
use crate::{
    fault::Fault,
    metrics::{RoleMetrics, Step},
    store::mysql::{
        Failure,
        flush::{Flush, Flusher, Took},
    },
};

/// Rows of a flush from which on it goes alone: it fills statements by itself, and others need not wait for it.
const LARGE: usize = 1_000;
/// Rows of one transaction of several lanes, about.
const FULL: usize = 4_000;
/// The share of a role's freshness that lies at least between two departures: halves MySQL's work at little cost in latency.
const OFTEN: u32 = 40;
/// The share that lies between them at most.
const SELDOM: u32 = 4;

/// The way of a role's look-ups and flushes into MySQL.
pub struct Group {
    /// Its look-ups.
    pub lookups: Lookups,
    /// Transactions at once: more than the database has cores only adds latency.
    pub slots: Arc<Semaphore>,
    transactions: Transactions,
    queue: mpsc::UnboundedSender<Waiting>,
    timetable: Arc<Timetable>,
}

/// A flush that waits for a departure.
struct Waiting {
    flush: Flush,
    reply: oneshot::Sender<(Flush, Result<Took, Failure>)>,
}

impl Group {
    /// The group of a role's lanes in this process: so many transactions at once, of which those of several lanes wait for their turn among
    /// those of all roles.
    pub fn start(flusher: &Arc<Flusher>, (connections, turns): (u32, &Arc<Semaphore>), metrics: &RoleMetrics) -> Self {
        let timetable = Arc::new(Timetable::new(flusher.role.topic.freshness()));
        let transactions = Transactions { flusher: Arc::clone(flusher), metrics: metrics.clone() };
        let slots = Arc::new(Semaphore::new(usize::try_from(connections).unwrap_or(1)));
        let gates = [Arc::clone(&slots), Arc::clone(turns)];
        let (queue, waiting) = mpsc::unbounded_channel();
        let departures = Departures { transactions: transactions.clone(), gates, timetable: Arc::clone(&timetable), waiting };
        tokio::spawn(departures.run());
        Self { lookups: Lookups::start(flusher, &timetable), slots, transactions, queue, timetable }
    }

    /// When the next transaction of several lanes begins, at the earliest.
    pub fn departs(&self) -> Instant {
        self.timetable.times().next
    }

    /// Announces a flush: until it is dropped, the next departure waits a little. `None` when one is boarding already: it takes who is
    /// there in time, and waits for nobody else.
    pub fn announce(&self) -> Option<Coming> {
        if self.timetable.boarding.load(Ordering::SeqCst) { None } else { Some(Coming::of(&self.timetable)) }
    }

    /// Whether a flush is one for company.
    pub fn takes(&self, flush: &Flush) -> bool {
        flush.rows() < LARGE
    }

    /// Flushes with the next departure; gives the flush back, and what became of it.
    ///
    /// # Errors
    /// Transient, when it is not known what became of it, and nobody is left to say.
    pub async fn together(&self, flush: Flush, coming: Option<Coming>) -> Result<(Flush, Result<Took, Failure>), Fault> {
        let (reply, answer) = oneshot::channel();
        let lost = || Fault::transient("a flush of several lanes ended without an answer");
        self.queue.send(Waiting { flush, reply }).map_err(|_| lost())?;
        drop(coming);
        answer.await.map_err(|_| lost())
    }

    /// Flushes at once, in a transaction of its own.
    ///
    /// # Errors
    /// As [`Flusher::commit`].
    pub async fn alone(&self, flush: &Flush) -> Result<Took, Failure> {
        self.transactions.perform(&[flush]).await
    }
}

/// Performs transactions, and measures them.
#[derive(Clone)]
struct Transactions {
    flusher: Arc<Flusher>,
    metrics: RoleMetrics,
}

impl Transactions {
    async fn perform(&self, flushes: &[&Flush]) -> Result<Took, Failure> {
        let took = self.flusher.commit(flushes).await?;
        for (step, duration) in [(Step::Ledger, took.fence), (Step::Rows, took.rows), (Step::Commit, took.commit)] {
            self.metrics.step(step).observe(duration.as_secs_f64());
        }
        self.metrics.flush_lanes.observe(flushes.len() as f64);
        Ok(took)
    }

    /// Performs one of several lanes, and tells each what became of its flush.
    async fn answer(&self, aboard: Vec<Waiting>) {
        let flushes: Vec<&Flush> = aboard.iter().map(|it| &it.flush).collect();
        let mut outcome = self.perform(&flushes).await;
        let company = aboard.len() > 1;
        for Waiting { flush, reply } in aboard {
            let answer = match &outcome {
                Ok(took) => Ok(*took),
                Err(Failure::Unknown) => Err(Failure::Unknown),
                Err(_) if company => Err(Failure::Apart),
                Err(_) => std::mem::replace(&mut outcome, Err(Failure::Apart)),
            };
            // A lane that is gone learns it from the ledger.
            let _ = reply.send((flush, answer));
        }
    }
}

struct Times {
    /// When the next begins.
    next: Instant,
    /// How long one takes, from when its first lane waits: of the last ones, newer ones count more.
    took: Duration,
}

/// When transactions of several lanes begin, and who is still on the way.
pub(super) struct Timetable {
    times: Mutex<Times>,
    coming: AtomicUsize,
    /// Whether those who come now are no longer waited for.
    boarding: AtomicBool,
    /// Told to who boards when somebody is no longer on the way.
    arrived: Notify,
    /// Told so to who looks rows up.
    fewer: Notify,
    least: Duration,
    most: Duration,
}

impl Timetable {
    fn new(freshness: Duration) -> Self {
        Self {
            times: Mutex::new(Times { next: Instant::now(), took: Duration::ZERO }),
            coming: AtomicUsize::new(0),
            boarding: AtomicBool::new(false),
            arrived: Notify::new(),
            fewer: Notify::new(),
            least: freshness / OFTEN,
            most: freshness / SELDOM,
        }
    }

    /// How many lanes are between having records and submitting their flush.
    pub(super) fn on_the_way(&self) -> usize {
        self.coming.load(Ordering::SeqCst)
    }

    /// Waits until one of them is no longer.
    pub(super) async fn fewer(&self) {
        self.fewer.notified().await;
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One begins now: the next begins a while later, when this one is half done. A database that is slow is asked less often, for more at
    /// once.
    fn departs(&self) {
        self.boarding.store(false, Ordering::SeqCst);
        let mut times = self.times();
        times.next = Instant::now() + (times.took / 2).clamp(self.least, self.most);
    }

    fn arrives(&self, after: Duration) {
        let mut times = self.times();
        times.took = (times.took * 3 + after) / 4;
    }
}

/// A flush that was announced.
pub struct Coming(Arc<Timetable>);

impl Coming {
    fn of(timetable: &Arc<Timetable>) -> Self {
        timetable.coming.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(timetable))
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.coming.fetch_sub(1, Ordering::SeqCst);
        self.0.arrived.notify_one();
        self.0.fewer.notify_one();
    }
}

/// The task that lets transactions of several lanes begin.
struct Departures {
    transactions: Transactions,
    gates: [Arc<Semaphore>; 2],
    timetable: Arc<Timetable>,
    waiting: mpsc::UnboundedReceiver<Waiting>,
}

impl Departures {
    async fn run(mut self) {
        while let Some(first) = self.waiting.recv().await {
            let begun = Instant::now();
            let [slots, turns] = self.gates.each_ref().map(Arc::clone);
            // They are never closed.
            let open = (slots.acquire_owned().await, turns.acquire_owned().await);
            let aboard = self.board(first).await;
            self.timetable.departs();
            let (transactions, timetable) = (self.transactions.clone(), Arc::clone(&self.timetable));
            tokio::spawn(async move {
                transactions.answer(aboard).await;
                timetable.arrives(begun.elapsed());
                drop(open);
            });
        }
    }

    /// Those that wait now, and those announced, if they come before long.
    async fn board(&mut self, first: Waiting) -> Vec<Waiting> {
        let mut rows = first.flush.rows();
        let mut aboard = Vec::from([first]);
        let closes = Instant::now() + self.timetable.least;
        self.timetable.boarding.store(true, Ordering::SeqCst);
        loop {
            // Asked before the queue is looked at: who comes in between is in the queue.
            let all = self.timetable.on_the_way() == 0;
            while rows < FULL
                && let Ok(next) = self.waiting.try_recv()
            {
                rows += next.flush.rows();
                aboard.push(next);
            }
            if all || rows >= FULL {
                return aboard;
            }
            tokio::select! {
                () = self.timetable.arrived.notified() => {}
                () = sleep_until(closes) => return aboard,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use workers::{ROLES, fold::Changes};

    use super::*;
    use crate::{
        metrics::Metrics,
        store::{ledger::Advance, mysql},
    };

    /// Departures of a role to a database that is not asked for anything.
    fn departures() -> (Departures, mpsc::UnboundedSender<Waiting>) {
        let role = ROLES[0];
        let pool = mysql::pool("mysql://nobody@127.0.0.1:1/none".parse().unwrap(), 1);
        let metrics = Metrics::new().unwrap().role(role.name);
        let transactions = Transactions { flusher: Arc::new(Flusher::new(role, "none", &pool)), metrics };
        let (queue, waiting) = mpsc::unbounded_channel();
        let timetable = Arc::new(Timetable::new(Duration::from_secs(1)));
        (Departures { transactions, gates: [1, 1].map(|it| Arc::new(Semaphore::new(it))), timetable, waiting }, queue)
    }

    fn waiting(partition: i32) -> Waiting {
        let advance = Advance {
            partition,
            token: [0; 8],
            expected: 0,
            next: 1,
            confirmed: 1,
            epoch: 0,
            last_record: None,
            pending: None,
            caches_behind: false,
            last_event_at: None,
        };
        Waiting { flush: Flush { advance, changes: Changes::default(), letters: Vec::new() }, reply: oneshot::channel().0 }
    }

    fn partitions(aboard: &[Waiting]) -> Vec<i32> {
        aboard.iter().map(|it| it.flush.advance.partition).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_departure_takes_all_who_wait_and_waits_for_whom_is_announced() {
        let (mut departures, queue) = departures();
        let coming = Coming::of(&departures.timetable);
        assert!(queue.send(waiting(1)).is_ok());
        let late = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            assert!(queue.send(waiting(2)).is_ok());
            drop(coming);
            queue
        });
        let begun = Instant::now();
        assert_eq!(partitions(&departures.board(waiting(0)).await), [0, 1, 2]);
        assert!(begun.elapsed() < Duration::from_millis(15), "nobody else was announced: {:?}", begun.elapsed());
        late.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_come_is_waited_for_no_longer_than_a_pace() {
        let (mut departures, _queue) = departures();
        let coming = Coming::of(&departures.timetable);
        let begun = Instant::now();
        assert_eq!(partitions(&departures.board(waiting(0)).await), [0]);
        assert_eq!(begun.elapsed(), departures.timetable.least);
        drop(coming);
        assert_eq!(departures.timetable.coming.load(Ordering::SeqCst), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn departures_are_as_far_apart_as_the_database_is_slow() {
        let timetable = Timetable::new(Duration::from_secs(1));
        let apart = || {
            timetable.departs();
            timetable.times().next - Instant::now()
        };
        assert_eq!(apart(), Duration::from_millis(25));
        (0..40).for_each(|_| timetable.arrives(Duration::from_millis(60)));
        assert!((Duration::from_millis(28)..=Duration::from_millis(30)).contains(&apart()));
        timetable.arrives(Duration::from_secs(30));
        assert_eq!(apart(), Duration::from_millis(250), "never so far that freshness is lost");
    }
}
