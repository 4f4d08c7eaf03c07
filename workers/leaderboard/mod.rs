//! Leaderboards: every user's best or total score by category and window, from `leaderboard-updates`.
//!
//! It ranks nobody: the order is the view `leaderboard_ranks` and the sorted sets, both made from its rows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fold::{self, Parsed, Time, Topic};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operator {
    /// The greatest stays.
    Best,
    /// They add up.
    Total,
}

/// A score that a user reached or won. Its key is `user_id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderboardUpdate {
    /// Its id.
    #[serde(deserialize_with = "fold::event_id", serialize_with = "fold::write_event_id")]
    pub event_id: Uuid,
    /// When the score was reached.
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

#[cfg(test)]
mod tests {
    use serde_avro_fast::{from_datum_slice, ser::SerializerConfig, to_datum_vec};

    use super::*;

    #[test]
    fn an_update_survives_its_schema() {
        let schema = TOPIC.codec().unwrap();
        for (operator, occurred_at) in [(Operator::Best, Time(1_715_592_600_123)), (Operator::Total, Time(-1))] {
            let update = LeaderboardUpdate {
                event_id: Uuid::from_u128(0x018f_3c5a_7b1e_7c3d_9a4b_1f2e_3d4c_5b6a),
                occurred_at,
                user_id: i64::MAX,
                user_name: "Zoë 🐈".into(),
                category: "xp".into(),
                operator,
                score: 1_000_000_000_000_000,
                tiebreak: 99_999,
            };
            let datum = to_datum_vec(&update, &mut SerializerConfig::new(schema)).unwrap();
            assert_eq!(from_datum_slice::<LeaderboardUpdate>(&datum, schema).unwrap(), update);
        }
    }
}
