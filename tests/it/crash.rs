//! A crash between any two steps of a flush: the same tables, and each derived event in its place.
//!
//! Needs the feature `failpoints`: the worker kills itself at a named point, as kill -9 would.

use std::os::unix::process::ExitStatusExt as _;

use crate::support::{
    Seed, World, caches, events,
    oracle::{Oracle, assert_derived},
    results,
    wait::SOON,
};

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
        let oracle = Oracle::of(&world, results());
        oracle.assert(&world);
        caches::assert_equal(&world, results());
        assert_derived(&world, &[oracle]);
        heir.stop();
    }
    world.verify(results());
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
