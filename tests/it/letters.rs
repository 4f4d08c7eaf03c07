//! Bad events between good ones, role by role: each becomes a letter by the reason that stands here, and its neighbours are applied.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use workers::{ROLES, fold::Role};

use crate::support::{Seed, World, events, keystrokes, log::Message, mails, oracle::letters, payments};

/// An event, and why it can never be applied; no reason: it is applied.
type Case = (Json, &'static str);

fn achievements() -> &'static Role {
    ROLES.iter().find(|it| it.name == "achievements").unwrap()
}

/// Fields in place of others, or beside them.
fn with(mut event: Json, fields: &Json) -> Json {
    for (name, value) in fields.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

/// Sends each bad event between two good ones, as many times as there are any, and waits for what becomes of them.
fn judge(role: &Role, seed: &mut Seed, good: &dyn Fn(&mut Seed) -> Json, bad: &[Case]) -> World {
    let mut world = World::new(&format!("letters-{}", role.topic.name));
    world.variables.extend([("FLEET_BREAKER_RATIO", "1".to_owned()), ("FLEET_BREAKER_RUN", "1000".to_owned())]);
    let mut cases: Vec<Case> = vec![(good(seed), "")];
    for case in bad {
        cases.extend([case.clone(), (good(seed), "")]);
    }
    let mut sent: Vec<(Message, &str)> =
        cases.iter().map(|(event, why)| (world.messages(role.topic, std::slice::from_ref(event)).remove(0), *why)).collect();
    let mut trailing = sent[0].0.clone();
    trailing.value.as_mut().unwrap().push(b'!');
    sent.insert(1, (trailing, "undecodable: bytes after the datum"));
    let worker = world.worker(role.name);
    let messages: Vec<Message> = sent.iter().map(|it| it.0.clone()).collect();
    let places = world.log.send(&world.topic(role.topic), &messages);
    world.settle(role);
    let expected: BTreeMap<(i32, i64), &str> = places.into_iter().zip(sent.iter().map(|it| it.1)).filter(|it| !it.1.is_empty()).collect();
    let found = letters(&world, role);
    let reasons: BTreeMap<(i32, i64), &str> = found.iter().map(|(place, letter)| (*place, letter.reason.as_str())).collect();
    assert_eq!(reasons, expected);
    let causes = world.database.rows("SELECT DISTINCT cause FROM letters");
    assert_eq!(causes, [[Some("data".to_owned())]]);
    let history = role.tables.iter().find(|it| it.sort == workers::fold::Sort::History);
    if let Some(history) = history {
        let applied = world.database.number(&format!("SELECT COUNT(*) FROM {}", history.name));
        assert_eq!(applied, i64::try_from(bad.len() + 1).unwrap(), "the good ones, all of them");
    }
    world.verify(role);
    worker.stop();
    world
}

#[test]
fn of_keystrokes() {
    let mut seed = Seed::of("letters-keystrokes");
    let press =
        |down_ms: i64, up_ms: i64| json!({"key": "a", "code": 65, "down_ms": down_ms, "up_ms": up_ms, "expected": "a", "correct": true});
    let session = |seed: &mut Seed| {
        json!({
            "event_id": events::id(seed), "occurred_at": events::start(), "user_id": 7, "session_id": "s", "language": "english",
            "layout": "qwerty", "prompt": "aa", "typed": "aa", "keys": [press(0, 60), press(100, 100)],
        })
    };
    let mut bad = |fields: &Json| with(session(&mut seed), fields);
    let keys = |count: i64| json!((0..count).map(|it| press(it, it + 9)).collect::<Vec<_>>());
    let cases = [
        (bad(&json!({"keys": [press(0, 60), press(100, 99)]})), "keys[1]: up_ms is before down_ms"),
        (bad(&json!({"keys": [press(-1, 60)]})), "keys[0]: down_ms is not within 0..2147483647"),
        (bad(&json!({"keys": []})), "the number of keys is not within 1..5000"),
        (bad(&json!({"keys": keys(5_001)})), "the number of keys is not within 1..5000"),
        (bad(&json!({"prompt": "p".repeat(2_001)})), "prompt has not 0..2000 characters"),
        (bad(&json!({"typed": "nul \0"})), "typed holds a NUL"),
    ];
    let world = judge(keystrokes(), &mut seed, &session, &cases);
    // What was typed stands in no reason.
    assert_eq!(world.database.number("SELECT COUNT(*) FROM letters WHERE reason LIKE '%nul \\0%' OR reason LIKE '%ppp%'"), 0);
}

#[test]
fn of_facts_and_one_that_no_rule_knows_changes_nothing_and_is_counted() {
    let mut seed = Seed::of("letters-achievements");
    let fact = |seed: &mut Seed| json!({"event_id": events::id(seed), "occurred_at": events::start(), "user_id": 7, "fact": "race_won", "value": 1, "tags": {}});
    let mut bad = |fields: &Json| with(fact(&mut seed), fields);
    let tags: serde_json::Map<String, Json> = (0..17).map(|it| (format!("tag{it}"), "x".into())).collect();
    let cases = [
        (bad(&json!({"fact": "Race-won"})), "fact has characters other than a-z and _"),
        (bad(&json!({"fact": ""})), "fact has not 1..64 characters"),
        (bad(&json!({"tags": tags})), "the number of tags is not within 0..16"),
        (bad(&json!({"tags": {"day": "x".repeat(65)}})), "a tag's value has not 0..64 characters"),
        (bad(&json!({"user_id": 0})), "user_id is not within 1..9223372036854775807"),
    ];
    let unknown = bad(&json!({"fact": "nobody_knows"}));
    let role = achievements();
    let world = judge(role, &mut seed, &fact, &cases);
    let tables: Vec<&str> = role.tables.iter().map(|it| it.name).collect();
    let rows = || tables.iter().map(|it| world.database.rows(&format!("SELECT * FROM {it}"))).collect::<Vec<_>>();
    let before = rows();
    let worker = world.worker(role.name);
    world.send(role.topic, &[unknown]);
    world.settle(role);
    assert_eq!(rows(), before, "it changed something");
    assert_eq!(letters(&world, role).len(), cases.len() + 1, "it is no letter");
    assert!((worker.metric("fleet_events_noted_total", &["name=\"unknown_fact\""]) - 1.0).abs() < 0.5);
    worker.stop();
}

fn payment(seed: &mut Seed, payment_id: &str, body: &Json) -> Json {
    json!({
        "event_id": events::id(seed), "occurred_at": events::start(), "payment_id": payment_id, "created_at": events::start(),
        "order_id": "A-17", "user_id": 7, "currency": "EUR", "body": body,
    })
}

#[test]
fn of_payments() {
    let mut seed = Seed::of("letters-payments");
    let created = |amount: i64| json!({"Created": {"amount": amount}});
    let bad = [
        (json!({"currency": "EUX"}), "currency is no code of ISO 4217"),
        (json!({"currency": "eur"}), "currency is no code of ISO 4217"),
        (json!({"body": created(0)}), "amount is not within 1..1000000000000"),
        (json!({"body": created(-1)}), "amount is not within 1..1000000000000"),
        (json!({"body": created(1_000_000_000_001)}), "amount is not within 1..1000000000000"),
        (json!({"body": {"RefundRequested": {"refund_id": "r", "amount": 0}}}), "amount is not within 1..1000000000000"),
        (json!({"created_at": 0}), "created_at is not within the years 2000..9999"),
        (json!({"order_id": "o".repeat(65)}), "order_id has not 0..64 characters"),
    ];
    let cases = bad.map(|(fields, why)| (with(payment(&mut seed, "p-1", &created(1_999)), &fields), why));
    let good = |seed: &mut Seed| payment(seed, "p-1", &json!({"Processing": {}}));
    let world = judge(payments(), &mut seed, &good, &cases);
    let kept = "SELECT JSON_LENGTH(facts) FROM payments WHERE payment_id = 'p-1'";
    assert_eq!(world.database.number(kept), i64::try_from(cases.len() + 1).unwrap(), "the good ones, all of them");
}

#[test]
fn a_refund_of_all_that_was_captured_moves_money_and_of_one_more_is_quarantined() {
    let mut seed = Seed::of("over-refund");
    let world = World::new("over-refund");
    let worker = world.worker(payments().name);
    for (payment_id, amount) in [("exact", 1_000), ("over", 1_001)] {
        let bodies = [
            json!({"Created": {"amount": 1_000}}),
            json!({"Succeeded": {"amount": 1_000, "provider_ref": "ref"}}),
            json!({"RefundRequested": {"refund_id": "r", "amount": amount}}),
            json!({"RefundSucceeded": {"refund_id": "r"}}),
        ];
        let events: Vec<Json> = bodies.iter().map(|it| payment(&mut seed, payment_id, it)).collect();
        world.send(payments().topic, &events);
    }
    world.settle(payments());
    let rows = |query: &str| {
        world.database.rows(query).into_iter().map(|it| it.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(
        rows("SELECT payment_id, captured, refunded, refund_pending FROM payments ORDER BY payment_id"),
        ["exact 1000 1000 0", "over 1000 0 0"]
    );
    assert_eq!(rows("SELECT payment_id, state FROM payment_refunds ORDER BY payment_id"), ["exact succeeded", "over refused"]);
    assert_eq!(rows("SELECT payment_id, reason FROM payment_quarantine"), ["over over_refund"]);
    assert_eq!(rows("SELECT payment_id, SUM(debit) FROM ledger_entries WHERE account = 'refunds' GROUP BY payment_id"), ["exact 1000"]);
    assert_eq!(letters(&world, payments()).len(), 0, "what contradicts itself is no letter");
    world.verify(payments());
    worker.stop();
}

/// An event of the topic of mails.
fn mail(seed: &mut Seed, recipient: &str, body: &Json) -> Json {
    json!({"event_id": events::id(seed), "occurred_at": events::start(), "recipient": recipient, "body": body})
}

/// A request in a language that no template has: it falls back to English.
fn request(seed: &mut Seed, template: &str, params: &Json) -> Json {
    json!({"SendRequested": {
        "message_id": events::id(seed), "template": template, "locale": "xx", "params": params, "user_id": 7, "category": "bulk",
    }})
}

/// Templates that are none, and params that their templates cannot use.
fn bad_requests() -> [(&'static str, Json, &'static str); 5] {
    let long = json!({"title": "t", "description": "d".repeat(1_000_000), "points": "1"});
    [
        ("no-such", json!({}), "template is not known"),
        ("welcome", json!({}), "params lacks name"),
        ("receipt", json!({"order_id": "1", "amount": "1", "paid_on": "x"}), "params lacks currency"),
        ("welcome", json!({"name": "a\r\nBcc: x@y.z"}), "params.name holds a control character"),
        ("achievement", long, "achievement.en.txt comes to more than 1 MB"),
    ]
}

fn bad_recipients() -> [(String, &'static str); 5] {
    [
        ("a\r\nBcc: x@y.z@b.c".to_owned(), "recipient holds a control character"),
        ("a@b.c\n".to_owned(), "recipient holds a control character"),
        ("a\0@b.c".to_owned(), "recipient holds a control character"),
        (format!("{}@{}", "a".repeat(64), "b.".repeat(95)), "recipient has not 0..254 characters"),
        ("Ada@b.c".to_owned(), "recipient is not an address in lower case"),
    ]
}

#[test]
fn of_mails() {
    let mut seed = Seed::of("letters-mails");
    let name = json!({"name": "Zoë"});
    let good = |seed: &mut Seed| {
        let body = request(seed, "welcome", &name);
        mail(seed, "user:7", &body)
    };
    let mut cases: Vec<Case> = Vec::new();
    for (template, params, why) in bad_requests() {
        let body = request(&mut seed, template, &params);
        cases.push((mail(&mut seed, "user:7", &body), why));
    }
    for (recipient, why) in bad_recipients() {
        let body = request(&mut seed, "welcome", &name);
        cases.push((mail(&mut seed, &recipient, &body), why));
    }
    let contact = json!({"ContactSet": {"user_id": 7, "address": "a@b.c\r\nBcc: x@y.z", "locale": ""}});
    cases.push((mail(&mut seed, "user:7", &contact), "address holds a control character"));
    let mut tag = request(&mut seed, "welcome", &name);
    tag["SendRequested"]["locale"] = "de/../x".into();
    cases.push((mail(&mut seed, "user:7", &tag), "locale is not a language tag"));
    let world = judge(mails(), &mut seed, &good, &cases);
    assert_eq!(world.database.number("SELECT COUNT(*) FROM email_outbox"), i64::try_from(cases.len() + 1).unwrap());
}
