//! Tests as events of `achievement-events`.
//!
//! Everything but the tests is drawn, not kept: streaks and levels rise for a user only by chance, and nobody was paid.

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
facts     60 % test_completed with its tags, 10 % streak_reached (1..400 days, mostly few), 10 % level_reached (1..100),
          4 % each payment_succeeded (100..20,000 minor units of EUR, mostly, USD and GBP), tournament_won (of 30 tournaments),
          race_won, challenge_completed (with its day) and order_delivered (of 40 stores)";

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
    let chance = i64::from(test.dice / 50);
    let (fact, value, tags) = match test.dice % 50 {
        0..5 => ("streak_reached", 400 / (chance % 400 + 1), Vec::new()),
        5..10 => ("level_reached", chance % 100 + 1, Vec::new()),
        10..12 => ("payment_succeeded", 100 + chance % 19_901, vec![("currency", currency(chance).into())]),
        12..14 => ("tournament_won", 1, vec![("tournament", format!("cup-{}", chance % 30))]),
        14..16 => ("race_won", 1, Vec::new()),
        16..18 => ("challenge_completed", 1, vec![("day", day(test))]),
        18..20 => ("order_delivered", 1, vec![("store", format!("store-{}", chance % 40))]),
        _ => ("test_completed", Hundredths::of(test.wpm).0, tags(test)),
    };
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
    vec![
        ("mode", mode(test.kind).into()),
        ("mode2", test.kind.size(test.quote)),
        ("language", test.typist.language.into()),
        ("difficulty", difficulty(test).into()),
        ("is_pb", test.dice.is_multiple_of(7).to_string()),
        ("perfect", (test.accuracy == 100.0).to_string()),
        ("day", day(test)),
    ]
}

/// The user's day.
fn day(test: &Test) -> String {
    let local = test.occurred_at.plus(-3_600_000 * i64::from(test.typist.day_offset_hours));
    local.day().date().map_or_else(String::new, |it| it.to_string())
}

fn currency(chance: i64) -> &'static str {
    match chance % 6 {
        0 => "GBP",
        1 => "USD",
        _ => "EUR",
    }
}
