//! The same events, whatever happens to them and to the workers on the way: the same tables, keys and derived events.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use workers::{ROLES, fold::Topic};

use crate::support::{Seed, Worker, World, boards, caches, database::Dump, events, log::first_ids, oracle::Oracle, results};

const USERS: i64 = 500;
const EVENTS: usize = 20_000;
const KILLS: usize = 20;
/// Both roles in one process, so that one kill hits both.
const BOTH: &str = "test-results,leaderboard";

/// All that must not depend on what happened.
struct Outcome {
    results: Dump,
    boards: Dump,
    derived: BTreeMap<&'static str, BTreeMap<String, Vec<String>>>,
}

#[test]
fn twenty_kills_repeats_and_moves_leave_the_tables_of_a_quiet_run() {
    let mut seed = Seed::of("twenty_kills");
    let made = events::test_results(&mut seed, USERS, EVENTS);
    let quiet = quiet_run(&made);
    let stormy = stormy_run(&mut seed, &made);
    stormy.results.assert_equals(&quiet.results, "after the storm");
    stormy.boards.assert_equals(&quiet.boards, "after the storm");
    for (topic, expected) in &quiet.derived {
        for (key, ids) in expected {
            assert_eq!(stormy.derived[topic].get(key), Some(ids), "first occurrences in {topic} of key {key}");
        }
        assert_eq!(stormy.derived[topic].len(), expected.len(), "keys of {topic}");
    }
}

fn quiet_run(made: &[Json]) -> Outcome {
    let world = World::new("quiet");
    let worker = world.worker(BOTH);
    world.send(results().topic, made);
    world.settle(results());
    let outcome = outcome(&world);
    Oracle::of(&world, results()).assert(&world);
    worker.stop();
    outcome
}

fn stormy_run(seed: &mut Seed, made: &[Json]) -> Outcome {
    let world = World::new("storm");
    let sent = events::disturbed(seed, made);
    let mut crew: Vec<Worker> = Vec::new();
    let (mut rest, mut before) = (sent.as_slice(), 0);
    for kill in 0..KILLS {
        let wanted = if kill < 3 { 1 } else { 3 - usize::from(kill >= 14) };
        while crew.len() > wanted {
            crew.swap_remove(seed.below(crew.len())).stop();
        }
        crew.extend((crew.len()..wanted).map(|_| world.worker_with(BOTH, &[("FLEET_KAFKA_SESSION_TIMEOUT_MS", "2000")])));
        let share = rest.len() / (KILLS - kill + 1);
        let size = share / 2 + seed.below(share);
        let (batch, later) = rest.split_at(size);
        rest = later;
        world.send(results().topic, batch);
        world.await_applied(results(), before + seed.within(1, 1 + i64::try_from(size / 3).unwrap()));
        before = world.database.applied(results());
        crew.swap_remove(seed.below(crew.len())).kill();
    }
    let last = world.worker(BOTH);
    world.send(results().topic, rest);
    world.settle(results());
    let outcome = outcome(&world);
    assert_eq!(world.database.number("SELECT COUNT(*) FROM letters"), 0, "letters");
    crew.into_iter().chain([last]).for_each(Worker::stop);
    outcome
}

/// What a run comes to, once the boards have settled too; nothing else may differ from the log by then.
fn outcome(world: &World) -> Outcome {
    world.settle(boards());
    for role in [results(), boards()] {
        caches::assert_equal(world, role);
        world.verify(role);
    }
    let emits: Vec<&'static Topic> = ROLES.iter().filter(|it| it.name == results().name).flat_map(|it| it.emits).copied().collect();
    let ids = |topic: &Topic| first_ids(topic, &world.log.read(&world.topic(topic)));
    Outcome {
        results: world.database.dump(results()),
        boards: world.database.dump(boards()),
        derived: emits.into_iter().map(|it| (it.name, ids(it))).collect(),
    }
}
