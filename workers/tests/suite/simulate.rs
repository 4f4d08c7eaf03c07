//! Made-up streams: the same bytes for the same seed, as many as asked for, and such as the roles apply.

use std::collections::{BTreeMap, BTreeSet};

use workers::{
    ROLES,
    fold::{PlainEvent, Play, Record, Time, Topic, Value},
    simulate::{Plan, Simulated, distributions, stream},
    topics,
};
use xxhash_rust::xxh3::Xxh3;

pub const START: Time = Time(1_715_592_600_000);
pub const DAY_MS: i64 = 86_400_000;

pub fn topic(name: &str) -> &'static Topic {
    topics().into_iter().find(|it| it.name == name).unwrap()
}

pub fn plan(events: u64, seed: u64) -> Plan {
    Plan { users: 1_000, events, seed, start: START, span_ms: 7 * DAY_MS }
}

pub fn events(name: &str, plan: Plan) -> Vec<Simulated> {
    stream(topic(name), plan).unwrap().collect()
}

pub fn hash(events: &[Simulated]) -> u64 {
    let mut hash = Xxh3::new();
    for event in events {
        hash.update(event.key.as_bytes());
        hash.update(&event.datum);
        hash.update(&event.occurred_at.0.to_le_bytes());
    }
    hash.digest()
}

const NAMES: [&str; 4] = ["test-results", "leaderboard-updates", "achievement-events", "keystroke-analytics"];

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let hashes = NAMES.map(|name| hash(&events(name, plan(10_000, 1))));
    // Another value here means that everyone's streams change.
    assert_eq!(hashes.map(|it| format!("{it:016x}")), ["523978e999ac96e3", "b1e405e59a4c653c", "e7f071ba0d4d6e6a", "98635da788234f5c"]);
    assert_ne!(hash(&events(NAMES[0], plan(10_000, 2))), hashes[0]);
}

#[test]
fn it_makes_as_many_as_asked_within_the_span() {
    for (users, count, span_ms) in
        [(1, 1, 0), (1, 0, DAY_MS), (3, 500, 1_000), (50, 5_000, 60_000), (100_000, 20_000, 30 * DAY_MS), (7, 3, DAY_MS)]
    {
        let plan = Plan { users, events: count, seed: 9, start: START, span_ms };
        for name in NAMES {
            let events = events(name, plan);
            assert_eq!(events.len() as u64, count, "{name} {plan:?}");
            assert!(events.iter().all(|it| it.occurred_at <= START.plus(span_ms)), "{name} {plan:?}");
            assert!(events.iter().all(|it| (1..=users).contains(&it.key.parse().unwrap())), "{name} {plan:?}");
        }
    }
}

#[test]
fn times_go_forward_over_the_whole_span_but_for_the_late() {
    let events = events("test-results", plan(20_000, 3));
    let (mut now, mut late) = (START, 0);
    let mut seen = BTreeSet::new();
    let mut doubled = 0;
    for event in &events {
        if !seen.insert(&event.datum) {
            doubled += 1;
        } else if event.occurred_at < now {
            assert!(now.0 - event.occurred_at.0 < 3 * DAY_MS + 60_000);
            late += 1;
        }
        now = now.max(event.occurred_at);
    }
    assert!((150..=250).contains(&late), "{late} late");
    assert!((150..=250).contains(&doubled), "{doubled} doubled");
    assert!(now > START.plus(7 * DAY_MS * 9 / 10));
    let half = events[events.len() / 2].occurred_at.0 - START.0;
    assert!((3 * DAY_MS..4 * DAY_MS).contains(&half), "half of them after {half} ms");
}

#[test]
fn a_fifth_comes_from_the_first_users() {
    let events = events("test-results", plan(20_000, 4));
    let first = events.iter().filter(|it| it.key.parse::<u64>().unwrap() <= 50).count();
    assert!((3_400..=4_600).contains(&first), "{first} of 20,000");
    assert!(events.iter().map(|it| &it.key).collect::<BTreeSet<_>>().len() > 800);
}

#[test]
fn the_roles_apply_them_all_and_count_most() {
    for role in ROLES.iter().filter(|it| NAMES.contains(&it.topic.name)) {
        let events = events(role.topic.name, plan(5_000, 5));
        let records: Vec<Record> = events.into_iter().map(|it| record(role.topic, it)).collect();
        let mut play = Play::new(role);
        for flush in play.batch(&records).unwrap() {
            assert_eq!(flush.changes.rejects, [], "{}", role.name);
        }
        if role.name == "test-results" {
            let verdicts = verdicts(&play, role.tables.iter().position(|it| it.name == "test_results").unwrap());
            println!("{verdicts:?}");
            let all: u32 = verdicts.values().sum();
            assert!(verdicts["counted"] * 100 > all * 93, "{verdicts:?}");
            assert!(verdicts["too_short"] * 100 > all && verdicts["implausible"] * 200 > all, "{verdicts:?}");
        }
    }
}

#[test]
fn facts_of_every_kind_are_told() {
    let facts = topic("achievement-events");
    let mut told: BTreeMap<String, u32> = BTreeMap::new();
    for event in events(facts.name, plan(5_000, 6)) {
        let event = facts.plain().unwrap().decode(&event.datum).unwrap();
        *told.entry(event["fact"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    println!("{told:?}");
    let known: BTreeSet<String> = facts_of(facts).filter(|it| !it.starts_with("nobody")).collect();
    assert_eq!(told.keys().cloned().collect::<BTreeSet<_>>(), known, "those of the examples");
    assert!(told.values().all(|it| *it > 100), "{told:?}");
}

/// The fact of each example.
fn facts_of(facts: &Topic) -> impl Iterator<Item = String> {
    let parse = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
    facts.examples.lines().map(move |it| parse(it)["fact"].as_str().unwrap().to_owned())
}

pub fn record(topic: &Topic, event: Simulated) -> Record {
    Record::of(topic, &PlainEvent { key: event.key, datum: event.datum, occurred_at: event.occurred_at })
}

fn verdicts(play: &Play, table: usize) -> BTreeMap<String, u32> {
    let declared = ROLES.iter().find(|it| it.name == "test-results").unwrap().tables[table];
    let place = declared.place("verdict").unwrap();
    let mut verdicts = BTreeMap::new();
    for row in play.model().rows(table) {
        let Value::Text(verdict) = &row[place] else { panic!("the verdict is no text") };
        *verdicts.entry(verdict.to_string()).or_default() += 1;
    }
    verdicts
}

const PAYMENTS: &str = "payment-events";

#[test]
fn payments_are_the_same_for_the_same_seed_and_as_many_as_asked() {
    let made = events(PAYMENTS, plan(10_000, 1));
    // Another value here means that everyone's streams change.
    assert_eq!(format!("{:016x}", hash(&made)), "9fabfdf2cdfa3734");
    assert_ne!(hash(&events(PAYMENTS, plan(10_000, 2))), hash(&made));
    for (users, count, span_ms) in [(1, 1, 0), (1, 0, DAY_MS), (3, 500, 1_000), (100_000, 20_000, 30 * DAY_MS)] {
        let events = events(PAYMENTS, Plan { users, events: count, seed: 9, start: START, span_ms });
        assert_eq!(events.len() as u64, count);
        assert!(events.iter().all(|it| (START..=START.plus(span_ms.max(60_000))).contains(&it.occurred_at)));
    }
}

/// How many rows of a table of the role of payments have each text in a column.
fn tally(play: &Play, table: &str, column: &str) -> BTreeMap<String, usize> {
    let role = ROLES.iter().find(|it| it.topic.name == PAYMENTS).unwrap();
    let place = role.tables.iter().position(|it| it.name == table).unwrap();
    let column = role.tables[place].place(column).unwrap();
    let mut tally = BTreeMap::new();
    for row in play.model().rows(place) {
        let Value::Text(text) = &row[column] else { panic!("no text") };
        *tally.entry(text.to_string()).or_default() += 1;
    }
    tally
}

#[test]
fn payments_are_late_doubled_and_disordered_and_live_as_the_help_says() {
    let role = ROLES.iter().find(|it| it.topic.name == PAYMENTS).unwrap();
    let made = events(PAYMENTS, plan(40_000, 5));
    let (mut now, mut late) = (START, 0);
    for event in &made {
        late += usize::from(event.occurred_at < now);
        now = now.max(event.occurred_at);
    }
    assert!((3_500..=9_000).contains(&late), "{late} of 40,000 are told after something newer");
    let mut play = Play::new(role);
    let records: Vec<Record> = made.into_iter().map(|it| record(role.topic, it)).collect();
    let (mut duplicates, mut emits) = (0, 0);
    for flush in play.batch(&records).unwrap() {
        assert_eq!(flush.changes.rejects, []);
        duplicates += flush.changes.duplicates;
        emits += flush.changes.emits.len();
    }
    assert!((300..=500).contains(&duplicates), "{duplicates} repeats");
    let status = tally(&play, "payments", "status");
    let payments: usize = status.values().sum();
    println!("{payments} payments {status:?}, {emits} derived events");
    assert!((33..=35).contains(&(400_000 / payments)), "{payments} payments of 40,000 events");
    let percent = |count: usize| 100 * count / payments;
    assert!(percent(status["succeeded"]) >= 88 && percent(status["canceled"]) >= 2 && percent(status["failed"]) >= 2, "{status:?}");
    let reasons = tally(&play, "payment_quarantine", "reason");
    println!("{reasons:?}");
    for reason in ["mismatch", "amount_conflict", "succeeded_and_canceled", "over_refund"] {
        assert!(reasons[reason] * 300 > payments, "{reasons:?}");
    }
    let (refunds, disputes) = (tally(&play, "payment_refunds", "state"), tally(&play, "payment_disputes", "state"));
    println!("{refunds:?} {disputes:?}");
    assert!(refunds["succeeded"] * 20 > payments && refunds["failed"] > 0 && refunds["failed_after_success"] > 0);
    assert!(disputes["won"] > 0 && disputes["lost"] > 0 && disputes["open"] > 0);
}

#[test]
fn they_say_what_they_are() {
    assert!(distributions(topic(PAYMENTS)).contains("disordered"));
    for name in NAMES {
        assert!(!distributions(topic(name)).is_empty());
        let event = &events(name, plan(1, 1))[0];
        let json = topic(name).plain().unwrap().decode(&event.datum).unwrap();
        println!("{json}");
        assert_eq!(json["user_id"].to_string(), event.key);
        assert_eq!(Time::from_rfc3339(json["occurred_at"].as_str().unwrap()), Some(event.occurred_at));
    }
}
