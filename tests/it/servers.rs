//! Servers that die, freeze, refuse or forget under load: workers pause and go on, nothing is lettered, nothing is lost.

use std::time::Duration;

use crate::support::{
    Seed, Worker, World, boards, caches, events,
    faults::Faults,
    log::Message,
    oracle::{Oracle, assert_derived, letters},
    results, soon,
    wait::{holds_for, when},
};

const BOTH: &str = "test-results,leaderboard";
const EVENTS: usize = 4_000;

/// Whatever a server does: the worker lives and says so.
fn is_alive(worker: &Worker) -> Result<(), String> {
    let answer = worker.get("/livez")?;
    when(answer.status == 200, || answer.body)
}

fn await_readiness(worker: &Worker, ready: u16) {
    soon(&format!("/readyz to answer {ready}"), || {
        let answer = worker.get("/readyz")?;
        when(answer.status == ready, || format!("{} {}", answer.status, answer.body))
    });
}

/// Waits until some lane says that it is held up.
fn await_blocked(worker: &Worker) {
    soon("a lane to be sink-blocked", || {
        let lanes = worker.lanes()?;
        when(lanes.iter().any(|it| it["state"] == "sink-blocked"), || format!("{lanes:?}"))
    });
}

/// Waits until an error of MySQL is counted by its class.
fn assert_told(worker: &Worker, class: &str) {
    soon(&format!("a {class} of MySQL to be counted"), || {
        let errors = worker.metrics()?.sum("fleet_store_errors_total", &["store=\"mysql\"", &format!("class=\"{class}\"")]);
        when(errors >= 1.0, || format!("{errors} errors"))
    });
}

/// All is as it would be without any fault.
fn all_is_well(world: &World, worker: Worker) {
    for role in [results(), boards()] {
        world.settle(role);
        assert!(letters(world, role).is_empty(), "letters of {}", role.name);
        Oracle::of(world, role).assert(world);
        caches::assert_equal(world, role);
        world.verify(role);
    }
    await_readiness(&worker, 200);
    worker.stop();
}

#[test]
fn mysql_killed_under_load_is_waited_for() {
    let mut seed = Seed::of("mysql-killed");
    let faults = Faults::take();
    let world = World::on("mysql-killed", faults.servers());
    let worker = world.worker(BOTH);
    world.under_load(results().topic, &events::test_results(&mut seed, 200, EVENTS), || {
        for _ in 0..2 {
            let applied = world.database.applied(results());
            world.await_applied(results(), applied + seed.within(200, 600));
            faults.kill("mysql");
            await_blocked(&worker);
            await_readiness(&worker, 503);
            assert_eq!(is_alive(&worker), Ok(()));
            faults.start("mysql");
        }
    });
    all_is_well(&world, worker);
}

#[test]
fn a_broker_killed_under_load_is_waited_for() {
    let mut seed = Seed::of("broker-killed");
    let faults = Faults::take();
    let world = World::on("broker-killed", faults.servers());
    let worker = world.worker(BOTH);
    world.under_load(results().topic, &events::test_results(&mut seed, 200, EVENTS), || {
        world.await_applied(results(), seed.within(500, 1_500));
        faults.kill("kafka");
        holds_for(Duration::from_secs(3), || is_alive(&worker));
        faults.start("kafka");
    });
    all_is_well(&world, worker);
}

#[test]
fn a_broker_that_is_away_is_told_and_nothing_is_called_fresh() {
    let mut seed = Seed::of("broker-away");
    let faults = Faults::take();
    let world = World::on("broker-away", faults.servers());
    let worker = world.worker(BOTH);
    world.send(results().topic, &events::test_results(&mut seed, 20, 200));
    world.settle(results());
    world.settle(boards());
    await_readiness(&worker, 200);
    faults.freeze("kafka");
    soon("a lane to be starved", || {
        let lanes = worker.lanes()?;
        when(lanes.iter().any(|it| it["state"] == "starved"), || format!("{lanes:?}"))
    });
    let fresh = || world.database.rows("SELECT CAST(MAX(applied_at) AS CHAR) FROM projection_freshness");
    let at = fresh();
    // Longer than a session: the group takes all lanes away meanwhile.
    holds_for(Duration::from_secs(9), || {
        let ready = worker.get("/readyz")?;
        when(ready.status == 503 && fresh() == at, || format!("{} {}, as of {:?}", ready.status, ready.body, fresh()))?;
        is_alive(&worker)
    });
    assert_eq!(worker.metric("fleet_assigned_partitions", &[]), 0.0, "the session is over");
    faults.thaw("kafka");
    await_readiness(&worker, 200);
    soon("the tables to be called fresh again", || when(fresh() > at, || format!("{:?}", fresh())));
    all_is_well(&world, worker);
}

#[test]
fn a_broker_that_freezes_with_derived_events_in_flight_loses_none() {
    let mut seed = Seed::of("broker-frozen");
    let faults = Faults::take();
    let world = World::on("broker-frozen", faults.servers());
    let worker = world.worker(BOTH);
    let unconfirmed = || world.database.ledger(results()).is_ok_and(|it| it.iter().any(|it| it.is_pending && it.confirmed < it.next));
    world.under_load(results().topic, &events::test_results(&mut seed, 200, EVENTS), || {
        soon("derived events in flight while the broker is frozen", || {
            let applied = world.database.applied(results());
            world.await_applied(results(), applied + 100);
            faults.freeze("kafka");
            if unconfirmed() {
                return Ok(());
            }
            faults.thaw("kafka");
            Err("all were acknowledged before".to_owned())
        });
        // Longer than a session: the group forgets this member meanwhile.
        holds_for(Duration::from_secs(9), || is_alive(&worker));
        assert!(unconfirmed(), "nothing can have been acknowledged");
        faults.thaw("kafka");
    });
    world.settle(results());
    assert_derived(&world, &[Oracle::of(&world, results())]);
    all_is_well(&world, worker);
}

#[test]
fn a_registry_that_is_away_holds_unknown_schemas_only() {
    let mut seed = Seed::of("registry-away");
    let faults = Faults::take();
    let world = World::on("registry-away", faults.servers());
    world.send(results().topic, &events::test_results(&mut seed, 200, 1_000));
    faults.kill("registry");
    let worker = world.worker(BOTH);
    await_blocked(&worker);
    assert_eq!(is_alive(&worker), Ok(()));
    assert_eq!(world.database.applied(results()), 0, "nothing can be read yet");
    faults.start("registry");
    world.settle(results());
    let unknown = world.register("test-results-value", &results().topic.schema.replacen("\"doc\"", "\"doc2\": \"\", \"doc\"", 1));
    assert_ne!(unknown, world.schema_id(results().topic), "another schema");
    faults.kill("registry");
    let event = events::test_result(&mut seed, 7, events::start());
    let message = Message::of(results().topic, unknown, &event);
    let lane = i64::from(message.partition);
    world.log.send(&world.topic(results().topic), &[message]);
    world.send(results().topic, &events::test_results(&mut seed, 200, 1_000));
    soon("one lane to wait and all others to be at the end", || {
        let lanes = worker.lanes()?;
        let of_role: Vec<_> = lanes.iter().filter(|it| it["role"] == "test-results").collect();
        let is_right = |it: &&serde_json::Value| {
            (it["partition"] == lane) == (it["state"] == "sink-blocked") && (it["partition"] == lane) == (it["lag_records"] != 0)
        };
        when(of_role.len() == 10 && of_role.iter().all(is_right), || format!("{of_role:?}"))
    });
    faults.start("registry");
    all_is_well(&world, worker);
}

#[test]
fn a_read_only_mysql_is_waited_for() {
    let mut seed = Seed::of("read-only");
    let faults = Faults::take();
    let mut world = World::on("read-only", faults.servers());
    // The account without SUPER, which read_only holds; its password needs an encrypted connection.
    let url = world.database.url().replacen("root@", "app:app@", 1).replace("ssl-mode=disabled", "ssl-mode=required");
    world.variables.insert("FLEET_MYSQL_URL", url);
    let worker = world.worker(BOTH);
    world.under_load(results().topic, &events::test_results(&mut seed, 200, EVENTS), || {
        world.await_applied(results(), seed.within(200, 1_000));
        world.database.run("SET GLOBAL read_only = ON").unwrap();
        await_blocked(&worker);
        await_readiness(&worker, 503);
        assert_eq!(is_alive(&worker), Ok(()));
        assert_told(&worker, "read-only");
        world.database.run("SET GLOBAL read_only = OFF").unwrap();
    });
    all_is_well(&world, worker);
}

#[test]
fn a_lock_that_another_holds_too_long_pauses_its_lane_alone() {
    let mut seed = Seed::of("lock-timeout");
    let world = World::new("lock-timeout");
    let worker = world.worker(BOTH);
    world.send(results().topic, &events::test_results(&mut seed, 100, 500));
    world.settle(results());
    let lock = world.database.hold("BEGIN; SELECT next_offset FROM test_results_ledger WHERE partition_id = 3 FOR UPDATE");
    world.send(results().topic, &events::test_results(&mut seed, 100, 1_000));
    let detail = soon("lane 3 to be held up", || {
        let lanes = worker.lanes()?;
        let lane = lanes.iter().find(|it| it["role"] == "test-results" && it["partition"] == 3).ok_or("no lane")?;
        when(lane["state"] == "sink-blocked", || lane.to_string())?;
        Ok(lane["detail"].to_string())
    });
    assert!(detail.contains("1205"), "{detail}");
    soon("the other lanes to be at the end", || {
        let lanes = worker.lanes()?;
        let behind: Vec<_> = lanes.iter().filter(|it| it["partition"] != 3 && it["lag_records"] != 0).collect();
        when(behind.is_empty(), || format!("{behind:?}"))
    });
    drop(lock);
    all_is_well(&world, worker);
}

#[test]
fn a_flush_that_a_deadlock_ends_is_done_again() {
    let mut seed = Seed::of("deadlock");
    let world = World::new("deadlock");
    let worker = world.worker(BOTH);
    world.send(results().topic, &events::test_results(&mut seed, 1, 20));
    world.settle(results());
    let lane = workers::fold::partition_of(b"1", 10);
    world.database.run("CREATE TABLE ballast (n INT PRIMARY KEY)").unwrap();
    // Heavy with rows of its own, so that MySQL ends the worker's transaction and not this one; and on the user's row, so that the
    // flush waits inside, with the ledger's row in its hands.
    let numbers = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n";
    let mut lock =
        world.database.hold(&format!("BEGIN; INSERT INTO ballast {numbers}; SELECT xp FROM typing_profiles WHERE user_id = 1 FOR UPDATE"));
    let later: Vec<_> = (0..5).map(|it| events::test_result(&mut seed, 1, events::start() + 30 * 86_400_000 + it * 60_000)).collect();
    world.send(results().topic, &later);
    soon("the flush to wait for the row", || {
        let waits = world.database.number(
            "SELECT COUNT(*) FROM performance_schema.data_lock_waits w JOIN performance_schema.data_locks l \
             ON l.engine_lock_id = w.requesting_engine_lock_id WHERE l.object_schema = DATABASE() AND l.object_name = 'typing_profiles'",
        );
        when(waits > 0, || "it does not yet".to_owned())
    });
    lock.run(&format!("UPDATE test_results_ledger SET owner = owner WHERE partition_id = {lane}"));
    lock.run("COMMIT");
    assert_told(&worker, "deadlock");
    all_is_well(&world, worker);
}

#[test]
fn a_mysql_without_room_is_waited_for() {
    let mut seed = Seed::of("no-room");
    let faults = Faults::take();
    let world = World::on("no-room", faults.servers());
    // The one tablespace that ends somewhere. A ledger may lie in it, and grows by what is pending.
    world.database.run("ALTER TABLE test_results_ledger TABLESPACE = innodb_system").unwrap();
    world.database.run("CREATE TABLE ballast (number INT AUTO_INCREMENT PRIMARY KEY, weight LONGBLOB) TABLESPACE = innodb_system").unwrap();
    for weight in [1 << 20, 1 << 12] {
        let mut loads = (0..10_000).map(|_| world.database.run(&format!("INSERT INTO ballast (weight) VALUES (REPEAT('x', {weight}))")));
        let refused = loads.find_map(Result::err).expect("the tablespace is full at last");
        assert!(refused.contains("1114"), "{refused}");
    }
    let worker = world.worker(BOTH);
    world.under_load(results().topic, &events::test_results(&mut seed, 200, EVENTS), || {
        await_blocked(&worker);
        assert_eq!(is_alive(&worker), Ok(()));
        assert_told(&worker, "full");
        world.database.run("DROP TABLE ballast").unwrap();
    });
    all_is_well(&world, worker);
}
