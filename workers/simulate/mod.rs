//! Made-up streams of events, for load, trials and demonstrations: the same seed gives the same bytes.
//!
//! It produces nothing and paces nothing: the caller decides when an event goes out and what its Kafka timestamp is.

mod achievements;
mod crowd;
mod email;
mod keystrokes;
mod leaderboard;
mod pace;
mod payments;
mod repeat;
mod test_results;
mod typing;

use serde_avro_fast::{Schema, ser::SerializerConfig};

use crate::fold::{Time, Topic};

use pace::Pace;
use repeat::Repeat;
use typing::Test;

/// What to make up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Users that take part, numbered from 1.
    pub users: u64,
    /// Events in all, repeats included.
    pub events: u64,
    /// What chance begins with.
    pub seed: u64,
    /// The time at which the first tests begin.
    pub start: Time,
    /// Milliseconds over which the events' times are spread; none lies beyond.
    pub span_ms: i64,
}

/// One event, ready to be produced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    /// The record's key.
    pub key: String,
    /// The datum, without the envelope.
    pub datum: Vec<u8>,
    /// When it happened, as it says.
    pub occurred_at: Time,
}

/// How a typing test is told as an event of a topic: `None` where the schema is not as expected.
type Tell = fn(&Test, &mut SerializerConfig<'static>) -> Option<Vec<u8>>;

/// The topics that can be made up: how a test is told, and what is said of the figures.
const TOPICS: &[(&str, Tell, &str)] = &[
    ("test-results", test_results::tell, test_results::ABOUT),
    ("leaderboard-updates", leaderboard::tell, leaderboard::ABOUT),
    ("achievement-events", achievements::tell, achievements::ABOUT),
    ("keystroke-analytics", keystrokes::tell, keystrokes::ABOUT),
];

/// A stream that is no typing: its events by a plan, for a topic's schema.
type Make = fn(Plan, &'static Schema) -> Box<dyn Iterator<Item = Simulated> + Send>;

/// The other topics that can be made up: their streams, and what is said of the figures.
const OTHERS: &[(&str, Make, &str)] = &[
    ("payment-events", |plan, schema| Box::new(payments::Payments::new(plan, schema)), payments::ABOUT),
    ("email-send", |plan, schema| Box::new(email::Mails::new(plan, schema)), email::ABOUT),
];

/// The events of a topic by a plan, in the order in which to produce them; `None` for a topic that cannot be made up.
pub fn stream(topic: &'static Topic, plan: Plan) -> Option<Box<dyn Iterator<Item = Simulated> + Send>> {
    let schema = topic.codec().ok()?;
    if let Some((_, make, _)) = OTHERS.iter().find(|it| it.0 == topic.name) {
        return Some(Box::new(Repeat::new(make(plan, schema), plan)));
    }
    let (_, tell, _) = TOPICS.iter().find(|it| it.0 == topic.name)?;
    let told = Told { pace: Pace::new(plan), tell: *tell, schema };
    Some(Box::new(Repeat::new(told, plan)))
}

/// What holds for every stream of typing, for the help text.
pub const DISTRIBUTIONS: &str = "\
users     a fifth of the sittings are those of the first 5 % of the users; 3 in 10 have no name
skill     log-normal, median 45 words a minute, sigma 0.4, within 10..220; 8 % up and down from test to test
languages 60 % english, 10 % english_1k, 8 % german, 7 % spanish, 5 % french, 4 % russian, 3 % chinese_simplified, 3 % code_rust
sittings  1..11 tests, 6 on average, 2..20 s between them; they begin evenly over the span
late      1 % lie 1 minute to 3 days before those around them
doubled   1 % come again, byte for byte, within the next 500 events";

/// What holds for a topic's events, for the help text; empty for a topic that cannot be made up.
pub fn distributions(topic: &Topic) -> &'static str {
    let typing = TOPICS.iter().map(|it| (it.0, it.2));
    let about = typing.chain(OTHERS.iter().map(|it| (it.0, it.2))).find(|it| it.0 == topic.name);
    about.map_or("", |it| it.1)
}

/// Tests told as events.
struct Told {
    pace: Pace,
    tell: Tell,
    schema: &'static Schema,
}

impl Iterator for Told {
    type Item = Simulated;

    fn next(&mut self) -> Option<Simulated> {
        let test = self.pace.next()?;
        let datum = (self.tell)(&test, &mut SerializerConfig::new(self.schema))?;
        Some(Simulated { key: test.typist.user_id.to_string(), datum, occurred_at: test.occurred_at })
    }
}
