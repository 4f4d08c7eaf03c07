//! `fleet roles`: the one table of roles, for people and scripts.
//!
//! It asks no server.

use serde::Serialize;
use workers::{ROLES, fold::Role};

use super::Outcome;
use crate::{config::Config, fault::Fault};

/// A role as it is printed.
#[derive(Serialize)]
struct Line {
    role: &'static str,
    about: &'static str,
    topic: String,
    key: &'static str,
    partitions: i32,
    group: String,
    ledger: &'static str,
    tables: Vec<&'static str>,
    caches: Vec<&'static str>,
    emits: Vec<String>,
}

/// Prints every role.
///
/// # Errors
/// Standard output that takes no more.
pub fn run(config: &Config) -> Result<Outcome, Fault> {
    let lines: Vec<Line> = ROLES.iter().map(|it| line(config, it)).collect();
    config.output.rows(
        &lines,
        &[
            ("role", |it| it.role.to_owned()),
            ("topic", |it| it.topic.clone()),
            ("key", |it| it.key.to_owned()),
            ("partitions", |it| it.partitions.to_string()),
            ("group", |it| it.group.clone()),
            ("keeps", |it| it.about.to_owned()),
        ],
    )?;
    Ok(Outcome::Fine)
}

fn line(config: &Config, role: &'static Role) -> Line {
    Line {
        role: role.name,
        about: role.about,
        topic: config.topic(role.topic),
        key: role.topic.key,
        partitions: role.topic.partitions,
        group: config.group(role),
        ledger: role.ledger,
        tables: role.tables.iter().map(|it| it.name).collect(),
        caches: role.caches.iter().map(|it| it.name).collect(),
        emits: role.emits.iter().map(|it| config.topic(it)).collect(),
    }
}
