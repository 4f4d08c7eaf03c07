//! A crash between any two steps of a flush: the same tables, and each derived event in its place.
//!
//! Needs the feature `failpoints`: the worker kills itself at a named point, as kill -9 would.

use std::{collections::BTreeMap, os::unix::process::ExitStatusExt as _};

use crate::support::{Seed, World, caches, events, log::first_ids, oracle::Oracle, results, wait::SOON};

/// Event ids of a topic by key.
type Ids = BTreeMap<String, Vec<String>>;

/// One event of so many is a reject.
const BAD: usize = 10;
/// Letters of records that the ledger has not passed.
const AHEAD: &str = "SELECT COUNT(*) FROM letters JOIN test_results_ledger USING (partition_id) WHERE record_offset >= next_offset";

/// Crashes once at each of these points, each time with more events; after each, all must be as if nothing had happened.
fn crash_at(test: &str, points: &[&str]) {
    let mut seed = Seed::of(test);
    let mut world = World::new(test);
    world.variables.insert("FLEET_KAFKA_SESSION_TIMEOUT_MS", "2000".to_owned());
    for point in points {
        // The group is told once a second, all else happens with every flush.
        let nth = if *point == "before-kafka-commit" { 1 } else { seed.within(1, 8) };
        println!("crash at {point}:{nth}");
        let mut doomed = world.worker_with("test-results", &[("FLEET_FAILPOINT", &format!("{point}:{nth}"))]);
        let mut made = events::test_results(&mut seed, 40, 400);
        made.iter_mut().step_by(BAD).for_each(|it| it["wpm"] = 5_000.into());
        world.send(results().topic, &made);
        let (status, _) = doomed.wait(SOON);
        assert_eq!(status.signal(), Some(9), "at {point} it ended with {status}");
        assert_eq!(world.database.number(AHEAD), 0, "letters of what was not committed, after a crash at {point}");
        let heir = world.worker("test-results");
        world.settle(results());
        Oracle::of(&world, results()).assert(&world);
        caches::assert_equal(&world, results());
        assert_derived(&world, point);
        heir.stop();
    }
    world.verify(results());
}

/// Derived events are what a fold of the topic derives: each id is there, and first occurrences keep their order.
pub fn assert_derived(world: &World, point: &str) {
    for (topic, expected) in Oracle::derived(world, results()) {
        let found: Ids = first_ids(topic, &world.log.read(&world.topic(topic)));
        assert!(found == expected, "{} after a crash at {point}: {}", topic.name, first_difference(&found, &expected));
    }
}

fn first_difference(found: &Ids, expected: &Ids) -> String {
    let key = expected.keys().chain(found.keys()).find(|key| found.get(*key) != expected.get(*key)).expect("a difference");
    let (found, expected) = (found.get(key), expected.get(key));
    let place = found.into_iter().flatten().zip(expected.into_iter().flatten()).take_while(|(one, other)| one == other).count();
    format!("key {key} has {} ids, expected {}; they part at {place}", found.map_or(0, Vec::len), expected.map_or(0, Vec::len))
}

#[test]
fn a_crash_before_the_commit_leaves_nothing_behind() {
    crash_at("crash-before", &["after-fold", "in-transaction"]);
}

#[test]
fn a_crash_after_the_commit_is_made_good_by_the_next_owner() {
    crash_at("crash-after", &["after-commit", "after-caches", "before-kafka-commit"]);
}

#[test]
fn a_crash_among_derived_events_loses_none_and_keeps_their_order() {
    crash_at("crash-emits", &["before-emits", "between-emits", "after-emits"]);
}
