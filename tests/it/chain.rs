//! One day through all roles: who types unlocks, who pays gets a receipt, and everybody gets each mail once, whoever is killed meanwhile.

use std::{collections::BTreeMap, time::Duration};

use mailparse::{MailHeaderMap as _, parse_headers};
use serde_json::{Value as Json, json};
use workers::{ROLES, fold::Time};

use crate::support::{
    Seed, Worker, World, caches, mails,
    post::{Post, event, now},
    wait::{wait_until, when},
};

const USERS: i64 = 60;
const DAY_MS: i64 = 86_400_000;
/// What is sent, and a worker killed after a part of it.
const WAVES: [(&str, u32); 5] =
    [("test-results", 800), ("payment-events", 500), ("keystroke-analytics", 80), ("test-results", 400), ("payment-events", 300)];
const OPEN: &str = "SELECT COUNT(*) FROM email_outbox WHERE due_at IS NOT NULL OR NOT reported";

#[test]
fn a_day_goes_through_all_roles_once_whoever_is_killed() {
    let mut seed = Seed::of("chain");
    let post = Post::new("chain");
    let world = &post.world;
    let yesterday = now() - DAY_MS;
    let contacts: Vec<Json> = (1..=USERS).map(|user| contact(&mut seed, user, yesterday)).collect();
    world.send(mails().topic, &contacts);
    let all = ROLES.iter().map(|it| it.name).collect::<Vec<_>>().join(",");
    let mut crew = vec![world.worker(&all), world.worker(&all)];
    for (topic, events) in WAVES {
        simulate(world, (topic, events), yesterday, seed.within(1, 1_000_000));
        let role = ROLES.iter().find(|it| it.topic.name == topic).unwrap();
        let before = world.database.applied(role);
        world.await_applied(role, before + seed.within(1, i64::from(events / 4)));
        crew.swap_remove(seed.below(crew.len())).kill();
        crew.push(world.worker(&all));
    }
    wait_until("all roles to be at their logs' ends, and every mail out", Duration::from_secs(240), || {
        world.all_settled()?;
        let open = world.database.number(OPEN);
        when(open == 0, || format!("{open} mails are not out"))
    });
    for role in ROLES {
        world.verify(role);
        caches::assert_equal(world, role);
    }
    assert_eq!(world.database.number("SELECT COUNT(*) FROM letters"), 0);
    assert_derived_once(world);
    assert_mailed_once(&post);
    crew.into_iter().for_each(Worker::stop);
}

fn contact(seed: &mut Seed, user: i64, at: i64) -> Json {
    let body = json!({"ContactSet": {"user_id": user, "address": format!("u{user}@example.org"), "locale": "de"}});
    event(seed, &format!("user:{user}"), at, body)
}

fn simulate(world: &World, (topic, events): (&str, u32), from: i64, seed: i64) {
    let (users, events, seed) = (USERS.to_string(), events.to_string(), seed.to_string());
    let from = Time(from).to_rfc3339().unwrap();
    world.must(&["simulate", "--topic", topic, "--users", &users, "--events", &events, "--seed", &seed, "--from", &from, "--days", "1"]);
}

/// What one role derives, the next has once: a mail a tier unlocked, a mail a payment captured.
fn assert_derived_once(world: &World) {
    let count = |of: &str| world.database.number(&format!("SELECT COUNT(*) FROM {of}"));
    let unlocked = count("user_achievements");
    assert!(unlocked > USERS, "{unlocked} tiers are unlocked");
    assert_eq!(count("email_messages WHERE template = 'achievement'"), unlocked, "mails about tiers");
    let receipts = count("email_messages WHERE template = 'receipt'");
    assert!(receipts > 20, "{receipts} receipts");
    assert_eq!(count("payments WHERE JSON_VALUE(announced, '$.receipt') = 'true'"), receipts, "receipts");
}

/// A mail that must not be sent twice never is; another may be, where a worker died after handing it over.
fn assert_mailed_once(post: &Post) {
    let mut arrived: BTreeMap<String, usize> = BTreeMap::new();
    for taken in post.server.taken() {
        let (headers, _) = parse_headers(&taken.content).unwrap();
        let id = headers.get_first_value("Message-ID").unwrap();
        *arrived.entry(id).or_default() += 1;
    }
    let queue = post.queue().unwrap();
    let sent = queue.values().filter(|it| it.state == "sent").count();
    assert!(arrived.len() >= sent && sent > 50, "{sent} are sent, {} arrived", arrived.len());
    for (id, count) in arrived {
        let row = queue.iter().find(|(message_id, _)| id.contains(message_id.as_str())).map(|it| it.1);
        let row = row.unwrap_or_else(|| panic!("nobody asked for {id}"));
        assert!(count == 1 || i64::try_from(count).unwrap() <= row.attempts, "{id} arrived {count} times: {row:?}");
    }
    let twice = "SELECT COUNT(*) FROM email_outbox WHERE attempts > 1 AND template IN ('achievement', 'welcome', 'weekly-summary') AND state = 'sent'";
    assert_eq!(post.world.database.number(twice), 0, "mails that may be sent once alone were tried twice");
}
