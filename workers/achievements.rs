//! Achievements: the topic of facts that other roles derive, and one fact.
//!
//! It unlocks nothing: a fact says what happened, and never what it is worth.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fold::{self, Parsed, Reject, Time, Topic, check_text, check_within};

/// The topic of facts.
pub static TOPIC: Topic = Topic {
    name: "achievement-events",
    key: "user_id",
    partitions: 10,
    retention_ms: -1,
    schema: include_str!("../schemas/achievement-events.avsc"),
    examples: include_str!("../schemas/achievement-events.examples.ndjson"),
    rate: 2_500,
    freshness_ms: 5_000,
    parsed: Parsed::new(),
};

/// Something a user did. Its key is `user_id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AchievementFact {
    /// Its id.
    #[serde(deserialize_with = "fold::event_id", serialize_with = "fold::write_event_id")]
    pub event_id: Uuid,
    /// When it was done.
    pub occurred_at: Time,
    /// The user, above 0.
    pub user_id: i64,
    /// What was done: 1..64 of `a-z` and `_`.
    pub fact: Arc<str>,
    /// Its size, in the unit of its fact.
    pub value: i64,
    /// What rules may ask of it: at most 16. In order, so that a repeat is the same bytes.
    pub tags: BTreeMap<Arc<str>, Arc<str>>,
}

impl AchievementFact {
    /// Whether every value lies within the contract's bounds.
    ///
    /// # Errors
    /// The first field that does not.
    pub fn check(&self) -> Result<(), Reject> {
        check_within("user_id", self.user_id, 1..=i64::MAX)?;
        check_text("fact", &self.fact, 1..=64)?;
        if !self.fact.bytes().all(|it| it.is_ascii_lowercase() || it == b'_') {
            return Err(Reject::new("fact has characters other than a-z and _"));
        }
        check_within("the number of tags", self.tags.len(), 0..=16)?;
        for (key, value) in &self.tags {
            check_text("a tag's key", key, 0..=32)?;
            check_text("a tag's value", value, 0..=64)?;
        }
        Ok(())
    }
}
