//! A worker's life at its edges: a start with nobody there, signals, and how commands end.

use std::{process::Stdio, time::Duration};

use crate::support::{
    Seed, Worker, World, events,
    proxy::{Mode, Proxy},
    results, soon,
    wait::{SOON, holds_for, when},
    world::told,
};

/// A command, variables of its own, the exit code, and what it must say.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);

/// Nothing listens here: the port is the discard service's.
const NOBODY: &str = "127.0.0.1:9";

#[test]
fn a_worker_that_starts_with_every_server_away_lives_and_waits_for_them() {
    let mut seed = Seed::of("nobody-there");
    let world = World::new("nobody-there");
    let (mysql, broker) = (world.proxy(&world.servers.mysql_address()), world.proxy(&world.servers.brokers));
    let url = world.mysql_by(&mysql);
    [&mysql, &broker].into_iter().for_each(|it| it.set(Mode::Cut));
    let redis = format!("redis://{NOBODY}/0");
    let variables = [("FLEET_MYSQL_URL", url.as_str()), ("FLEET_BROKERS", &broker.address()), ("FLEET_REDIS_URL", &redis)];
    let worker = world.worker_with("test-results", &variables);
    soon("/readyz to say what is missing", || {
        let answer = worker.get("/readyz")?;
        when(answer.status == 503 && answer.body.contains("mysql of test-results"), || format!("{} {}", answer.status, answer.body))
    });
    holds_for(Duration::from_secs(2), || {
        let answer = worker.get("/livez")?;
        when(answer.status == 200, || format!("{} {}", answer.status, answer.body))
    });
    world.send(results().topic, &events::test_results(&mut seed, 20, 100));
    [&mysql, &broker].into_iter().for_each(|it| it.set(Mode::Pass));
    world.await_applied(results(), 100);
    soon("/readyz to name Redis alone", || {
        let answer = worker.get("/readyz")?;
        let alone = answer.body.contains("redis of test-results") && answer.body.lines().count() == 2;
        when(answer.status == 503 && alone, || format!("{} {}", answer.status, answer.body))
    });
    worker.stop();
}

/// A worker with a flush that hangs, and the proxy in which it does.
fn hanging(test: &str) -> (World, Worker, Proxy) {
    let mut seed = Seed::of(test);
    let world = World::new(test);
    let proxy = world.proxy(&world.servers.mysql_address());
    let url = world.mysql_by(&proxy);
    let worker = world.worker_with("test-results", &[("FLEET_MYSQL_URL", &url)]);
    world.send(results().topic, &events::test_results(&mut seed, 20, 200));
    world.settle(results());
    proxy.set(Mode::Stall);
    world.send(results().topic, &events::test_results(&mut seed, 20, 200));
    soon("a flush to hang", || when(worker.lanes()?.iter().any(|it| it["lag_records"] != 0), || "no lane is behind".to_owned()));
    (world, worker, proxy)
}

/// Another worker comes to the end of the log, with the tables that it gives.
fn assert_taken_over(world: &World) {
    let heir = world.worker("test-results");
    world.settle(results());
    world.verify(results());
    heir.stop();
}

#[test]
fn a_stop_that_hangs_ends_within_half_a_minute_and_loses_nothing() {
    let (world, mut worker, _proxy) = hanging("hanging-stop");
    worker.terminate();
    let (_, took) = worker.wait(SOON);
    assert!(took < Duration::from_secs(30), "it took {took:?}");
    assert_taken_over(&world);
}

#[test]
fn a_second_signal_ends_a_worker_at_once_and_loses_nothing() {
    let (world, mut worker, _proxy) = hanging("second-signal");
    worker.terminate();
    soon("the first signal to be told", || when(worker.log().contains("a second signal ends at once"), || worker.log()));
    assert!(worker.ended().is_none(), "it waits for the flush that hangs");
    worker.terminate();
    let (status, took) = worker.wait(SOON);
    assert_eq!(status.code(), Some(130), "{}", worker.log());
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    assert_taken_over(&world);
}

#[test]
fn a_signal_leaves_the_group_so_that_nobody_waits_for_a_session_to_end() {
    let mut world = World::new("leaves");
    world.variables.insert("FLEET_KAFKA_SESSION_TIMEOUT_MS", "120000".to_owned());
    let (worker, heir) = (world.worker("test-results"), world.worker("test-results"));
    let share = |of: &Worker, wanted: usize| {
        let lanes = of.lanes_at_work()?;
        when(lanes.len() == wanted, || format!("its lanes are {lanes:?}"))
    };
    soon("both to have their half", || share(&worker, 5).and_then(|()| share(&heir, 5)));
    worker.stop();
    soon("the heir to have all", || share(&heir, 10));
    heir.stop();
}

#[test]
fn what_happens_is_counted() {
    let mut seed = Seed::of("counted");
    let world = World::new("counted");
    let worker = world.worker("test-results");
    let events = events::test_results(&mut seed, 30, 200);
    world.send(results().topic, &events);
    world.settle(results());
    world.send(results().topic, &events[..50]);
    let mut misplaced = world.messages(results().topic, &events[..7]);
    misplaced.iter_mut().for_each(|it| it.partition = (it.partition + 1) % 10);
    world.log.send(&world.topic(results().topic), &misplaced);
    let _: () = world.redis.ask(&["FLUSHALL"]);
    world.settle(results());
    soon("the keys to be made again", || when(worker.metric("fleet_redis_rebuilds_total", &[]) >= 1.0, || "no rebuild".to_owned()));
    let counted: &[(&str, &[&str], f64)] = &[
        ("fleet_events_applied_total", &[], 200.0),
        ("fleet_events_duplicate_total", &[], 50.0),
        ("fleet_events_rejected_total", &["cause=\"data\""], 7.0),
        ("fleet_rows_written_total", &["table=\"test_results\""], 200.0),
        ("fleet_record_age_seconds_count", &[], 257.0),
        ("fleet_event_age_seconds_count", &[], 250.0),
        ("fleet_assigned_partitions", &[], 10.0),
    ];
    for (name, labels, expected) in counted {
        assert_eq!(worker.metric(name, labels), *expected, "{name} {labels:?}");
    }
    let shown = || Ok::<_, String>(worker.get("/metrics")?.body.lines().filter(|it| it.starts_with("fleet_consumer_lag_records{")).count());
    assert_eq!(shown(), Ok(10));
    let rebalances = worker.metric("fleet_rebalances_total", &[]);
    let other = world.worker("test-results");
    soon("the series of partitions that moved to vanish", || shown().and_then(|it| when(it == 5, || format!("{it} are shown"))));
    assert!(worker.metric("fleet_rebalances_total", &[]) > rebalances);
    other.stop();
    worker.stop();
}

#[test]
fn commands_end_with_0_1_or_2_and_say_what_to_do() {
    let world = World::new("exit-codes");
    let cases: &[Case<'_>] = &[
        (&["roles"], &[], 0, "test-results"),
        (&["migrate", "--check"], &[], 0, "up to date"),
        (&["topics", "plan"], &[], 0, ""),
        (&["letters", "list"], &[], 0, ""),
        (&["ledger", "show", "--role", "leaderboard"], &[], 0, "leaderboard"),
        (&["lag", "--role", "leaderboard"], &[], 0, "leaderboard"),
        (&["verify", "--role", "leaderboard"], &[], 0, ""),
        (&["verify", "--role", "leader"], &[], 2, "leaderboard"),
        (&["run"], &[], 2, "--role"),
        (&["run", "--role", "leaderboard", "--all"], &[], 2, "cannot be used with"),
        (&["produce", "--topic", "nowhere", "--file", "-"], &[], 2, "nowhere"),
        (&["produce", "--topic", "leaderboard-updates", "--file", "no-such-file"], &[], 2, "no-such-file"),
        (&["ledger", "move", "--role", "leaderboard", "--partition", "3", "--to", "0"], &[], 2, "--accept-loss"),
        (&["ledger", "move", "--role", "leaderboard", "--partition", "99", "--to", "0"], &[], 2, "partitions 0..9"),
        (&["letters", "show", "--role", "leaderboard", "--partition", "0", "--offset", "5"], &[], 2, ""),
        (&["roles"], &[("FLEET_HTTP", "nonsense")], 2, "--http"),
        (&["roles"], &[("FLEET_MYSQL_URL", "postgres://x")], 2, "FLEET_MYSQL_URL: starts with"),
    ];
    for (arguments, variables, code, says) in cases {
        let output = world.command(arguments).envs(variables.iter().copied()).output().expect("the program runs");
        let told = told(&output);
        assert_eq!(output.status.code(), Some(*code), "fleet {}: {told}", arguments.join(" "));
        assert!(told.contains(says), "fleet {} does not say {says}: {told}", arguments.join(" "));
        assert!(!told.contains("panicked"), "fleet {}: {told}", arguments.join(" "));
    }
}

#[test]
fn without_a_database_commands_name_the_setting_and_the_address() {
    let world = World::new("no-database");
    let (url, says) = (format!("mysql://somebody:secret@{NOBODY}/fleet"), format!("FLEET_MYSQL_URL ({NOBODY}): "));
    let worker = world.worker_with("leaderboard", &[("FLEET_MYSQL_URL", &url)]);
    let commands: [&[&str]; 6] =
        [&["migrate"], &["migrate", "--check"], &["letters", "list"], &["ledger", "show"], &["lag"], &["verify", "--role", "leaderboard"]];
    // All at once: each looks for 5 s.
    let start = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.env("FLEET_MYSQL_URL", &url).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program runs")
    };
    for (arguments, running) in commands.map(|it| (it, start(it))) {
        let output = running.wait_with_output().expect("the program ends");
        let told = told(&output);
        assert_eq!(output.status.code(), Some(2), "fleet {}: {told}", arguments.join(" "));
        assert!(told.contains(&says) && !told.contains("secret"), "fleet {}: {told}", arguments.join(" "));
    }
    soon("the worker to say so too", || when(worker.log().contains(&says), || worker.log()));
    assert!(!worker.log().contains("secret"), "{}", worker.log());
    worker.stop();
}
