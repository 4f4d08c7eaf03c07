//! Tests as events of `leaderboard-updates`.
//!
//! They are what users submit; what the role `test-results` derives looks alike and is not made here.

use serde::Serialize;
use serde_avro_fast::ser::SerializerConfig;
use uuid::fmt::Hyphenated;

use super::typing::{Kind, Test};
use crate::fold::{Hundredths, Time};

/// What the help text says.
pub(super) const ABOUT: &str = "\
kinds      half are totals of category xp (score 1..300), half bests
categories time-15, time-60 and the like, one for each language
scores     hundredths of words a minute, tiebreak hundredths of percent";

#[derive(Serialize)]
struct LeaderboardUpdate<'t> {
    event_id: &'t str,
    occurred_at: Time,
    user_id: i64,
    user_name: &'t str,
    category: &'t str,
    operator: &'t str,
    score: i64,
    tiebreak: i64,
}

/// The datum of a test.
pub(super) fn tell(test: &Test, config: &mut SerializerConfig<'static>) -> Option<Vec<u8>> {
    let total = test.dice.is_multiple_of(2);
    let seconds = if let Kind::Time(seconds @ (15 | 30 | 120)) = test.kind { seconds } else { 60 };
    let category = if total { "xp".to_owned() } else { format!("time-{seconds}-{}", test.typist.language) };
    let mut text = [0; Hyphenated::LENGTH];
    let event = LeaderboardUpdate {
        event_id: test.event_id.hyphenated().encode_lower(&mut text),
        occurred_at: test.occurred_at,
        user_id: test.typist.user_id,
        user_name: &test.typist.name,
        category: &category,
        operator: if total { "total" } else { "best" },
        score: if total { i64::from(test.dice >> 1) % 300 + 1 } else { Hundredths::of(test.wpm).0 },
        tiebreak: if total { 0 } else { Hundredths::of(test.accuracy).0 },
    };
    serde_avro_fast::to_datum_vec(&event, config).ok()
}
