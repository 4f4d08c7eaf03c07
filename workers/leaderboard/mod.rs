//! Leaderboards: every user's best or total score by category and window, from `leaderboard-updates`.
//!
//! It ranks nobody: the order is the view `leaderboard_ranks` and the sorted sets, both made from its rows.

#[cfg(test)]
mod any_order;
mod board;
mod category;
mod rows;
#[cfg(test)]
mod tests;
mod timeframe;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    fold::{self, Event, IntoKey, Parsed, Reject, Role, Row, Stop, Tables, Time, Topic, check_text, check_within},
    symbols,
};

use board::BOARDS;
pub use rows::{LeaderboardEntry, LeaderboardEvent};
pub use timeframe::Timeframe;

/// The role.
pub static ROLE: Role = Role {
    name: "leaderboard",
    about: "every user's best or total score by category and day, week, month and all time",
    topic: &TOPIC,
    decode: fold::decode::<LeaderboardUpdate>,
    ledger: "leaderboard_ledger",
    tables: &[LeaderboardEvent::TABLE, LeaderboardEntry::TABLE],
    caches: &[&BOARDS],
    emits: &[],
    drains: &[],
    counts: &[],
    catalogues: &[],
};

/// The topic of scores, also derived by other roles.
pub static TOPIC: Topic = Topic {
    name: "leaderboard-updates",
    key: "user_id",
    partitions: 10,
    retention_ms: -1,
    schema: include_str!("../../schemas/leaderboard-updates.avsc"),
    examples: include_str!("../../schemas/leaderboard-updates.examples.ndjson"),
    rate: 5_000,
    freshness_ms: 1_000,
    parsed: Parsed::new(),
};

/// How the scores of one user merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operator {
    /// The greatest stays.
    Best,
    /// They add up.
    Total,
}
symbols!(Operator, { Best: "best", Total: "total" });

/// A score that a user reached or won. Its key is `user_id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderboardUpdate {
    /// Its id.
    #[serde(deserialize_with = "fold::event_id", serialize_with = "fold::write_event_id")]
    pub event_id: Uuid,
    /// When the score was reached: it decides the windows.
    pub occurred_at: Time,
    /// The user, above 0.
    pub user_id: i64,
    /// At most 64 characters; empty where not known.
    #[serde(default)]
    pub user_name: Arc<str>,
    /// Which board, as the producer spells it: 1..96 characters.
    pub category: Arc<str>,
    /// How it merges with the user's other scores.
    pub operator: Operator,
    /// 0..10^15.
    pub score: i64,
    /// 0..99,999: the greater ranks first among equal scores. Total ignores it.
    #[serde(default)]
    pub tiebreak: i64,
}

/// The greatest score of one event: 10^15.
pub const MAX_SCORE: i64 = 1_000_000_000_000_000;
/// The greatest tiebreak.
pub const MAX_TIEBREAK: i64 = 99_999;

impl Event for LeaderboardUpdate {
    fn event_id(&self) -> Uuid {
        self.event_id
    }

    fn occurred_at(&self) -> Time {
        self.occurred_at
    }

    fn key(&self) -> String {
        self.user_id.to_string()
    }

    fn check(&self) -> Result<(), Reject> {
        check_within("user_id", self.user_id, 1..=i64::MAX)?;
        check_text("user_name", &self.user_name, 0..=64)?;
        check_text("category", &self.category, 1..=96)?;
        check_within("score", self.score, 0..=MAX_SCORE)?;
        check_within("tiebreak", self.tiebreak, 0..=MAX_TIEBREAK)?;
        if self.operator != category::operator(&category::normal(&self.category)) {
            return Err(Reject::new("operator is not its category's: xp and total-* are total, all others best"));
        }
        Ok(())
    }

    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), Stop> {
        let update = self.stored();
        let identity = LeaderboardEvent::of(&update);
        if tables.seen(&identity)? {
            return Ok(());
        }
        tables.append(&identity)?;
        for timeframe in Timeframe::ALL.iter().copied() {
            let entry = LeaderboardEntry::of(&update, timeframe);
            let key = (entry.category.clone(), timeframe, entry.window_start, entry.user_id).into_key();
            let entry = match tables.get::<LeaderboardEntry>(key.clone())? {
                Some(held) => held.merge(entry)?,
                None => entry,
            };
            tables.put(&entry)?;
            // Even where its place is unchanged: the event may be the one that turns the public key to this window.
            tables.cache(&BOARDS, key)?;
        }
        Ok(())
    }
}

impl LeaderboardUpdate {
    /// The event as it is stored and hashed: its category spelled one way, without what its operator ignores.
    fn stored(&self) -> Self {
        let tiebreak = if self.operator == Operator::Total { 0 } else { self.tiebreak };
        Self { category: category::normal(&self.category), tiebreak, ..self.clone() }
    }
}
