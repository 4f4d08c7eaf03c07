//! The document of a user's latest results: ten of any verdict, the newest first.
//!
//! Its bytes are those of the column `recent` and of `data` in Redis. Times in it are milliseconds since 1970.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    event::Mode,
    rows::{Profile, Test},
    verdict::Verdict,
};
use crate::fold::{self, Document, Family, Form, Hundredths, Json, Reject, Row, Time};

/// `user:{user_id}:recent-results`, for a day.
pub static FAMILY: Family = Family {
    name: "recent-results",
    table: Profile::TABLE,
    form: Form::Document(Document { key: "user:{user_id}:recent-results", column: "recent", ttl_s: 86_400 }),
};

/// How many results it holds.
const LENGTH: usize = 10;

/// One result of it. The order of the fields is the contract's.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Recent {
    #[serde(deserialize_with = "fold::event_id", serialize_with = "fold::write_event_id")]
    event_id: Uuid,
    occurred_at: Time,
    mode: Mode,
    mode2: Arc<str>,
    language: Arc<str>,
    wpm: Hundredths,
    accuracy: Hundredths,
    verdict: Verdict,
    is_pb: bool,
}

impl Recent {
    fn of(test: &Test) -> Self {
        Self {
            event_id: test.event_id,
            occurred_at: test.occurred_at,
            mode: test.mode,
            mode2: Arc::clone(&test.mode2),
            language: Arc::clone(&test.language),
            wpm: test.wpm,
            accuracy: test.accuracy,
            verdict: test.verdict,
            is_pb: test.is_pb,
        }
    }

    fn order(&self) -> (Time, Uuid) {
        (self.occurred_at, self.event_id)
    }
}

/// The document with one more result, which is left out if ten are newer.
///
/// # Errors
/// A reject if the document is none: a damaged row, which must not be written over.
pub fn with(document: &Json, test: &Test) -> Result<Json, Reject> {
    let mut results: Vec<Recent> = serde_json::from_str(&document.0).map_err(|_| Reject::new("typing_profiles.recent is damaged"))?;
    let newest = Recent::of(test);
    let place = results.partition_point(|it| it.order() > newest.order());
    results.insert(place, newest);
    results.truncate(LENGTH);
    let text = serde_json::to_string(&results).map_err(|_| Reject::new("recent has no JSON form"))?;
    Ok(Json(text.into()))
}
