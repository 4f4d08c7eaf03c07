//! Boards in Redis: the table's order at every quiet point, across the ends of days, weeks and months.

use serde_json::Value as Json;
use workers::fold::Day;

use crate::support::{Seed, Worker, World, boards, caches, events, log::Message, oracle::Oracle, soon, wait::when};

const CATEGORIES: &[&str] = &["time-60-english", "time-15-english", "total-donations"];

/// The last instants of a day, a week and a month at once: 2026-05-31 is a Sunday.
fn end_of_may() -> i64 {
    Day::of(2026, time::Month::June, 1).expect("a date").start().0
}

/// Records whose Kafka timestamps are their own times, so that the log's clock is the events'.
fn in_their_time(world: &World, events: &[Json]) -> Vec<Message> {
    let messages = world.messages(boards().topic, events).into_iter().zip(events);
    messages.map(|(message, event)| Message { timestamp: event["occurred_at"].as_i64(), ..message }).collect()
}

/// Scores of many users within some minutes, with late ones of the hour before.
fn scores(seed: &mut Seed, from: i64, count: usize) -> Vec<Json> {
    (0..count)
        .map(|_| {
            let at = from + seed.within(0, 300_000) - if seed.once_in(5) { 3_600_000 } else { 0 };
            let (user, category) = (seed.within(1, 2_500), *seed.one_of(CATEGORIES));
            events::score(seed, user, at, category)
        })
        .collect()
}

fn await_share(workers: &[Worker]) {
    soon("each worker to have its share", || {
        let shares: Result<Vec<_>, String> = workers.iter().map(Worker::partitions).collect();
        let shares = shares?;
        when(shares.iter().all(|it| it.len() >= 3), || format!("{shares:?}"))
    });
}

#[test]
fn at_every_quiet_point_a_board_is_the_tables_order() {
    let mut seed = Seed::of("boards");
    let world = World::new("boards");
    let mut workers: Vec<Worker> = (0..3).map(|_| world.worker("leaderboard")).collect();
    await_share(&workers);
    let end = end_of_may();
    // Before and at the end of day, week and month; the next day; the next week; the next month; and back once more.
    let moments = [end - 600_000, end - 1, end + 600_000, end + 86_400_000, end + 8 * 86_400_000, end + 31 * 86_400_000, end - 900_000];
    for (step, moment) in moments.into_iter().enumerate() {
        let events = scores(&mut seed, moment, 2_000);
        world.log.send(&world.topic(boards().topic), &in_their_time(&world, &events));
        if step == 3 {
            workers.swap_remove(seed.below(3)).kill();
            workers.push(world.worker("leaderboard"));
        }
        world.settle(boards());
        caches::check(&world, boards()).unwrap_or_else(|it| panic!("at quiet point {step}: {it}"));
    }
    let _: () = world.redis.ask(&["FLUSHALL"]);
    caches::assert_equal(&world, boards());
    Oracle::of(&world, boards()).assert(&world);
    world.verify(boards());
    workers.into_iter().for_each(Worker::stop);
}

#[test]
fn boards_vanish_when_no_worker_lives_and_come_back_with_the_next() {
    let mut seed = Seed::of("boards-back");
    let world = World::new("boards-back");
    let worker = world.worker("leaderboard");
    let events = scores(&mut seed, end_of_may(), 300);
    world.log.send(&world.topic(boards().topic), &in_their_time(&world, &events));
    world.settle(boards());
    let ttl: i64 = world.redis.ask(&["TTL", "leaderboard:time-60-english:daily"]);
    assert!((1..=300).contains(&ttl), "a board lives for {ttl} s");
    worker.stop();
    // What Redis itself does once the time is up.
    let keys: Vec<String> = world.redis.ask(&["KEYS", "*leaderboard:time-60-english:daily*"]);
    for key in &keys {
        let _: i64 = world.redis.ask(&["DEL", key]);
    }
    let kept: Vec<String> = world.redis.ask(&["KEYS", "fleet:*:kept"]);
    for key in &kept {
        let _: i64 = world.redis.ask(&["DEL", key]);
    }
    let _worker = world.worker("leaderboard");
    caches::assert_equal(&world, boards());
}
