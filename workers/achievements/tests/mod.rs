//! The rules of achievements as sentences: facts in, rows, documents and changes out.
//!
//! Most are about rules made for them; the file's own are judged in `file`.

mod any_order;
mod file;
mod kinds;
mod whole;

use std::{collections::BTreeMap, sync::Arc};

use uuid::Uuid;

use super::{rules::rules, *};
use crate::fold::{Changes, Day, Decoded, Entry, Event as _, Fold, Presume, Progress as Came, Reject, Time, Values};

/// 2024-05-13, noon.
pub(super) const NOON: Time = Time(1_715_601_600_000);
pub(super) const DAY: i64 = 86_400_000;

/// A completed test of user 1 at noon, of value 1 and without tags. Tests change what they are about.
pub(super) fn fact(id: u128) -> AchievementFact {
    AchievementFact {
        event_id: Uuid::from_u128(id),
        occurred_at: NOON,
        user_id: 1,
        fact: "test_completed".into(),
        value: 1,
        tags: BTreeMap::new(),
    }
}

impl AchievementFact {
    pub(super) fn worth(self, value: i64) -> Self {
        Self { value, ..self }
    }

    pub(super) fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    pub(super) fn later(mut self, millis: i64) -> Self {
        self.occurred_at = self.occurred_at.plus(millis);
        self
    }
}

/// A rule over completed tests: how it counts, and its targets.
pub(super) fn rule(progress: &str, targets: &[i64]) -> Rule {
    let tiers: Vec<_> = targets.iter().map(|target| serde_json::json!({"target": target, "points": target * 10})).collect();
    let progress: serde_json::Value = serde_json::from_str(progress).unwrap();
    let rule = serde_json::json!({
        "id": "a_rule", "version": 1, "title": {"en": "", "de": ""}, "description": {"en": "", "de": ""}, "fact": "test_completed", "progress": progress, "tiers": tiers
    });
    serde_json::from_value(rule).unwrap()
}

impl Rule {
    pub(super) fn but(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// A fact under rules of a test's own.
struct Under {
    fact: AchievementFact,
    rules: Arc<[Rule]>,
}

impl Decoded for Under {
    fn event_id(&self) -> Uuid {
        self.fact.event_id
    }
    fn occurred_at(&self) -> Time {
        self.fact.occurred_at
    }
    fn key(&self) -> String {
        self.fact.user_id.to_string()
    }
    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), Stop> {
        super::apply(&self.fact, &self.rules, tables)
    }
}

/// A lane that holds every row, and its batches.
pub(super) struct Lane(Fold);

impl Lane {
    pub(super) fn new() -> Self {
        Self(Fold::new(&ROLE, 0, Presume::Everything, usize::MAX))
    }

    /// One batch of facts.
    pub(super) fn batch(&mut self, rules: &[Rule], facts: &[AchievementFact]) -> Changes {
        let rules: Arc<[Rule]> = rules.into();
        let under = |fact: &AchievementFact| Box::new(Under { fact: fact.clone(), rules: Arc::clone(&rules) });
        let entry = |fact| Entry { offset: 0, timestamp: NOON, event: Ok(under(fact) as Box<dyn Decoded>) };
        let entries: Vec<Entry> = facts.iter().map(entry).collect();
        assert_eq!(self.0.advance(&entries), Came::Done);
        let changes = self.0.take();
        self.0.settle();
        changes
    }

    /// All rows of a table, in the order of its key.
    pub(super) fn rows<R: Row>(&self) -> Vec<R> {
        let place = ROLE.tables.iter().position(|it| it.name == R::TABLE.name).unwrap();
        let mut rows: Vec<Values> = self.0.rows(place).map(|(_, row)| row.clone()).collect();
        rows.sort_unstable();
        rows.iter().map(|it| R::from_values(it).unwrap()).collect()
    }

    /// The tiers unlocked: achievement and number.
    pub(super) fn tiers(&self) -> Vec<(String, i64)> {
        self.rows::<Unlocked>().iter().map(|it| (it.achievement_id.to_string(), it.tier)).collect()
    }
}

/// The lane after facts that none of which may be refused, an event a batch.
pub(super) fn after(rules: &[Rule], facts: &[AchievementFact]) -> Lane {
    let mut lane = Lane::new();
    for fact in facts {
        assert_eq!(lane.batch(rules, std::slice::from_ref(fact)).rejects, Vec::<(usize, Reject)>::new());
    }
    lane
}

/// The one row of progress after facts.
pub(super) fn progress(rule: &Rule, facts: &[AchievementFact]) -> Progress {
    let mut rows = after(std::slice::from_ref(rule), facts).rows::<Progress>();
    assert!(rows.len() == 1, "{rows:?}");
    rows.remove(0)
}

pub(super) fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}
