//! Rebuilds: what was lost is made again from the tables, under lanes that go on, by one worker.

use std::{cell::Cell, collections::BTreeMap};

use fleet::{fault::Fault, store::redis::Version};
use workers::fold::{Key, Time, Value};

use super::{database::Database, model::*, server::Server};

const TUESDAY: Time = Time(MONDAY.0 + hours(24));

/// 2,500 users with a document each, entries on two days and of all time; lanes at offsets 100, 101, 102, 103, on Tuesday.
const ROWS: &str = "
    SET SESSION cte_max_recursion_depth = 10000;
    INSERT INTO profiles WITH RECURSIVE n AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM n WHERE n < 2500) SELECT n, 1, CONCAT('[', n, ']') FROM n;
    INSERT INTO entries SELECT 'day', '2024-05-13', user_id, user_id, CONCAT('user ', user_id) FROM profiles;
    INSERT INTO entries SELECT 'day', '2024-05-14', user_id, 10000 - user_id, CONCAT('user ', user_id) FROM profiles;
    INSERT INTO entries SELECT 'day', '2024-05-15', user_id, user_id, CONCAT('user ', user_id) FROM profiles WHERE user_id = 7;
    INSERT INTO entries SELECT 'all', '1970-01-01', user_id, 2 * user_id, CONCAT('user ', user_id) FROM profiles;
    INSERT INTO entries VALUES ('quiet', '2024-04-01', 5, 50, 'user 5');
    UPDATE tester_ledger SET next_offset = 100 + partition_id, last_event_at = '2024-05-14 12:00:00' - INTERVAL partition_id DAY";

fn user_key(user: i64) -> Key {
    [Value::Long(user)].into()
}

/// What the server holds, but for lives: JSON of each key.
fn contents(server: &Server) -> BTreeMap<String, String> {
    let read = |key: &String| match server.ask::<String>(&["TYPE", key]).as_str() {
        "string" => server.ask::<String>(&["GET", key]),
        "zset" => format!("{:?}", server.board(key)),
        "hash" => format!("{:?}", server.ask::<BTreeMap<String, String>>(&["HGETALL", key])),
        other => panic!("{key} is a {other}"),
    };
    server.keys().into_iter().map(|key| (key.clone(), read(&key))).collect()
}

#[tokio::test]
async fn an_empty_redis_beside_an_empty_ledger_becomes_whole() {
    let (server, database) = (Server::start(), Database::create().await);
    let caches = server.caches(database.pool.clone());
    assert!(!caches.whole().await.unwrap());
    assert_eq!(caches.rebuild().await.unwrap(), Some(0));
    assert!(caches.whole().await.unwrap());
    assert_eq!(caches.rebuild().await.unwrap(), None);
    caches.invalidate().await.unwrap();
    assert!(!caches.whole().await.unwrap());
}

#[tokio::test]
async fn everything_is_made_again_from_the_tables() {
    let (mut server, database) = (Server::start(), Database::create().await);
    database.run(ROWS).await;
    let caches = server.caches(database.pool.clone());
    caches.rebuild().await.unwrap().unwrap();
    let first = contents(&server);
    assert_eq!(first.keys().filter(|it| it.starts_with("user:")).count(), 2_500);
    for user in [1, 1_000, 1_001, 2_500] {
        let lane = lane(user);
        let expected = format!("{{\"v\":\"{}\",\"data\":[{user}]}}", version(100 + i64::from(lane)));
        assert_eq!(first[&format!("user:{user}:recent")], expected);
        assert_eq!(caches.high_water(lane).await.unwrap(), Some(version(100 + i64::from(lane))));
    }
    assert_eq!(server.members("board:day"), ["1", "2", "3"]);
    assert_eq!(server.members("{board:day}:2024-05-13"), ["2500", "2499", "2498", "2497", "2496"]);
    assert_eq!(server.members("{board:day}:2024-05-14"), ["1", "2", "3", "4", "5"]);
    assert_eq!(server.members("board:all"), ["2500", "2499", "2498"]);
    assert_eq!(server.members("board:quiet"), ["5"]);
    assert_eq!(server.ask::<String>(&["HGET", "{board:day}:names", "3"]), "user 3");

    server.ask::<()>(&["FLUSHALL"]);
    assert!(!caches.whole().await.unwrap());
    caches.rebuild().await.unwrap().unwrap();
    assert_eq!(contents(&server), first);

    server.replace();
    let _ = caches.whole().await;
    assert!(!caches.whole().await.unwrap());
    caches.rebuild().await.unwrap().unwrap();
    assert_eq!(contents(&server), first);
}

#[tokio::test]
async fn a_window_that_events_of_the_near_future_have_begun_is_made_again() {
    let (server, database) = (Server::start(), Database::create().await);
    database.run(ROWS).await;
    database.run("UPDATE tester_ledger SET last_event_at = '2024-05-14 23:55:00' WHERE partition_id = 2").await;
    let caches = server.caches(database.pool.clone());
    caches.rebuild().await.unwrap().unwrap();
    assert_eq!(server.ask::<String>(&["GET", "{board:day}:window"]), "2024-05-14");
    assert_eq!(server.members("{board:day}:2024-05-15"), ["7"]);
}

#[tokio::test]
async fn nothing_newer_is_overwritten_and_nothing_too_great_stays() {
    let (server, database) = (Server::start(), Database::create().await);
    database.run(ROWS).await;
    let caches = server.caches(database.pool.clone());
    let user = (1..).find(|it| lane(*it) == 1).unwrap();
    let ahead = [document(user, "[\"newer\"]"), entry("day", TUESDAY, 9_999, 1_000_000), entry("lost", TUESDAY, 9_999, 1)];
    caches.write(1, version(500), &ahead).await.unwrap();
    let later = Time(TUESDAY.0 + hours(72));
    caches.write(1, version(501), &[entry("day", later, 9_999, 1)]).await.unwrap();
    assert!(caches.high_water(1).await.unwrap() > Some(version(101)));

    caches.rebuild().await.unwrap().unwrap();
    assert!(server.ask::<String>(&["GET", &format!("user:{user}:recent")]).contains("newer"));
    assert_eq!(server.members("board:day"), ["1", "2", "3"]);
    assert_eq!(server.ask::<String>(&["GET", "{board:day}:window"]), "2024-05-14");
    assert!(!server.keys().iter().any(|it| it.contains("lost") || it.contains("2024-05-17")));

    // The clock is the tables' again: what has not begun by it is not shown.
    let early = seen_at(TUESDAY.plus(hours(24) - 1), entry("day", TUESDAY.plus(hours(24)), 8, 8));
    caches.write(0, version(101), &[early]).await.unwrap();
    assert_eq!(server.ask::<String>(&["GET", "{board:day}:window"]), "2024-05-14");

    // The ledger was restored, so its epoch goes up: now the rows as they are overwrite what was ahead of them.
    database.run("UPDATE tester_ledger SET epoch = 1 WHERE partition_id = 1").await;
    caches.remake().await.unwrap().unwrap();
    let restored = format!("{{\"v\":\"{}\",\"data\":[{user}]}}", Version { epoch: 1, next_offset: 101 });
    assert_eq!(server.ask::<String>(&["GET", &format!("user:{user}:recent")]), restored);
}

#[tokio::test]
async fn what_lanes_commit_meanwhile_is_in_it() {
    let (server, database) = (Server::start(), Database::create().await);
    database.run("UPDATE tester_ledger SET next_offset = 1, last_event_at = '2024-05-14 12:00:00'").await;
    let caches = server.caches(database.pool.clone());
    let written = Cell::new(0_i64);
    let lanes = async {
        for step in 1..=150 {
            database.run(&format!("INSERT INTO entries VALUES ('b{step}', '2024-05-14', {step}, {step}, 'user {step}')")).await;
            caches.write(lane(step), version(step), &[entry(&format!("b{step}"), TUESDAY, step, step)]).await.unwrap();
            written.set(step);
        }
    };
    let rebuilds = async {
        while written.get() < 150 {
            caches.invalidate().await.unwrap();
            caches.rebuild().await.unwrap();
            for step in 1..=written.get() {
                assert_eq!(server.members(&format!("board:b{step}")), [step.to_string()]);
            }
        }
    };
    tokio::join!(lanes, rebuilds);
}

#[tokio::test]
async fn one_worker_rebuilds_and_the_others_wait() {
    let (server, database) = (Server::start(), Database::create().await);
    database.run(ROWS).await;
    let workers = [0, 1, 2].map(|_| server.caches(database.pool.clone()));
    let done = futures_util::future::join_all(workers.iter().map(|it| it.rebuild())).await;
    assert_eq!(done.iter().filter(|it| matches!(it, Ok(Some(_)))).count(), 1, "{done:?}");
    assert_eq!(done.iter().filter(|it| matches!(it, Ok(None))).count(), 2, "{done:?}");
}

#[tokio::test]
async fn a_flush_during_a_rebuild_is_not_taken_for_whole() {
    let (server, database) = (Server::start(), Database::create().await);
    database.run(ROWS).await;
    let caches = server.caches(database.pool.clone());
    let flush = async {
        while server.keys().len() < 500 {
            tokio::task::yield_now().await;
        }
        server.ask::<()>(&["FLUSHALL"]);
    };
    let (rebuilt, ()) = tokio::join!(caches.rebuild(), flush);
    assert!(matches!(rebuilt, Err(Fault::Transient(..))), "{rebuilt:?}");
    assert!(!caches.whole().await.unwrap());
    caches.rebuild().await.unwrap().unwrap();
    assert_eq!(server.keys().iter().filter(|it| it.starts_with("user:")).count(), 2_500);
}

#[tokio::test]
async fn boards_that_nobody_kept_are_made_again_alone() {
    let (server, database) = (Server::start(), Database::create().await);
    database.run(ROWS).await;
    let caches = server.caches(database.pool.clone());
    caches.rebuild().await.unwrap().unwrap();
    server.ask::<()>(&["DEL", "fleet:{tester}:kept", "fleet:{tester}:refresh"]);
    for key in ["board:day", "{board:day}:2024-05-14", "user:7:recent"] {
        server.ask::<()>(&["DEL", key]);
    }
    assert!(!caches.whole().await.unwrap());
    assert!(caches.rebuild().await.unwrap().is_some());
    assert_eq!(server.members("board:day"), ["1", "2", "3"]);
    assert_eq!(server.ask::<Option<String>>(&["GET", "user:7:recent"]), None);
}

#[tokio::test]
async fn entries_are_written_again_from_their_rows() {
    let (server, database) = (Server::start(), Database::create().await);
    database.run(ROWS).await;
    let caches = server.caches(database.pool.clone());
    let users: Vec<i64> = (1..2_000).filter(|it| lane(*it) == 2).collect();
    let mut keys: Vec<(usize, Key)> = users.iter().map(|it| (0, user_key(*it))).collect();
    let board: Key = [Value::Text("day".into()), Value::Long(TUESDAY.0), Value::Long(users[0])].into();
    let absent = (5_000..).find(|it| lane(*it) == 2).unwrap();
    keys.extend([(1, board), (0, user_key(absent)), (9, user_key(1))]);
    // What several flushes left is named by each of them.
    keys.extend(keys.clone());
    caches.write_from_rows(2, &keys).await.unwrap();
    let shown = |user: i64| server.ask::<String>(&["GET", &format!("user:{user}:recent")]);
    for user in [users[0], users[users.len() - 1]] {
        assert_eq!(shown(user), format!("{{\"v\":\"{}\",\"data\":[{user}]}}", version(102)));
    }
    assert!(shown(absent).ends_with("\"data\":null}"));
    assert_eq!(server.members("board:day"), [users[0].to_string()]);

    // A row that its batch deleted is looked up, and nothing older brings its document back.
    database.run(&format!("DELETE FROM profiles WHERE user_id = {}", users[0])).await;
    let deleted = workers::fold::Cached { row: None, ..document(users[0], "") };
    caches.write(2, version(102), &[deleted]).await.unwrap();
    caches.write(2, version(90), &[document(users[0], "[]")]).await.unwrap();
    assert!(shown(users[0]).ends_with("\"data\":null}"));
}

#[tokio::test]
async fn a_missing_row_of_the_ledger_is_damage() {
    let (server, database) = (Server::start(), Database::create().await);
    database.run(ROWS).await;
    database.run("DELETE FROM tester_ledger WHERE partition_id = 2").await;
    let caches = server.caches(database.pool.clone());
    let fault = caches.write_from_rows(2, &[(0, user_key(1))]).await.unwrap_err();
    assert_eq!(fault, Fault::fatal("ledger-missing: tester_ledger has no row of partition 2"));
    assert!(matches!(caches.rebuild().await, Err(Fault::Fatal(_))));
}
