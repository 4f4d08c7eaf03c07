//! The catalogue: the rules as rows for people, a row a tier.
//!
//! It is made from the rules alone, in English; what users unlocked is in `user_achievements`, which it joins by achievement and tier.

use std::sync::Arc;

use super::rules::{Rule, Tier, rules};
use crate::{
    fold::{Catalogue, Json, Reject, Row, Values},
    row,
};

/// The rows of the table `achievements`.
pub static CATALOGUE: Catalogue = Catalogue { table: Achievement::TABLE, rows };

/// A tier of an achievement.
struct Achievement {
    achievement_id: Arc<str>,
    tier: i64,
    version: i64,
    title: Arc<str>,
    description: Arc<str>,
    fact: Arc<str>,
    conditions: Json,
    progress: Arc<str>,
    tag: Option<Arc<str>>,
    target: i64,
    points: i64,
    retired: bool,
}
row!(
    Achievement,
    Catalogue,
    "achievements",
    [achievement_id, tier],
    [version, title, description, fact, conditions, progress, tag, target, points, retired]
);

fn rows() -> Result<Vec<Values>, Reject> {
    let mut rows = Vec::new();
    for rule in rules()? {
        for (number, tier) in (1..).zip(&rule.tiers) {
            rows.push(row(rule, number, tier)?.to_values().into());
        }
    }
    Ok(rows)
}

fn row(rule: &Rule, number: i64, tier: &Tier) -> Result<Achievement, Reject> {
    Ok(Achievement {
        achievement_id: Arc::clone(&rule.id),
        tier: number,
        version: rule.version,
        title: Arc::clone(&rule.title.en),
        description: rule.says(tier).en,
        fact: Arc::clone(&rule.fact),
        conditions: Json::of(&rule.conditions)?,
        progress: rule.progress.name().into(),
        tag: rule.progress.tag().map(Arc::from),
        target: tier.target,
        points: tier.points,
        retired: false,
    })
}
