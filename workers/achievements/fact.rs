//! One fact: its fields as the schema has them, and the bounds of each.
//!
//! It unlocks nothing: a fact says what happened, and never what it is worth.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fold::{self, Day, Event, Reject, Stop, Tables, Time, check_text, check_within};

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
    /// The day that it counts for: that of the tag `day` (2024-05-13) if it names one since 2000, else the UTC day.
    pub(super) fn day(&self) -> Day {
        let named = self.tags.get("day").and_then(|it| Day::parse(it));
        named.filter(|it| it.start() >= fold::FIRST_TIME).unwrap_or_else(|| self.occurred_at.day())
    }
}

impl Event for AchievementFact {
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
    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), Stop> {
        super::apply(self, super::rules::rules()?, tables)
    }
}
