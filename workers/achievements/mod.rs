//! Achievements: what users' facts add up to, and the tiers that this unlocks, by rules that are data, from `achievement-events`.
//!
//! It draws no fact from anything else, and takes no tier back: what is unlocked stays so, whatever the rules say later.

mod catalogue;
mod days;
mod documents;
mod fact;
mod mail;
mod progress;
mod rows;
mod rules;
#[cfg(test)]
mod tests;

use std::{ops::Range, sync::Arc};

use crate::email;
use crate::fold::{self, Parsed, Role, Row, Stop, Tables, Topic};

pub use fact::AchievementFact;

use documents::{PROGRESS, Standing, UNLOCKED};
use rows::{Identity, Progress, Standings, Totals, Unlocked};
use rules::Rule;

/// The role.
pub static ROLE: Role = Role {
    name: "achievements",
    about: "users' progress by the rules of the catalogue, and the tiers that they unlocked",
    topic: &TOPIC,
    decode: fold::decode::<AchievementFact>,
    ledger: "achievements_ledger",
    tables: &[Identity::TABLE, Progress::TABLE, Unlocked::TABLE, Standings::TABLE, Totals::TABLE],
    caches: &[&UNLOCKED, &PROGRESS],
    emits: &[&email::TOPIC],
    drains: &[],
    counts: &[UNKNOWN],
    catalogues: &[&catalogue::CATALOGUE],
};

/// The topic of facts.
pub static TOPIC: Topic = Topic {
    name: "achievement-events",
    key: "user_id",
    partitions: 10,
    retention_ms: -1,
    schema: include_str!("../../schemas/achievement-events.avsc"),
    examples: include_str!("../../schemas/achievement-events.examples.ndjson"),
    rate: 2_500,
    freshness_ms: 5_000,
    parsed: Parsed::new(),
};

/// Facts that no rule names: they change nothing.
const UNKNOWN: &str = "unknown_fact";

/// The fold: what one fact changes.
fn apply(fact: &AchievementFact, rules: &[Rule], tables: &mut Tables<'_>) -> Result<(), Stop> {
    if !rules.iter().any(|it| it.fact == fact.fact) {
        tables.count(UNKNOWN);
        return Ok(());
    }
    let identity = Identity::of(fact);
    if tables.seen(&identity)? {
        return Ok(());
    }
    tables.append(&identity)?;
    let (mut moved, mut unlocked) = (Vec::new(), Vec::new());
    for rule in rules.iter().filter(|it| it.takes(fact)) {
        let held = tables.get::<Progress>((fact.user_id, Arc::clone(&rule.id), rule.version))?;
        let before = held.as_ref().map_or(0, |it| it.value);
        let progress = progress::step(rule, fact, held)?;
        tables.put(&progress)?;
        unlocked.extend(unlock(rule, fact, before..progress.value, tables)?);
        moved.push(Standing::of(rule, &progress));
    }
    show(fact, moved, &unlocked, tables)
}

/// Unlocks every tier that a step of the value reaches, but those that an earlier version of the rule unlocked.
fn unlock(rule: &Rule, fact: &AchievementFact, step: Range<i64>, tables: &mut Tables<'_>) -> Result<Vec<Unlocked>, Stop> {
    let mut unlocked = Vec::new();
    for (number, tier) in (1..).zip(&rule.tiers).filter(|(_, it)| step.start < it.target && it.target <= step.end) {
        if tables.get::<Unlocked>((fact.user_id, Arc::clone(&rule.id), number))?.is_none() {
            let row = Unlocked::of(rule, (number, tier.points), fact);
            tables.put(&row)?;
            mail::ask(rule, fact, &row, tables)?;
            unlocked.push(row);
        }
    }
    Ok(unlocked)
}

/// Brings the user's two documents up to date, where anything of theirs changed.
fn show(fact: &AchievementFact, moved: Vec<(Arc<str>, Standing)>, unlocked: &[Unlocked], tables: &mut Tables<'_>) -> Result<(), Stop> {
    if !moved.is_empty() {
        let held = tables.get::<Standings>((fact.user_id,))?;
        tables.put(&Standings::with(held, fact, moved)?)?;
        tables.cache(&PROGRESS, (fact.user_id,))?;
    }
    if !unlocked.is_empty() {
        let held = tables.get::<Totals>((fact.user_id,))?;
        tables.put(&Totals::with(held, fact, unlocked)?)?;
        tables.cache(&UNLOCKED, (fact.user_id,))?;
    }
    Ok(())
}
