//! A breaker whose cause goes away: the lane goes on by itself, and nothing was skipped.

use crate::support::{
    Seed, Worker, World, events,
    oracle::letters,
    results, soon,
    wait::{holds_for, when},
    world::told,
};

/// Letters in a row that open it.
const RUN: usize = 5;

/// A worker whose database refuses every result.
fn refusing(test: &str) -> (Seed, World, Worker) {
    let seed = Seed::of(test);
    let mut world = World::new(test);
    world.variables.insert("FLEET_BREAKER_RUN", RUN.to_string());
    world.database.run("ALTER TABLE test_results ADD CONSTRAINT nobody CHECK (user_id < 0)").unwrap();
    let worker = world.worker("test-results");
    (seed, world, worker)
}

#[test]
fn a_breaker_opens_for_each_owner_and_closes_by_itself_when_the_cause_is_gone() {
    let (mut seed, world, worker) = refusing("breaker-closes");
    world.send(results().topic, &events::test_results(&mut seed, 100, 1_000));
    (0..10).for_each(|partition| drop(worker.await_state(partition, "breaker-open")));
    assert_eq!(letters(&world, results()).len(), 10 * RUN);
    let list = world.run(&["letters", "list"]);
    assert_eq!(list.status.code(), Some(1), "{}", told(&list));
    worker.stop();
    let heir = world.worker("test-results");
    (0..10).for_each(|partition| drop(heir.await_state(partition, "breaker-open")));
    holds_for(std::time::Duration::from_secs(2), || {
        let count = letters(&world, results()).len();
        when(count == 10 * RUN, || format!("the heir lettered {count} before anybody accepted"))
    });
    world.database.run("ALTER TABLE test_results DROP CHECK nobody").unwrap();
    world.settle(results());
    assert_eq!(world.database.number("SELECT COUNT(*) FROM test_results"), 1_000 - 10 * RUN as i64, "all but those that were lettered");
    assert_eq!(letters(&world, results()).len(), 10 * RUN);
    soon("every lane to work again", || heir.lanes_at_work());
    assert_eq!(world.database.number("SELECT COUNT(*) FROM breakers"), 0, "what nobody accepted is closed");
    heir.stop();
}

#[test]
fn a_breaker_is_told_of_when_there_is_one_to_accept() {
    let (mut seed, world, worker) = refusing("breaker-told");
    soon("every lane to work", || worker.lanes_at_work());
    let lock = world.database.hold("LOCK TABLES breakers READ");
    world.send(results().topic, &events::test_results(&mut seed, 100, 1_000));
    let waits = "SELECT COUNT(*) FROM performance_schema.metadata_locks \
         WHERE object_schema = DATABASE() AND object_name = 'breakers' AND lock_status = 'PENDING'";
    soon("a breaker to be written", || when(world.database.number(waits) > 0, || "none is".to_owned()));
    let open: Vec<_> = worker.lanes().unwrap().into_iter().filter(|it| it["state"] == "breaker-open").collect();
    assert!(open.is_empty(), "told before the command could accept it: {open:?}");
    drop(lock);
    (0..10).for_each(|partition| drop(worker.await_state(partition, "breaker-open")));
    worker.stop();
}
