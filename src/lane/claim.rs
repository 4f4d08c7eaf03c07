//! The claim: how a lane becomes the one owner of its partition, and how it knows the log from another.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{End, Lane, outside::Behind};
use crate::{
    fault::Fault,
    health::State,
    kafka::consumer::{Delivery, Load},
    retry::Retry,
    store::{
        ledger::{LastRecord, Position, StillMine, Token},
        pending::Pending,
        positions,
    },
};

/// A lane that may be worked.
pub struct Claimed {
    /// The token drawn.
    pub token: Token,
    /// The ledger's epoch.
    pub epoch: i64,
    /// The next offset to apply.
    pub next: i64,
    /// The last record consumed, to be compared with the first that comes; `None` when it cannot be.
    pub compare: Option<LastRecord>,
    /// Where records arrive.
    pub inbox: mpsc::UnboundedReceiver<Delivery>,
    /// How much waits there.
    pub load: Arc<Load>,
    /// Cache entries that the last owner left and that could not be written yet.
    pub behind: Behind,
}

impl Lane {
    /// Draws a token, performs what is pending, compares the log, and has the partition fetched.
    pub(super) async fn claim(&mut self) -> Result<Claimed, End> {
        self.check_partitions().await?;
        let (token, mut position) = self.take_ledger().await?;
        self.raise_epoch(token, &mut position).await?;
        let behind = self.perform_pending(token, &position).await?;
        let (low, high) = self.watermarks().await?;
        let next = self.compare_log(token, &position, (low, high)).await?;
        let compare = position.last_record.filter(|it| it.offset >= low && it.offset < next);
        let start = compare.as_ref().map_or(next, |it| it.offset);
        let (sender, inbox) = mpsc::unbounded_channel();
        let load = Arc::new(Load::default());
        self.consumer.assign((self.partition, self.assignment), start, sender, Arc::clone(&load));
        self.log_end.told(high);
        self.progress(next, None);
        Ok(Claimed { token, epoch: position.epoch, next, compare, inbox, load, behind })
    }

    /// Another number of partitions than the contract's puts keys into other lanes.
    pub(super) async fn check_partitions(&mut self) -> Result<(), End> {
        let consumer = self.consumer.clone();
        let count = self.unless_ordered(consumer.partitions()).await?.map_err(End::of_brokers)?;
        let topic = self.context.role.topic;
        if count == topic.partitions {
            return Ok(());
        }
        if count == 0 {
            self.check_id().await?;
            return Err(End::of_brokers(Fault::transient(format!("the brokers show no partition of topic {}", self.context.topic))));
        }
        let line = format!(
            "topic {} has {count} partitions, the contract says {}: see `fleet topics plan`; a topic deleted, made anew by `fleet topics apply` and filled from a copy of the log is the way out",
            self.context.topic, topic.partitions
        );
        Err(End::Standstill(State::PartitionsChanged, line))
    }

    /// The claim's transaction runs in a task of its own: a revoke leaves it to roll itself back.
    async fn take_ledger(&mut self) -> Result<(Token, Position), End> {
        let (context, consumer) = (Arc::clone(&self.context), self.consumer.clone());
        let (partition, assignment) = (self.partition, self.assignment);
        let still_mine: StillMine = Box::new(move || consumer.is_mine(partition, assignment));
        let (ledger, pool, owner) = (context.flusher.ledger.clone(), context.pool.clone(), context.settings.owner.clone());
        let task = tokio::spawn(ledger.claim(pool, (partition, owner), still_mine));
        let claimed = self.unless_ordered(task).await?.map_err(|error| Fault::transient(format!("claim: {error}")))?;
        if let Some(claimed) = claimed? {
            return Ok(claimed);
        }
        if !self.consumer.is_mine(partition, assignment) {
            return Err(End::Ordered(super::Order::Revoked));
        }
        Err(End::Standstill(State::LedgerMissing, positions::give_back(self.context.role, partition)))
    }

    /// Where Redis has seen this lane further than the ledger says, the database was put back: versions must go on rising.
    ///
    /// The new epoch is committed before anything is written or made again under it, and that all caches are behind with it.
    async fn raise_epoch(&self, token: Token, position: &mut Position) -> Result<(), End> {
        let context = &self.context;
        match context.caches.high_water(self.partition).await {
            Ok(Some(seen)) if (seen.epoch, seen.next_offset) > (position.epoch, position.next_offset.unwrap_or_default()) => {
                position.epoch = seen.epoch.max(position.epoch) + 1;
                position.caches_behind = true;
                let raised = context.flusher.ledger.raise(&context.pool, (self.partition, token), position.epoch).await?;
                if raised { Ok(()) } else { Err(End::Fenced) }
            }
            Ok(_) => Ok(()),
            Err(error) => {
                context.cache_trouble(&error);
                Ok(())
            }
        }
    }

    /// What the last owner committed and did not confirm is performed again, before anything newer.
    async fn perform_pending(&mut self, token: Token, position: &Position) -> Result<Behind, End> {
        let pending = position.pending.as_deref().map(Pending::from_bytes).transpose()?.unwrap_or_default();
        let context = Arc::clone(&self.context);
        if !pending.emits.is_empty() {
            let mut retry = Retry::default();
            self.unless_ordered(context.emit(&pending.emits, &mut retry)).await?.map_err(|line| End::Standstill(State::Stuck, line))?;
        }
        let keys = pending.keys;
        if position.caches_behind {
            // Redis holds nothing back: the lane's own task makes it again, however long that takes.
            return Ok(Behind { keys, overflowed: true });
        }
        if let Err(error) = context.caches.write_from_rows(self.partition, &keys).await {
            context.cache_trouble(&error);
            return Ok(Behind { keys, overflowed: false });
        }
        if let Some(next) = position.next_offset
            && !context.flusher.ledger.confirm(&context.pool, (self.partition, token), position.epoch, next).await?
        {
            return Err(End::Fenced);
        }
        Ok(Behind::default())
    }

    /// Whether the topic is still the one that was claimed, and long enough.
    pub(super) async fn check_log(&mut self, next: i64) -> Result<(), End> {
        self.check_partitions().await?;
        let (low, high) = self.watermarks().await?;
        self.compare_range(next, (low, high))?;
        self.check_id().await
    }

    /// Whether the topic is still the one that was claimed.
    pub(super) async fn check_id(&self) -> Result<(), End> {
        let id = self.id().await?;
        self.compare_id(self.topic_id.as_deref(), id.as_deref())
    }

    async fn id(&self) -> Result<Option<String>, End> {
        let id = self.context.admin.topic_id(&self.context.topic).await.map_err(End::of_brokers)?;
        Ok(id.map(|it| uuid::Uuid::from_bytes(it).to_string()))
    }

    async fn watermarks(&mut self) -> Result<(i64, i64), End> {
        let (consumer, partition) = (self.consumer.clone(), self.partition);
        self.unless_ordered(consumer.watermarks(partition)).await?.map_err(End::of_brokers)
    }

    /// Whether the log is the one that the ledger stands in; answers the next offset.
    async fn compare_log(&mut self, token: Token, position: &Position, (low, high): (i64, i64)) -> Result<i64, End> {
        let (context, partition) = (Arc::clone(&self.context), self.partition);
        let id = self.id().await?;
        self.compare_id(position.topic_id.as_deref(), id.as_deref())?;
        let next = position.next_offset.unwrap_or(low);
        self.compare_range(next, (low, high))?;
        if !context.flusher.ledger.found(&context.pool, (partition, token), id.as_deref().unwrap_or_default(), (low, high)).await? {
            return Err(End::Fenced);
        }
        self.topic_id = id;
        Ok(next)
    }

    fn compare_id(&self, claimed: Option<&str>, now: Option<&str>) -> Result<(), End> {
        let topic = &self.context.topic;
        if now.is_none() {
            let line = format!("topic {topic} does not exist: run `fleet topics apply`, then {}", self.way_out());
            return Err(End::Standstill(State::LogChanged, line));
        }
        if claimed.is_some_and(|it| Some(it) != now) {
            let line = format!("topic {topic} was deleted and made again: {}", self.way_out());
            return Err(End::Standstill(State::LogChanged, line));
        }
        Ok(())
    }

    fn compare_range(&self, next: i64, (low, high): (i64, i64)) -> Result<(), End> {
        let topic = &self.context.topic;
        if next > high {
            let line = format!("topic {topic} ends at {high}, before next_offset {next}: {}", self.way_out());
            return Err(End::Standstill(State::LogChanged, line));
        }
        if next < low {
            let line = format!("topic {topic} begins at {low}, after next_offset {next}: retention took records: {}", self.way_out());
            return Err(End::Standstill(State::OutOfRange, line));
        }
        Ok(())
    }

    pub(super) fn way_out(&self) -> String {
        format!("{} is the way out", positions::move_to_earliest(self.context.role, self.partition))
    }
}
