//! Flushing what a batch changed, through any weather, and what follows from it.

use std::ops::Range;

use tokio::time::Instant;
use workers::fold::Changes;

use super::{
    Advance, Batch, Cause, End, Failure, Fault, Flush, Owner, Parts, Resolution, Retry, RoleMetrics, Seat, State, Step, Store, Took, Work,
};

impl Work<'_> {
    /// Flushes through any weather. Gives the flush back, and `None` when it is in the database; else a failure that asks for another
    /// batch.
    pub(super) async fn flush(&mut self, mut flush: Flush) -> Result<(Flush, Option<Failure>), End> {
        self.flushed_at = Instant::now();
        let mut retry = Retry::default();
        if !self.context.group.takes(&flush) {
            self.take_slot().await?;
        }
        loop {
            let (back, outcome) = self.try_flush(flush).await?;
            flush = back;
            match outcome {
                Ok(_) => {
                    self.committed(&flush.advance);
                    return Ok((flush, None));
                }
                Err(Failure::Apart) => {}
                Err(Failure::Fenced) => return Err(End::Fenced),
                Err(Failure::Unknown) => {
                    if self.resolve(&flush.advance).await? {
                        self.committed(&flush.advance);
                        return Ok((flush, None));
                    }
                }
                Err(Failure::Fault(fault @ Fault::Transient(..))) => self.blocked(&fault, &mut retry).await?,
                Err(Failure::Fault(fault)) => return Err(fault.into()),
                Err(failure) => return Ok((flush, Some(failure))),
            }
            // Whatever it was, it is tried again alone.
            self.take_slot().await?;
        }
    }

    /// Flushes once: a lane that holds a slot in a transaction of its own, else with others.
    async fn try_flush(&mut self, flush: Flush) -> Result<(Flush, Result<Took, Failure>), End> {
        let (group, since) = (&self.context.group, Instant::now());
        let (flush, outcome) = match self.seat.take() {
            slot @ Some(Seat::Slot { .. }) => {
                let outcome = group.alone(&flush).await;
                self.seat = slot;
                (flush, outcome)
            }
            Some(Seat::Coming(coming)) => group.together(flush, Some(coming)).await?,
            None => group.together(flush, None).await?,
        };
        if let Ok(took) = &outcome {
            self.waited += since.elapsed().saturating_sub(took.fence + took.rows + took.commit);
        }
        Ok((flush, outcome))
    }

    /// Whether a COMMIT whose answer was lost happened.
    pub(super) async fn resolve(&mut self, advance: &Advance) -> Result<bool, End> {
        let mut retry = Retry::default();
        loop {
            let resolution = match self.context.flusher.ledger.owner(&self.context.pool, advance.partition, advance.token).await {
                Ok(Owner::Mine(next)) if next == advance.next && next != advance.expected => Resolution::Applied,
                Ok(Owner::Mine(next)) if next == advance.expected => Resolution::Redone,
                Ok(_) => Resolution::Fenced,
                Err(fault @ Fault::Transient(..)) => {
                    self.blocked(&fault, &mut retry).await?;
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

    pub(super) async fn blocked(&mut self, fault: &Fault, retry: &mut Retry) -> Result<(), End> {
        self.seat = None;
        self.lane.state(State::SinkBlocked, &fault.to_string());
        self.context.process.store_error(Store::Mysql, fault.weather());
        self.lane.wait(retry.next_delay()).await
    }

    fn committed(&mut self, advance: &Advance) {
        self.confirmed = advance.confirmed;
        let wait = std::mem::take(&mut self.waited);
        self.context.metrics.step(Step::Wait).observe(wait.as_secs_f64());
    }

    pub(super) fn flushed(&mut self, next: i64) {
        self.next = next;
        self.context.held.note(self.lane.partition, self.token, next);
        self.lane.consumer.commit(self.lane.partition, next);
        self.lane.progress(next, self.intake.oldest());
        self.context.metrics.records_skipped.inc_by(std::mem::take(&mut self.intake.repeated));
        self.wary = self.wary.saturating_sub(1);
    }

    pub(super) fn hand_over(&mut self, (changes, parts): (Changes, Parts), next: i64) {
        crate::failpoint_sync!("after-commit");
        let from = self.next;
        self.outside.perform((from, next), self.epoch, changes, parts);
        self.flushed(next);
    }

    /// Counts what a flush brought, at the moment it became visible.
    pub(super) fn account(&self, batch: &Batch, range: Range<usize>, changes: &Changes) {
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
}
