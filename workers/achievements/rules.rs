//! The rules: which facts count, how they add up, and the tiers that this reaches. They are data: `rules.json`, beside this file.
//!
//! A new version of a rule counts anew; what an older one unlocked stays. No rule takes anything away.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Serialize};

use super::AchievementFact;
use crate::fold::Reject;

/// One achievement.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in tables, for good: 1..64 of `a-z`, `0-9` and `_`.
    pub id: Arc<str>,
    /// From 1. What it counts, and how, changes only together with its version.
    pub version: i64,
    /// For people.
    pub title: Words,
    /// For people: what is to be done, with `{target}` where a tier's target goes.
    pub description: Words,
    /// The same of a tier that asks for one; none has such a tier without it.
    pub once: Option<Words>,
    /// How many of the fact's unit are one of the description's: 100 where values are hundredths or cents.
    #[serde(default = "one")]
    pub unit: i64,
    /// The fact that it counts.
    pub fact: Arc<str>,
    /// Which of these facts.
    #[serde(default, rename = "where")]
    pub conditions: Conditions,
    /// How they add up.
    pub progress: Kind,
    /// What is reached on the way, by rising targets. Numbered from 1.
    pub tiers: Vec<Tier>,
}

/// A text in each language that mail has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// English, which the catalogue has too.
    pub en: Arc<str>,
    /// German.
    pub de: Arc<str>,
}

fn one() -> i64 {
    1
}

/// What must hold of a fact: all of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Conditions {
    /// Tags that it must have.
    pub tags: BTreeMap<Arc<str>, Arc<str>>,
    /// Its least value.
    pub min: Option<i64>,
    /// Its greatest value.
    pub max: Option<i64>,
}

/// How facts add up to a value. Each minds no order of arrival, and none ever falls.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One a fact.
    Count,
    /// Its value. The least value must not be below 0; past 2^63 - 1 the sum stays there.
    Sum,
    /// The greatest value.
    Max,
    /// Different values of this tag, up to the top target.
    Distinct(Arc<str>),
    /// The longest run of days in a row.
    DayStreak,
}

/// A tier.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The value that reaches it.
    pub target: i64,
    /// What it is worth.
    pub points: i64,
}

impl Rule {
    /// Whether a fact counts.
    pub fn takes(&self, fact: &AchievementFact) -> bool {
        let Conditions { tags, min, max } = &self.conditions;
        self.fact == fact.fact
            && tags.iter().all(|(key, value)| fact.tags.get(key) == Some(value))
            && min.is_none_or(|it| fact.value >= it)
            && max.is_none_or(|it| fact.value <= it)
            && self.progress.tag().is_none_or(|it| fact.tags.contains_key(it))
    }

    /// The tiers whose targets a step of the value reaches, each with its number.
    pub fn reached(&self, step: &Range<i64>) -> Vec<(i64, &Tier)> {
        (1..).zip(&self.tiers).filter(|(_, it)| step.start < it.target && it.target <= step.end).collect()
    }

    /// What is to be done for a tier.
    pub fn says(&self, tier: &Tier) -> Words {
        let count = tier.target.checked_div(self.unit).unwrap_or(tier.target);
        match &self.once {
            Some(once) if count == 1 => once.clone(),
            _ => Words { en: with_target(&self.description.en, count, ","), de: with_target(&self.description.de, count, ".") },
        }
    }

    /// The target of its last tier.
    pub fn top(&self) -> i64 {
        self.tiers.last().map_or(0, |it| it.target)
    }
}

impl Kind {
    /// The tag whose values it counts.
    pub fn tag(&self) -> Option<&str> {
        if let Self::Distinct(tag) = self { Some(tag) } else { None }
    }

    /// Whether its rows keep more than the value.
    pub fn keeps_a_set(&self) -> bool {
        matches!(self, Self::Distinct(_) | Self::DayStreak)
    }

    /// Its name in the catalogue.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Max => "max",
            Self::Distinct(_) => "distinct",
            Self::DayStreak => "day_streak",
        }
    }
}

/// A description with its target, the thousands apart by a mark.
fn with_target(description: &str, target: i64, mark: &str) -> Arc<str> {
    let digits = target.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push_str(mark);
        }
        text.push(digit);
    }
    description.replace("{target}", &text).into()
}

/// The rules of the file, parsed once, in its order.
///
/// # Errors
/// A file that is none of rules; a test keeps that from happening.
pub fn rules() -> Result<&'static [Rule], Reject> {
    static RULES: OnceLock<Option<Vec<Rule>>> = OnceLock::new();
    let rules = RULES.get_or_init(|| serde_json::from_str(include_str!("rules.json")).ok());
    rules.as_deref().ok_or_else(|| Reject::new("the rules of achievements do not parse"))
}
