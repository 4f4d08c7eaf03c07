//! Gathered lists: rows of many lanes under one key, newest first, which no older snapshot overwrites.

use futures_util::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng};
use workers::fold::{Key, Value};

use super::{database::Database, model::*, server::Server};

/// A lane's flush: an item of a user at a minute, and the lane's step.
async fn commit(database: &Database, lane: i32, (item, minute, user): (&str, i64, i64)) {
    database
        .run(&format!(
            "START TRANSACTION; \
             UPDATE tester_ledger SET next_offset = COALESCE(next_offset, 0) + 1 WHERE partition_id = {lane}; \
             REPLACE INTO items VALUES ('{item}', '2024-05-13' + INTERVAL {minute} MINUTE, {user}, {minute}); COMMIT"
        ))
        .await;
}

/// What Redis shows of a user.
fn shown(server: &Server, user: i64) -> Option<String> {
    let value: Option<String> = server.ask(&["GET", &format!("user:{user}:items")]);
    value.map(|it| it.split_once(",\"data\":").unwrap().1.strip_suffix('}').unwrap().to_owned())
}

/// What the table says of a user.
async fn wanted(database: &Database, user: i64) -> String {
    let newest = format!("SELECT * FROM items WHERE user_id = {user} ORDER BY at DESC, item DESC LIMIT {MOST}");
    let object = "CONCAT('{\"item\":\"', item, '\",\"price\":', price, '}')";
    database
        .text(&format!("SELECT CONCAT('[', COALESCE(GROUP_CONCAT({object} ORDER BY at DESC, item DESC), ''), ']') FROM ({newest}) n"))
        .await
}

fn keys(users: impl IntoIterator<Item = i64>) -> Vec<(usize, Key)> {
    users.into_iter().map(|it| (2, [Value::Long(it)].into())).collect()
}

#[tokio::test]
async fn hold_the_newest_rows_of_all_lanes_for_their_time() {
    let (server, database) = (Server::start(), Database::create().await);
    let caches = server.caches(database.pool.clone());
    for (lane, item) in [(0, ("a", 1, 7)), (1, ("b", 3, 7)), (2, ("c", 2, 7)), (3, ("other", 9, 8)), (0, ("d", 3, 7))] {
        commit(&database, lane, item).await;
    }
    caches.write(0, version(2), &[list(7)]).await.unwrap();
    assert_eq!(shown(&server, 7).unwrap(), r#"[{"item":"d","price":3},{"item":"b","price":3},{"item":"c","price":2}]"#);
    assert_eq!(shown(&server, 8), None, "nobody asked for it");
    let value: String = server.ask(&["GET", "user:7:items"]);
    assert!(value.starts_with(&format!("{{\"v\":\"{}\"", version(5))), "{value}: five steps of four lanes");
    let ttl: i64 = server.ask(&["TTL", "user:7:items"]);
    assert!((58..=60).contains(&ttl), "{ttl}");
    for lane in 0..4 {
        assert_eq!(caches.high_water(lane).await.unwrap(), Some(version(if lane == 0 { 2 } else { 1 })), "of every lane that is in it");
    }
}

#[tokio::test]
async fn follow_a_row_from_one_owner_to_another() {
    let (server, database) = (Server::start(), Database::create().await);
    let caches = server.caches(database.pool.clone());
    commit(&database, 0, ("a", 1, 7)).await;
    caches.write(0, version(1), &[list(7)]).await.unwrap();
    commit(&database, 0, ("a", 1, 8)).await;
    caches.write(0, version(2), &[list(7), list(8)]).await.unwrap();
    assert_eq!((shown(&server, 7).unwrap().as_str(), shown(&server, 8).unwrap().as_str()), ("[]", r#"[{"item":"a","price":1}]"#));
}

#[tokio::test]
async fn equal_the_table_after_any_interleaving_of_lanes() {
    let (server, database) = (Server::start(), Database::create().await);
    let processes = [server.caches(database.pool.clone()), server.caches(database.pool.clone())];
    for seed in 0..3 {
        println!("seed {seed}");
        let random = std::cell::RefCell::new(StdRng::seed_from_u64(seed));
        let draw = |below: i64| random.borrow_mut().random_range(0..below);
        let lane = async |lane: i32| {
            for step in 0..25 {
                let (minute, user) = (draw(50), 1 + draw(3));
                commit(&database, lane, (&format!("{lane}-{step}"), minute, user)).await;
                // Some flushes share one write, as when Redis was slower than MySQL.
                if draw(10) < 7 || step == 24 {
                    processes[lane as usize % 2].write(lane, version(1), &(1..4).map(list).collect::<Vec<_>>()).await.unwrap();
                }
            }
        };
        join_all((0..4).map(lane)).await;
        for user in 1..4 {
            assert_eq!(shown(&server, user).unwrap(), wanted(&database, user).await);
        }
        server.ask::<()>(&["FLUSHALL"]);
    }
}

#[tokio::test]
async fn take_nothing_of_an_older_snapshot_until_the_epoch_rises() {
    let (server, database) = (Server::start(), Database::create().await);
    let caches = server.caches(database.pool.clone());
    for minute in 1..=3 {
        commit(&database, 0, ("a", minute, 7)).await;
        commit(&database, 1, ("b", minute, 7)).await;
    }
    caches.write(0, version(3), &[list(7)]).await.unwrap();
    let newer = shown(&server, 7).unwrap();
    // The tables as a frozen worker read them before lane 1's last flush.
    database.run("DELETE FROM items WHERE price = 3; UPDATE tester_ledger SET next_offset = 2 WHERE partition_id = 1").await;
    caches.write(1, version(2), &[list(7)]).await.unwrap();
    assert_eq!(shown(&server, 7).unwrap(), newer);
    caches.remake().await.unwrap();
    assert_eq!(shown(&server, 7).unwrap(), newer);
    // They were put back, so the lane that is behind rises in epoch.
    database.run("UPDATE tester_ledger SET epoch = 1 WHERE partition_id = 1").await;
    caches.remake().await.unwrap();
    assert_eq!(shown(&server, 7).unwrap(), wanted(&database, 7).await);
}

#[tokio::test]
async fn are_made_again_after_a_flush_and_older_ones_do_not_come_back() {
    let (server, database) = (Server::start(), Database::create().await);
    let caches = server.caches(database.pool.clone());
    database
        .run(
            "SET SESSION cte_max_recursion_depth = 10000; INSERT INTO items WITH RECURSIVE n AS \
             (SELECT 1 AS n UNION ALL SELECT n + 1 FROM n WHERE n < 4000) SELECT CONCAT('i', n), '2024-05-13', n DIV 2, n FROM n; \
             UPDATE tester_ledger SET next_offset = 100",
        )
        .await;
    server.ask::<()>(&["FLUSHALL"]);
    caches.rebuild().await.unwrap().unwrap();
    assert_eq!(server.keys().len(), 2_001);
    for user in [0, 1, 999, 1_000, 1_001, 2_000] {
        assert_eq!(shown(&server, user).unwrap(), wanted(&database, user).await, "{user}");
    }
    database.run("DELETE FROM items; UPDATE tester_ledger SET next_offset = 99").await;
    caches.write_from_rows(2, &keys([0, 1])).await.unwrap();
    assert_eq!(shown(&server, 1).unwrap(), r#"[{"item":"i3","price":3},{"item":"i2","price":2}]"#);
}

#[tokio::test]
async fn are_written_again_by_name_with_other_entries() {
    let (server, database) = (Server::start(), Database::create().await);
    let caches = server.caches(database.pool.clone());
    commit(&database, 2, ("a", 1, 7)).await;
    let mut keys = keys(1..450);
    keys.push((0, [Value::Long(7)].into()));
    caches.write_from_rows(2, &keys).await.unwrap();
    assert_eq!(shown(&server, 7).unwrap(), r#"[{"item":"a","price":1}]"#);
    assert_eq!(server.keys().len(), 450);
    // A held document and a list in one flush.
    caches.write(2, version(2), &[document(9, "[9]"), list(9)]).await.unwrap();
    assert!(server.ask::<String>(&["GET", "user:9:recent"]).ends_with("[9]}"));
}

#[tokio::test]
async fn a_connection_that_mysql_ended_is_told_and_replaced() {
    let (server, database) = (Server::start(), Database::create().await);
    let caches = server.caches(database.pool.clone());
    commit(&database, 0, ("a", 1, 7)).await;
    caches.write(0, version(1), &[list(7)]).await.unwrap();
    database.end_others().await;
    let ended = caches.write(0, version(1), &[list(7)]).await;
    assert!(matches!(ended, Err(fleet::fault::Fault::Transient(..))), "{ended:?}");
    // Those of the pool were ended too, and are found out one by one.
    let mut attempts = 0;
    while caches.write(0, version(1), &[list(7)]).await.is_err() {
        attempts += 1;
        assert!(attempts < 10, "no connection is replaced");
    }
    assert_eq!(shown(&server, 7).unwrap(), r#"[{"item":"a","price":1}]"#);
}
