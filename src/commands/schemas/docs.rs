//! `fleet schemas docs`: the contract of each topic for those who publish to it, from the table of roles and the schemas alone.
//!
//! It asks no server. Bounds are what the schemas' `doc` texts say; what enforces them are the events' own checks.

use serde::Serialize;
use serde_json::Value as Json;
use workers::{
    ROLES,
    fold::{MAX_MESSAGE_BYTES, Topic},
};

use super::{LEVEL, asyncapi, fields::Field};
use crate::{
    commands::{Outcome, topic_flag},
    config::Config,
    fault::Fault,
};

/// How a key gives its partition, as clients name it.
pub const PARTITIONER: &str = "murmur2_random";

/// Which topics, and in what form.
#[derive(clap::Args)]
pub struct Args {
    /// Only this topic
    #[arg(long, value_name = "TOPIC", value_parser = topic_flag())]
    pub topic: Option<&'static Topic>,
    /// An AsyncAPI 3.0 document with Kafka bindings, as JSON
    #[arg(long)]
    pub asyncapi: bool,
}

/// All that a producer must know of a topic.
#[derive(Debug, Serialize)]
pub struct Contract {
    pub topic: String,
    pub about: String,
    pub subject: String,
    pub compatibility: &'static str,
    pub envelope: &'static str,
    pub key: &'static str,
    pub key_encoding: &'static str,
    pub partitioner: &'static str,
    pub partitions: i32,
    pub retention_ms: i64,
    pub max_message_bytes: usize,
    /// The roles that consume it.
    pub consumed_by: Vec<&'static str>,
    /// The roles that derive events for it.
    pub derived_by: Vec<&'static str>,
    pub peak_events_per_second: u32,
    pub visible_within_ms: u32,
    pub fields: Vec<Field>,
    /// An event in plain JSON, as `fleet produce` takes it.
    pub example: Json,
}

impl Contract {
    /// That of a topic.
    ///
    /// # Errors
    /// Fatal: a schema or an example that does not parse; tests keep that from happening.
    pub fn of(config: &Config, topic: &Topic) -> Result<Self, Fault> {
        let broken = |error| Fault::fatal(format!("{}: {error}", topic.name));
        let schema: Json = serde_json::from_str(topic.schema).map_err(broken)?;
        let example = topic.examples.lines().next().unwrap_or("null");
        let roles = |takes: &dyn Fn(&workers::fold::Role) -> bool| ROLES.iter().filter(|it| takes(it)).map(|it| it.name).collect();
        Ok(Self {
            topic: config.topic(topic),
            about: schema.get("doc").and_then(Json::as_str).unwrap_or_default().to_owned(),
            subject: config.subject(topic),
            compatibility: LEVEL,
            envelope: "Confluent: a zero byte, the schema's id in four bytes (big-endian), the Avro datum",
            key: topic.key,
            key_encoding: "the field's text in UTF-8",
            partitioner: PARTITIONER,
            partitions: topic.partitions,
            retention_ms: topic.retention_ms,
            max_message_bytes: MAX_MESSAGE_BYTES,
            consumed_by: roles(&|it| it.topic.name == topic.name),
            derived_by: roles(&|it| it.emits.iter().any(|it| it.name == topic.name)),
            peak_events_per_second: topic.rate,
            visible_within_ms: topic.freshness_ms,
            fields: Field::all(&schema),
            example: serde_json::from_str(example).map_err(broken)?,
        })
    }
}

/// Prints the contracts.
///
/// # Errors
/// Standard output that takes no more; fatal, as [`Contract::of`].
pub fn run(config: &Config, args: &Args) -> Result<Outcome, Fault> {
    let topics = args.topic.map_or_else(workers::topics, |it| vec![it]);
    if args.asyncapi {
        let document = asyncapi::document(config, &topics)?;
        config.output.one(&document, |it| format!("{it:#}"))?;
        return Ok(Outcome::Fine);
    }
    let contracts: Result<Vec<Contract>, Fault> = topics.into_iter().map(|it| Contract::of(config, it)).collect();
    config.output.one(&contracts?, |it| it.iter().map(text).collect::<Vec<_>>().join("\n\n"))?;
    Ok(Outcome::Fine)
}

/// A contract for people.
fn text(it: &Contract) -> String {
    let retention = if it.retention_ms < 0 { "for good".to_owned() } else { format!("{} days", it.retention_ms / 86_400_000) };
    let from = if it.derived_by.is_empty() { String::new() } else { format!("; derived by {}", it.derived_by.join(", ")) };
    let facts = [
        ("subject", format!("{}, {}", it.subject, it.compatibility)),
        ("envelope", it.envelope.to_owned()),
        ("key", format!("{}: {}", it.key, it.key_encoding)),
        ("partition", format!("{} over {} partitions", it.partitioner, it.partitions)),
        ("at most", format!("{} bytes a record, {} events/s", it.max_message_bytes, it.peak_events_per_second)),
        ("kept", retention),
        ("visible", format!("within {} ms", it.visible_within_ms)),
        ("roles", format!("{}{from}", it.consumed_by.join(", "))),
    ];
    let facts = facts.iter().map(|(name, value)| format!("  {name:<10} {value}\n"));
    let width = it.fields.iter().map(|it| it.name.len()).max().unwrap_or_default();
    let fields = it.fields.iter().map(|field| field.text(width));
    let (facts, fields): (String, String) = (facts.collect(), fields.collect());
    format!("{}\n  {}\n{facts}\n{fields}\n  example {}", it.topic, it.about, it.example)
}
