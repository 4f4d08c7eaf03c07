//! Achievements: what users' facts add up to, and the tiers that this unlocks, by rules that are data, from `achievement-events`.
//!
//! It draws no fact from anything else, and takes no tier back: what is unlocked stays so, whatever the rules say later.

mod catalogue;
mod days;
mod documents;
mod entries;
mod fact;
mod mail;
mod progress;
mod rows;
mod rules;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::email;
use crate::fold::{self, Parsed, Role, Row, Stop, Tables, Topic};

pub use fact::AchievementFact;

use documents::{Award, PROGRESS, Standing, UNLOCKED};
use entries::Entries;
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

/// The fold: what one fact changes. What it looks up hangs on the user and on rules, never on a value: a batch asks for all of it at once.
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
    let taking: Vec<&Rule> = rules.iter().filter(|it| it.takes(fact)).collect();
    if taking.is_empty() {
        return Ok(());
    }
    let user = User { standings: tables.get((fact.user_id,))?, totals: tables.get((fact.user_id,))? };
    let document = documents::progress(user.standings.as_ref())?;
    let known = user.standings.is_some().then_some(&document);
    let mut held = Vec::with_capacity(taking.len());
    for rule in taking {
        held.push((rule, progress::held(rule, fact.user_id, known, tables)?));
    }
    tables.no_more_rows()?;
    let risen = user.advance(fact, held, document, tables)?;
    user.unlock(fact, &risen, tables)
}

/// A user's two documents before a fact.
struct User {
    standings: Option<Standings>,
    totals: Option<Totals>,
}

/// A rule by which the user got further: from where, and how far.
type Rise<'r> = (&'r Rule, Range<i64>);

impl User {
    /// Moves the progress by rules that take the fact, each with its row.
    fn advance<'r>(
        &self,
        fact: &AchievementFact,
        held: Vec<(&'r Rule, Option<Progress>)>,
        mut document: Entries<'r>,
        tables: &mut Tables<'_>,
    ) -> Result<Vec<Rise<'r>>, Stop> {
        let mut risen = Vec::with_capacity(held.len());
        for (rule, held) in held {
            let before = held.as_ref().map_or(0, |it| it.value);
            let progress = progress::step(rule, fact, held)?;
            tables.put(&progress)?;
            document.set(&rule.id, &Standing::of(rule, &progress))?;
            risen.push((rule, before..progress.value));
        }
        tables.put(&Standings::with(self.standings.as_ref(), fact, document.document()))?;
        tables.cache(&PROGRESS, (fact.user_id,))?;
        Ok(risen)
    }

    /// Unlocks the tiers reached, but those that an earlier version of the rule unlocked.
    fn unlock(&self, fact: &AchievementFact, risen: &[Rise<'_>], tables: &mut Tables<'_>) -> Result<(), Stop> {
        let reached: Vec<_> = risen.iter().map(|(rule, step)| (*rule, rule.reached(step))).filter(|it| !it.1.is_empty()).collect();
        if reached.is_empty() {
            return Ok(());
        }
        let mut unlocked = Vec::new();
        let mut document = documents::unlocked(self.totals.as_ref())?;
        for (rule, tiers) in reached {
            let mut awards: Vec<Award> = document.get(&rule.id)?.unwrap_or_default();
            for (number, tier) in tiers {
                if awards.iter().all(|it| it.tier != number) {
                    let row = Unlocked::of(rule, (number, tier.points), fact);
                    tables.put(&row)?;
                    mail::ask(rule, tier, fact, &row, tables)?;
                    awards.push(Award::of(&row));
                    unlocked.push(row);
                }
            }
            awards.sort_unstable_by_key(|it| it.tier);
            document.set(&rule.id, &awards)?;
        }
        if !unlocked.is_empty() {
            tables.put(&Totals::with(self.totals.as_ref(), fact, (&unlocked, document.document())))?;
            tables.cache(&UNLOCKED, (fact.user_id,))?;
        }
        Ok(())
    }
}
