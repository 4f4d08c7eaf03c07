//! A user's two documents: what is unlocked, and how far all else is. Both are objects with an entry an achievement, by its id.
//!
//! Their bytes are those of the columns and of `data` in Redis. Times in them are milliseconds since 1970.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    rows::{Progress, Standings, Totals, Unlocked},
    rules::Rule,
};
use crate::fold::{self, Document, Family, Form, Json, Reject, Row, Time};

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
    version: i64,
    value: i64,
    /// The number of the highest tier reached; 0 before the first.
    tier: i64,
    /// The next tier's target; none after the last.
    target: Option<i64>,
    last_event_at: Time,
}

impl Standing {
    /// The entry of a row: its achievement, and what stands there.
    pub fn of(rule: &Rule, row: &Progress) -> (Arc<str>, Self) {
        let ahead = || rule.tiers.iter().filter(|it| it.target > row.value);
        let tier = i64::try_from(rule.tiers.len() - ahead().count()).unwrap_or(i64::MAX);
        let target = ahead().next().map(|it| it.target);
        let (version, value, last_event_at) = (row.version, row.value, row.last_event_at);
        (Arc::clone(&rule.id), Self { version, value, tier, target, last_event_at })
    }
}

/// A tier unlocked. The order of the fields is the contract's.
#[derive(Debug, Serialize, Deserialize)]
struct Award {
    tier: i64,
    points: i64,
    unlocked_at: Time,
    #[serde(deserialize_with = "fold::event_id", serialize_with = "fold::write_event_id")]
    event_id: Uuid,
}

/// The document of progress, with these in place of what stood there of their achievements.
///
/// # Errors
/// A document that is none: a damaged row, which must not be written over.
pub fn with_standings(document: Option<&Json>, moved: Vec<(Arc<str>, Standing)>) -> Result<Json, Reject> {
    let mut standings: BTreeMap<Arc<str>, Standing> =
        document.map_or_else(|| Ok(BTreeMap::new()), |it| it.read("achievement_standings.progress"))?;
    standings.extend(moved);
    Json::of(&standings)
}

/// The document of what is unlocked, with these tiers too: an achievement's in the order of their numbers.
///
/// # Errors
/// As [`with_standings`].
pub fn with_unlocked(document: Option<&Json>, unlocked: &[Unlocked]) -> Result<Json, Reject> {
    let mut awards: BTreeMap<Arc<str>, Vec<Award>> =
        document.map_or_else(|| Ok(BTreeMap::new()), |it| it.read("achievement_totals.unlocked"))?;
    for Unlocked { achievement_id, tier, points, unlocked_at, event_id, .. } in unlocked {
        let of_one = awards.entry(Arc::clone(achievement_id)).or_default();
        let place = of_one.partition_point(|it| it.tier < *tier);
        of_one.insert(place, Award { tier: *tier, points: *points, unlocked_at: *unlocked_at, event_id: *event_id });
    }
    Json::of(&awards)
}
