//! The role as a whole: one fact's changes as text, repeats, unknown facts, documents, bounds.

use super::*;
use crate::fold::{Form, derived_id, text};

const FIRST: &str =
    r#"{"event_id":"00000000-0000-7000-8000-000000000001","occurred_at":1715601600000,"user_id":1,"fact":"race_won","value":1,"tags":{}}"#;

#[test]
fn says_all_that_one_fact_changes() {
    let expected = r#"lane 9
put achievement_progress user_id=1 achievement_id=racer version=1 value=1 distinct_values=null days=null last_event_at=2024-05-13T12:00:00Z
put achievement_progress user_id=1 achievement_id=winning_days version=1 value=1 distinct_values=null days={"620":65536} last_event_at=2024-05-13T12:00:00Z
put user_achievements user_id=1 achievement_id=racer tier=1 version=1 points=10 unlocked_at=2024-05-13T12:00:00Z event_id=00000000-0000-7000-8000-000000000001 last_event_at=2024-05-13T12:00:00Z
put achievement_standings user_id=1 progress={"racer":{"version":1,"value":1,"tier":1,"target":10,"last_event_at":1715601600000},"winning_days":{"version":1,"value":1,"tier":0,"target":2,"last_event_at":1715601600000}} last_event_at=2024-05-13T12:00:00Z
put achievement_totals user_id=1 points=10 tiers=1 unlocked={"racer":[{"tier":1,"points":10,"unlocked_at":1715601600000,"event_id":"00000000-0000-7000-8000-000000000001"}]} last_event_at=2024-05-13T12:00:00Z
append achievement_facts user_id=1 occurred_at=2024-05-13T12:00:00Z event_id=00000000-0000-7000-8000-000000000001 body_hash=HASH
cache achievements-unlocked user_id=1 held at=2024-05-13T12:00:00Z
cache achievement-progress user_id=1 held at=2024-05-13T12:00:00Z
emit email-send key=user:1 {"event_id":"EVENT","occurred_at":"2024-05-13T12:00:00Z","recipient":"user:1","body":{"SendRequested":{"message_id":"MESSAGE","template":"achievement","locale":"","params":{"description":"Win a race","description_de":"Ein Rennen gewinnen","points":"10","title":"Racer","title_de":"Rennfahrer"},"user_id":1,"category":"bulk","list":"achievements","not_after":null}}}
"#;
    let hash = Identity::of(&AchievementFact { fact: "race_won".into(), ..fact(1) }).body_hash;
    let event = derived_id(&["achievements", "1", "00000000-0000-7000-8000-000000000001", "achievement:racer:1:words"]).to_string();
    let message = derived_id(&["1", "racer", "1"]).to_string();
    let expected = expected.replace("HASH", &hash.to_string()).replace("EVENT", &event).replace("MESSAGE", &message);
    assert_eq!(text::run(&ROLE, FIRST), expected);
    // Another hash of the same body would make every fact that was applied before, and comes again, a conflict.
    assert_eq!(hash, -7_967_035_276_220_457_079);
}

#[test]
fn the_same_fact_again_changes_nothing_and_with_another_body_is_refused() {
    let rules = rules().unwrap();
    let first = fact(1).tag("mode", "time").worth(7_000);
    let mut lane = after(rules, std::slice::from_ref(&first));
    let again = lane.batch(rules, &[first.clone(), first.clone()]);
    assert_eq!((again.applied, again.duplicates, again.puts.len(), again.caches.len()), (0, 2, 0, 0));
    let others = [first.clone().worth(7_001), first.clone().tag("mode", "words"), first.clone().tag("more", ""), {
        AchievementFact { fact: "race_won".into(), ..first.clone() }
    }];
    let refused = lane.batch(rules, &others);
    assert_eq!((refused.applied, refused.rejects.len()), (0, 4));
    let elsewhere = lane.batch(rules, &[first.clone().later(1)]);
    assert_eq!((elsewhere.applied, elsewhere.duplicates), (1, 0), "another time is another fact");
}

#[test]
fn an_unknown_fact_changes_nothing_and_is_counted() {
    let unknown = AchievementFact { fact: "nobody_asked".into(), ..fact(1) };
    let mut lane = Lane::new();
    let changes = lane.batch(rules().unwrap(), &[unknown.clone(), unknown]);
    assert_eq!(changes.counts, BTreeMap::from([(UNKNOWN, 2)]));
    assert!(changes.puts.is_empty() && changes.appends.is_empty() && changes.caches.is_empty());
}

#[test]
fn a_known_fact_that_no_rule_takes_leaves_its_identity_alone() {
    let rules = [rule(r#""count""#, &[1]).but(|it| it.conditions.min = Some(5))];
    let mut lane = Lane::new();
    let changes = lane.batch(&rules, &[fact(1)]);
    assert_eq!((changes.appends.len(), changes.puts.len(), changes.caches.len()), (1, 0, 0));
    assert!(changes.counts.is_empty());
}

#[test]
fn documents_hold_what_the_rows_do() {
    let rules = [rule(r#""max""#, &[10, 20]), rule(r#""count""#, &[2, 3]).but(|it| it.id = "other".into())];
    let lane = after(&rules, &[fact(1).worth(5), fact(2).worth(20).later(9), fact(3).later(-9)]);
    let standings = lane.rows::<Standings>();
    assert_eq!(
        &*standings[0].progress.0,
        r#"{"a_rule":{"version":1,"value":20,"tier":2,"target":null,"last_event_at":1715601600009},"other":{"version":1,"value":3,"tier":2,"target":null,"last_event_at":1715601600009}}"#
    );
    let totals = lane.rows::<Totals>();
    assert_eq!((totals[0].points, totals[0].tiers, totals[0].last_event_at), (350, 4, NOON.plus(9)));
    assert_eq!(
        &*totals[0].unlocked.0,
        r#"{"a_rule":[{"tier":1,"points":100,"unlocked_at":1715601600009,"event_id":"00000000-0000-0000-0000-000000000002"},{"tier":2,"points":200,"unlocked_at":1715601600009,"event_id":"00000000-0000-0000-0000-000000000002"}],"other":[{"tier":1,"points":20,"unlocked_at":1715601600009,"event_id":"00000000-0000-0000-0000-000000000002"},{"tier":2,"points":30,"unlocked_at":1715601599991,"event_id":"00000000-0000-0000-0000-000000000003"}]}"#
    );
}

#[test]
fn documents_stand_under_the_users_keys() {
    for (family, key, ttl_s) in [(&UNLOCKED, "user:{user_id}:achievements", 3_600), (&PROGRESS, "user:{user_id}:achievement-progress", 900)]
    {
        let Form::Document(document) = &family.form else { panic!("no document") };
        assert_eq!((document.key, document.ttl_s), (key, ttl_s));
        assert!(family.table.place(document.column).is_some() && family.table.place("user_id") == Some(0));
    }
}

#[test]
fn values_out_of_bounds_are_refused() {
    let fine = fact(1);
    assert_eq!(fine.check(), Ok(()));
    let tags = |count: usize| (0..count).fold(fact(1), |it, n| it.tag(&format!("t{n}"), "x"));
    for (bad, field) in [
        (AchievementFact { user_id: 0, ..fine.clone() }, "user_id"),
        (AchievementFact { fact: "".into(), ..fine.clone() }, "fact"),
        (AchievementFact { fact: "a".repeat(65).into(), ..fine.clone() }, "fact"),
        (AchievementFact { fact: "Race".into(), ..fine.clone() }, "fact"),
        (AchievementFact { fact: "race2".into(), ..fine.clone() }, "fact"),
        (tags(17), "the number of tags"),
        (fine.clone().tag(&"é".repeat(33), "x"), "a tag's key"),
        (fine.clone().tag("k", &"é".repeat(65)), "a tag's value"),
        (fine.clone().tag("k\0", "x"), "a tag's key"),
        (fine.clone().tag("k", "\0"), "a tag's value"),
    ] {
        let reason = bad.check().unwrap_err().reason;
        assert!(reason.starts_with(field), "{field}: {reason}");
    }
    let widest = tags(15).tag(&"é".repeat(32), &"é".repeat(64)).worth(i64::MIN);
    assert_eq!(widest.check(), Ok(()));
}
