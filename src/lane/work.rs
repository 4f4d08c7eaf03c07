//! The work of a claimed lane: gather, fold, flush, and hand over what lies outside MySQL.
//!
//! One batch at a time; only what lies outside overlaps with the next.

use std::{ops::Range, sync::Arc, time::Duration};

use tokio::{
    sync::SemaphorePermit,
    time::{Instant, sleep, sleep_until, timeout},
};
use workers::fold::{Changes, Fold, Presume, Progress, Reject, WRONG_PARTITION};

use super::{
    Context, End, Lane, Order, TRANSIENT,
    breaker::Breaker,
    claim::Claimed,
    intake::{Batch, Intake, Obstacle, PACE, remember},
    outside::{MOST_BYTES, Outside, PARTING},
};
use crate::{
    fault::Fault,
    health::State,
    metrics::{Resolution, RoleMetrics, Step, Store},
    retry::Retry,
    store::{
        breakers,
        ledger::{Advance, Owner, Token},
        mysql::{
            Failure,
            flush::{Cause, Flush, Letter, Took},
            load::load,
        },
    },
};

/// How often an idle lane says that it is up to date.
const IDLE: Duration = Duration::from_secs(5);
/// How often a lane looks whether the topic is still the one it claimed.
const LOOK: Duration = Duration::from_secs(10);
/// Batches that look identities up after one was found that was taken to be new.
const WARY: u32 = 32;

/// A lane at work.
pub struct Work<'l> {
    lane: &'l mut Lane,
    context: Arc<Context>,
    token: Token,
    epoch: i64,
    /// The ledger's next offset.
    next: i64,
    /// The ledger's confirmed offset.
    confirmed: i64,
    intake: Intake,
    fold: Fold,
    outside: Outside,
    breaker: Breaker,
    wary: u32,
    flushed_at: Instant,
    looked_at: Instant,
}

/// What became of one attempt at a range of a batch.
enum Settled {
    /// So many records of it are in the database.
    Done(usize),
    /// The database refuses one of its rows.
    Refused(String),
    /// The record at this place must not be lettered.
    Tripped(usize),
}

impl<'l> Work<'l> {
    /// The work of a lane just claimed.
    pub fn new(lane: &'l mut Lane, claimed: Claimed) -> Self {
        let context = Arc::clone(&lane.context);
        let settings = &context.settings;
        let (token, epoch, next) = (claimed.token, claimed.epoch, claimed.next);
        let now = Instant::now();
        Self {
            fold: Fold::new(context.role, lane.partition, Presume::New, settings.lane_memory),
            outside: Outside::start(&context, (lane.partition, token), next),
            breaker: Breaker::new(settings.breaker.ratio, settings.breaker.run),
            intake: Intake::new(context.role, lane.partition, claimed),
            lane,
            context,
            token,
            epoch,
            next,
            confirmed: next,
            wary: 0,
            flushed_at: now.checked_sub(PACE).unwrap_or(now),
            looked_at: now,
        }
    }

    /// Works until something ends it.
    pub async fn run(mut self) -> End {
        let end = match self.work().await {
            Ok(never) => never,
            Err(end) => end,
        };
        if let End::Ordered(order) = &end {
            self.part(*order).await;
        }
        end
    }

    async fn work(&mut self) -> Result<End, End> {
        self.remember_breaker().await?;
        self.lane.state(State::Idle, "");
        loop {
            self.look().await?;
            if !self.gather().await? {
                self.rest().await?;
                continue;
            }
            let context = Arc::clone(&self.context);
            let permit = self.lane.unless_ordered(context.slots.acquire()).await?;
            self.intake.drain().map_err(|it| self.obstacle_end(it))?;
            match self.intake.batch(&context.registry).await {
                Ok(batch) => self.settle(batch, permit.ok()).await?,
                Err(Obstacle::Wait(fault)) => {
                    drop(permit);
                    self.wait_for_schema(fault).await?;
                }
                Err(obstacle) => return Err(self.obstacle_end(obstacle)),
            }
        }
    }

    /// Waits for records; `false` when there were none for a while.
    async fn gather(&mut self) -> Result<bool, End> {
        if self.intake.is_empty() {
            let (intake, outside) = (&mut self.intake, &mut self.outside);
            let received = self
                .lane
                .unless_ordered(async {
                    tokio::select! {
                        received = intake.receive() => Some(received),
                        () = outside.progress() => None,
                        () = sleep(IDLE) => None,
                    }
                })
                .await?;
            match received {
                Some(received) => self.received(received)?,
                None => return Ok(false),
            }
        }
        while !self.intake.is_enough() && self.flushed_at.elapsed() < PACE {
            let (intake, due) = (&mut self.intake, self.flushed_at + PACE);
            let received = self.lane.unless_ordered(async {
                tokio::select! { it = intake.receive() => Some(it), () = sleep_until(due) => None }
            });
            if let Some(received) = received.await? {
                self.received(received)?;
            }
        }
        Ok(!self.intake.is_empty())
    }

    fn received(&mut self, received: Result<Option<()>, Obstacle>) -> Result<(), End> {
        match received {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(End::Ordered(Order::Revoked)),
            Err(obstacle) => Err(self.obstacle_end(obstacle)),
        }
    }

    fn obstacle_end(&self, obstacle: Obstacle) -> End {
        match obstacle {
            Obstacle::LogChanged => {
                let line = format!(
                    "topic {} holds another record than was consumed last: `fleet ledger move --role {} --partition {} --accept-loss` is the way out",
                    self.context.topic, self.context.role.name, self.lane.partition
                );
                End::Standstill(State::LogChanged, line)
            }
            Obstacle::Incompatible(line) => End::Standstill(State::SchemaIncompatible, line),
            Obstacle::Wait(fault) => End::Weather(fault),
        }
    }

    async fn wait_for_schema(&mut self, fault: Fault) -> Result<(), End> {
        self.lane.state(State::SinkBlocked, &fault.to_string());
        self.context.process.store_error(Store::Registry, TRANSIENT);
        self.lane.wait(Duration::from_millis(500)).await
    }

    /// An idle lane confirms what is confirmed, and says that it is up to date.
    async fn rest(&mut self) -> Result<(), End> {
        let confirmed = self.outside.confirmed(self.next)?;
        if confirmed == self.next && self.confirmed < confirmed {
            let lane = (self.lane.partition, self.token);
            if !self.context.ledger.confirm(&self.context.pool, lane, self.epoch, confirmed).await? {
                return Err(End::Fenced);
            }
            self.confirmed = confirmed;
        }
        if self.flushed_at.elapsed() >= IDLE
            && let Some(end) = self.intake.end()
        {
            // Past control records, which are nobody's events.
            let next = self.next.max(end);
            let advance = self.advance(&Changes::default(), next, None)?;
            self.flush(&advance, &Changes::default(), &[]).await?;
            self.flushed(next);
        }
        if self.intake.is_empty() {
            self.lane.state(State::Idle, "");
        }
        Ok(())
    }

    /// Every 10 s: whether the topic is still the one that was claimed.
    async fn look(&mut self) -> Result<(), End> {
        if self.looked_at.elapsed() < LOOK {
            return Ok(());
        }
        self.looked_at = Instant::now();
        match self.lane.check_log(self.next).await {
            // A broker that does not answer now says nothing about the log.
            Err(End::Weather(_)) => Ok(()),
            other => other,
        }
    }

    /// Folds and flushes a batch, however many transactions that takes.
    async fn settle(&mut self, mut batch: Batch, mut permit: Option<SemaphorePermit<'_>>) -> Result<(), End> {
        self.context.metrics.batch_size.observe(batch.records.len() as f64);
        let mut ranges = vec![0..batch.records.len()];
        while let Some(range) = ranges.pop() {
            match self.attempt(&mut batch, range.clone()).await? {
                Settled::Done(done) if range.start + done < range.end => ranges.push(range.start + done..range.end),
                Settled::Done(_) => {}
                Settled::Refused(reason) => ranges.extend(bisect(&mut batch, range, reason)),
                Settled::Tripped(0) => {
                    permit.take();
                    self.hold_breaker(&batch, range.start).await?;
                    let rest = batch.records.split_off(range.start);
                    self.intake.put_back(rest);
                    return Ok(());
                }
                Settled::Tripped(place) => ranges.extend([range.start + place..range.end, range.start..range.start + place]),
            }
        }
        Ok(())
    }

    /// One transaction's worth of a range, or why it cannot be had.
    async fn attempt(&mut self, batch: &mut Batch, range: Range<usize>) -> Result<Settled, End> {
        let entries = batch.entries.get(range.clone()).unwrap_or_default();
        let records = batch.records.get(range.clone()).unwrap_or_default();
        let folding = Instant::now();
        loop {
            match self.fold.advance(entries) {
                Progress::Done | Progress::Full => break,
                Progress::Missing(missing) => {
                    for (missing, row) in self.load(missing).await? {
                        self.fold.hold(missing, row);
                    }
                }
            }
        }
        self.context.metrics.step(Step::Fold).observe(folding.elapsed().as_secs_f64());
        let done = self.fold.done();
        let changes = self.fold.take();
        if changes.rejects.iter().any(|(_, it)| it.reason == WRONG_PARTITION) {
            self.lane.check_partitions().await?;
        }
        let mut verdicts = vec![false; done];
        changes.rejects.iter().for_each(|(place, _)| verdicts.iter_mut().skip(*place).take(1).for_each(|it| *it = true));
        let mut breaker = self.breaker.clone();
        if let Some(place) = breaker.admit(records.iter().map(|it| it.offset).zip(verdicts)) {
            self.fold.undo();
            return Ok(Settled::Tripped(place));
        }
        crate::failpoint!("after-fold");
        let Some(last) = records.get(done.saturating_sub(1)) else { return Ok(Settled::Done(done)) };
        let letters = letters(batch, range.start, &changes);
        let next = last.offset + 1;
        self.wait_for_room().await?;
        let advance = self.advance(&changes, next, Some(remember(last)))?;
        match self.flush(&advance, &changes, &letters).await? {
            None => {
                self.fold.settle();
                self.breaker = breaker;
                self.account(batch, range.start..range.start + done, &changes);
                self.hand_over(changes, next)?;
                Ok(Settled::Done(done))
            }
            Some(Failure::Duplicate) if self.wary == 0 => {
                self.fold.undo();
                self.wary = WARY;
                self.fold.presume(Presume::Nothing);
                Ok(Settled::Done(0))
            }
            Some(Failure::Refused(reason)) => {
                self.fold.undo();
                Ok(Settled::Refused(reason))
            }
            Some(_) => {
                self.fold.undo();
                Ok(Settled::Refused("the database refuses a row: its key is there already".to_owned()))
            }
        }
    }

    /// The rows that a batch misses, through any weather.
    async fn load(
        &mut self,
        missing: Vec<workers::fold::Missing>,
    ) -> Result<Vec<(workers::fold::Missing, Option<workers::fold::Values>)>, End> {
        let mut retry = Retry::default();
        loop {
            match load(&self.context.pool, self.context.role, &self.context.statements, missing.clone()).await {
                Ok(rows) => return Ok(rows),
                Err(Fault::Transient(line)) => self.blocked(&line, &mut retry).await?,
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    /// Waits until the derived events not yet acknowledged leave room in `pending`, before BEGIN and never inside.
    async fn wait_for_room(&mut self) -> Result<(), End> {
        while self.outside.unacknowledged() > MOST_BYTES {
            self.lane.state(State::SinkBlocked, "derived events are not acknowledged: the brokers are away or slow");
            self.lane.unless_ordered(self.outside.progress()).await?;
            self.outside.confirmed(self.next)?;
        }
        Ok(())
    }

    fn advance(&mut self, changes: &Changes, next: i64, last_record: Option<crate::store::ledger::LastRecord>) -> Result<Advance, End> {
        let confirmed = self.outside.confirmed(if changes.emits.is_empty() && changes.caches.is_empty() { next } else { self.next })?;
        let (pending, caches_behind) = self.outside.pending_with(changes)?;
        Ok(Advance {
            partition: self.lane.partition,
            token: self.token,
            expected: self.next,
            next,
            confirmed,
            last_record,
            pending,
            caches_behind,
            last_event_at: changes.last_event_at,
            epoch: self.epoch,
        })
    }

    /// Flushes through any weather. `None` when it is in the database; a failure that asks for another batch otherwise.
    async fn flush(&mut self, advance: &Advance, changes: &Changes, letters: &[Letter]) -> Result<Option<Failure>, End> {
        self.flushed_at = Instant::now();
        let context = Arc::clone(&self.context);
        let flush = Flush {
            role: context.role,
            statements: &context.statements,
            ledger: &context.ledger,
            topic: &context.topic,
            advance,
            changes,
            letters,
        };
        let mut retry = Retry::default();
        loop {
            match flush.commit(&context.pool).await {
                Ok(took) => {
                    self.committed(advance, &took);
                    return Ok(None);
                }
                Err(Failure::Fenced) => return Err(End::Fenced),
                Err(Failure::Unknown) => {
                    if self.resolve(advance).await? {
                        self.committed(advance, &Took::default());
                        return Ok(None);
                    }
                }
                Err(Failure::Fault(Fault::Transient(line))) => self.blocked(&line, &mut retry).await?,
                Err(Failure::Fault(fault)) => return Err(fault.into()),
                Err(failure) => return Ok(Some(failure)),
            }
        }
    }

    /// Whether a COMMIT whose answer was lost happened.
    async fn resolve(&mut self, advance: &Advance) -> Result<bool, End> {
        let mut retry = Retry::default();
        loop {
            let resolution = match self.context.ledger.owner(&self.context.pool, advance.partition, advance.token).await {
                Ok(Owner::Mine(next)) if next == advance.next && next != advance.expected => Resolution::Applied,
                Ok(Owner::Mine(next)) if next == advance.expected => Resolution::Redone,
                Ok(_) => Resolution::Fenced,
                Err(Fault::Transient(line)) => {
                    self.blocked(&line, &mut retry).await?;
                    continue;
                }
                Err(fault) => return Err(fault.into()),
            };
            self.context.metrics.commit_unknown(resolution);
            return match resolution {
                Resolution::Applied => Ok(true),
                Resolution::Redone => Ok(false),
                Resolution::Fenced => Err(End::Fenced),
            };
        }
    }

    async fn blocked(&mut self, line: &str, retry: &mut Retry) -> Result<(), End> {
        self.lane.state(State::SinkBlocked, line);
        self.context.process.store_error(Store::Mysql, TRANSIENT);
        self.lane.wait(retry.next_delay()).await
    }

    fn committed(&mut self, advance: &Advance, took: &Took) {
        self.confirmed = advance.confirmed;
        let metrics = &self.context.metrics;
        for (step, duration) in [(Step::Ledger, took.fence), (Step::Rows, took.rows), (Step::Commit, took.commit)] {
            metrics.step(step).observe(duration.as_secs_f64());
        }
        self.lane.state(State::Flowing, "");
    }

    fn flushed(&mut self, next: i64) {
        self.next = next;
        self.lane.consumer.commit(self.lane.partition, next);
        self.lane.progress(next, self.intake.oldest());
        self.context.metrics.records_skipped.inc_by(std::mem::take(&mut self.intake.repeated));
        if self.wary > 0 {
            self.wary -= 1;
            if self.wary == 0 {
                self.fold.presume(Presume::New);
            }
        }
    }

    fn hand_over(&mut self, changes: Changes, next: i64) -> Result<(), End> {
        crate::failpoint_sync!("after-commit");
        let from = self.next;
        self.outside.perform((from, next), self.epoch, changes)?;
        self.flushed(next);
        Ok(())
    }

    /// Counts what a flush brought, at the moment it became visible.
    fn account(&self, batch: &Batch, range: Range<usize>, changes: &Changes) {
        let metrics = &self.context.metrics;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let entries = batch.entries.get(range.clone()).unwrap_or_default();
        let age = |millis: i64| (now - millis as f64 / 1000.0).max(0.0);
        RoleMetrics::observe(&metrics.record_age, entries.iter().map(|it| age(it.timestamp.0)));
        RoleMetrics::observe(&metrics.event_age, entries.iter().filter_map(|it| it.event.as_ref().ok()).map(|it| age(it.occurred_at().0)));
        metrics.events_applied.inc_by(changes.applied);
        metrics.events_duplicate.inc_by(changes.duplicates);
        changes.counts.iter().for_each(|(name, count)| metrics.noted(name, *count));
        for cause in [Cause::Data, Cause::Environment] {
            let of_cause = |place: &usize| batch.causes.get(range.start + place) == Some(&cause);
            metrics.letters(cause.name(), changes.rejects.iter().filter(|(place, _)| of_cause(place)).count() as u64);
        }
        for rows in [&changes.puts, &changes.appends, &changes.queued, &changes.adds] {
            for (table, rows) in rows {
                self.context.role.tables.get(*table).into_iter().for_each(|it| metrics.rows(it.name, rows.len() as u64));
            }
        }
    }

    /// A breaker that was open when the lane was last worked opens at the next letter.
    async fn remember_breaker(&mut self) -> Result<(), End> {
        match breakers::find(&self.context.pool, &self.breaker_key()).await? {
            Some(open) => match open.accepted_to {
                Some(to) => self.breaker.accept(to),
                None => self.breaker.was_open(),
            },
            None => {}
        }
        Ok(())
    }

    fn breaker_key(&self) -> breakers::Key {
        breakers::Key { role: self.context.role.name, topic: self.context.topic.clone(), partition: self.lane.partition }
    }

    /// Holds the lane where it is until the letters are accepted, or the record can be applied after all.
    async fn hold_breaker(&mut self, batch: &Batch, place: usize) -> Result<(), End> {
        let (Some(record), Some(entry)) = (batch.records.get(place), batch.entries.get(place)) else { return Ok(()) };
        let reason = entry.event.as_ref().err().map_or("refused by the rows", |it| it.reason.as_str());
        let line = format!(
            "too many records cannot be applied, now offset {}: {reason}: mend the producer, or `fleet letters accept --role {} --partition {}`",
            record.offset, self.context.role.name, self.lane.partition
        );
        self.lane.state(State::BreakerOpen, &line);
        let key = self.breaker_key();
        if breakers::find(&self.context.pool, &key).await?.is_none_or(|it| it.accepted_to.is_some_and(|to| to <= record.offset)) {
            breakers::open(&self.context.pool, &key, record.offset, reason).await?;
        }
        self.lane.wait(Duration::from_secs(1)).await?;
        if let Some(accepted) = breakers::find(&self.context.pool, &key).await?.and_then(|it| it.accepted_to) {
            self.breaker.accept(accepted);
        }
        Ok(())
    }

    /// A stopping lane waits a little for the world outside, and writes down how far it came.
    async fn part(&mut self, order: Order) {
        if order == Order::Revoked {
            return;
        }
        let waiting = async {
            while self.outside.confirmed(self.next).is_ok_and(|it| it < self.next) {
                self.outside.progress().await;
            }
        };
        // Past the bound the successor performs what is pending again.
        let _ = timeout(PARTING, waiting).await;
        if self.outside.confirmed(self.next).is_ok_and(|it| it == self.next) {
            let lane = (self.lane.partition, self.token);
            let confirmed = self.context.ledger.confirm(&self.context.pool, lane, self.epoch, self.next).await;
            if let Err(error) = confirmed {
                tracing::debug!("parting: {error}");
            }
        }
    }
}

/// Halves a range that holds a row the database refuses; a range of one is the culprit.
fn bisect(batch: &mut Batch, range: Range<usize>, reason: String) -> Vec<Range<usize>> {
    if range.len() > 1 {
        let middle = range.start + range.len() / 2;
        return vec![middle..range.end, range.start..middle];
    }
    if let Some(entry) = batch.entries.get_mut(range.start) {
        entry.event = Err(Reject::new(reason));
    }
    vec![range]
}

fn letters(batch: &Batch, start: usize, changes: &Changes) -> Vec<Letter> {
    let letter = |(place, reject): &(usize, Reject)| {
        let record = batch.records.get(start + place)?;
        let cause = *batch.causes.get(start + place)?;
        Some(Letter {
            offset: record.offset,
            timestamp: record.timestamp,
            schema_id: workers::fold::open_envelope(record.value.as_deref()).ok().map(|(id, _)| id),
            key: record.key.clone(),
            value: record.value.clone(),
            headers: headers(&record.headers),
            reason: reject.reason.clone(),
            cause,
        })
    };
    changes.rejects.iter().filter_map(letter).collect()
}

/// Headers as JSON: a list of names, and values in base 16.
fn headers(headers: &[(String, Option<Vec<u8>>)]) -> Option<String> {
    if headers.is_empty() {
        return None;
    }
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|it| format!("{it:02x}")).collect::<String>();
    let named: Vec<_> = headers.iter().map(|(name, value)| (name, value.as_ref().map(hex))).collect();
    serde_json::to_string(&named).ok()
}
