//! Tests as events of `achievement-events`.
//!
//! Streaks and levels are drawn, not kept: they rise for a user only by chance.

use serde::{Serialize, Serializer};
use serde_avro_fast::ser::SerializerConfig;
use uuid::fmt::Hyphenated;

use super::{
    test_results::{difficulty, mode},
    typing::Test,
};
use crate::fold::{Hundredths, Time};

/// What the help text says.
pub(super) const ABOUT: &str = "\
facts     80 % test_completed with its tags, 10 % streak_reached (1..400 days, mostly few), 10 % level_reached (1..100)";

#[derive(Serialize)]
struct AchievementFact<'t> {
    event_id: &'t str,
    occurred_at: Time,
    user_id: i64,
    fact: &'t str,
    value: i64,
    tags: Tags<'t>,
}

/// Tags in a fixed order.
struct Tags<'t>(&'t [(&'t str, String)]);

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The datum of a test.
pub(super) fn tell(test: &Test, config: &mut SerializerConfig<'static>) -> Option<Vec<u8>> {
    let chance = i64::from(test.dice / 10);
    let (fact, value) = match test.dice % 10 {
        0 => ("streak_reached", 400 / (chance % 400 + 1)),
        1 => ("level_reached", chance % 100 + 1),
        _ => ("test_completed", Hundredths::of(test.wpm).0),
    };
    let tags = if fact == "test_completed" { tags(test) } else { Vec::new() };
    let mut text = [0; Hyphenated::LENGTH];
    let event = AchievementFact {
        event_id: test.event_id.hyphenated().encode_lower(&mut text),
        occurred_at: test.occurred_at,
        user_id: test.typist.user_id,
        fact,
        value,
        tags: Tags(&tags),
    };
    serde_avro_fast::to_datum_vec(&event, config).ok()
}

fn tags(test: &Test) -> Vec<(&'static str, String)> {
    let local = test.occurred_at.plus(-3_600_000 * i64::from(test.typist.day_offset_hours));
    vec![
        ("mode", mode(test.kind).into()),
        ("mode2", test.kind.size(test.quote)),
        ("language", test.typist.language.into()),
        ("difficulty", difficulty(test).into()),
        ("is_pb", test.dice.is_multiple_of(7).to_string()),
        ("perfect", (test.accuracy == 100.0).to_string()),
        ("day", local.day().date().map_or_else(String::new, |it| it.to_string())),
    ]
}
