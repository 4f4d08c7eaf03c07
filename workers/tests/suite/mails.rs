//! Made-up mails: contacts first, then mails with what became of them, such as the role applies.

use std::collections::BTreeSet;

use workers::{
    ROLES,
    fold::{Play, Record},
    simulate::{Plan, distributions},
};

use crate::simulate::{DAY_MS, START, events, hash, plan, record, tally, topic};

const MAILS: &str = "email-send";

#[test]
fn mails_are_the_same_for_the_same_seed_and_as_many_as_asked() {
    let made = events(MAILS, plan(10_000, 1));
    assert!(distributions(topic(MAILS)).contains("contacts"));
    // Another value here means that everyone's streams change.
    assert_eq!(format!("{:016x}", hash(&made)), "2577ddb33071b48f");
    assert_ne!(hash(&events(MAILS, plan(10_000, 2))), hash(&made));
    for (users, count, span_ms) in [(1, 1, 0), (1, 0, DAY_MS), (3, 500, 1_000), (100_000, 20_000, 30 * DAY_MS)] {
        let events = events(MAILS, Plan { users, events: count, seed: 9, start: START, span_ms });
        assert_eq!(events.len() as u64, count);
        assert!(events.iter().all(|it| (START..=START.plus(span_ms)).contains(&it.occurred_at)));
    }
}

#[test]
fn every_user_has_a_contact_first_and_mails_are_late_doubled_and_disordered() {
    let role = ROLES.iter().find(|it| it.topic.name == MAILS).unwrap();
    let made = events(MAILS, plan(40_000, 5));
    let contacts: BTreeSet<&str> = made[..1_020].iter().map(|it| it.key.as_str()).collect();
    assert_eq!(contacts.iter().filter(|it| it.starts_with("user:")).count(), 1_000);
    let (mut now, mut late) = (START, 0);
    for event in &made {
        late += usize::from(event.occurred_at < now);
        now = now.max(event.occurred_at);
    }
    assert!((3_500..=9_000).contains(&late), "{late} of 40,000 are told after something newer");
    let mut play = Play::new(role);
    let records: Vec<Record> = made.into_iter().map(|it| record(role.topic, it)).collect();
    let mut duplicates = 0;
    for flush in play.batch(&records).unwrap() {
        assert_eq!(flush.changes.rejects, []);
        duplicates += flush.changes.duplicates;
    }
    assert!((300..=500).contains(&duplicates), "{duplicates} repeats");
    let (templates, states) = (tally(&play, "email_outbox", "template"), tally(&play, "email_messages", "state"));
    let mails: usize = templates.values().sum();
    println!("{templates:?} {states:?} {:?}", tally(&play, "email_suppressions", "reason"));
    assert!((30..=32).contains(&(390_000 / mails)), "{mails} mails of 39,000 events");
    assert_eq!(templates.len(), 6);
    for (state, percent) in [("queued", 10), ("sent", 8), ("delivered", 60)] {
        assert!(100 * states[state] / mails >= percent, "{states:?}");
    }
    assert!(["failed", "bounced_soft", "bounced_hard"].iter().all(|it| states[*it] * 400 > mails), "{states:?}");
    assert_eq!(tally(&play, "email_suppressions", "reason").len(), 3);
}
