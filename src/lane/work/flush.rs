//! Flushing what a batch changed, through any weather, and what follows from it.

use std::ops::Range;

use tokio::time::Instant;
use workers::fold::Changes;

use super::{
    Advance, Arc, Batch, Cause, End, Failure, Fault, Flush, Owner, Parts, Resolution, Retry, RoleMetrics, Seat, State, Step, Store,
    TRANSIENT, Work,
};

impl Work<'_> {
    /// Flushes through any weather. Gives the flush back, and `None` when it is in the database; else a failure that asks for another
    /// batch.
    pub(super) async fn flush(&mut self, mut flush: Flush) -> Result<(Flush, Option<Failure>), End> {
        self.flushed_at = Instant::now();
        let context = Arc::clone(&self.context);
        let mut retry = Retry::default();
        let mut alone = matches!(self.seat, Some(Seat::Slot { .. })) || !context.group.takes(&flush);
        loop {
            let since = Instant::now();
            let outcome = if alone {
                self.take_slot().await?;
                context.group.alone(&flush).await
            } else {
                let coming = match self.seat.take() {
                    Some(Seat::Coming(coming)) => Some(coming),
                    _ => None,
                };
                let (back, outcome) = context.group.together(flush, coming).await?;
                flush = back;
                outcome
            };
            match outcome {
                Ok(took) => {
                    self.waited += since.elapsed().saturating_sub(took.fence + took.rows + took.commit);
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
                Err(Failure::Fault(Fault::Transient(line))) => self.blocked(&line, &mut retry).await?,
                Err(Failure::Fault(fault)) => return Err(fault.into()),
                Err(failure) => return Ok((flush, Some(failure))),
            }
            alone = true;
        }
    }

    /// Whether a COMMIT whose answer was lost happened.
    pub(super) async fn resolve(&mut self, advance: &Advance) -> Result<bool, End> {
        let mut retry = Retry::default();
        loop {
            let resolution = match self.context.flusher.ledger.owner(&self.context.pool, advance.partition, advance.token).await {
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

    pub(super) async fn blocked(&mut self, line: &str, retry: &mut Retry) -> Result<(), End> {
        self.seat = None;
        self.lane.state(State::SinkBlocked, line);
        self.context.process.store_error(Store::Mysql, TRANSIENT);
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
