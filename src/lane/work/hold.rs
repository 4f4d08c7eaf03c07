//! Holding a lane whose breaker is open, until the letters are accepted or the cause is gone.

use super::{Batch, Duration, End, State, Work, breakers};

impl Work<'_> {
    /// A breaker that was open when the lane was last worked opens at the next letter.
    pub(super) async fn remember_breaker(&mut self) -> Result<(), End> {
        let Some(open) = breakers::find(&self.context.pool, &self.breaker_key()).await? else { return Ok(()) };
        match open.accepted_to {
            Some(to) => self.breaker.accept(to),
            None => {
                self.breaker.was_open();
                self.held = true;
            }
        }
        Ok(())
    }

    pub(super) fn breaker_key(&self) -> breakers::Key {
        breakers::Key { role: self.context.role.name, topic: self.context.topic.clone(), partition: self.lane.partition }
    }

    /// A lane that gets on without a letter has no open breaker any more.
    pub(super) async fn forget_breaker(&mut self) -> Result<(), End> {
        if self.held {
            breakers::close(&self.context.pool, &self.breaker_key()).await?;
            self.held = false;
        }
        Ok(())
    }

    /// Holds the lane where it is until the letters are accepted, or the record can be applied after all.
    pub(super) async fn hold_breaker(&mut self, batch: &Batch, place: usize) -> Result<(), End> {
        let (Some(record), Some(entry)) = (batch.records.get(place), batch.entries.get(place)) else { return Ok(()) };
        let reason = entry.event.as_ref().err().map_or("refused by the rows", |it| it.reason.as_str());
        let line = format!(
            "too many records cannot be applied, now offset {}: {reason}: mend the producer, or `fleet letters accept --role {} --partition {} --reason …`",
            record.offset, self.context.role.name, self.lane.partition
        );
        self.seat = None;
        self.held = true;
        let key = self.breaker_key();
        if breakers::find(&self.context.pool, &key).await?.is_none_or(|it| it.accepted_to.is_some_and(|to| to <= record.offset)) {
            breakers::open(&self.context.pool, &key, record.offset, reason).await?;
        }
        // Not before: who reads it may type the command at once, which needs the row.
        self.lane.state(State::BreakerOpen, &line);
        self.lane.wait(Duration::from_secs(1)).await?;
        self.confirm().await?;
        if let Some(accepted) = breakers::find(&self.context.pool, &key).await?.and_then(|it| it.accepted_to) {
            self.breaker.accept(accepted);
        }
        Ok(())
    }
}
