//! The ledger: who owns a lane, where it stands, and what is not yet confirmed outside MySQL.
//!
//! A role's ledger is one table beside its projections, a row a partition. Claims never insert: a missing row is damage.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};
use sqlx::{Executor as _, MySqlConnection, MySqlPool, Row as _, mysql::MySqlRow};
use tokio::time::timeout;
use workers::fold::{Role, Time};

use super::mysql::{
    DEADLINE, acquire, discard, fault,
    statements::{Shape, quote},
    values,
};
use crate::fault::Fault;

/// Lanes of one statement at most.
const MOST_LANES: usize = 64;

/// 8 random bytes drawn at each claim; only equality matters.
pub type Token = [u8; 8];

/// The last record consumed, by which a log that was made again is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRecord {
    /// Its offset.
    pub offset: i64,
    /// Its Kafka timestamp in milliseconds.
    pub timestamp: i64,
    /// XXH3-64 of its key and value.
    pub hash: u64,
}

/// What a ledger's row says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Goes up when something moves `next_offset` back.
    pub epoch: i64,
    /// The topic's id at the first claim.
    pub topic_id: Option<String>,
    /// The log's start at the first claim.
    pub origin_offset: Option<i64>,
    /// The next offset to apply.
    pub next_offset: Option<i64>,
    /// All before it is acknowledged outside MySQL too.
    pub confirmed_offset: Option<i64>,
    /// The last record consumed.
    pub last_record: Option<LastRecord>,
    /// What is not yet confirmed, as [`super::pending`] has it.
    pub pending: Option<Vec<u8>>,
    /// Whether `pending` no longer names all cache keys that are behind.
    pub caches_behind: bool,
}

/// Whether a partition is still the claimer's, asked right before COMMIT.
pub type StillMine = Box<dyn Fn() -> bool + Send + Sync>;

/// A role's ledger: its statements.
#[derive(Clone, Debug)]
pub struct Ledger {
    name: String,
    steps: Arc<Steps>,
}

/// The two statements that move lanes on, by how many lanes.
#[derive(Debug)]
struct Steps {
    lock: Shape,
    write: Shape,
}

/// The answer to the question whose a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The token is this one's; the next offset as stored.
    Mine(i64),
    /// Another's.
    Other,
}

impl Ledger {
    /// The ledger of a role.
    pub fn of(role: &Role) -> Self {
        let name = quote(role.ledger);
        let lock = |lanes| {
            let partitions = vec!["?"; lanes].join(", ");
            // Never by a scan of the table, which would wait for lanes of others.
            format!(
                "SELECT partition_id, token, next_offset FROM {name} FORCE INDEX (PRIMARY) \
                 WHERE shard = 0 AND partition_id IN ({partitions}) FOR UPDATE"
            )
        };
        let write = |lanes| {
            let rows = vec!["(?, 0, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(3))"; lanes].join(", ");
            format!(
                "INSERT INTO {name} (partition_id, shard, next_offset, confirmed_offset, epoch, last_record, pending, caches_behind, \
                 last_event_at, applied_at) VALUES {rows} ON DUPLICATE KEY UPDATE \
                 next_offset = VALUES(next_offset), confirmed_offset = VALUES(confirmed_offset), epoch = VALUES(epoch), \
                 last_record = COALESCE(VALUES(last_record), last_record), pending = VALUES(pending), caches_behind = VALUES(caches_behind), \
                 last_event_at = COALESCE(GREATEST(last_event_at, VALUES(last_event_at)), last_event_at, VALUES(last_event_at)), \
                 applied_at = VALUES(applied_at)"
            )
        };
        let steps = Steps { lock: Shape::new(1, MOST_LANES, lock), write: Shape::new(8, MOST_LANES, write) };
        Self { steps: Arc::new(steps), name }
    }

    /// Puts the ledger's name into a statement of this file; the only text ever put into one.
    fn sql(&self, template: &str) -> String {
        template.replace("{ledger}", &self.name)
    }

    /// Takes a lane over: locks its row, draws a token, and commits if `still_mine` says so right before.
    ///
    /// `Ok(None)` when the row is missing or the partition moved on meanwhile: the caller knows which by asking `still_mine` again.
    ///
    /// # Errors
    /// Transient or fatal, as the database says.
    pub async fn claim(
        self,
        pool: MySqlPool,
        (partition, owner): (i32, String),
        still_mine: StillMine,
    ) -> Result<Option<(Token, Position)>, Fault> {
        let mut connection = acquire(&pool).await?;
        let outcome = timeout(DEADLINE, self.take(&mut connection, (partition, owner), still_mine)).await;
        if !matches!(outcome, Ok(Ok(Some(_)))) {
            discard(connection);
        }
        outcome.unwrap_or_else(|_| Err(Fault::transient("mysql: a claim took more than 20 s")))
    }

    async fn take(
        &self,
        connection: &mut MySqlConnection,
        (partition, owner): (i32, String),
        still_mine: StillMine,
    ) -> Result<Option<(Token, Position)>, Fault> {
        run(connection, "BEGIN").await?;
        let Some(position) = self.lock(connection, partition).await? else { return Ok(None) };
        let token: Token = rand::random();
        let update = self.sql("UPDATE {ledger} SET token = ?, owner = ? WHERE partition_id = ? AND shard = 0");
        let query = sqlx::query(&update).bind(token.to_vec()).bind(owner).bind(partition);
        query.execute(&mut *connection).await.map_err(|error| fault(&error))?;
        if !still_mine() {
            return Ok(None);
        }
        run(connection, "COMMIT").await?;
        Ok(Some((token, position)))
    }

    async fn lock(&self, connection: &mut MySqlConnection, partition: i32) -> Result<Option<Position>, Fault> {
        let select = self.sql(
            "SELECT epoch, topic_id, origin_offset, next_offset, confirmed_offset, last_record, pending, caches_behind \
             FROM {ledger} WHERE partition_id = ? AND shard = 0 FOR UPDATE",
        );
        let row = sqlx::query(&select).bind(partition).fetch_optional(&mut *connection).await.map_err(|error| fault(&error))?;
        row.map(|it| position(&it)).transpose()
    }

    /// Writes down the log as the first claim, or every claim, finds it. `false`: the lane is another's now.
    ///
    /// # Errors
    /// Transient or fatal, as the database says.
    pub async fn found(&self, pool: &MySqlPool, lane: (i32, Token), topic_id: &str, watermarks: (i64, i64)) -> Result<bool, Fault> {
        let update = self.sql(
            "UPDATE {ledger} SET topic_id = COALESCE(topic_id, ?), origin_offset = COALESCE(origin_offset, ?), \
             confirmed_offset = COALESCE(confirmed_offset, ?), next_offset = COALESCE(next_offset, ?), seen_end = ? \
             WHERE partition_id = ? AND shard = 0 AND token = ?",
        );
        let (low, high) = watermarks;
        let query = sqlx::query(&update).bind(topic_id).bind(low).bind(low).bind(low).bind(high).bind(lane.0).bind(lane.1.to_vec());
        let done = query.execute(pool).await.map_err(|error| fault(&error))?;
        Ok(done.rows_affected() == 1)
    }

    /// Raises a lane's epoch, under which all its cache entries have to be written again. `false`: the lane is another's now.
    ///
    /// # Errors
    /// Transient or fatal, as the database says.
    pub async fn raise(&self, pool: &MySqlPool, lane: (i32, Token), epoch: i64) -> Result<bool, Fault> {
        let update = self.sql("UPDATE {ledger} SET epoch = ?, caches_behind = 1 WHERE partition_id = ? AND shard = 0 AND token = ?");
        let query = sqlx::query(&update).bind(epoch).bind(lane.0).bind(lane.1.to_vec());
        let done = query.execute(pool).await.map_err(|error| fault(&error))?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes that all before `offset` is acknowledged outside MySQL too. `false`: the lane is another's now.
    ///
    /// # Errors
    /// Transient or fatal, as the database says.
    pub async fn confirm(&self, pool: &MySqlPool, lane: (i32, Token), epoch: i64, offset: i64) -> Result<bool, Fault> {
        let update = self.sql(
            "UPDATE {ledger} SET confirmed_offset = ?, epoch = ?, pending = NULL, caches_behind = 0 \
             WHERE partition_id = ? AND shard = 0 AND token = ? AND next_offset = ?",
        );
        let query = sqlx::query(&update).bind(offset).bind(epoch).bind(lane.0).bind(lane.1.to_vec()).bind(offset);
        let done = query.execute(pool).await.map_err(|error| fault(&error))?;
        Ok(done.rows_affected() == 1)
    }

    /// Whose the lane is, after a COMMIT whose answer was lost: the locking read waits for the lost session's end.
    ///
    /// # Errors
    /// Transient or fatal, as the database says.
    pub async fn owner(&self, pool: &MySqlPool, partition: i32, token: Token) -> Result<Owner, Fault> {
        let select = self.sql("SELECT token, next_offset FROM {ledger} WHERE partition_id = ? AND shard = 0 FOR UPDATE");
        let row = sqlx::query(&select).bind(partition).fetch_optional(pool).await.map_err(|error| fault(&error))?;
        let Some(row) = row else { return Ok(Owner::Other) };
        let stored: Option<Vec<u8>> = row.try_get("token").map_err(|error| fault(&error))?;
        let next: Option<i64> = row.try_get("next_offset").map_err(|error| fault(&error))?;
        Ok(match next {
            Some(next) if stored.as_deref() == Some(&token) => Owner::Mine(next),
            _ => Owner::Other,
        })
    }

    /// The compare-and-set that opens every flush, of all its lanes. `false`: one of them is fenced, and nothing is written.
    ///
    /// # Errors
    /// As the database says.
    pub async fn advance(&self, connection: &mut MySqlConnection, advances: &[&Advance]) -> Result<bool, sqlx::Error> {
        for lanes in advances.chunks(MOST_LANES) {
            if !self.lock_owned(connection, lanes).await? {
                return Ok(false);
            }
            self.write_steps(connection, lanes).await?;
        }
        Ok(true)
    }

    /// Locks the rows of lanes; whether each is as its owner left it.
    async fn lock_owned(&self, connection: &mut MySqlConnection, lanes: &[&Advance]) -> Result<bool, sqlx::Error> {
        let Some((text, repeated, _)) = self.steps.lock.repeating(lanes) else { return Ok(true) };
        let mut query = sqlx::query(text);
        for lane in repeated {
            query = query.bind(lane.partition);
        }
        let mut stored = HashMap::with_capacity(lanes.len());
        for row in query.fetch_all(connection).await? {
            let (token, next): (Option<Vec<u8>>, Option<i64>) = (row.try_get("token")?, row.try_get("next_offset")?);
            stored.insert(row.try_get::<i32, _>("partition_id")?, (token, next));
        }
        let owned = |lane: &&Advance| {
            let row = stored.get(&lane.partition);
            row.is_some_and(|(token, next)| token.as_deref() == Some(&lane.token) && *next == Some(lane.expected))
        };
        Ok(lanes.iter().all(owned))
    }

    /// Moves lanes on whose rows are locked, and as their owners left them.
    async fn write_steps(&self, connection: &mut MySqlConnection, lanes: &[&Advance]) -> Result<(), sqlx::Error> {
        let Some((text, lanes, _)) = self.steps.write.repeating(lanes) else { return Ok(()) };
        let mut query = sqlx::query(text);
        for lane in lanes {
            query = query
                .bind(lane.partition)
                .bind(lane.next)
                .bind(lane.confirmed)
                .bind(lane.epoch)
                .bind(lane.last_record.as_ref().and_then(|it| serde_json::to_string(it).ok()))
                .bind(lane.pending.as_deref())
                .bind(lane.caches_behind)
                .bind(lane.last_event_at.and_then(values::datetime));
        }
        query.execute(connection).await?;
        Ok(())
    }
}

/// One step of a lane's ledger row.
#[derive(Clone, Debug)]
pub struct Advance {
    /// The lane.
    pub partition: i32,
    /// The token drawn at its claim.
    pub token: Token,
    /// `next_offset` as this lane left it.
    pub expected: i64,
    /// `next_offset` after this batch.
    pub next: i64,
    /// All before it is acknowledged outside MySQL too.
    pub confirmed: i64,
    /// The claim's epoch.
    pub epoch: i64,
    /// The last record of the batch, `None` when it has none.
    pub last_record: Option<LastRecord>,
    /// What is not yet confirmed, this batch included.
    pub pending: Option<Vec<u8>>,
    /// Whether `pending` no longer names all cache keys that are behind.
    pub caches_behind: bool,
    /// The greatest time of the batch's events.
    pub last_event_at: Option<Time>,
}

/// What a row of a ledger says, of the columns that [`Position`] names.
pub(super) fn position(row: &MySqlRow) -> Result<Position, Fault> {
    let read = |error: sqlx::Error| fault(&error);
    let last = values::text(row, "last_record")?;
    let last_record = last.map(|it| serde_json::from_str(&it)).transpose();
    Ok(Position {
        epoch: row.try_get("epoch").map_err(read)?,
        topic_id: values::text(row, "topic_id")?,
        origin_offset: row.try_get("origin_offset").map_err(read)?,
        next_offset: row.try_get("next_offset").map_err(read)?,
        confirmed_offset: row.try_get("confirmed_offset").map_err(read)?,
        last_record: last_record.map_err(|_| Fault::fatal("the ledger's last_record is not as fleet writes it"))?,
        pending: row.try_get("pending").map_err(read)?,
        caches_behind: row.try_get("caches_behind").map_err(read)?,
    })
}

async fn run(connection: &mut MySqlConnection, statement: &'static str) -> Result<(), Fault> {
    connection.execute(statement).await.map_err(|error| fault(&error))?;
    Ok(())
}
