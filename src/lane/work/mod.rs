//! The work of a claimed lane: gather, fold, flush, and hand over what lies outside MySQL.
//!
//! One batch at a time; only what lies outside overlaps with the next.

mod flush;
mod hold;
mod settle;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep, sleep_until, timeout},
};
use workers::fold::{Changes, Fold, Presume};

use super::{
    Context, End, Lane, Order,
    breaker::Breaker,
    claim::Claimed,
    group::Coming,
    intake::{Batch, Intake, Obstacle, remember},
    outside::{MOST_BYTES, Outside, PARTING, Parts},
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
        },
    },
};

/// How often an idle lane says that it is up to date.
const IDLE: Duration = Duration::from_secs(5);
/// How long an idle lane waits before it confirms by a flush of no rows what the next would confirm.
const CONFIRM: Duration = Duration::from_millis(500);
/// How often a lane looks whether the topic is still the one it claimed.
const LOOK: Duration = Duration::from_secs(10);
/// Batches that look identities up after one was found that was taken to be new.
const WARY: u32 = 32;

/// What a lane holds from when it has records until they are flushed.
enum Seat {
    /// It flushes alone: one of few at once.
    Slot { _permit: OwnedSemaphorePermit },
    /// It flushes with others, who wait for it a little.
    Coming(Coming),
}

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
    /// Whether a breaker of this lane is open, or was when it was last worked.
    held: bool,
    /// Whether nothing came for a while.
    rested: bool,
    /// Held while folding and flushing; let go while waiting for better weather.
    seat: Option<Seat>,
    /// How long the next flush has waited for others so far.
    waited: Duration,
    flushed_at: Instant,
    looked_at: Instant,
}

impl<'l> Work<'l> {
    /// The work of a lane just claimed.
    pub fn new(lane: &'l mut Lane, mut claimed: Claimed) -> Self {
        let context = Arc::clone(&lane.context);
        let settings = &context.settings;
        let (token, epoch, next) = (claimed.token, claimed.epoch, claimed.next);
        let now = Instant::now();
        context.held.note(lane.partition, token, next);
        Self {
            fold: Fold::new(context.role, lane.partition, Presume::New, settings.lane_memory),
            outside: Outside::start(&context, (lane.partition, token), next, std::mem::take(&mut claimed.behind)),
            breaker: Breaker::new(settings.breaker.ratio, settings.breaker.run),
            intake: Intake::new(context.role, lane.partition, claimed),
            lane,
            context,
            token,
            epoch,
            next,
            confirmed: next,
            wary: 0,
            held: false,
            rested: false,
            seat: None,
            waited: Duration::ZERO,
            flushed_at: now,
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
            // Whatever flushed last, an idle lane among them, leaves its seat to the others.
            self.seat = None;
            self.look().await?;
            if !self.gather().await? {
                self.rest().await?;
                self.rested = true;
                continue;
            }
            self.look_after_rest().await?;
            let context = Arc::clone(&self.context);
            self.intake.drain().map_err(|it| self.obstacle_end(it))?;
            if self.intake.is_behind() {
                self.take_slot().await?;
                self.intake.drain().map_err(|it| self.obstacle_end(it))?;
            }
            let decoding = Instant::now();
            match self.intake.batch(&context.registry).await {
                Ok(batch) => {
                    context.metrics.step(Step::Decode).observe(decoding.elapsed().as_secs_f64());
                    self.settle(batch).await?;
                }
                Err(Obstacle::Wait(fault)) => self.wait_for_schema(fault).await?,
                Err(obstacle) => return Err(self.obstacle_end(obstacle)),
            }
        }
    }

    async fn take_slot(&mut self) -> Result<(), End> {
        if !matches!(self.seat, Some(Seat::Slot { .. })) {
            self.seat = None;
            let (slots, since) = (Arc::clone(&self.context.group.slots), Instant::now());
            // It is never closed.
            self.seat = self.lane.unless_ordered(slots.acquire_owned()).await?.ok().map(|permit| Seat::Slot { _permit: permit });
            self.waited += since.elapsed();
        }
        Ok(())
    }

    /// Waits for records; `false` when there were none for a while.
    async fn gather(&mut self) -> Result<bool, End> {
        if self.intake.is_empty() {
            let pause = if self.confirmed < self.next { CONFIRM } else { IDLE };
            let intake = &mut self.intake;
            let received = self
                .lane
                .unless_ordered(async {
                    tokio::select! {
                        received = intake.receive() => Some(received),
                        () = sleep(pause) => None,
                    }
                })
                .await?;
            match received {
                Some(received) => self.received(received)?,
                None => return Ok(false),
            }
        }
        self.seat = self.context.group.announce().map(Seat::Coming);
        let due = self.context.group.departs();
        while !self.intake.is_enough() && Instant::now() < due {
            let intake = &mut self.intake;
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
                let line = format!("topic {} holds another record than was consumed last: {}", self.context.topic, self.lane.way_out());
                End::Standstill(State::LogChanged, line)
            }
            Obstacle::Incompatible(line) => End::Standstill(State::SchemaIncompatible, line),
            Obstacle::Wait(fault) => End::of(Store::Registry, fault),
        }
    }

    async fn wait_for_schema(&mut self, fault: Fault) -> Result<(), End> {
        self.seat = None;
        self.lane.state(State::SinkBlocked, &fault.to_string());
        self.context.process.store_error(Store::Registry, fault.weather());
        self.lane.wait(Duration::from_millis(500)).await
    }

    /// Confirms by a flush of no rows what no other will confirm soon.
    pub(super) async fn confirm(&mut self) -> Result<(), End> {
        if self.outside.confirmed(self.next)? == self.next && self.confirmed < self.next {
            self.flush_nothing(self.next).await?;
        }
        Ok(())
    }

    /// A flush of no rows, which says how far the lane is.
    async fn flush_nothing(&mut self, next: i64) -> Result<(), End> {
        let changes = Changes::default();
        let advance = self.advance((&changes, &Parts::default()), next, None)?;
        self.flush(Flush { advance, changes, letters: Vec::new() }).await?;
        Ok(())
    }

    /// An idle lane confirms what is confirmed, and says that it is up to date, where the brokers say so.
    async fn rest(&mut self) -> Result<(), End> {
        self.confirm().await?;
        // Past control records, which are nobody's events.
        let next = self.next.max(self.intake.end().unwrap_or_default());
        let (quiet, log_end) = (self.flushed_at.elapsed() >= IDLE, self.lane.log_end.within(IDLE));
        if quiet && log_end.is_some_and(|it| it <= next) {
            self.flush_nothing(next).await?;
            self.flushed(next);
        }
        if !self.intake.is_empty() {
            return Ok(());
        }
        match log_end {
            None if quiet => self.lane.state(State::Starved, "the brokers do not tell the log's end: they are away or slow"),
            Some(end) if quiet && end > next => {
                self.lane.state(State::Starved, &format!("the log ends at {end}, and the brokers deliver nothing from {next} on"));
            }
            _ => self.lane.state(State::Idle, ""),
        }
        Ok(())
    }

    /// What comes after a pause may come from a topic that was made again meanwhile.
    async fn look_after_rest(&mut self) -> Result<(), End> {
        if !std::mem::take(&mut self.rested) {
            return Ok(());
        }
        match self.lane.check_id().await {
            // A broker that does not answer now says nothing about the topic.
            Err(End::Weather(..)) => Ok(()),
            other => other,
        }
    }

    /// Every 10 s: whether the topic is still the one that was claimed.
    async fn look(&mut self) -> Result<(), End> {
        if self.looked_at.elapsed() < LOOK {
            return Ok(());
        }
        self.looked_at = Instant::now();
        match self.lane.check_log(self.next).await {
            // A broker that does not answer now says nothing about the log.
            Err(End::Weather(..)) => Ok(()),
            other => other,
        }
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
            let confirmed = self.context.flusher.ledger.confirm(&self.context.pool, lane, self.epoch, self.next).await;
            if let Err(error) = confirmed {
                tracing::debug!("parting: {error}");
            }
        }
    }
}
