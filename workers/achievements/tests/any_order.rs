//! Properties over generated facts: progress and what is unlocked depend on the set of facts alone, and agree with a model.
//!
//! The model keeps every fact and computes each figure from all of them; it shares nothing with the steps but the rules' data.
//! When something was unlocked does depend on the order: it is the time of the fact that made it so.

use std::collections::BTreeSet;

use proptest::{prelude::*, sample::select};

use super::*;
use crate::achievements::rules::Kind;

/// A rule of every kind, some over the same fact, some narrow.
fn made_rules() -> Vec<Rule> {
    let kinds = [r#""count""#, r#""sum""#, r#""max""#, r#"{"distinct": "t"}"#, r#""day_streak""#];
    let made = |(place, kind): (usize, &&str)| {
        rule(kind, &[1, 2, 4]).but(|it| {
            it.id = format!("rule_{place}").into();
            it.conditions.min = matches!(it.progress, Kind::Sum).then_some(0);
            if place >= 5 {
                it.conditions.tags.insert("u".into(), "x".into());
            }
        })
    };
    kinds.iter().chain(&kinds).enumerate().map(made).collect()
}

/// Few users, days and tags, so that they meet; sums that pass the greatest number.
fn facts() -> impl Strategy<Value = Vec<AchievementFact>> {
    let tag = || select(&["", "a", "b", "c", "d", "e"]);
    let day = select(&["", "2024-05-12", "2024-05-15", "2024-05-17", "nonsense"]);
    let values = select(&[i64::MIN, -1, 0, 1, 2, 3, i64::MAX - 1]);
    let made = (1_i64..3, -4_i64..5, values, tag(), (any::<bool>(), day));
    let made = made.prop_map(|(user_id, days, value, tag, (narrow, day))| {
        let fact = AchievementFact { user_id, ..fact(0) }.worth(value).later(days * DAY + value % 7);
        let fact = if tag.is_empty() { fact } else { fact.tag("t", tag) };
        let fact = if day.is_empty() { fact } else { fact.tag("day", day) };
        if narrow { fact.tag("u", "x") } else { fact }
    });
    prop::collection::vec(made, 0..16).prop_map(|mut facts| {
        facts.iter_mut().zip(1..).for_each(|(it, id)| it.event_id = Uuid::from_u128(id));
        facts
    })
}

/// What a user's facts come to by a rule, from all of them at once.
fn figure(rule: &Rule, facts: &[&AchievementFact]) -> i64 {
    let top = usize::try_from(rule.tiers.last().unwrap().target).unwrap();
    match &rule.progress {
        Kind::Count => i64::try_from(facts.len()).unwrap(),
        Kind::Sum => i64::try_from(facts.iter().map(|it| i128::from(it.value)).sum::<i128>().min(i64::MAX.into())).unwrap(),
        Kind::Max => facts.iter().map(|it| it.value).max().unwrap(),
        Kind::Distinct(tag) => i64::try_from(facts.iter().map(|it| &it.tags[tag]).collect::<BTreeSet<_>>().len().min(top)).unwrap(),
        Kind::DayStreak => {
            let named = |it: &AchievementFact| it.tags.get("day").and_then(|it| it.strip_prefix("2024-05-")?.parse::<i32>().ok());
            let utc = |it: &AchievementFact| 13 + i32::try_from((it.occurred_at.0 - NOON.0 + DAY / 2).div_euclid(DAY)).unwrap();
            let days: BTreeSet<i32> = facts.iter().map(|it| named(it).unwrap_or_else(|| utc(it))).collect();
            let run = |start: &i32| (*start..).take_while(|it| days.contains(it)).count();
            i64::try_from(days.iter().map(run).max().unwrap()).unwrap()
        }
    }
}

/// User, achievement and value of all progress, and the tiers unlocked.
type Figures = (Vec<(i64, String, i64)>, BTreeSet<(i64, String, i64, i64)>);

fn expected(rules: &[Rule], facts: &[AchievementFact]) -> Figures {
    let (mut values, mut tiers) = (Vec::new(), BTreeSet::new());
    for user in 1..3 {
        for rule in rules {
            let taken: Vec<&AchievementFact> = facts.iter().filter(|it| it.user_id == user && rule.takes(it)).collect();
            if taken.is_empty() {
                continue;
            }
            let value = figure(rule, &taken);
            values.push((user, rule.id.to_string(), value));
            let reached = (1..).zip(&rule.tiers).filter(|(_, it)| it.target <= value);
            tiers.extend(reached.map(|(number, it)| (user, rule.id.to_string(), number, it.points)));
        }
    }
    (values, tiers)
}

fn found(lane: &Lane) -> Figures {
    let values = lane.rows::<Progress>().into_iter().map(|it| (it.user_id, it.achievement_id.to_string(), it.value));
    let tiers = lane.rows::<Unlocked>().into_iter().map(|it| (it.user_id, it.achievement_id.to_string(), it.tier, it.points));
    (values.collect(), tiers.collect())
}

/// All that holds of one state beside the rows of progress and of unlocks.
fn check_documents(lane: &Lane) {
    let unlocked = lane.rows::<Unlocked>();
    for Totals { user_id, points, tiers, unlocked: document, .. } in lane.rows::<Totals>() {
        let own: Vec<&Unlocked> = unlocked.iter().filter(|it| it.user_id == user_id).collect();
        assert_eq!((points, tiers), (own.iter().map(|it| it.points).sum(), i64::try_from(own.len()).unwrap()));
        let document: serde_json::Value = serde_json::from_str(&document.0).unwrap();
        for it in own {
            let entry = document[&*it.achievement_id].as_array().unwrap().iter().find(|entry| entry["tier"] == it.tier).unwrap();
            assert_eq!((entry["points"].as_i64(), entry["unlocked_at"].as_i64()), (Some(it.points), Some(it.unlocked_at.0)));
        }
    }
    let progress = lane.rows::<Progress>();
    let shown: usize = lane
        .rows::<Standings>()
        .iter()
        .map(|it| serde_json::from_str::<serde_json::Value>(&it.progress.0).unwrap().as_object().unwrap().len())
        .sum();
    assert_eq!(shown, progress.len());
}

proptest! {
    #[test]
    fn any_order_gives_the_same_progress_and_unlocks_the_same(
        (facts, shuffled) in facts().prop_flat_map(|it| (Just(it.clone()), Just(it).prop_shuffle()))
    ) {
        let rules = made_rules();
        let (one, other) = (after(&rules, &facts), after(&rules, &shuffled));
        prop_assert_eq!(found(&one), expected(&rules, &facts));
        prop_assert_eq!(found(&one), found(&other));
        prop_assert_eq!(one.rows::<Progress>(), other.rows::<Progress>());
        prop_assert_eq!(one.rows::<Standings>(), other.rows::<Standings>());
        check_documents(&one);
    }

    #[test]
    fn repeats_unlock_nothing_twice(facts in facts()) {
        let rules = made_rules();
        let mut lane = after(&rules, &facts);
        let before = lane.rows::<Unlocked>();
        let again = lane.batch(&rules, &facts);
        prop_assert_eq!(again.applied, 0);
        prop_assert!(again.puts.is_empty() && again.emits.is_empty());
        prop_assert_eq!(lane.rows::<Unlocked>(), before);
    }

    #[test]
    fn what_is_unlocked_names_the_fact_that_made_it_so(facts in facts()) {
        let rules = made_rules();
        let mut lane = Lane::new();
        for fact in &facts {
            let before = lane.tiers().len();
            let emits = lane.batch(&rules, std::slice::from_ref(fact)).emits;
            prop_assert_eq!(lane.tiers().len() - before, emits.len(), "a mail a tier");
            let by_it = lane.rows::<Unlocked>().iter().filter(|it| it.event_id == fact.event_id && it.unlocked_at == fact.occurred_at).count();
            prop_assert_eq!(lane.tiers().len() - before, by_it);
        }
    }
}
