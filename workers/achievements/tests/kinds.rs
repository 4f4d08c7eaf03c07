//! Each kind of progress, which facts a rule takes, and when tiers unlock.

use super::*;

const STREAK: &str = r#""day_streak""#;

fn value(rule: &Rule, facts: &[AchievementFact]) -> i64 {
    progress(rule, facts).value
}

/// Facts at noon of these days of May 2024.
fn on(days: &[i64]) -> Vec<AchievementFact> {
    (1..).zip(days).map(|(id, it)| fact(id).later((it - 13) * DAY)).collect()
}

#[test]
fn count_adds_one_a_fact_whatever_its_value() {
    assert_eq!(value(&rule(r#""count""#, &[9]), &[fact(1), fact(2).worth(-70), fact(3).worth(0)]), 3);
}

#[test]
fn sum_adds_values_and_stays_at_the_greatest_number() {
    let sum = rule(r#""sum""#, &[9]);
    assert_eq!(value(&sum, &[fact(1).worth(4), fact(2).worth(0), fact(3).worth(38)]), 42);
    let huge = [fact(1).worth(i64::MAX), fact(2).worth(7), fact(3).worth(i64::MAX)];
    assert_eq!(value(&sum, &huge), i64::MAX);
}

#[test]
fn max_keeps_the_greatest_value_even_below_zero() {
    let max = rule(r#""max""#, &[9]);
    assert_eq!(value(&max, &[fact(1).worth(3), fact(2).worth(8), fact(3).worth(5)]), 8);
    let below = after(std::slice::from_ref(&max), &[fact(1).worth(-9), fact(2).worth(-3), fact(3).worth(-5)]);
    assert_eq!((below.rows::<Progress>()[0].value, below.tiers()), (-3, vec![]));
}

#[test]
fn distinct_counts_values_of_the_tag_up_to_the_top_and_keeps_the_least() {
    let distinct = rule(r#"{"distinct": "language"}"#, &[2, 3]);
    let facts: Vec<_> = ["e", "d", "e", "a", "c", "b"].iter().zip(1..).map(|(it, id)| fact(id).tag("language", it)).collect();
    let two = progress(&distinct, &facts[..3]);
    assert_eq!((two.value, &*two.distinct_values.unwrap().0), (2, r#"["d","e"]"#));
    let all = progress(&distinct, &facts);
    assert_eq!((all.value, &*all.distinct_values.unwrap().0), (3, r#"["a","b","c"]"#));
    let without = after(&[distinct], &[fact(1).tag("mode", "zen")]);
    assert_eq!(without.rows::<Progress>(), [], "a fact without the tag does not count");
}

#[test]
fn a_day_streak_is_the_longest_run_however_late_its_days_come() {
    let streak = rule(STREAK, &[9]);
    assert_eq!(value(&streak, &on(&[1, 2, 3, 10, 11])), 3);
    assert_eq!(value(&streak, &on(&[1, 2, 5, 4, 4, 3])), 5, "the last joins two runs");
    assert_eq!(value(&streak, &on(&[1, 2, 3, 4, 20])), 4, "it never falls");
}

#[test]
fn the_day_is_the_tags_if_it_is_one_and_else_the_utc_day() {
    for (tag, counted) in [
        ("2024-05-14", "2024-05-14"),
        ("2031-01-01", "2031-01-01"),
        ("1999-12-31", "2024-05-13"),
        ("2024-05-32", "2024-05-13"),
        ("2024-5-14", "2024-05-13"),
        ("", "2024-05-13"),
    ] {
        assert_eq!(fact(1).tag("day", tag).day(), day(counted), "{tag}");
    }
    assert_eq!(fact(1).later(DAY / 2 - 1).day(), day("2024-05-13"));
    assert_eq!(fact(1).later(DAY / 2).day(), day("2024-05-14"));
    let tagged = [fact(1), fact(2).tag("day", "2024-05-14"), fact(3).tag("day", "2024-05-15")];
    assert_eq!(value(&rule(STREAK, &[9]), &tagged), 3);
}

#[test]
fn a_rule_takes_facts_of_its_name_tags_and_bounds() {
    let narrow = rule(r#""count""#, &[9]).but(|it| {
        it.conditions.tags.insert("mode".into(), "time".into());
        (it.conditions.min, it.conditions.max) = (Some(5), Some(8));
    });
    let fits = fact(1).tag("mode", "time").worth(5);
    for (taken, fact) in [
        (true, fits.clone()),
        (true, fits.clone().worth(8).tag("other", "x")),
        (false, fits.clone().worth(4)),
        (false, fits.clone().worth(9)),
        (false, fits.clone().tag("mode", "words")),
        (false, fact(1).worth(5)),
        (false, AchievementFact { fact: "race_won".into(), ..fits }),
    ] {
        assert_eq!(narrow.takes(&fact), taken, "{fact:?}");
    }
}

#[test]
fn all_tiers_reached_unlock_at_once_and_once() {
    let rules = [rule(r#""max""#, &[10, 20, 30])];
    let mut lane = after(&rules, &[fact(1).worth(9)]);
    assert_eq!(lane.tiers(), []);
    lane.batch(&rules, &[fact(2).worth(25).later(5)]);
    let unlocked = lane.rows::<Unlocked>();
    let figures: Vec<_> = unlocked.iter().map(|it| (it.tier, it.points, it.unlocked_at, it.event_id.as_u128())).collect();
    assert_eq!(figures, [(1, 100, NOON.plus(5), 2), (2, 200, NOON.plus(5), 2)]);
    lane.batch(&rules, &[fact(3).worth(29).later(9)]);
    assert_eq!(lane.rows::<Unlocked>(), unlocked, "for good");
    lane.batch(&rules, &[fact(4).worth(30)]);
    assert_eq!(lane.tiers().len(), 3);
}

#[test]
fn a_late_fact_unlocks_at_its_own_time() {
    let lane = after(&[rule(r#""count""#, &[2])], &[fact(1), fact(2).later(-40 * DAY)]);
    assert_eq!(lane.rows::<Unlocked>()[0].unlocked_at, NOON.plus(-40 * DAY));
    assert_eq!(lane.rows::<Progress>()[0].last_event_at, NOON);
}

#[test]
fn a_new_version_counts_anew_and_takes_nothing_away_nor_unlocks_it_again() {
    let old = rule(r#""count""#, &[1, 2]);
    let new = old.clone().but(|it| (it.version, it.tiers[0].points, it.tiers[1].target) = (2, 7, 3));
    let mut lane = after(std::slice::from_ref(&old), &[fact(1)]);
    let unlocked = lane.rows::<Unlocked>();
    lane.batch(std::slice::from_ref(&new), &[fact(2), fact(3)]);
    let progress: Vec<_> = lane.rows::<Progress>().iter().map(|it| (it.version, it.value)).collect();
    assert_eq!(progress, [(1, 1), (2, 2)]);
    assert_eq!(lane.rows::<Unlocked>(), unlocked);
    lane.batch(std::slice::from_ref(&new), &[fact(4)]);
    let versions: Vec<_> = lane.rows::<Unlocked>().iter().map(|it| (it.tier, it.version, it.points)).collect();
    assert_eq!(versions, [(1, 1, 10), (2, 2, 20)]);
}

#[test]
fn a_damaged_row_is_not_written_over() {
    for (kind, column) in [(r#"{"distinct": "t"}"#, "distinct_values"), (STREAK, "days")] {
        let rule = rule(kind, &[9]);
        let fact = fact(1).tag("t", "x");
        let mut held = progress(&rule, std::slice::from_ref(&fact));
        let damage = Some(crate::fold::Json("7".into()));
        (held.distinct_values, held.days) = (damage.clone(), damage);
        let refused = progress::step(&rule, &fact, Some(held)).unwrap_err();
        assert_eq!(refused.reason, format!("achievement_progress.{column} is damaged"));
    }
}
