//! Rows of achievements: identities, progress, what is unlocked, and the two rows that hold a user's documents.
//!
//! How a row of progress moves stands in `progress`, what the documents look like in `documents`.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    AchievementFact,
    documents::Standing,
    rules::{Kind, Rule},
};
use crate::{
    fold::{Field, Json, Time, Value, body_hash},
    row,
};

/// A fact that was applied: its identity, and what tells a repeat from a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub user_id: i64,
    pub occurred_at: Time,
    pub event_id: Uuid,
    pub body_hash: i64,
}
row!(Identity, History, "achievement_facts", [user_id, occurred_at, event_id], [body_hash]);

impl Identity {
    /// That of a fact. Tags are hashed in the order of their keys, and each pair as two values.
    pub fn of(fact: &AchievementFact) -> Self {
        let AchievementFact { event_id, occurred_at, user_id, fact, value, tags } = fact;
        let tags = tags.iter().flat_map(|(key, value)| [key.to_value(), value.to_value()]);
        let body: Vec<Value> = [fact.to_value(), value.to_value()].into_iter().chain(tags).collect();
        Self { user_id: *user_id, occurred_at: *occurred_at, event_id: *event_id, body_hash: body_hash(&body) }
    }
}

/// How far a user is by one version of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub user_id: i64,
    pub achievement_id: Arc<str>,
    pub version: i64,
    pub value: i64,
    /// The least of the tag's values, as many as the top target asks for; of other kinds none.
    pub distinct_values: Option<Json>,
    /// Every day, as [`super::days::Days`]; of other kinds none.
    pub days: Option<Json>,
    pub last_event_at: Time,
}
row!(Progress, State, "achievement_progress", [user_id, achievement_id, version], [value, distinct_values, days, last_event_at]);

impl Progress {
    /// None yet, at a user's first fact.
    pub fn new(rule: &Rule, fact: &AchievementFact) -> Self {
        Self {
            user_id: fact.user_id,
            achievement_id: Arc::clone(&rule.id),
            version: rule.version,
            value: if matches!(rule.progress, Kind::Max) { fact.value } else { 0 },
            distinct_values: None,
            days: None,
            last_event_at: fact.occurred_at,
        }
    }

    /// The row of which a document says this, of a kind that keeps nothing else.
    pub fn shown(rule: &Rule, user_id: i64, standing: &Standing) -> Self {
        let Standing { version, value, last_event_at, .. } = *standing;
        Self { user_id, achievement_id: Arc::clone(&rule.id), version, value, distinct_values: None, days: None, last_event_at }
    }
}

/// A tier that a user unlocked, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlocked {
    pub user_id: i64,
    pub achievement_id: Arc<str>,
    pub tier: i64,
    /// The rule's, when it was unlocked.
    pub version: i64,
    pub points: i64,
    /// When the fact happened that reached the target. Facts that come late may lie before it.
    pub unlocked_at: Time,
    pub event_id: Uuid,
    pub last_event_at: Time,
}
row!(Unlocked, State, "user_achievements", [user_id, achievement_id, tier], [version, points, unlocked_at, event_id, last_event_at]);

impl Unlocked {
    /// A tier, by its number and points, that a fact unlocks.
    pub fn of(rule: &Rule, (tier, points): (i64, i64), fact: &AchievementFact) -> Self {
        Self {
            user_id: fact.user_id,
            achievement_id: Arc::clone(&rule.id),
            tier,
            version: rule.version,
            points,
            unlocked_at: fact.occurred_at,
            event_id: fact.event_id,
            last_event_at: fact.occurred_at,
        }
    }
}

/// The document of how far a user is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standings {
    pub user_id: i64,
    pub progress: Json,
    pub last_event_at: Time,
}
row!(Standings, State, "achievement_standings", [user_id], [progress, last_event_at]);

impl Standings {
    /// The row after a fact that made the document this.
    pub fn with(held: Option<&Self>, fact: &AchievementFact, progress: Json) -> Self {
        let last_event_at = held.map_or(fact.occurred_at, |it| it.last_event_at.max(fact.occurred_at));
        Self { user_id: fact.user_id, progress, last_event_at }
    }
}

/// What a user has unlocked, all told, and the document of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    pub user_id: i64,
    pub points: i64,
    pub tiers: i64,
    pub unlocked: Json,
    pub last_event_at: Time,
}
row!(Totals, State, "achievement_totals", [user_id], [points, tiers, unlocked, last_event_at]);

impl Totals {
    /// The row after a fact that unlocked these, and made the document this.
    pub fn with(held: Option<&Self>, fact: &AchievementFact, (new, unlocked): (&[Unlocked], Json)) -> Self {
        let (points, tiers) = held.map_or((0, 0), |it| (it.points, it.tiers));
        Self {
            user_id: fact.user_id,
            points: new.iter().fold(points, |sum, it| sum.saturating_add(it.points)),
            tiers: new.iter().fold(tiers, |sum, _| sum.saturating_add(1)),
            unlocked,
            last_event_at: held.map_or(fact.occurred_at, |it| it.last_event_at.max(fact.occurred_at)),
        }
    }
}
