//! COMMIT and its answer, lost and delayed on the way: no row twice, none missing, and the resolution counted.

use std::time::Duration;

use fleet::metrics::Step;

use crate::support::{
    Seed, Worker, World, events,
    oracle::Oracle,
    proxy::{Commit, Proxy},
    results, soon,
    wait::when,
};

/// A worker that reaches MySQL by a proxy, at the end of a log with some events in it.
fn begin(test: &str) -> (World, Proxy, Worker, Seed) {
    let mut seed = Seed::of(test);
    let mut world = World::new(test);
    let proxy = world.proxy(&world.servers.mysql_address());
    let url = world.mysql_by(&proxy);
    world.variables.insert("FLEET_MYSQL_URL", url);
    world.send(results().topic, &events::test_results(&mut seed, 50, 300));
    let worker = world.worker("test-results");
    world.settle(results());
    (world, proxy, worker, seed)
}

/// Sends events and waits until so many COMMITs have met their fate and all is settled.
fn stream(world: &World, proxy: &Proxy, seed: &mut Seed, (commit, count): (Commit, u32)) {
    // A lane that has just flushed does not say for 5 s that it is idle, which takes a COMMIT too.
    world.send(results().topic, &events::test_results(seed, 50, 300));
    world.settle(results());
    proxy.treat_commits(commit, count);
    world.send(results().topic, &events::test_results(seed, 50, 1_000));
    soon("the COMMITs to be treated", || when(proxy.hits() >= count, || format!("{} were", proxy.hits())));
    world.settle(results());
    Oracle::of(world, results()).assert(world);
    world.verify(results());
}

/// Waits until so many lanes asked the ledger about a COMMIT and heard this: the ledger is further before they have asked.
fn await_resolved(worker: &Worker, resolution: &str, count: f64) {
    soon(&format!("{count} lanes to hear {resolution}"), || {
        let heard = resolved(worker, resolution);
        when(heard >= count, || format!("{heard} did"))
    });
}

/// How many lanes asked the ledger about a COMMIT and heard this: one COMMIT may be that of several.
fn resolved(worker: &Worker, resolution: &str) -> f64 {
    worker.metric("fleet_commit_unknown_total", &[&format!("resolution=\"{resolution}\"")])
}

#[test]
fn a_commit_whose_answer_is_lost_is_not_done_twice() {
    let (world, proxy, worker, mut seed) = begin("answer-lost");
    stream(&world, &proxy, &mut seed, (Commit::AnswerLost, 3));
    await_resolved(&worker, "applied", 3.0);
}

#[test]
fn a_commit_that_is_lost_is_done_again() {
    let (world, proxy, worker, mut seed) = begin("commit-lost");
    stream(&world, &proxy, &mut seed, (Commit::Lost, 3));
    await_resolved(&worker, "redone", 3.0);
    assert_eq!(resolved(&worker, "applied"), 0.0);
}

#[test]
fn a_commit_that_arrives_after_its_connection_is_lost_counts_once() {
    let (world, proxy, worker, mut seed) = begin("commit-late");
    stream(&world, &proxy, &mut seed, (Commit::Late(Duration::from_secs(2)), 2));
    await_resolved(&worker, "applied", 2.0);
}

#[test]
fn a_commit_that_is_slow_is_waited_for() {
    let (world, proxy, worker, mut seed) = begin("commit-slow");
    stream(&world, &proxy, &mut seed, (Commit::Delayed(Duration::from_secs(3)), 2));
    assert_eq!((resolved(&worker, "applied"), resolved(&worker, "redone")), (0.0, 0.0));
}

#[test]
fn a_lost_commit_of_a_lane_that_another_claimed_meanwhile_is_fenced() {
    let (world, proxy, worker, mut seed) = begin("commit-fenced");
    proxy.treat_commits(Commit::LostForGood, 1);
    world.send(results().topic, &events::test_results(&mut seed, 50, 1_000));
    soon("a COMMIT to be lost", || when(proxy.hits() == 1, || "none was".to_owned()));
    // What a claim by another worker does to every lane.
    world.database.run("UPDATE test_results_ledger SET token = RANDOM_BYTES(8)").unwrap();
    proxy.set(crate::support::proxy::Mode::Pass);
    world.settle(results());
    Oracle::of(&world, results()).assert(&world);
    await_resolved(&worker, "fenced", 1.0);
    assert_eq!((resolved(&worker, "applied"), resolved(&worker, "redone")), (0.0, 0.0));
}

#[test]
fn each_step_of_a_flush_is_timed() {
    let mut seed = Seed::of("steps");
    let world = World::new("steps");
    let worker = world.worker("test-results");
    world.send(results().topic, &events::test_results(&mut seed, 40, 400));
    world.settle(results());
    for step in Step::ALL.map(Step::as_str) {
        let seconds = worker.metric("fleet_flush_duration_seconds_sum", &[&format!("step=\"{step}\"")]);
        assert!(seconds > 0.0, "no flush has told how long it took to {step}");
    }
}
