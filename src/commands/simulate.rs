//! `fleet simulate`: made-up events, the same ones for the same seed.
//!
//! What they are is the core's business; here they are paced and sent.

use std::{
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use serde::Serialize;
use time::OffsetDateTime;
use workers::{
    fold::{Time, Topic},
    simulate::{self, Plan},
};

use super::{Outcome, topic_flag};
use crate::{config::Config, fault::Fault, kafka::bulk::Bulk, metrics::Metrics, output::Output, registry::Registry};

const DAY_MS: i64 = 86_400_000;
/// An event that is due sooner than this goes out now.
const SOON: Duration = Duration::from_millis(1);

/// What to make.
#[derive(clap::Args)]
#[command(after_help = teaches())]
pub struct Args {
    /// The topic
    #[arg(long, value_name = "TOPIC", value_parser = topic_flag())]
    pub topic: &'static Topic,
    /// How many users
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub users: u32,
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub events: u64,
    /// Events a second [default: as fast as they are taken]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// The seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// When the first of them happened, RFC 3339 [default: so that the last happened before today, UTC]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub from: Option<Time>,
    /// Days over which they happened
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=3660))]
    pub days: u16,
}

/// What was sent.
#[derive(Serialize)]
struct Summary {
    topic: String,
    seed: u64,
    from: String,
    days: u16,
    users: u32,
    sent: u64,
    seconds: f64,
    per_second: f64,
}

/// Sends made-up events.
///
/// # Errors
/// A topic that cannot be made up, or does not take them.
pub async fn run(config: &Config, args: Args) -> Result<Outcome, Fault> {
    let start = args.from.unwrap_or_else(|| days_before_today(args.days));
    let plan = Plan {
        users: u64::from(args.users),
        events: args.events,
        seed: args.seed,
        start,
        span_ms: i64::from(args.days).saturating_mul(DAY_MS),
    };
    let registry = Registry::new(config, &Arc::new(Metrics::new()?))?;
    let bulk = Bulk::open(config, &registry, args.topic).await?;
    let (output, rate) = (config.output, args.rate);
    let started = Instant::now();
    let sending = move || send(plan, args.topic, &bulk, (rate, output));
    let sent = tokio::task::spawn_blocking(sending).await.map_err(Fault::transient)??;
    let seconds = started.elapsed().as_secs_f64();
    let summary = Summary {
        topic: config.topic(args.topic),
        seed: args.seed,
        from: start.to_rfc3339().unwrap_or_default(),
        days: args.days,
        users: args.users,
        sent,
        seconds,
        per_second: sent as f64 / seconds,
    };
    output.one(&summary, Summary::text)?;
    Ok(Outcome::Fine)
}

impl Summary {
    fn text(&self) -> String {
        let Self { topic, seed, from, days, users, sent, seconds, per_second } = self;
        format!(
            "{topic}: {sent} events of {users} users sent, {seconds:.1} s, {per_second:.0} a second\n\
             the same again: --seed {seed} --from {from} --days {days} --users {users} --events {sent}"
        )
    }
}

/// Sends a plan's events at a rate; answers how many were acknowledged.
fn send(plan: Plan, topic: &'static Topic, bulk: &Bulk, (rate, output): (Option<u32>, Output)) -> Result<u64, Fault> {
    let stream = simulate::stream(topic, plan);
    let stream = stream.ok_or_else(|| Fault::fatal(format!("topic {} cannot be made up: see `fleet simulate --help`", topic.name)))?;
    let bar = output.bar("events", plan.events);
    let (started, mut count) = (Instant::now(), 0_u64);
    let mut done = Ok(());
    for event in stream {
        if let Some(rate) = rate {
            wait_until(started + Duration::from_secs_f64(count as f64 / f64::from(rate)));
        }
        done = bulk.send(&event.key, &event.datum);
        if done.is_err() {
            break;
        }
        count += 1;
        if count.is_multiple_of(256) {
            bar.set_position(count);
        }
    }
    let finished = bulk.finish();
    bar.finish_and_clear();
    done.and(finished).map_err(|it| it.during(format!("after {} events", bulk.acknowledged())))?;
    Ok(bulk.acknowledged())
}

/// By the clock and not by pauses, so that what one sleep takes too long the next events make up for.
fn wait_until(due: Instant) {
    let left = due.saturating_duration_since(Instant::now());
    if left > SOON {
        sleep(left);
    }
}

/// The instant so many days before the last midnight, UTC.
fn days_before_today(days: u16) -> Time {
    let today = OffsetDateTime::now_utc().unix_timestamp().div_euclid(86_400);
    Time((today - i64::from(days)).saturating_mul(DAY_MS))
}

fn instant(text: &str) -> Result<Time, String> {
    Time::from_rfc3339(text).ok_or_else(|| "not an instant like 2024-05-01T00:00:00Z".to_owned())
}

/// The distributions of every stream, then those of each topic that can be made up.
fn teaches() -> String {
    let mut text = format!("The same seed, time, users and events give the same bytes.\n\n{}\n", simulate::DISTRIBUTIONS);
    for topic in workers::topics() {
        let about = simulate::distributions(topic);
        if !about.is_empty() {
            text.push_str(&format!("\n{}:\n{about}\n", topic.name));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_topic_that_can_be_made_up() {
        let plan = Plan { users: 1, events: 1, seed: 1, start: Time(0), span_ms: DAY_MS };
        for topic in workers::topics() {
            assert_eq!(teaches().contains(&format!("\n{}:\n", topic.name)), simulate::stream(topic, plan).is_some(), "{}", topic.name);
        }
    }
}
