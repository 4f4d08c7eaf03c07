//! One day through all roles: who types unlocks, who pays gets a receipt, and everybody gets each mail once, whoever is killed meanwhile.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use mailparse::{MailHeaderMap as _, parse_headers};
use serde_json::{Value as Json, json};
use workers::{
    ROLES,
    fold::{Time, derived_id},
};

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

/// What one role derives, the next has once: the very mail of each tier unlocked, of each payment captured and of each refund.
fn assert_derived_once(world: &World) {
    let unlocked = mails_of(world, "SELECT CONCAT('user:', user_id), user_id, achievement_id, tier FROM user_achievements");
    assert!(i64::try_from(unlocked.len()).unwrap() > USERS, "{} tiers are unlocked", unlocked.len());
    assert_eq!(asked(world, "achievement"), unlocked, "mails about tiers");
    // What was announced stays so, whatever later events say of the payment; what holds in the end was announced.
    let receipt =
        |such: &str| mails_of(world, &format!("SELECT CONCAT('user:', user_id), payment_id, 'receipt' FROM payments WHERE {such}"));
    let receipts = receipt("JSON_VALUE(announced, '$.receipt') = 'true'");
    assert!(receipts.len() > 20, "{} receipts", receipts.len());
    assert_eq!(ids(&asked(world, "receipt")), ids(&receipts), "receipts");
    assert!(ids(&receipt("captured IS NOT NULL")).is_subset(&ids(&receipts)), "a captured payment has no receipt");
    let refund = |of: &str, such: &str| {
        mails_of(
            world,
            &format!("SELECT CONCAT('user:', p.user_id), p.payment_id, 'refund', r.refund_id FROM payments p JOIN {of} WHERE {such}"),
        )
    };
    let refunds = refund("JSON_TABLE(p.announced, '$.refunds[*]' COLUMNS (refund_id VARCHAR(64) PATH '$')) r", "TRUE");
    assert!(!refunds.is_empty(), "no refund was announced");
    assert_eq!(ids(&asked(world, "refund")), ids(&refunds), "mails about refunds");
    let succeeded = refund("payment_refunds r USING (payment_id, created_at)", "r.state = 'succeeded'");
    assert!(!succeeded.is_empty() && ids(&succeeded).is_subset(&ids(&refunds)), "a refund that succeeded has no mail");
}

/// A mail: for whom, and its id.
type Mails = Vec<(String, String)>;

/// The mails that rows stand for: the first column says for whom, the others are what the mail's id is made of.
fn mails_of(world: &World, query: &str) -> Mails {
    let mail = |row: Vec<Option<String>>| {
        let texts: Vec<String> = row.into_iter().map(Option::unwrap).collect();
        let parts: Vec<&str> = texts[1..].iter().map(String::as_str).collect();
        (texts[0].clone(), derived_id(&parts).to_string())
    };
    let mut mails: Mails = world.database.rows(query).into_iter().map(mail).collect();
    mails.sort_unstable();
    mails
}

/// The mails of a template that were asked for.
fn asked(world: &World, template: &str) -> Mails {
    let rows = world.database.rows(&format!("SELECT recipient, message_id FROM email_messages WHERE template = '{template}'"));
    let mut mails: Mails = rows.into_iter().map(|mut row| (row.remove(0).unwrap(), row.remove(0).unwrap())).collect();
    mails.sort_unstable();
    mails
}

/// The ids alone, each once: events of a payment may disagree on its user, and then on who is written to.
fn ids(mails: &Mails) -> BTreeSet<&str> {
    let ids: BTreeSet<&str> = mails.iter().map(|it| it.1.as_str()).collect();
    assert_eq!(ids.len(), mails.len(), "one mail to two recipients");
    ids
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
    let sent: Vec<&String> = queue.iter().filter(|(_, it)| it.state == "sent").map(|it| it.0).collect();
    assert!(sent.len() > 50, "{} are sent", sent.len());
    let lost: Vec<_> = sent.iter().filter(|id| !arrived.keys().any(|it| it.contains(id.as_str()))).collect();
    assert!(lost.is_empty(), "said to be sent and never arrived: {lost:?}");
    for (id, count) in arrived {
        let row = queue.iter().find(|(message_id, _)| id.contains(message_id.as_str())).map(|it| it.1);
        let row = row.unwrap_or_else(|| panic!("nobody asked for {id}"));
        assert!(count == 1 || i64::try_from(count).unwrap() <= row.attempts, "{id} arrived {count} times: {row:?}");
    }
    let twice = "SELECT COUNT(*) FROM email_outbox WHERE attempts > 1 AND template IN ('achievement', 'welcome', 'weekly-summary') AND state = 'sent'";
    assert_eq!(post.world.database.number(twice), 0, "mails that may be sent once alone were tried twice");
}
