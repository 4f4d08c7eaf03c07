//! `fleet lag` and `fleet ledger show`: with a worker, without one, and where the ledger has lost a row.

use serde_json::Value as Json;

use super::{ends, json};
use crate::support::{Seed, Worker, World, events, log::Message, results, soon, wait::when};

const AGE_MS: i64 = 100_000;

fn lag(world: &World, code: i32) -> Vec<Json> {
    json(world, &["lag", "--role", results().name], code).as_array().unwrap().clone()
}

fn sum(lines: &[Json]) -> i64 {
    lines.iter().map(|it| it["records"].as_i64().unwrap()).sum()
}

/// Sends results as they were produced a while ago.
fn send_old(world: &World, seed: &mut Seed, count: usize) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let timestamp = Some(i64::try_from(now).unwrap() - AGE_MS);
    let messages = world.messages(results().topic, &events::test_results(seed, 60, count));
    let messages: Vec<Message> = messages.into_iter().map(|it| Message { timestamp, ..it }).collect();
    world.log.send(&world.topic(results().topic), &messages);
}

/// Every partition has an owner, which is at work and whose address is one of these workers'.
fn all_owned(lines: &[Json], workers: &[&Worker]) -> Result<(), String> {
    let addresses: Vec<String> = workers.iter().map(|it| it.address()).collect::<Result<_, _>>()?;
    for (worker, address) in workers.iter().zip(&addresses) {
        let named = format!(" {} http://{address}", worker.pid());
        let own = lines.iter().filter(|it| it["owner"].as_str().is_some_and(|it| it.ends_with(&named)));
        when(own.clone().count() > 0, || format!("nothing is owned by{named}: {lines:?}"))?;
        own.clone().try_for_each(|it| when(it["state"] == "idle", || it.to_string()))?;
    }
    let owner = |it: &Json| it["owner"].as_str().and_then(|it| it.split_once("http://")).map(|it| it.1.to_owned());
    lines.iter().try_for_each(|it| when(owner(it).is_some_and(|it| addresses.contains(&it)), || it.to_string()))
}

#[test]
fn lag_tells_records_their_age_and_who_works_on_them() {
    let mut seed = Seed::of("lag");
    let world = World::new("lag");
    send_old(&world, &mut seed, 300);
    let lines = lag(&world, 1);
    assert_eq!((lines.len(), sum(&lines)), (10, 300), "nobody works on them");
    for line in &lines {
        let seconds = line["seconds"].as_f64().unwrap();
        assert!(line["state"].is_null() && line["owner"].is_null() && line["next_offset"].is_null(), "{line}");
        assert!((100.0..400.0).contains(&seconds), "{line}");
    }
    ends(&world, &["lag", "--role", results().name], 1, &["unknown"]);
    // Two on one machine, each on a free port that its lanes' rows name.
    let workers = [world.worker(results().name), world.worker(results().name)];
    ends(&world, &["lag", "--role", results().name, "--wait", "60"], 0, &[]);
    let [first, second] = &workers;
    soon("both workers to be named", || all_owned(&lag(&world, 0), &[first, second]));
    let lines = lag(&world, 0);
    assert!(sum(&lines) == 0 && lines.iter().all(|it| it["seconds"] == 0.0), "{lines:?}");
    workers.into_iter().for_each(Worker::stop);
    let lines = lag(&world, 0);
    assert!(lines.iter().all(|it| it["state"].is_null() && it["owner"].is_string()), "who answered last is known, no more: {lines:?}");
    send_old(&world, &mut seed, 50);
    ends(&world, &["lag", "--role", results().name, "--wait", "1"], 1, &["unknown"]);
}

#[test]
fn a_row_that_the_ledger_lost_is_shown_with_its_way_back_and_never_passes_for_done() {
    let mut seed = Seed::of("lost-row");
    let world = World::new("lost-row");
    let role = results().name;
    world.send(results().topic, &events::test_results(&mut seed, 60, 200));
    let worker = world.worker(role);
    world.settle(results());
    worker.stop();
    world.database.run("DELETE FROM test_results_ledger WHERE partition_id = 3").unwrap();
    let way =
        format!("restore test_results_ledger from the backup of the role's tables, or `fleet ledger move --role {role} --partition 3");
    let way = way.as_str();
    ends(&world, &["lag", "--role", role], 1, &["ledger-missing", "no row in the ledger", way]);
    ends(&world, &["lag", "--role", role, "--wait", "1"], 1, &["ledger-missing"]);
    let lines = lag(&world, 1);
    let lost = lines.iter().position(|it| it["partition"] == 3).expect("it is shown");
    assert_eq!((lines.len(), lost, &lines[lost]["state"]), (10, 3, &"ledger-missing".into()));
    assert!(lines[lost]["next_offset"].is_null(), "{}", lines[lost]);
    ends(&world, &["ledger", "show", "--role", role], 1, &[way]);
    ends(&world, &["ledger", "show", "--role", role, "--partition", "4"], 0, &[]);
    let shown = json(&world, &["ledger", "show", "--role", role, "--partition", "3"], 1);
    assert!(shown[0]["epoch"].is_null() && shown[0]["trouble"].as_str().is_some_and(|it| it.contains(way)), "{shown}");
    ends(&world, &["migrate", "--check"], 1, &["test_results_ledger 3", way]);
    ends(&world, &["verify", "--role", role], 2, &["partition 3: no row in the ledger", way]);
    let back = ["ledger", "move", "--role", role, "--partition", "3", "--to", "earliest", "--accept-loss", "--reason", "a test"];
    ends(&world, &back, 0, &["after"]);
    let worker = world.worker(role);
    ends(&world, &["lag", "--role", role, "--wait", "60"], 0, &["idle"]);
    ends(&world, &["ledger", "show", "--role", role], 0, &[]);
    worker.stop();
}

#[test]
fn a_lost_row_of_a_partition_without_records_is_trouble_too() {
    let world = World::new("lost-empty");
    world.database.run("DELETE FROM test_results_ledger WHERE partition_id = 9").unwrap();
    ends(&world, &["lag", "--role", results().name, "--wait", "1"], 1, &["ledger-missing"]);
}
