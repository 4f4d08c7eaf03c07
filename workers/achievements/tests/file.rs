//! The file of rules: what a reviewer would otherwise have to look for.

use std::collections::BTreeSet;

use super::*;
use crate::achievements::rules::Kind;

/// The facts that somebody tells: the roles of the contract.
const FACTS: [&str; 8] = [
    "test_completed",
    "streak_reached",
    "level_reached",
    "payment_succeeded",
    "tournament_won",
    "race_won",
    "challenge_completed",
    "order_delivered",
];

#[test]
fn there_are_thirty_rules_over_every_fact_and_of_every_kind() {
    let rules = rules().unwrap();
    assert!(rules.len() >= 30, "{}", rules.len());
    let facts: BTreeSet<&str> = rules.iter().map(|it| &*it.fact).collect();
    assert_eq!(facts, BTreeSet::from(FACTS), "known facts, all of them");
    let kinds: BTreeSet<&str> = rules.iter().map(|it| it.progress.name()).collect();
    assert_eq!(kinds, BTreeSet::from(["count", "sum", "max", "distinct", "day_streak"]));
}

#[test]
fn ids_and_titles_are_taken_once_and_fit_their_columns() {
    let (mut ids, mut english, mut german) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for Rule { id, title, version, .. } in rules().unwrap() {
        assert!(ids.insert(id) && english.insert(&title.en) && german.insert(&title.de), "{id} comes twice");
        let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
        assert!((1..=64).contains(&id.len()) && id.bytes().all(plain), "{id}");
        assert!(*version >= 1 && (1..=255).contains(&title.en.len()) && (1..=255).contains(&title.de.len()), "{id}");
    }
}

#[test]
fn every_tier_says_its_own_target_in_human_units_and_in_every_language() {
    for rule in rules().unwrap() {
        let id = &rule.id;
        assert!([&rule.description.en, &rule.description.de].into_iter().all(|it| it.matches("{target}").count() == 1), "{id}");
        let mut said = BTreeSet::new();
        for tier in &rule.tiers {
            assert_eq!(tier.target % rule.unit, 0, "{id}: no part of a unit can be said");
            let words = rule.says(tier);
            let number = (tier.target / rule.unit).to_string();
            for text in [&words.en, &words.de] {
                let digits: String = text.chars().filter(char::is_ascii_digit).collect();
                assert!(rule.once.is_some() && number == "1" || digits.starts_with(&number), "{id}: {text}");
                assert!((1..=255).contains(&text.len()) && !text.contains(['{', '}']), "{id}: {text}");
            }
            assert!(said.insert(words.en) && said.insert(words.de), "{id}: two tiers say the same");
        }
        assert_eq!(rule.once.is_some(), rule.tiers.iter().any(|it| it.target == rule.unit), "{id}: one needs words of its own");
    }
}

#[test]
fn what_is_told_is_what_a_person_would_say() {
    let says = |id: &str, tier: usize| {
        let rule = rules().unwrap().iter().find(|it| &*it.id == id).unwrap();
        let words = rule.says(&rule.tiers[tier - 1]);
        [words.en.to_string(), words.de.to_string()]
    };
    assert_eq!(says("top_speed", 4), ["Reach 100 words a minute", "100 Wörter pro Minute erreichen"]);
    assert_eq!(says("tests_completed", 1), ["Complete a typing test", "Einen Schreibtest abschließen"]);
    assert_eq!(says("tests_completed", 5), ["Complete 10,000 typing tests", "10.000 Schreibtests abschließen"]);
    assert_eq!(says("patron_eur", 3), ["Pay 1,000 EUR in all", "Insgesamt 1.000 EUR bezahlen"]);
    assert_eq!(says("level", 1), ["Reach level 5", "Stufe 5 erreichen"]);
}

#[test]
fn targets_rise_from_above_zero_and_every_tier_is_worth_something() {
    for Rule { id, tiers, .. } in rules().unwrap() {
        assert!(tiers.first().is_some_and(|it| it.target > 0), "{id}");
        assert!(tiers.is_sorted_by(|a, b| a.target < b.target), "{id}");
        assert!(tiers.iter().all(|it| it.points > 0), "{id}");
    }
}

#[test]
fn conditions_can_hold_of_a_fact_that_the_topic_takes() {
    for Rule { id, conditions, progress, .. } in rules().unwrap() {
        let named = conditions.tags.iter().fold(fact(1), |fact, (key, value)| fact.tag(key, value));
        assert_eq!(progress.tag().map_or(named.clone(), |it| named.tag(it, "x")).check(), Ok(()), "{id}");
        assert!(conditions.min.is_none_or(|min| conditions.max.is_none_or(|max| min <= max)), "{id}");
    }
}

/// Values below zero would let a sum fall, and one past the greatest number depend on the order of arrival.
#[test]
fn sums_take_nothing_below_zero() {
    for rule in rules().unwrap().iter().filter(|it| matches!(it.progress, Kind::Sum)) {
        assert!(rule.conditions.min.is_some_and(|it| it >= 0), "{}", rule.id);
    }
}

#[test]
fn the_catalogue_has_a_row_a_tier() {
    let rows = (catalogue::CATALOGUE.rows)().unwrap();
    assert_eq!(rows.len(), rules().unwrap().iter().map(|it| it.tiers.len()).sum::<usize>());
    let table = catalogue::CATALOGUE.table;
    let first = crate::fold::text::columns(table.columns, &rows[0]);
    assert_eq!(
        first,
        "achievement_id=tests_completed tier=1 version=1 title=Practice description=\"Complete a typing test\" fact=test_completed \
         conditions={\"tags\":{},\"min\":null,\"max\":null} progress=count tag=null target=1 points=5 retired=false"
    );
    let keys: BTreeSet<_> = rows.iter().map(|it| it[..table.key].to_vec()).collect();
    assert_eq!(keys.len(), rows.len());
}
