//! Test results: every typing test as a row, and what a user's results add up to, from `test-results`.
//!
//! It ranks nobody and unlocks nothing: scores and facts go on as derived events.

mod derived;
mod event;
mod recent;
mod rows;
#[cfg(test)]
mod tests;
mod verdict;
mod xp;

use std::sync::Arc;

use event::TestResult;
use rows::{LanguageDay, PersonalBest, Profile, Test, TypingDay, WpmHistogram};
use verdict::Verdict;

use crate::{
    achievements,
    fold::{Parsed, Role, Row, Stop, Tables, Topic, decode},
    leaderboard,
};

/// The topic of finished tests.
pub static TOPIC: Topic = Topic {
    name: "test-results",
    key: "user_id",
    partitions: 10,
    retention_ms: -1,
    schema: include_str!("../../schemas/test-results.avsc"),
    examples: include_str!("../../schemas/test-results.examples.ndjson"),
    rate: 2_000,
    freshness_ms: 1_000,
    parsed: Parsed::new(),
};

/// The role's line of the table.
pub static ROLE: Role = Role {
    name: "test-results",
    about: "every typing test, personal bests, profiles, days, XP and streaks",
    topic: &TOPIC,
    decode: decode::<TestResult>,
    ledger: "test_results_ledger",
    tables: &[Test::TABLE, PersonalBest::TABLE, Profile::TABLE, TypingDay::TABLE, WpmHistogram::TABLE, LanguageDay::TABLE],
    caches: &[&recent::FAMILY],
    emits: &[&leaderboard::TOPIC, &achievements::TOPIC],
    drains: &[],
    counts: &[],
    catalogues: &[],
};

/// Ten words a minute, in hundredths.
const BUCKET: i64 = 1_000;

/// The fold: what one result changes.
fn apply(result: &TestResult, tables: &mut Tables<'_>) -> Result<(), Stop> {
    let mut test = Test::of(result)?;
    if tables.seen(&test)? {
        return Ok(());
    }
    let mut before = Before::of(&test, tables)?;
    tables.no_more_rows()?;
    let mut profile = before.profile.take().unwrap_or_else(|| Profile::new(&test));
    if test.verdict == Verdict::Counted {
        count(&mut test, &mut profile, before, tables)?;
    }
    profile.recent = recent::with(&profile.recent, &test)?;
    profile.last_event_at = profile.last_event_at.max(test.occurred_at);
    tables.put(&profile)?;
    tables.append(&test)?;
    tables.cache(&recent::FAMILY, (test.user_id,))
}

/// The rows that a result meets, where there are any.
struct Before {
    profile: Option<Profile>,
    best: Option<PersonalBest>,
    day: Option<TypingDay>,
}

impl Before {
    fn of(test: &Test, tables: &mut Tables<'_>) -> Result<Self, Stop> {
        let counted = test.verdict == Verdict::Counted;
        Ok(Self {
            profile: tables.get((test.user_id,))?,
            best: if test.is_rankable() { tables.get(PersonalBest::key_for(test))? } else { None },
            day: if counted { tables.get((test.user_id, test.day()))? } else { None },
        })
    }
}

/// What a counted result changes beside its own row.
fn count(test: &mut Test, profile: &mut Profile, rows: Before, tables: &mut Tables<'_>) -> Result<(), Stop> {
    let before = profile.clone();
    test.is_pb = keep_best(test, rows.best, tables)?;
    test.xp = xp::earned(test, &before)?;
    profile.count(test)?;
    let mut day = rows.day.unwrap_or_else(|| TypingDay::new(test));
    day.count(test)?;
    tables.put(&day)?;
    step_counters(test, tables)?;
    derived::scores(test, tables)?;
    derived::facts(test, &before, profile, tables)
}

/// Whether it is a personal best, which then stands in place of the one before it.
fn keep_best(test: &Test, before: Option<PersonalBest>, tables: &mut Tables<'_>) -> Result<bool, Stop> {
    if !test.is_rankable() || before.as_ref().is_some_and(|it| test.wpm <= it.wpm) {
        return Ok(false);
    }
    tables.put(&PersonalBest::of(test, before.as_ref()))?;
    Ok(true)
}

fn step_counters(test: &Test, tables: &mut Tables<'_>) -> Result<(), Stop> {
    let (day, mode, mode2, language) = (test.occurred_at.day(), test.mode, Arc::clone(&test.mode2), Arc::clone(&test.language));
    let language_day = LanguageDay { day, language: Arc::clone(&language), tests: 1, time_typed_ms: test.time_typed_ms()? };
    tables.add(&language_day)?;
    tables.add(&WpmHistogram { day, mode, mode2, language, bucket: test.wpm.0.div_euclid(BUCKET), tests: 1 })
}
