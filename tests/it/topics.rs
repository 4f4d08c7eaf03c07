//! What is done to a topic or a ledger behind a worker's back: a named state, the command that mends it, and nothing lost silently.

use crate::support::{
    Seed, Worker, World, boards, events,
    oracle::{Oracle, letters},
    results, soon,
    wait::when,
    world::told,
};

const BOTH: &str = "test-results,leaderboard";

/// A world with a settled topic.
fn settled(test: &str, roles: &str) -> (World, Worker, Seed) {
    let mut seed = Seed::of(test);
    let world = World::new(test);
    let worker = world.worker(roles);
    world.send(results().topic, &events::test_results(&mut seed, 60, 600));
    world.settle(results());
    (world, worker, seed)
}

/// Waits until a role's lane of a partition is in this state; why it is.
fn await_lane(worker: &Worker, role: &str, partition: i64, wanted: &str) -> String {
    soon(&format!("lane {partition} of {role} to be {wanted}"), || {
        let lanes = worker.lanes()?;
        let lane = lanes.iter().find(|it| it["role"] == role && it["partition"] == partition).ok_or("it has no such lane")?;
        let detail = lane["detail"].as_str().unwrap_or_default();
        if lane["state"] == wanted { Ok(detail.to_owned()) } else { Err(format!("it is {}: {detail}", lane["state"])) }
    })
}

fn nothing_lettered(world: &World) {
    for role in [results(), boards()] {
        assert!(letters(world, role).is_empty(), "{} has letters", role.name);
    }
}

fn move_to(world: &World, partition: i32, to: &str) {
    let partition = partition.to_string();
    let role = results().name;
    world.must(&["ledger", "move", "--role", role, "--partition", &partition, "--to", to, "--accept-loss", "--reason", "a test"]);
}

#[test]
fn a_topic_made_again_under_a_running_lane_is_told_and_nothing_is_lettered() {
    let (world, worker, mut seed) = settled("made-again", BOTH);
    world.settle(boards());
    let before = world.database.dump(results());
    let topic = world.topic(results().topic);
    world.log.delete_topic(&topic);
    soon("the worker to say that the topic is gone", || {
        let ready = worker.get("/readyz")?;
        when(ready.status == 503 && ready.body.contains("does not exist: run `fleet topics apply`"), || ready.body)
    });
    world.must(&["topics", "apply"]);
    // Fewer than before, so that every lane stands past the new log's end.
    world.send(results().topic, &events::test_results(&mut seed, 60, 100));
    for partition in 0..10 {
        let detail = await_lane(&worker, results().name, partition, "log-changed");
        assert!(detail.contains("fleet ledger move"), "{detail}");
    }
    let boards_go_on = events::score(&mut seed, 5, events::start(), "time-60-english");
    world.send(boards().topic, &[boards_go_on]);
    world.settle(boards());
    nothing_lettered(&world);
    world.database.dump(results()).assert_equals(&before, "while the lanes stand");
    (0..10).for_each(|partition| move_to(&world, partition, "earliest"));
    world.send(results().topic, &events::test_results(&mut seed, 60, 500));
    world.settle(results());
    assert_eq!(world.database.number("SELECT COUNT(*) FROM test_results"), 1_200, "old results and new ones");
    nothing_lettered(&world);
    worker.stop();
}

#[test]
fn a_topic_made_again_while_no_worker_lived_is_told_by_the_next_claim() {
    let (world, worker, mut seed) = settled("made-anew", "test-results");
    worker.stop();
    let topic = world.topic(results().topic);
    world.log.delete_topic(&topic);
    world.must(&["topics", "apply"]);
    // As long as before, so that offsets alone would not tell.
    world.send(results().topic, &events::test_results(&mut seed, 60, 2_000));
    let before = world.database.dump(results());
    let worker = world.worker("test-results");
    for partition in 0..10 {
        let detail = worker.await_state(partition, "log-changed");
        assert!(detail.contains("fleet ledger move"), "{detail}");
    }
    world.database.dump(results()).assert_equals(&before, "while the lanes stand");
}

#[test]
fn records_lost_to_retention_stop_their_lane_alone_until_the_loss_is_accepted() {
    let (world, worker, mut seed) = settled("retention", "test-results");
    worker.stop();
    let places = world.send(results().topic, &events::test_results(&mut seed, 60, 1_000));
    let lost = places[0].0;
    let (_, end) = world.log.watermarks(&world.topic(results().topic), lost).unwrap();
    world.log.delete_records(&world.topic(results().topic), lost, end - 5);
    let worker = world.worker("test-results");
    let detail = worker.await_state(lost, "out-of-range");
    assert!(detail.contains("fleet ledger move"), "{detail}");
    soon("the other lanes to be at the end", || {
        let lanes = worker.lanes()?;
        let others = lanes.iter().filter(|it| it["partition"] != lost);
        let behind: Vec<_> = others.filter(|it| it["lag_records"] != 0 || it["state"] != "idle").collect();
        when(behind.is_empty() && lanes.len() == 10, || format!("{behind:?}"))
    });
    assert_eq!(world.run(&["verify", "--role", results().name]).status.code(), Some(2), "the log no longer reaches the origin");
    move_to(&world, lost, "earliest");
    world.settle(results());
    nothing_lettered(&world);
    assert_eq!(world.database.number("SELECT COUNT(*) FROM ledger_moves"), 1, "the move is kept");
}

#[test]
fn records_taken_away_before_a_running_lane_came_to_them_stop_it_alone() {
    let mut seed = Seed::of("taken-away");
    let mut world = World::new("taken-away");
    // What the worker has fetched it applies: more than that is to lie in the log.
    world.variables.insert("FLEET_KAFKA_QUEUED_MIN_MESSAGES", "1".to_owned());
    let worker = world.worker("test-results");
    world.send(results().topic, &events::test_results(&mut seed, 60, 600));
    world.settle(results());
    let of_one: Vec<_> = (0..6_000).map(|it| events::test_result(&mut seed, 7, events::start() + it * 60_000)).collect();
    let lane = results().topic.partition_of(b"7");
    let lock = world.database.hold(&format!("BEGIN; SELECT next_offset FROM test_results_ledger WHERE partition_id = {lane} FOR UPDATE"));
    world.send(results().topic, &of_one);
    worker.await_state(lane, "sink-blocked");
    let topic = world.topic(results().topic);
    let (_, end) = world.log.watermarks(&topic, lane).unwrap();
    world.log.delete_records(&topic, lane, end - 5);
    drop(lock);
    let detail = worker.await_state(lane, "out-of-range");
    assert!(detail.contains("retention took records") && detail.contains("fleet ledger move"), "{detail}");
    let mut others = events::test_results(&mut seed, 60, 600);
    others.retain(|it| results().topic.partition_of(it["user_id"].to_string().as_bytes()) != lane);
    world.send(results().topic, &others);
    soon("the other lanes to be at the end", || {
        let lanes = worker.lanes()?;
        let behind: Vec<_> =
            lanes.iter().filter(|it| it["partition"] != lane && (it["lag_records"] != 0 || it["state"] != "idle")).collect();
        when(behind.is_empty() && lanes.len() == 10, || format!("{behind:?}"))
    });
    nothing_lettered(&world);
    move_to(&world, lane, "earliest");
    world.settle(results());
    nothing_lettered(&world);
    worker.stop();
}

#[test]
fn what_ends_a_transaction_is_no_record_that_is_behind() {
    let (world, worker, mut seed) = settled("transaction", "test-results");
    let messages = world.messages(results().topic, &events::test_results(&mut seed, 60, 600));
    let topic = world.topic(results().topic);
    world.log.send_in_transaction(&topic, &messages);
    soon("every lane to be at the end, past what ended the transaction", || {
        let lanes = worker.lanes()?;
        let behind: Vec<_> = lanes.iter().filter(|it| it["lag_records"] != 0 || it["state"] != "idle").collect();
        let ends: i64 = (0..10).map(|it| world.log.watermarks(&topic, it).map(|(_, end)| end)).sum::<Result<_, _>>()?;
        when(behind.is_empty() && ends > 1_200 && world.database.number("SELECT SUM(next_offset) FROM test_results_ledger") == ends, || {
            format!("{behind:?} of {ends}")
        })
    });
    assert_eq!(world.database.number("SELECT COUNT(*) FROM test_results"), 1_200);
    nothing_lettered(&world);
    world.verify(results());
    worker.stop();
}

#[test]
fn added_partitions_stop_the_lanes_and_letter_nothing() {
    let (world, worker, mut seed) = settled("more-partitions", BOTH);
    world.settle(boards());
    let topic = world.topic(results().topic);
    world.log.add_partitions(&topic, 13);
    // Where a client that sees thirteen partitions puts them.
    let mut messages = world.messages(results().topic, &events::test_results(&mut seed, 60, 600));
    for message in &mut messages {
        message.partition = workers::fold::partition_of(message.key.as_deref().unwrap(), 13);
    }
    soon("room for them", || when(world.log.partitions(&topic)? == 13, || "not yet".to_owned()));
    world.log.send(&topic, &messages);
    for partition in 0..10 {
        let detail = await_lane(&worker, results().name, partition, "partitions-changed");
        assert!(detail.contains("fleet topics apply"), "{detail}");
    }
    let boards_go_on = events::score(&mut seed, 5, events::start(), "time-60-english");
    world.send(boards().topic, &[boards_go_on]);
    world.settle(boards());
    nothing_lettered(&world);
    let plan = world.run(&["topics", "plan"]);
    assert_eq!(plan.status.code(), Some(1), "{}", told(&plan));
}

#[test]
fn a_missing_ledger_row_stops_its_lane_alone_and_the_row_given_back_lets_it_go_on() {
    let (world, worker, mut seed) = settled("ledger-row", "test-results");
    let row = "partition_id = 3 AND shard = 0";
    world.database.run(&format!("CREATE TABLE kept AS SELECT * FROM test_results_ledger WHERE {row}")).unwrap();
    world.database.run(&format!("DELETE FROM test_results_ledger WHERE {row}")).unwrap();
    world.send(results().topic, &events::test_results(&mut seed, 60, 600));
    let detail = worker.await_state(3, "ledger-missing");
    assert!(detail.contains("backup") && detail.contains("fleet ledger move"), "{detail}");
    let check = world.run(&["migrate", "--check"]);
    assert_eq!(check.status.code(), Some(1), "{}", told(&check));
    // `settled` looks at the rows that are there.
    world.settle(results());
    world.database.run("INSERT INTO test_results_ledger SELECT * FROM kept").unwrap();
    world.settle(results());
    assert_eq!(world.database.ledger(results()).unwrap().len(), 10);
    Oracle::of(&world, results()).assert(&world);
    worker.stop();
}

#[test]
fn a_lost_ledger_row_is_given_back_by_a_move_and_nothing_is_applied_twice() {
    let (world, worker, mut seed) = settled("ledger-lost", "test-results");
    world.database.run("DELETE FROM test_results_ledger WHERE partition_id = 3").unwrap();
    world.send(results().topic, &events::test_results(&mut seed, 60, 600));
    let detail = worker.await_state(3, "ledger-missing");
    assert!(detail.contains("fleet ledger move"), "{detail}");
    move_to(&world, 3, "earliest");
    world.settle(results());
    assert_eq!(world.database.ledger(results()).unwrap().len(), 10);
    Oracle::of(&world, results()).assert(&world);
    world.verify(results());
    worker.stop();
}

#[test]
fn a_writer_whose_schema_cannot_be_read_stops_its_lanes_and_letters_nothing() {
    let (world, worker, mut seed) = settled("incompatible", "test-results");
    let other = r#"{"type":"record","name":"TestResult","namespace":"fleet","fields":[{"name":"event_id","type":"string"}]}"#;
    let id = world.register("another-value", other);
    let mut message = world.messages(results().topic, &events::test_results(&mut seed, 1, 1)).remove(0);
    message.value.as_mut().unwrap()[1..5].copy_from_slice(&id.to_be_bytes());
    let partition = message.partition;
    world.log.send(&world.topic(results().topic), &[message]);
    let detail = worker.await_state(partition, "schema-incompatible");
    assert!(detail.contains("fleet schemas check"), "{detail}");
    nothing_lettered(&world);
}
