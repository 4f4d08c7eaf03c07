//! One step of progress: what a fact adds to a user's row of a rule.
//!
//! Steps of the same facts come to the same row in any order. It unlocks nothing.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    AchievementFact,
    days::Days,
    rows::Progress,
    rules::{Kind, Rule},
};
use crate::fold::{Json, Reject};

/// The row after a fact that the rule takes.
///
/// # Errors
/// A row whose documents are damaged: it must not be written over.
pub fn step(rule: &Rule, fact: &AchievementFact, held: Option<Progress>) -> Result<Progress, Reject> {
    let mut row = held.unwrap_or_else(|| Progress::new(rule, fact));
    match &rule.progress {
        Kind::Count => row.value = row.value.saturating_add(1),
        Kind::Sum => row.value = row.value.saturating_add(fact.value),
        Kind::Max => row.value = row.value.max(fact.value),
        Kind::Distinct(tag) => add_value(&mut row, fact.tags.get(tag), rule.top())?,
        Kind::DayStreak => add_day(&mut row, fact)?,
    }
    row.last_event_at = row.last_event_at.max(fact.occurred_at);
    Ok(row)
}

/// Past the top the least values stay: which ones they are must not depend on who came first.
fn add_value(row: &mut Progress, value: Option<&Arc<str>>, top: i64) -> Result<(), Reject> {
    let held = row.distinct_values.as_ref().map(|it| it.read("achievement_progress.distinct_values"));
    let mut values: BTreeSet<Arc<str>> = held.transpose()?.unwrap_or_default();
    values.extend(value.map(Arc::clone));
    if length(&values) > top {
        values.pop_last();
    }
    row.value = length(&values);
    row.distinct_values = Some(Json::of(&values)?);
    Ok(())
}

fn add_day(row: &mut Progress, fact: &AchievementFact) -> Result<(), Reject> {
    let held = row.days.as_ref().map(|it| it.read("achievement_progress.days"));
    let mut days: Days = held.transpose()?.unwrap_or_default();
    row.value = row.value.max(days.add(fact.day()));
    row.days = Some(Json::of(&days)?);
    Ok(())
}

fn length<T>(values: &BTreeSet<T>) -> i64 {
    i64::try_from(values.len()).unwrap_or(i64::MAX)
}
