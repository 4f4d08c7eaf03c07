//! One round of a drain: rows that are due are locked, judged by what the fold knows, and put under a lease, in one transaction.
//!
//! Nothing is called out for in here.

use std::{collections::BTreeMap, sync::PoisonError, time::Instant};

use sqlx::{Executor as _, MySqlConnection};
use uuid::Uuid;
use workers::fold::{
    Time, Value,
    drain::{Due, Message, Outcome, Prepared, State},
    limit::{Bucket, Class, Limit},
};

use super::{
    Draining, Post,
    message::{Letter, letter},
    millis,
};
use crate::{
    fault::Fault,
    store::{
        ledger::Token,
        mysql::fault,
        queue::{self, Entry, LaneRow},
    },
};

/// How long a row waits, in milliseconds, whose lane is about to read what came of it.
const AGAIN: i64 = 500;

/// What a round leaves to do.
pub(super) enum Job {
    /// A mail to hand over.
    Send(Box<Handing>),
    /// An outcome that the topic is to be told.
    Report(Entry),
}

/// A mail under a lease.
pub(super) struct Handing {
    /// The row as it was before.
    pub before: Entry,
    /// The row as it stands under the lease.
    pub entry: Entry,
    /// The lease.
    pub lease: Uuid,
    /// When it was claimed.
    pub since: Instant,
    /// What the fold's tables knew.
    pub facts: Option<Vec<Value>>,
    /// The domain it goes to.
    pub domain: String,
    /// The mail.
    pub letter: Letter,
}

/// What came of a round.
pub(super) enum Round {
    /// Rows were taken, if any was due.
    Taken {
        /// These are to be done now.
        jobs: Vec<Job>,
        /// Rows that were locked and judged, whatever became of them.
        looked_at: usize,
    },
    /// The server is not there for us.
    Held,
}

/// A round under way, in its transaction.
struct Taking {
    now: Time,
    /// The lanes whose rows may be taken, with commas between.
    lanes: String,
    bucket: Bucket,
    jobs: Vec<Job>,
    looked_at: usize,
}

impl Post {
    /// Claims at most so many rows, if any is due and the server is there.
    ///
    /// # Errors
    /// As the database says; nothing is claimed then.
    pub(super) async fn round(&self, room: usize) -> Result<Round, Fault> {
        if self.own.broken.get().is_some() {
            self.own.hold(None);
            return Ok(Round::Held);
        }
        if !self.own.on_connection(async |it| self.own.any_due(it).await).await? {
            return Ok(Round::Taken { jobs: Vec::new(), looked_at: 0 });
        }
        if let Err(away) = self.smtp.reach().await {
            self.own.hold(Some(away.to_string()));
            return Ok(Round::Held);
        }
        self.reached();
        self.own.on_connection(async |it| self.claim(it, room).await).await
    }

    async fn claim(&self, connection: &mut MySqlConnection, room: usize) -> Result<Round, Fault> {
        let run = |error: sqlx::Error| fault(&error);
        connection.execute("BEGIN").await.map_err(run)?;
        let now = queue::now(connection).await?;
        self.own.clock.set(now);
        let lanes = self.own.own_lanes(connection).await?;
        let limit = Limit { per_hour: self.settings.rate.into(), burst: self.settings.burst.into() };
        let mut bucket = queue::lock_bucket(connection, self.own.drain.name, Bucket::full(limit, now)).await?;
        self.unused().into_iter().for_each(|class| bucket.give(class, 1));
        let mut round = Taking { now, lanes, bucket: bucket.refilled(limit, now), jobs: Vec::new(), looked_at: 0 };
        for class in [Class::First, Class::Bulk] {
            self.take_class(connection, &mut round, class, room).await?;
        }
        queue::write_bucket(connection, self.own.drain.name, &round.bucket).await?;
        connection.execute("COMMIT").await.map_err(run)?;
        Ok(Round::Taken { jobs: round.jobs, looked_at: round.looked_at })
    }

    /// Tokens of rows that were given back. Where this round fails they are spent: never is more sent than the rate allows.
    fn unused(&self) -> Vec<Class> {
        std::mem::take(&mut *self.unused.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes rows of a class, as many as there are tokens and room for.
    async fn take_class(&self, connection: &mut MySqlConnection, round: &mut Taking, class: Class, room: usize) -> Result<(), Fault> {
        let room = room.saturating_sub(round.jobs.len());
        let mut tokens = round.bucket.take(class, i64::try_from(room).unwrap_or(i64::MAX));
        let allowed = usize::try_from(tokens).unwrap_or_default();
        // One is looked for even where there is no token, to tell that it waits.
        let keys = self.own.queue.candidates(connection, (&round.lanes, round.now), class, allowed.max(1)).await?;
        if allowed == 0 && room > 0 && !keys.is_empty() {
            self.own.metrics.limiter_waits.inc();
        }
        for key in keys.iter().take(allowed) {
            let Some(before) = self.own.queue.lock(connection, key, round.now).await? else { continue };
            round.looked_at += 1;
            let Some(job) = self.take(connection, before, round.now).await? else { continue };
            tokens -= i64::from(matches!(job, Job::Send(_)));
            round.jobs.push(job);
        }
        round.bucket.give(class, tokens);
        Ok(())
    }

    /// Takes one row that is locked, and writes what becomes of it.
    async fn take(&self, connection: &mut MySqlConnection, before: Entry, now: Time) -> Result<Option<Job>, Fault> {
        let facts = self.own.queue.facts(connection, &before.key()).await?;
        let due = Due { row: before.values(), facts: facts.as_deref(), now };
        let prepared = (self.mail.prepare)(&due, &self.sender).unwrap_or_else(|reject| Prepared::Close(failed(&reject.reason)));
        let found = before.lease();
        let (entry, job) = match prepared {
            Prepared::Later(at) => (before.postponed(at), None),
            Prepared::Close(outcome) => self.close(&before, outcome, now),
            Prepared::Send(_) if self.own.is_put_back(&before) => (before.postponed(now.plus(AGAIN)), None),
            Prepared::Send(message) => match (self.rest(&message, now), letter(&message, &self.from, now)) {
                (Some(at), _) => (before.postponed(at), None),
                (None, Err(why)) => self.close(&before, failed(&why), now),
                (None, Ok(letter)) => {
                    let lease = Uuid::from_u128(rand::random());
                    let entry = before.leased(lease, now.plus(millis(self.own.lease)));
                    let (since, domain) = (Instant::now(), message.to_domain);
                    let handing = Handing { before, entry: entry.clone(), lease, since, facts, domain, letter };
                    (entry, Some(Job::Send(Box::new(handing))))
                }
            },
        };
        self.own.queue.write(connection, &entry, found).await?;
        Ok(job)
    }

    fn close(&self, before: &Entry, outcome: Outcome, now: Time) -> (Entry, Option<Job>) {
        self.own.metrics.outcome(outcome.state.name());
        let attempt = before.long("attempts") + i64::from(outcome.report);
        let entry = before.clone().with("attempts", Value::Long(attempt)).settled(&outcome, now);
        let job = outcome.report.then(|| Job::Report(entry.clone()));
        (entry, job)
    }

    /// When a domain may be sent to again, where it has rest.
    fn rest(&self, message: &Message, now: Time) -> Option<Time> {
        let domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = domains.rest(&message.to_domain, Instant::now())?;
        Some(now.plus(millis(rest)))
    }
}

impl Draining {
    async fn any_due(&self, connection: &mut MySqlConnection) -> Result<bool, Fault> {
        let lanes = self.own_lanes(connection).await?;
        if lanes.is_empty() {
            return Ok(false);
        }
        let now = queue::now(connection).await?;
        self.queue.any_due(connection, (&lanes, now)).await
    }

    /// The lanes whose rows this process may take, with commas between: see [`may_drain`].
    async fn own_lanes(&self, connection: &mut MySqlConnection) -> Result<String, Fault> {
        let held: BTreeMap<i32, _> =
            self.context.held.all().into_iter().map(|(partition, token, next)| (partition, (token, next))).collect();
        let lanes = self.queue.lanes(connection).await?;
        let own = lanes.iter().filter(|it| held.get(&it.partition).is_some_and(|held| may_drain(it, *held)));
        Ok(own.map(|it| it.partition.to_string()).collect::<Vec<_>>().join(","))
    }
}

/// Whether the rows of a lane say all that the log knew when the lane was claimed, so that nothing is called out for twice: it is
/// claimed here, the tables reach the end that the claim saw, and the database was not put back behind the claim's back.
fn may_drain(lane: &LaneRow, (token, next): (Token, i64)) -> bool {
    let reached = |offset: Option<i64>| lane.next.zip(offset).is_some_and(|(next, offset)| next >= offset);
    lane.token == Some(token) && reached(Some(next)) && reached(lane.seen_end)
}

/// What cannot become a mail is refused for good.
fn failed(why: &str) -> Outcome {
    Outcome { state: State::Failed, due_at: None, reply: why.to_owned(), report: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_drained_only_where_its_rows_know_all_that_its_claim_saw() {
        let (mine, other) = ([1; 8], [2; 8]);
        let lane = |token, next, seen_end| LaneRow { partition: 0, token: Some(token), next: Some(next), seen_end: Some(seen_end) };
        assert!(may_drain(&lane(mine, 10, 10), (mine, 10)));
        assert!(may_drain(&lane(mine, 12, 10), (mine, 11)), "the process hears of its own commits a little later");
        assert!(!may_drain(&lane(mine, 9, 10), (mine, 9)), "the log's end is not reached");
        assert!(!may_drain(&lane(other, 10, 10), (mine, 10)), "another's");
        assert!(!may_drain(&lane(mine, 10, 10), (mine, 20)), "put back while it was held");
        assert!(!may_drain(&LaneRow { partition: 0, token: Some(mine), next: Some(10), seen_end: None }, (mine, 10)));
    }
}
