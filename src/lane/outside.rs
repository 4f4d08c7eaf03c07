//! What lies outside MySQL, performed after COMMIT: derived events in order, cache keys merged.
//!
//! Two tasks a lane, so that a Redis that is down holds no derived event back, and neither holds the next flush.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::sleep,
};
use workers::fold::{Cached, Changes, Emit, Key};

use super::Context;
use crate::{
    fault::Fault,
    metrics::Step,
    retry::Retry,
    store::{
        ledger::Token,
        pending::{part_of_emits, part_of_keys},
        redis::Version,
    },
};

/// Cache keys that `pending` names at most; past them it only says that the caches are behind.
const MOST_KEYS: usize = 10_000;
/// Bytes of unconfirmed derived events past which a lane waits before its next flush.
pub const MOST_BYTES: usize = 4 << 20;

/// How far one of the two tasks is.
#[derive(Clone, Debug, Default)]
struct Reached {
    offset: i64,
    standstill: Option<String>,
}

/// One flush's share of `pending`.
struct Item {
    from: i64,
    upto: i64,
    bytes: Vec<u8>,
    keys: usize,
}

/// A flush's parts of `pending`, encoded before it and kept after it.
#[derive(Debug, Default)]
pub struct Parts {
    emits: Vec<u8>,
    keys: Vec<u8>,
}

impl Parts {
    /// Those of a flush of these changes.
    ///
    /// # Errors
    /// Fatal: what cannot be written down.
    pub fn of(changes: &Changes) -> Result<Self, Fault> {
        let keys: Vec<(usize, &Key)> = changes.caches.iter().map(|it| (it.family, &it.key)).collect();
        Ok(Self { emits: part_of_emits(&changes.emits)?, keys: part_of_keys(&keys)? })
    }
}

/// Cache entries that a lane's last owner left unwritten.
#[derive(Debug, Default)]
pub struct Behind {
    /// Which.
    pub keys: Vec<(usize, Key)>,
    /// Whether there are more than are named.
    pub overflowed: bool,
}

impl Behind {
    /// As an item of `pending`, which keeps naming them until they are written.
    fn items(&self, next: i64) -> VecDeque<Item> {
        if self.keys.is_empty() && !self.overflowed {
            return VecDeque::new();
        }
        let keys: Vec<(usize, &Key)> = self.keys.iter().map(|(family, key)| (*family, key)).collect();
        let bytes = part_of_keys(&keys).unwrap_or_default();
        // Past `next`, where the task says it is once these are written.
        VecDeque::from([Item { from: next, upto: next + 1, bytes, keys: self.keys.len() }])
    }
}

/// The lane's view of what is not yet confirmed.
pub struct Outside {
    emits: mpsc::UnboundedSender<EmitWork>,
    caches: mpsc::UnboundedSender<CacheWork>,
    emitted: watch::Receiver<Reached>,
    cached: watch::Receiver<Reached>,
    waiting_emits: VecDeque<Item>,
    waiting_caches: VecDeque<Item>,
    caches_behind: bool,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Outside {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A flush's derived events, as they wait for the brokers.
struct EmitWork {
    upto: i64,
    emits: Vec<Emit>,
    since: Instant,
}

/// A flush's cache entries, as they wait for Redis.
struct CacheWork {
    version: Version,
    entries: Vec<Cached>,
    since: Instant,
}

impl Outside {
    /// Starts the two tasks of a lane, which takes over the cache entries that its last owner left.
    pub fn start(context: &Arc<Context>, lane: (i32, Token), next: i64, behind: Behind) -> Self {
        let reached = Reached { offset: next, standstill: None };
        let waiting_caches = behind.items(next);
        let keys: BTreeSet<(usize, Key)> = behind.keys.into_iter().collect();
        let (emits, emit_queue) = mpsc::unbounded_channel();
        let (caches, cache_queue) = mpsc::unbounded_channel();
        let (emit_reached, emitted) = watch::channel(reached.clone());
        let (cache_reached, cached) = watch::channel(reached);
        let tasks = [
            tokio::spawn(emit_all(Arc::clone(context), emit_queue, emit_reached)),
            tokio::spawn(CacheWriter { context: Arc::clone(context), lane, behind: keys, overflowed: behind.overflowed }.run(
                cache_queue,
                cache_reached,
                next,
            )),
        ];
        Self { emits, caches, emitted, cached, waiting_emits: VecDeque::new(), waiting_caches, caches_behind: behind.overflowed, tasks }
    }

    /// The bytes of `pending` for a flush with these parts, and whether they leave cache keys out.
    pub fn pending_with(&self, changes: &Changes, parts: &Parts) -> (Option<Vec<u8>>, bool) {
        let keys = self.waiting_caches.iter().map(|it| it.keys).sum::<usize>() + changes.caches.len();
        let behind = self.caches_behind || keys > MOST_KEYS;
        let caches = if behind { None } else { Some(self.waiting_caches.iter().map(|it| &it.bytes).chain([&parts.keys])) };
        let emits = self.waiting_emits.iter().map(|it| &it.bytes).chain([&parts.emits]);
        let all: Vec<&[u8]> = emits.chain(caches.into_iter().flatten()).map(Vec::as_slice).collect();
        let bytes = all.concat();
        (if bytes.is_empty() { None } else { Some(bytes) }, behind)
    }

    /// Hands over what a committed flush leaves to do.
    pub fn perform(&mut self, (from, upto): (i64, i64), epoch: i64, changes: Changes, parts: Parts) {
        if !changes.emits.is_empty() {
            self.waiting_emits.push_back(Item { from, upto, bytes: parts.emits, keys: 0 });
            // The task ends only with this lane.
            let _ = self.emits.send(EmitWork { upto, emits: changes.emits, since: Instant::now() });
        }
        if !changes.caches.is_empty() {
            let bytes = if self.caches_behind { Vec::new() } else { parts.keys };
            self.waiting_caches.push_back(Item { from, upto, bytes, keys: changes.caches.len() });
            if self.waiting_caches.iter().map(|it| it.keys).sum::<usize>() > MOST_KEYS {
                self.caches_behind = true;
            }
            let work = CacheWork { version: Version { epoch, next_offset: upto }, entries: changes.caches, since: Instant::now() };
            let _ = self.caches.send(work);
        }
    }

    /// Takes note of what the tasks have done; all before the offset it answers is confirmed.
    ///
    /// # Errors
    /// Fatal: a derived event that can never be produced.
    pub fn confirmed(&mut self, next: i64) -> Result<i64, Fault> {
        let reached = self.emitted.borrow_and_update().clone();
        if let Some(line) = reached.standstill {
            return Err(Fault::Fatal(line));
        }
        let cached = self.cached.borrow_and_update().offset;
        self.waiting_emits.retain(|it| it.upto > reached.offset);
        self.waiting_caches.retain(|it| it.upto > cached);
        if self.waiting_caches.is_empty() {
            self.caches_behind = false;
        }
        let first = [self.waiting_emits.front(), self.waiting_caches.front()].into_iter().flatten().map(|it| it.from).min();
        Ok(first.unwrap_or(next))
    }

    /// Bytes of derived events that are not yet acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.waiting_emits.iter().map(|it| it.bytes.len()).sum()
    }

    /// Waits until one of the tasks gets further.
    pub async fn progress(&mut self) {
        tokio::select! {
            done = self.emitted.changed() => if done.is_err() { std::future::pending::<()>().await },
            done = self.cached.changed() => if done.is_err() { std::future::pending::<()>().await },
        }
    }
}

/// Produces the derived events of a lane's flushes, one flush after the other.
async fn emit_all(context: Arc<Context>, mut queue: mpsc::UnboundedReceiver<EmitWork>, reached: watch::Sender<Reached>) {
    while let Some(EmitWork { mut upto, mut emits, since }) = queue.recv().await {
        // What gathered meanwhile goes in one pipeline; its order is the log's.
        while emits.len() < 5_000
            && let Ok(more) = queue.try_recv()
        {
            upto = more.upto;
            emits.extend(more.emits);
        }
        if let Err(line) = context.emit(&emits, &mut Retry::default()).await {
            reached.send_modify(|it| it.standstill = Some(line));
            return;
        }
        context.metrics.step(Step::Outside).observe(since.elapsed().as_secs_f64());
        crate::failpoint!("after-emits");
        reached.send_modify(|it| it.offset = upto);
    }
}

/// Writes a lane's cache entries; while Redis is away it only remembers which keys are behind.
struct CacheWriter {
    context: Arc<Context>,
    lane: (i32, Token),
    behind: BTreeSet<(usize, Key)>,
    overflowed: bool,
}

impl CacheWriter {
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<CacheWork>, reached: watch::Sender<Reached>, next: i64) {
        let mut retry = Retry::default();
        if self.overflowed || !self.behind.is_empty() {
            let upto = self.catch_up(&mut queue, next, &mut retry).await;
            reached.send_modify(|it| it.offset = upto.max(next + 1));
        }
        while let Some(first) = queue.recv().await {
            let since = first.since;
            let mut work = vec![first];
            while let Ok(more) = queue.try_recv() {
                work.push(more);
            }
            let mut upto = work.last().map_or(0, |it| it.version.next_offset);
            if self.write(merge(work)).await.is_err() {
                upto = self.catch_up(&mut queue, upto, &mut retry).await;
            }
            retry.reset();
            self.context.metrics.step(Step::Outside).observe(since.elapsed().as_secs_f64());
            crate::failpoint!("after-caches");
            reached.send_modify(|it| it.offset = upto);
        }
    }

    /// Writes what has gathered, if it is not too old to be the truth.
    async fn write(&mut self, work: CacheWork) -> Result<(), Fault> {
        let stale = work.since.elapsed() > self.context.settings.session_timeout;
        let written = if stale {
            Err(Fault::transient("redis: entries waited too long"))
        } else {
            crate::failpoint!("before-caches");
            self.context.caches.write(self.lane.0, work.version, &work.entries).await
        };
        written.inspect_err(|error| {
            self.context.cache_trouble(error);
            self.remember(&work.entries);
        })
    }

    fn remember(&mut self, entries: &[Cached]) {
        self.behind.extend(entries.iter().map(|it| (it.family, it.key.clone())));
        if self.behind.len() > MOST_KEYS {
            self.overflowed = true;
            self.behind.clear();
        }
    }

    /// Tries until Redis has what the rows say now, remembering what comes in between.
    async fn catch_up(&mut self, queue: &mut mpsc::UnboundedReceiver<CacheWork>, mut upto: i64, retry: &mut Retry) -> i64 {
        loop {
            sleep(retry.next_delay()).await;
            while let Ok(more) = queue.try_recv() {
                upto = more.version.next_offset;
                self.remember(&more.entries);
            }
            let keys: Vec<(usize, Key)> = self.behind.iter().cloned().collect();
            let done = if self.overflowed {
                self.context.caches.remake().await.map(|_| ())
            } else {
                self.context.caches.write_from_rows(self.lane.0, &keys).await
            };
            match done {
                Ok(()) => {
                    self.behind.clear();
                    self.overflowed = false;
                    return upto;
                }
                Err(error) => self.context.cache_trouble(&error),
            }
        }
    }
}

/// One piece of work of many: of each row the last entry, under the last version.
fn merge(mut work: Vec<CacheWork>) -> CacheWork {
    let Some(last) = work.pop() else {
        return CacheWork { version: Version { epoch: 0, next_offset: 0 }, entries: Vec::new(), since: Instant::now() };
    };
    let since = work.first().map_or(last.since, |it| it.since);
    let mut merged: BTreeMap<(usize, Key), Cached> = BTreeMap::new();
    for entry in work.into_iter().flat_map(|it| it.entries).chain(last.entries) {
        merged.insert((entry.family, entry.key.clone()), entry);
    }
    CacheWork { version: last.version, entries: merged.into_values().collect(), since }
}

/// How long a stopping lane waits for the world outside.
pub const PARTING: Duration = Duration::from_secs(5);
