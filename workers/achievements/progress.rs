//! One step of progress: the user's row of a rule as it is, and what a fact adds to it.
//!
//! Steps of the same facts come to the same row in any order. It unlocks nothing.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    AchievementFact,
    days::Days,
    documents::Standing,
    entries::Entries,
    rows::Progress,
    rules::{Kind, Rule},
};
use crate::fold::{Json, Reject, Stop, Tables};

/// The row of a rule before a fact, if there is one: as the user's document shows it, where that shows all of it. A look-up of one row a
/// user instead of one a rule is most of what a fact costs. `document` is that of the user's row, `None` where there is none.
///
/// # Errors
/// A row that is not held yet, or a document that is damaged.
pub fn held(rule: &Rule, user_id: i64, document: Option<&Entries<'_>>, tables: &mut Tables<'_>) -> Result<Option<Progress>, Stop> {
    let standing = document.map(|it| it.get::<Standing>(&rule.id)).transpose()?.flatten();
    let keeps_a_set = rule.progress.keeps_a_set();
    match standing {
        Some(it) if it.version == rule.version && !keeps_a_set => return Ok(Some(Progress::shown(rule, user_id, &it))),
        None if document.is_some() || !keeps_a_set => return Ok(None),
        _ => {}
    }
    tables.get((user_id, Arc::clone(&rule.id), rule.version))
}

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
