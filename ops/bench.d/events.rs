//! Events to measure with: made from a seed, the same ones each time, and sent as fast as they are taken.

use std::time::{SystemTime, UNIX_EPOCH};

use fleet::{fault::Fault, kafka::bulk::Bulk};
use serde::Serialize;
use serde_avro_fast::ser::SerializerConfig;
use uuid::Builder;
use workers::{
    fold::{Role, Time, Topic},
    simulate::{self, Plan, Simulated},
};

use crate::stage::Stage;

/// Events in the order in which they are produced.
pub type Stream = Box<dyn Iterator<Item = Simulated> + Send>;

const DAY_MS: i64 = 86_400_000;

/// How many of what.
#[derive(clap::Args, Clone, Copy)]
pub struct Amount {
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub events: u64,
    /// Of how many users; fewer would meet in memory what life meets in the database
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(20_000..))]
    pub users: u64,
    /// What chance begins with
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

impl Amount {
    /// Spread over the week before today.
    pub fn of_last_week(self) -> Plan {
        let today = now().0.div_euclid(DAY_MS) * DAY_MS;
        Plan { users: self.users, events: self.events, seed: self.seed, start: Time(today - 7 * DAY_MS), span_ms: 7 * DAY_MS }
    }
}

/// The time.
pub fn now() -> Time {
    Time(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| i64::try_from(it.as_millis()).unwrap_or(i64::MAX)))
}

/// A role's events.
///
/// # Errors
/// Nobody makes events of its topic up.
pub fn of(role: &Role, plan: Plan) -> Result<Stream, Fault> {
    let topic = role.topic;
    if topic.name == "bench-copy" {
        return Ok(Box::new((0..plan.events).filter_map(move |number| copied(topic, plan, number))));
    }
    simulate::stream(topic, plan).ok_or_else(|| Fault::fatal(format!("nobody makes up events of {}", topic.name)))
}

/// Sends all events, and waits until they are acknowledged.
///
/// # Errors
/// The brokers' own.
pub async fn produce(stage: &Stage, plan: Plan) -> Result<(), Fault> {
    let bulk = Bulk::open(&stage.config, &stage.registry, stage.role.topic).await?;
    let stream = of(stage.role, plan)?;
    let bar = stage.config.output.bar("produced", plan.events);
    let sending = move || {
        for (number, event) in stream.enumerate() {
            send(&bulk, &event)?;
            if number % 1024 == 0 {
                bar.set_position(number as u64);
            }
        }
        bar.finish_and_clear();
        bulk.finish()
    };
    tokio::task::spawn_blocking(sending).await.map_err(Fault::fatal)?
}

/// Sends one event.
///
/// # Errors
/// The brokers' own.
pub fn send(bulk: &Bulk, event: &Simulated) -> Result<(), Fault> {
    bulk.send(&event.key, &event.datum)
}

/// An event of the topic bench-copy.
#[derive(Serialize)]
struct Copied<'c> {
    event_id: &'c str,
    user_id: i64,
    occurred_at: Time,
    produced_at: Time,
    mode: &'c str,
    mode2: &'c str,
    language: &'c str,
    wpm: f64,
    raw_wpm: f64,
    accuracy: f64,
    consistency: f64,
    char_stats: [i32; 4],
    test_duration: f64,
    restart_count: i32,
    is_pb: bool,
}

const MODES: [(&str, &str); 6] = [("time", "15"), ("time", "30"), ("time", "60"), ("words", "25"), ("words", "50"), ("quote", "1204")];
const LANGUAGES: [&str; 6] = ["english", "english", "english", "english_1k", "german", "spanish"];

/// The event of this number: about 125 bytes, ids as random as UUIDs of version 4.
fn copied(topic: &'static Topic, plan: Plan, number: u64) -> Option<Simulated> {
    let mut chance = Chance(plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number);
    let first = plan.users.div_ceil(20);
    // A fifth of the events are those of the first 5 % of the users.
    let user = if chance.below(5) == 0 { 1 + chance.below(first) } else { 1 + first + chance.below(plan.users - first) };
    let id = Builder::from_random_bytes((u128::from(chance.next()) << 64 | u128::from(chance.next())).to_be_bytes()).into_uuid();
    let occurred_at =
        plan.start.plus(i64::try_from(u128::from(number) * plan.span_ms.unsigned_abs() as u128 / u128::from(plan.events)).ok()?);
    let (mode, mode2) = *MODES.get(chance.place(MODES.len()))?;
    let wpm = chance.hundredths(3_000, 12_000);
    let mut text = uuid::Uuid::encode_buffer();
    let event = Copied {
        event_id: id.hyphenated().encode_lower(&mut text),
        user_id: i64::try_from(user).ok()?,
        occurred_at,
        produced_at: occurred_at.plus(500),
        mode,
        mode2,
        language: LANGUAGES.get(chance.place(LANGUAGES.len()))?,
        wpm,
        raw_wpm: wpm,
        accuracy: chance.hundredths(9_000, 10_000),
        consistency: chance.hundredths(5_000, 9_500),
        char_stats: [200, 3, 0, 1],
        test_duration: chance.hundredths(1_000, 12_000),
        restart_count: i32::try_from(chance.below(3)).ok()?,
        is_pb: chance.below(20) == 0,
    };
    let datum = serde_avro_fast::to_datum_vec(&event, &mut SerializerConfig::new(topic.codec().ok()?)).ok()?;
    Some(Simulated { key: user.to_string(), datum, occurred_at })
}

/// Splitmix64: the same numbers on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    fn hundredths(&mut self, least: u64, most: u64) -> f64 {
        (least + self.below(most - least)) as f64 / 100.0
    }
}
