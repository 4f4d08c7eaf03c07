//! The same events of every topic, whatever happens to them and to the workers on the way: the same tables, keys and derived events.

use std::time::Duration;

use workers::{
    ROLES,
    fold::{Role, Time},
    simulate::Plan,
};

use crate::support::{
    Seed, Worker, World, caches,
    database::{Dump, LeftOut},
    events::{self, Order, disturbed},
    log::Message,
    oracle::{Oracle, assert_derived},
    wait::wait_until,
};

const KILLS: usize = 20;
/// Users from 1 on of whom every topic tells; of those beyond, test results alone do.
const USERS: u64 = 150;
/// The topics: users, events, and whether the contract promises the same rows in any order of a key's own events.
const TOPICS: [(&str, u64, u64, Order); 6] = [
    // Bests, streaks and levels are of the results as they came.
    ("test-results", 500, 20_000, Order::Kept),
    ("leaderboard-updates", USERS, 2_000, Order::Any),
    ("keystroke-analytics", USERS, 1_000, Order::Any),
    ("achievement-events", USERS, 3_000, Order::Any),
    ("payment-events", USERS, 4_000, Order::Any),
    ("email-send", USERS, 4_000, Order::Any),
];
const SPAN_MS: i64 = 30 * 86_400_000;
/// How long all that was sent may take until it is in the tables.
const LONG: Duration = Duration::from_secs(240);

/// Users of whose facts two orders may make more or less: of a payment that was captured twice, the first capture to arrive is told.
const CONTESTED: &str = "user_id IN (SELECT user_id FROM payments JOIN payment_quarantine USING (payment_id, created_at) \
     WHERE reason = 'amount_conflict')";
/// Payments of which one order tells a refund, and another does not: the refund failed after it had succeeded.
const PASSING: &str = "payment_id IN (SELECT payment_id FROM payment_refunds WHERE state = 'failed_after_success')";
/// Mails that roles ask for: their ids are hashes.
const DERIVED: &str = "SUBSTR(message_id, 15, 1) = '5'";

/// A role's topic, and what is to be made up of it.
type Made = (&'static Role, Plan, Order);

#[test]
fn twenty_kills_repeats_and_moves_leave_the_tables_of_a_quiet_run() {
    let mut seed = Seed::of("twenty_kills");
    let made: Vec<Made> = ROLES
        .iter()
        .map(|role| {
            let (_, users, events, order) = *TOPICS.iter().find(|it| it.0 == role.topic.name).expect("events of every role");
            let seed = seed.within(0, i64::MAX).cast_unsigned();
            (*role, Plan { users, events, seed, start: Time(events::start()), span_ms: SPAN_MS }, order)
        })
        .collect();
    let quiet = quiet_run(&made);
    let stormy = stormy_run(&mut seed, &made);
    for ((role, found), expected) in ROLES.iter().zip(stormy).zip(quiet) {
        found.assert_equals(&expected, &format!("{} after the storm", role.name));
    }
}

/// All roles in one process, so that one kill hits all.
fn all() -> String {
    ROLES.iter().map(|it| it.name).collect::<Vec<_>>().join(",")
}

fn quiet_run(made: &[Made]) -> Vec<Dump> {
    let world = World::new("quiet");
    let worker = world.worker(&all());
    for (role, plan, _) in made {
        world.log.send(&world.topic(role.topic), &world.simulated(role.topic, *plan));
    }
    settle(&world);
    worker.stop();
    dumps(&world)
}

fn stormy_run(seed: &mut Seed, made: &[Made]) -> Vec<Dump> {
    let world = World::new("storm");
    let sent: Vec<Vec<Message>> =
        made.iter().map(|(role, plan, order)| disturbed(seed, world.simulated(role.topic, *plan), *order)).collect();
    let mut rest: Vec<(&Role, &[Message])> = made.iter().map(|it| it.0).zip(sent.iter().map(Vec::as_slice)).collect();
    let mut crew: Vec<Worker> = Vec::new();
    for kill in 0..KILLS {
        let wanted = if kill < 3 { 1 } else { 3 - usize::from(kill >= 14) };
        while crew.len() > wanted {
            crew.swap_remove(seed.below(crew.len())).stop();
        }
        crew.extend((crew.len()..wanted).map(|_| world.worker_with(&all(), &[("FLEET_KAFKA_SESSION_TIMEOUT_MS", "2000")])));
        seed.shuffle(&mut rest);
        let (role, before) = (rest[0].0, world.database.applied(rest[0].0));
        let sizes: Vec<usize> = rest.iter_mut().map(|topic| send_share(&world, seed, topic, KILLS - kill)).collect();
        world.await_applied(role, before + seed.within(1, 1 + i64::try_from(sizes[0] / 3).unwrap()));
        crew.swap_remove(seed.below(crew.len())).kill();
    }
    let last = world.worker(&all());
    rest.iter().for_each(|(role, rest)| drop(world.log.send(&world.topic(role.topic), rest)));
    settle(&world);
    assert_all(&world);
    crew.into_iter().chain([last]).for_each(Worker::stop);
    dumps(&world)
}

/// Sends a batch of what is left of a topic, of any size that leaves enough for as many more; its size.
fn send_share(world: &World, seed: &mut Seed, (role, rest): &mut (&Role, &[Message]), more: usize) -> usize {
    let share = rest.len() / (more + 1);
    let (batch, later) = rest.split_at(share / 2 + seed.below(share));
    *rest = later;
    world.log.send(&world.topic(role.topic), batch).len()
}

fn settle(world: &World) {
    wait_until("all roles to be at their logs' ends", LONG, || world.all_settled());
}

/// Tables, keys and derived events of every role must be what its own log says.
fn assert_all(world: &World) {
    let oracles: Vec<Oracle> = ROLES.iter().map(|it| Oracle::of(world, it)).collect();
    assert_derived(world, &oracles);
    for (role, oracle) in ROLES.iter().zip(oracles) {
        oracle.assert(world);
        world.verify(role);
        caches::assert_equal(world, role);
    }
}

/// What a run comes to, role by role.
fn dumps(world: &World) -> Vec<Dump> {
    assert_eq!(world.database.number("SELECT COUNT(*) FROM letters"), 0, "letters");
    ROLES.iter().map(|it| world.database.dump_but(it, &left_to_arrival())).collect()
}

/// What two orders of arrival may differ in: there the storm is what its own log says, as [`assert_all`] asks. All else is the same byte
/// for byte.
fn left_to_arrival() -> Vec<LeftOut> {
    let rows = |table, rows: &str| LeftOut { table, rows: rows.to_owned(), columns: &[] };
    let columns = |table, rows: &str, columns| LeftOut { table, rows: rows.to_owned(), columns };
    // Whose facts and payments are mixed: by which of them a tier is unlocked and a refund done, and when, but never whether.
    let mixed = format!("user_id <= {USERS}");
    let asked = format!("{DERIVED} AND {mixed}");
    let untold = format!(
        "{DERIVED} AND ({CONTESTED} OR message_id IN (SELECT message_id FROM email_outbox JOIN payments \
         ON order_id = JSON_VALUE(params, '$.order_id') WHERE template = 'refund' AND {PASSING}))"
    );
    let contested = ["achievement_facts", "achievement_progress", "achievement_standings", "user_achievements", "achievement_totals"]
        .map(|it| rows(it, CONTESTED));
    let mails = ["email_history", "email_messages", "email_outbox"].map(|it| rows(it, &untold));
    let others = [
        columns("payments", PASSING, &["announced"]),
        columns("user_achievements", &mixed, &["unlocked_at", "event_id", "last_event_at"]),
        columns("achievement_totals", &mixed, &["unlocked", "last_event_at"]),
        columns("email_history", &format!("{asked} AND email_type <> 'receipt'"), &["occurred_at", "event_id", "body_hash"]),
        columns(
            "email_messages",
            &format!("{asked} AND template <> 'receipt'"),
            &["requested_at", "request_event_id", "not_after", "state_at", "last_event_at"],
        ),
        columns("email_outbox", &format!("{asked} AND template <> 'receipt'"), &["not_after", "queued_at", "due_at"]),
        // The days of all these.
        rows("email_days", "outcome = 'requested' AND template IN ('achievement', 'receipt', 'refund')"),
    ];
    contested.into_iter().chain(mails).chain(others).collect()
}
