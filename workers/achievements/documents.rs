//! A user's two documents: what is unlocked, and how far all else is. Both are objects with an entry an achievement, by its id.
//!
//! Their bytes are those of the columns and of `data` in Redis. Times in them are milliseconds since 1970.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    entries::Entries,
    rows::{Progress, Standings, Totals, Unlocked},
    rules::Rule,
};
use crate::fold::{self, Document, Family, Form, Reject, Row, Time};

/// `user:{user_id}:achievements`, for an hour.
pub static UNLOCKED: Family = Family {
    name: "achievements-unlocked",
    table: Totals::TABLE,
    form: Form::Document(Document { key: "user:{user_id}:achievements", column: "unlocked", ttl_s: 3_600 }),
};

/// `user:{user_id}:achievement-progress`, for a quarter of an hour.
pub static PROGRESS: Family = Family {
    name: "achievement-progress",
    table: Standings::TABLE,
    form: Form::Document(Document { key: "user:{user_id}:achievement-progress", column: "progress", ttl_s: 900 }),
};

/// How far a user is by a rule. The order of the fields is the contract's.
#[derive(Debug, Serialize, Deserialize)]
pub struct Standing {
    /// The rule's.
    pub version: i64,
    /// As the row has it.
    pub value: i64,
    /// The number of the highest tier reached; 0 before the first.
    tier: i64,
    /// The next tier's target; none after the last.
    target: Option<i64>,
    /// As the row has it.
    pub last_event_at: Time,
}

impl Standing {
    /// That of a row.
    pub fn of(rule: &Rule, row: &Progress) -> Self {
        let ahead = || rule.tiers.iter().filter(|it| it.target > row.value);
        let tier = i64::try_from(rule.tiers.len() - ahead().count()).unwrap_or(i64::MAX);
        let target = ahead().next().map(|it| it.target);
        Self { version: row.version, value: row.value, tier, target, last_event_at: row.last_event_at }
    }
}

/// A tier unlocked. The order of the fields is the contract's.
#[derive(Debug, Serialize, Deserialize)]
pub struct Award {
    /// Its number.
    pub tier: i64,
    points: i64,
    unlocked_at: Time,
    #[serde(deserialize_with = "fold::event_id", serialize_with = "fold::write_event_id")]
    event_id: Uuid,
}

impl Award {
    /// That of a row.
    pub fn of(row: &Unlocked) -> Self {
        Self { tier: row.tier, points: row.points, unlocked_at: row.unlocked_at, event_id: row.event_id }
    }
}

/// A user's document of progress, an entry a [`Standing`].
///
/// # Errors
/// A document that is none: a damaged row, which must not be written over.
pub fn progress(row: Option<&Standings>) -> Result<Entries<'_>, Reject> {
    Entries::read(row.map(|it| &it.progress), "achievement_standings.progress", '}')
}

/// A user's document of what is unlocked, an entry an achievement's [`Award`]s in the order of their numbers.
///
/// # Errors
/// As [`progress`].
pub fn unlocked(row: Option<&Totals>) -> Result<Entries<'_>, Reject> {
    Entries::read(row.map(|it| &it.unlocked), "achievement_totals.unlocked", ']')
}
