//! Stores that forget: an older MySQL put back under load, Redis emptied and killed. Rows and keys come to the same again.

use redis::Commands as _;

use crate::support::{
    Seed, Worker, World, boards, caches, events,
    oracle::{Oracle, letters},
    results, soon,
    wait::when,
};

const BOTH: &str = "test-results,leaderboard";

fn all_is_well(world: &World, workers: Vec<Worker>) {
    for role in [results(), boards()] {
        world.settle(role);
        assert!(letters(world, role).is_empty(), "letters of {}", role.name);
        Oracle::of(world, role).assert(world);
        caches::assert_equal(world, role);
        world.verify(role);
    }
    workers.into_iter().for_each(Worker::stop);
}

#[test]
fn an_older_mysql_put_back_under_load_comes_to_the_same_rows_and_keys() {
    let mut seed = Seed::of("put-back");
    let world = World::new("put-back");
    let workers = vec![world.worker(BOTH), world.worker(BOTH)];
    world.send(results().topic, &events::test_results(&mut seed, 150, 1_500));
    world.settle(results());
    world.settle(boards());
    world.database.keep_copy();
    world.under_load(results().topic, &events::test_results(&mut seed, 150, 3_000), || {
        world.await_applied(results(), 1_500 + seed.within(500, 2_000));
        let before = world.database.applied(results());
        world.database.put_back();
        assert!(before > 1_500, "it was put back to a point before");
    });
    all_is_well(&world, workers);
    let epochs: Vec<i64> = world.database.ledger(results()).unwrap().iter().map(|it| it.epoch).collect();
    assert!(epochs.iter().any(|it| *it > 0), "lanes that went back rose in epoch: {epochs:?}");
}

#[test]
fn a_redis_emptied_under_load_is_filled_again() {
    let mut seed = Seed::of("flushall");
    let world = World::new("flushall");
    let workers = vec![world.worker(BOTH), world.worker(BOTH)];
    world.under_load(results().topic, &events::test_results(&mut seed, 150, 4_000), || {
        for _ in 0..3 {
            let applied = world.database.applied(results());
            world.await_applied(results(), applied + seed.within(200, 700));
            let _: () = world.redis.ask(&["FLUSHALL"]);
        }
    });
    all_is_well(&world, workers);
}

#[test]
fn a_redis_killed_without_persistence_stops_nobody_and_is_filled_again() {
    let mut seed = Seed::of("redis-killed");
    let mut world = World::new("redis-killed");
    let workers = vec![world.worker(BOTH), world.worker(BOTH)];
    world.send(results().topic, &events::test_results(&mut seed, 150, 1_500));
    world.await_applied(results(), seed.within(200, 1_000));
    world.redis.kill();
    world.send(results().topic, &events::test_results(&mut seed, 150, 1_500));
    soon("MySQL to be at the log's end without Redis", || {
        let ends: Result<i64, String> = (0..10).map(|it| Ok(world.log.watermarks(&world.topic(results().topic), it)?.1)).sum();
        let (applied, ends) = (world.database.applied(results()), ends?);
        when(applied == ends, || format!("{applied} of {ends} are applied"))
    });
    for worker in &workers {
        assert_eq!(worker.get("/livez").unwrap().status, 200);
    }
    world.redis.restart();
    all_is_well(&world, workers);
}

#[test]
fn a_key_that_is_newer_than_the_row_is_never_taken_back() {
    let mut seed = Seed::of("older-write");
    let world = World::new("older-write");
    let worker = world.worker("test-results");
    world.send(results().topic, &events::test_results(&mut seed, 1, 5));
    world.settle(results());
    let key = "user:1:recent-results";
    let mut redis = world.redis.connect().unwrap();
    // As a worker writes that is further than this one.
    let newer = r#"{"v":"0000000000-0000000000000999999","data":["newer"]}"#;
    let _: () = redis.set(key, newer).unwrap();
    world.send(results().topic, &events::test_results(&mut seed, 1, 5));
    world.settle(results());
    let held: String = redis.get(key).unwrap();
    assert_eq!(held, newer);
    worker.stop();
}
