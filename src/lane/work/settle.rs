//! Settling a batch: folding it, and finding the record that the database refuses.
//!
//! It writes nothing itself: see `flush`.

use std::ops::Range;

use tokio::time::Instant;
use workers::fold::{Changes, Missing, Presume, Progress, Reject, Values, WRONG_PARTITION};

use super::{
    Advance, Batch, Cause, Duration, End, Failure, Fault, Flush, Letter, MOST_BYTES, Parts, Retry, Seat, State, Step, WARY, Work, remember,
};

/// What became of one attempt at a range of a batch.
pub(super) enum Settled {
    /// So many records of it are in the database.
    Done(usize),
    /// The database refuses one of its rows.
    Refused(String),
    /// The record at this place must not be lettered.
    Tripped(usize),
}

impl Work<'_> {
    /// Folds and flushes a batch, however many transactions that takes.
    pub(super) async fn settle(&mut self, mut batch: Batch) -> Result<(), End> {
        self.context.metrics.batch_size.observe(batch.records.len() as f64);
        // A lane that is behind takes identities to be new. Else a look-up costs little, and a doubled event would take back the flushes of
        // all lanes that share its transaction.
        let behind = matches!(self.seat, Some(Seat::Slot { .. }));
        self.fold.presume(if behind && self.wary == 0 { Presume::New } else { Presume::Nothing });
        let whole = 0..batch.records.len();
        let mut ranges = Vec::from([whole]);
        while let Some(range) = ranges.pop() {
            match self.attempt(&batch, range.clone()).await? {
                Settled::Done(done) if range.start + done < range.end => ranges.push(range.start + done..range.end),
                Settled::Done(_) => {}
                Settled::Refused(reason) => ranges.extend(bisect(&mut batch, range, reason)),
                Settled::Tripped(0) => {
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
    async fn attempt(&mut self, batch: &Batch, range: Range<usize>) -> Result<Settled, End> {
        let records = batch.records.get(range.clone()).unwrap_or_default();
        let changes = self.fold_range(batch, range.clone()).await?;
        let done = self.fold.done();
        let Some(last) = records.get(done.saturating_sub(1)) else { return Ok(Settled::Done(done)) };
        let mut breaker = self.breaker.clone();
        let rejected = |place: usize| changes.rejects.iter().any(|(at, _)| *at == place);
        let verdicts = records.iter().take(done).enumerate().map(|(place, it)| (it.offset, rejected(place)));
        if let Some(place) = breaker.admit(verdicts) {
            self.fold.undo();
            return Ok(Settled::Tripped(place));
        }
        crate::failpoint!("after-fold");
        let letters = letters(batch, range.start, &changes);
        let next = last.offset + 1;
        self.wait_for_room().await?;
        let parts = Parts::of(&changes)?;
        let advance = self.advance((&changes, &parts), next, Some(remember(last)))?;
        let (Flush { changes, .. }, failure) = self.flush(Flush { advance, changes, letters }).await?;
        if let Some(failure) = failure {
            return Ok(self.take_back(failure));
        }
        self.lane.state(State::Flowing, "");
        self.fold.settle();
        self.breaker = breaker;
        self.account(batch, range.start..range.start + done, &changes);
        let clean = changes.rejects.is_empty();
        self.hand_over((changes, parts), next);
        if clean {
            self.forget_breaker().await?;
        }
        Ok(Settled::Done(done))
    }

    /// Folds a range as far as the lane's memory goes, loading what it misses.
    async fn fold_range(&mut self, batch: &Batch, range: Range<usize>) -> Result<Changes, End> {
        let entries = batch.entries.get(range).unwrap_or_default();
        let (begun, mut loading) = (Instant::now(), Duration::ZERO);
        while let Progress::Missing(missing) = self.fold.advance(entries) {
            let asked = Instant::now();
            let rows = self.load(missing).await?;
            loading += asked.elapsed();
            for (missing, row) in rows {
                self.fold.hold(missing, row);
            }
        }
        let changes = self.fold.take();
        let metrics = &self.context.metrics;
        metrics.step(Step::Fold).observe(begun.elapsed().saturating_sub(loading).as_secs_f64());
        if !loading.is_zero() {
            metrics.step(Step::Load).observe(loading.as_secs_f64());
        }
        if changes.rejects.iter().any(|(_, it)| it.reason == WRONG_PARTITION) {
            self.lane.check_partitions().await?;
        }
        Ok(changes)
    }

    /// Nothing of the range happened: what the failure asks for instead.
    fn take_back(&mut self, failure: Failure) -> Settled {
        self.fold.undo();
        match failure {
            Failure::Duplicate if self.wary == 0 => {
                self.wary = WARY;
                self.fold.presume(Presume::Nothing);
                Settled::Done(0)
            }
            Failure::Refused(reason) => Settled::Refused(reason),
            _ => Settled::Refused("the database refuses a row: its key is there already".to_owned()),
        }
    }

    /// The rows that a batch misses, through any weather.
    async fn load(&mut self, missing: Vec<Missing>) -> Result<Vec<(Missing, Option<Values>)>, End> {
        let mut retry = Retry::default();
        loop {
            match self.context.group.lookups.load(missing.clone()).await {
                Ok(rows) => return Ok(rows),
                Err(fault @ Fault::Transient(..)) => self.blocked(&fault, &mut retry).await?,
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    /// Waits until the derived events not yet acknowledged leave room in `pending`, before BEGIN and never inside.
    pub(super) async fn wait_for_room(&mut self) -> Result<(), End> {
        let since = Instant::now();
        while self.outside.unacknowledged() > MOST_BYTES {
            self.seat = None;
            self.lane.state(State::SinkBlocked, "derived events are not acknowledged: the brokers are away or slow");
            self.lane.unless_ordered(self.outside.progress()).await?;
            self.outside.confirmed(self.next)?;
        }
        self.waited += since.elapsed();
        Ok(())
    }

    pub(super) fn advance(
        &mut self,
        (changes, parts): (&Changes, &Parts),
        next: i64,
        last_record: Option<crate::store::ledger::LastRecord>,
    ) -> Result<Advance, End> {
        let confirmed = self.outside.confirmed(if changes.emits.is_empty() && changes.caches.is_empty() { next } else { self.next })?;
        let (pending, caches_behind) = self.outside.pending_with(changes, parts);
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
    // No replay of the record alone would refuse it: `fleet verify` must know.
    if let Some(cause) = batch.causes.get_mut(range.start) {
        *cause = Cause::Environment;
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
