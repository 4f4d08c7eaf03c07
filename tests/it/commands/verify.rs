//! `fleet verify` where tables do not equal the log, and what every command prints as data.

use super::{ends, json};
use crate::support::{Seed, World, events, results};

/// A user that no event names.
const NOBODY: i64 = 9_001;

/// A world whose results are projected, and whose worker has ended.
fn projected(test: &str) -> World {
    let mut seed = Seed::of(test);
    let world = World::new(test);
    let worker = world.worker(results().name);
    world.send(results().topic, &events::test_results(&mut seed, 30, 300));
    world.settle(results());
    worker.stop();
    world
}

fn partition_of(user: i64) -> i32 {
    results().topic.partition_of(user.to_string().as_bytes())
}

/// Copies a user's row under another's id.
fn copy_of(world: &World, user: i64) -> String {
    let columns = "tests, time_typed_ms, chars, xp, level, streak, longest_streak, last_day, last_result_at, recent, last_event_at";
    let copied = world.database.run(&format!(
        "INSERT INTO typing_profiles (user_id, {columns}) SELECT {NOBODY}, {columns} FROM typing_profiles WHERE user_id = {user}"
    ));
    copied.map(|it| assert_eq!(it, 1, "user {user} has a row")).unwrap();
    format!("typing_profiles user_id={NOBODY}: extra; ")
}

#[test]
fn verify_prints_each_row_that_differs_and_finds_nothing_once_they_are_put_right() {
    let world = projected("differences");
    let verify = ["verify", "--role", results().name];
    ends(&world, &verify, 0, &["0 differences"]);
    world.database.run("CREATE TABLE kept AS SELECT * FROM typing_profiles").unwrap();
    // Of three partitions, so that one of them shows one difference.
    let changed = (1..30).find(|it| partition_of(*it) != partition_of(NOBODY)).unwrap();
    let deleted = (1..30).find(|it| ![partition_of(NOBODY), partition_of(changed)].contains(&partition_of(*it))).unwrap();
    let extra = copy_of(&world, changed);
    assert_eq!(world.database.run(&format!("UPDATE typing_profiles SET tests = 777777 WHERE user_id = {changed}")), Ok(1));
    assert_eq!(world.database.run(&format!("DELETE FROM typing_profiles WHERE user_id = {deleted}")), Ok(1));
    let differs = format!("typing_profiles user_id={changed}: tests: ");
    let missing = format!("typing_profiles user_id={deleted}: missing; ");
    ends(&world, &verify, 1, &[&differs, " / 777777\n", &missing, &extra, "3 differences"]);
    let own = partition_of(changed).to_string();
    let told = ends(&world, &[&verify[..], &["--partition", &own]].concat(), 1, &[&differs, "1 differences"]);
    assert!(!told.contains(&missing) && !told.contains(&extra), "only of partition {own}: {told}");
    let report = json(&world, &verify, 1);
    assert_eq!(report["differences"], 3);
    let kinds: Vec<&str> = report["listed"].as_array().unwrap().iter().filter_map(|it| it["kind"].as_str()).collect();
    assert!(kinds.len() == 3 && ["differs", "missing", "extra"].iter().all(|it| kinds.contains(it)), "{kinds:?}");
    world.database.run("DELETE FROM typing_profiles; INSERT INTO typing_profiles SELECT * FROM kept").unwrap();
    ends(&world, &verify, 0, &["0 differences"]);
}

#[test]
fn every_command_that_shows_a_state_prints_it_as_data_where_json_is_asked_for() {
    let world = projected("as-data");
    let role = results().name;
    let rows = |arguments: &[&str]| json(&world, arguments, 0).as_array().unwrap().clone();
    let roles = rows(&["roles"]);
    let own = roles.iter().find(|it| it["role"] == role).unwrap();
    assert_eq!(own["topic"], world.topic(results().topic));
    let lag = rows(&["lag", "--role", role]);
    let positions = rows(&["ledger", "show", "--role", role]);
    for partition in 0..10 {
        let of = |rows: &[serde_json::Value]| rows.iter().find(|it| it["partition"] == partition).cloned().unwrap();
        assert_eq!(of(&lag)["next_offset"], of(&positions)["next_offset"]);
        assert_eq!(of(&lag)["end"], of(&positions)["next_offset"]);
    }
    assert_eq!((lag.len(), positions.len()), (10, 10));
    assert_eq!(rows(&["topics", "plan"]), Vec::<serde_json::Value>::new());
    let listed = json(&world, &["letters", "list"], 0);
    assert!(listed["letters"].is_array() && listed["breakers"].is_array(), "{listed}");
    let report = json(&world, &["verify", "--role", role], 0);
    assert_eq!((&report["differences"], &report["listed"]), (&0.into(), &serde_json::json!([])));
}
