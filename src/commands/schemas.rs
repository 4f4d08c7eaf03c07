//! `fleet schemas`: the contract's schemas in the registry.
//!
//! It checks here what the registry checks too, and more strictly: events are decoded without Avro's resolution.

mod asyncapi;
mod docs;
mod fields;

use clap::Subcommand;
use serde::Serialize;
use workers::fold::{Topic, plain};

use super::Outcome;
use crate::{
    config::Config,
    fault::Fault,
    registry::{Api, Version},
};

/// Every version can read all before it, so that a topic can be folded again from its origin.
const LEVEL: &str = "BACKWARD_TRANSITIVE";

/// What to do with schemas.
#[derive(Subcommand)]
pub enum Args {
    /// Check that each parses, fits its examples and can read all that is registered; exit code 1 if one does not
    Check,
    /// Set each subject to BACKWARD_TRANSITIVE and register its schema
    Register,
    /// Print what producers must know of each topic: fields with their bounds, key, partitioner, subject, an example
    Docs(docs::Args),
}

/// A schema as it stands.
#[derive(Debug, Serialize)]
struct Line {
    topic: &'static str,
    subject: String,
    /// Its id in the registry, if it is registered.
    id: Option<u32>,
    versions: usize,
    compatibility: Option<String>,
    examples: usize,
    /// What is wrong with it.
    trouble: Vec<String>,
}

/// Checks every schema, and with `register` registers it; or prints the contract.
///
/// # Errors
/// A registry that does not answer.
pub async fn run(config: &Config, args: Args) -> Result<Outcome, Fault> {
    match args {
        Args::Check => compare(config, Task::Check).await,
        Args::Register => compare(config, Task::Register).await,
        Args::Docs(args) => docs::run(config, &args),
    }
}

/// What to do about a schema that is not registered.
#[derive(Clone, Copy)]
enum Task {
    Check,
    Register,
}

async fn compare(config: &Config, task: Task) -> Result<Outcome, Fault> {
    let api = Api::new(&config.registry)?;
    let mut lines = Vec::new();
    for topic in workers::topics() {
        let subject = config.subject(topic);
        let versions = api.versions(&subject).await?;
        let mut line = Line {
            topic: topic.name,
            id: api_id(&api, &subject, topic, &versions).await?,
            versions: versions.len(),
            compatibility: if versions.is_empty() { None } else { api.compatibility(&subject).await? },
            examples: examples(topic).count(),
            trouble: check(topic, &versions),
            subject,
        };
        match task {
            Task::Check => judge_registered(&mut line),
            Task::Register if line.trouble.is_empty() => register(&api, topic, &mut line).await?,
            Task::Register => {}
        }
        lines.push(line);
    }
    print(config, &lines)?;
    Ok(Outcome::trouble_if(|| lines.iter().any(|it| !it.trouble.is_empty())))
}

/// A subject without versions is not asked: some registries answer that with an error.
async fn api_id(api: &Api, subject: &str, topic: &Topic, versions: &[Version]) -> Result<Option<u32>, Fault> {
    if versions.is_empty() { Ok(None) } else { api.id_of(subject, topic.schema).await }
}

/// What is wrong with a schema, its examples, or between it and what is registered.
fn check(topic: &Topic, versions: &[Version]) -> Vec<String> {
    if let Err(reject) = topic.codec() {
        return vec![reject.reason];
    }
    let mut trouble = Vec::new();
    for (number, example) in examples(topic) {
        let fits =
            serde_json::from_str(example).map_err(|it| it.to_string()).and_then(|json| plain::encode(topic, &json).map_err(|it| it.reason));
        if let Err(why) = fits {
            trouble.push(format!("example {number}: {why}"));
        }
    }
    for version in versions {
        if let Err(why) = plain::can_read(topic.schema, &version.schema) {
            trouble.push(format!("cannot read version {} (id {}): {why}", version.version, version.id));
        }
    }
    trouble
}

fn examples(topic: &Topic) -> impl Iterator<Item = (usize, &'static str)> {
    (1..).zip(topic.examples.lines()).filter(|(_, it)| !it.trim().is_empty())
}

fn judge_registered(line: &mut Line) {
    if line.id.is_none() {
        line.trouble.push("not registered: run `fleet schemas register`".to_owned());
    } else if line.compatibility.as_deref() != Some(LEVEL) {
        let level = line.compatibility.as_deref().unwrap_or("the registry's default");
        line.trouble.push(format!("compatibility is {level}, not {LEVEL}: run `fleet schemas register`"));
    }
}

/// Some registries take a level only for a subject that exists: a new one gets it after its first schema.
async fn register(api: &Api, topic: &Topic, line: &mut Line) -> Result<(), Fault> {
    let new = line.versions == 0;
    if !new && !set_level(api, line).await? {
        return Ok(());
    }
    if line.id.is_none() {
        match api.register(&line.subject, topic.schema).await? {
            Ok(id) => {
                line.id = Some(id);
                line.versions += 1;
            }
            Err(why) => {
                line.trouble.push(format!("refused by the registry: {why}"));
                return Ok(());
            }
        }
    }
    if new {
        set_level(api, line).await?;
    }
    Ok(())
}

async fn set_level(api: &Api, line: &mut Line) -> Result<bool, Fault> {
    if line.compatibility.as_deref() == Some(LEVEL) {
        return Ok(true);
    }
    match api.set_compatibility(&line.subject, LEVEL).await? {
        Ok(()) => {
            line.compatibility = Some(LEVEL.to_owned());
            Ok(true)
        }
        Err(why) => {
            line.trouble.push(format!("cannot set {LEVEL}: {why}"));
            Ok(false)
        }
    }
}

fn print(config: &Config, lines: &[Line]) -> Result<(), Fault> {
    config.output.rows(
        lines,
        &[
            ("subject", |it| it.subject.clone()),
            ("id", |it| it.id.map_or_else(|| "-".to_owned(), |id| id.to_string())),
            ("versions", |it| it.versions.to_string()),
            ("compatibility", |it| it.compatibility.clone().unwrap_or_else(|| "-".to_owned())),
            ("examples", |it| it.examples.to_string()),
            ("trouble", |it| if it.trouble.is_empty() { "none".to_owned() } else { it.trouble.join("; ") }),
        ],
    )
}
