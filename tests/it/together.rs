//! Lanes that write in one transaction: what befalls one of them is its own affair.

use crate::support::{Seed, Worker, World, events, oracle::Oracle, results, soon};

/// Transactions so far, and the flushes of lanes that they were made of.
fn transactions(worker: &Worker) -> (f64, f64) {
    (worker.metric("fleet_flush_lanes_count", &[]), worker.metric("fleet_flush_lanes_sum", &[]))
}

#[test]
fn lanes_that_are_not_behind_share_transactions() {
    let mut seed = Seed::of("shared");
    let world = World::new("shared");
    let worker = world.worker("test-results");
    world.settle(results());
    let (before, flushes_before) = transactions(&worker);
    for _ in 0..10 {
        world.send(results().topic, &events::test_results(&mut seed, 200, 64));
        world.settle(results());
    }
    let (after, flushes_after) = transactions(&worker);
    let (transactions, flushes) = (after - before, flushes_after - flushes_before);
    assert!(flushes > transactions * 2.0, "{flushes} flushes took {transactions} transactions");
    Oracle::of(&world, results()).assert(&world);
    world.verify(results());
}

#[test]
fn a_lane_that_is_fenced_keeps_nobody_from_writing() {
    let mut seed = Seed::of("fenced-one");
    let world = World::new("fenced-one");
    let worker = world.worker("test-results");
    world.send(results().topic, &events::test_results(&mut seed, 200, 300));
    world.settle(results());
    // What a claim by another worker does.
    world.database.run("UPDATE test_results_ledger SET token = RANDOM_BYTES(8) WHERE partition_id = 3").unwrap();
    world.send(results().topic, &events::test_results(&mut seed, 200, 300));
    world.settle(results());
    Oracle::of(&world, results()).assert(&world);
    world.verify(results());
    assert!((worker.metric("fleet_fenced_total", &[]) - 1.0).abs() < 0.5, "another lane was fenced too");
}

#[test]
fn a_row_that_the_database_refuses_is_one_letter_of_one_lane() {
    let mut seed = Seed::of("refused");
    let world = World::new("refused");
    let worker = world.worker("test-results");
    let events = events::test_results(&mut seed, 200, 300);
    let refused = events[seed.within(0, 299) as usize]["event_id"].as_str().unwrap().to_owned();
    world.database.run(&format!("ALTER TABLE test_results ADD CONSTRAINT odd CHECK (event_id <> '{refused}')")).unwrap();
    world.send(results().topic, &events);
    world.settle(results());
    let letters = world.database.rows("SELECT cause, reason FROM letters");
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(
        world.database.number("SELECT COUNT(*) FROM letters WHERE cause = 'environment' AND reason LIKE '%3819%'"),
        1,
        "{letters:?}"
    );
    world.verify(results());
    soon("every lane to go on", || worker.lanes_at_work());
}
