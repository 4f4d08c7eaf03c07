//! The event `KeystrokeSession`: its fields as the schema has them, and the bounds of each.
//!
//! It has no `Debug`, so that no key and no time can slip into a message.

use std::sync::Arc;

use serde::Deserialize;
use uuid::Uuid;

use crate::fold::{self, Event, Reject, Stop, Tables, Time, check_text, check_within};

/// The most keys of one session.
pub const MOST_KEYS: usize = 5_000;
/// The most characters of the name of a key.
const KEY_LENGTH: usize = 16;
/// The most characters of a prompt, and of what was typed.
const TEXT_LENGTH: usize = 2_000;

/// Some text that a user typed, key by key. Units and bounds are the schema's.
#[derive(Deserialize)]
pub struct KeystrokeSession {
    #[serde(deserialize_with = "fold::event_id")]
    pub event_id: Uuid,
    pub occurred_at: Time,
    pub user_id: i64,
    pub session_id: Arc<str>,
    pub language: Arc<str>,
    pub layout: Arc<str>,
    pub prompt: Arc<str>,
    pub typed: Arc<str>,
    pub keys: Vec<Press>,
}

/// One press of a key.
#[derive(PartialEq, Eq, Hash, Deserialize)]
pub struct Press {
    pub key: Arc<str>,
    pub code: i32,
    pub down_ms: i32,
    #[serde(default)]
    pub up_ms: Option<i32>,
    #[serde(default)]
    pub expected: Option<Arc<str>>,
    pub correct: bool,
}

impl Press {
    fn check(&self) -> Result<(), Reject> {
        check_text("key", &self.key, 0..=KEY_LENGTH)?;
        check_text("expected", self.expected.as_deref().unwrap_or_default(), 0..=KEY_LENGTH)?;
        check_within("down_ms", self.down_ms, 0..=i32::MAX)?;
        if self.up_ms.is_some_and(|up_ms| up_ms < self.down_ms) {
            return Err(Reject::new("up_ms is before down_ms"));
        }
        Ok(())
    }
}

impl Event for KeystrokeSession {
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
        check_text("session_id", &self.session_id, 0..=64)?;
        check_text("language", &self.language, 0..=32)?;
        check_text("layout", &self.layout, 0..=32)?;
        check_text("prompt", &self.prompt, 0..=TEXT_LENGTH)?;
        check_text("typed", &self.typed, 0..=TEXT_LENGTH)?;
        check_within("the number of keys", self.keys.len(), 1..=MOST_KEYS)?;
        for (place, press) in self.keys.iter().enumerate() {
            press.check().map_err(|it| Reject::new(format!("keys[{place}]: {}", it.reason)))?;
        }
        Ok(())
    }
    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), Stop> {
        super::apply(self, tables)
    }
}
