//! `fleet letters` with a letter, and with a breaker that is open.

use serde_json::{Value as Json, json};

use super::{ends, json as data};
use crate::support::{Seed, World, events, oracle::letters, results, soon, wait::when};

const USER: i64 = 7;
/// Letters in a row after which a lane stops.
const RUN: &str = "3";

fn partition() -> String {
    results().topic.partition_of(USER.to_string().as_bytes()).to_string()
}

/// Results of one user, the bad ones outside their schema's bounds.
fn sent(world: &World, seed: &mut Seed, are_bad: &[bool]) -> Vec<i64> {
    let made: Vec<Json> = are_bad
        .iter()
        .map(|is_bad| {
            let mut event = events::test_result(seed, USER, events::start());
            if *is_bad {
                event["correct_chars"] = json!(-1);
            }
            event
        })
        .collect();
    world.send(results().topic, &made).into_iter().map(|(_, offset)| offset).collect()
}

/// Waits until the one open breaker holds this record.
fn await_breaker(world: &World, offset: i64) {
    soon(&format!("the breaker to hold offset {offset}"), || {
        let output = world.run(&["letters", "list", "--json"]);
        let listed: Json = serde_json::from_slice(&output.stdout).map_err(|it| it.to_string())?;
        when(listed["breakers"][0]["from_offset"] == offset, || listed["breakers"].to_string())
    });
}

fn of_partition<'a>(command: &[&'a str], partition: &'a str) -> Vec<&'a str> {
    [command, &["--role", results().name, "--partition", partition]].concat()
}

#[test]
fn a_letter_is_listed_and_shown_whole() {
    let mut seed = Seed::of("one-letter");
    let world = World::new("one-letter");
    let worker = world.worker(results().name);
    let offsets = sent(&world, &mut seed, &[false, true, false]);
    world.settle(results());
    worker.stop();
    let (partition, offset) = (partition(), offsets[1].to_string());
    ends(&world, &["letters", "list"], 0, &["correct_chars", &offset]);
    let of = |arguments: &[&str]| data(&world, &of_partition(arguments, &partition), 0)["letters"].as_array().unwrap().clone();
    for arguments in [&["letters", "list"][..], &["letters", "list", "--each"], &["letters", "list", "--since", "1h"]] {
        let listed = of(arguments);
        assert_eq!((listed.len(), &listed[0]["first_offset"]), (1, &json!(offsets[1])), "{arguments:?}: {listed:?}");
    }
    assert_eq!(of(&["letters", "list", "--since", "2999-01-01T00:00:00Z"]), Vec::<Json>::new());
    let other = if partition == "0" { "1" } else { "0" };
    let listed = data(&world, &of_partition(&["letters", "list"], other), 0);
    assert_eq!(listed["letters"], json!([]));
    let show = [&of_partition(&["letters", "show"], &partition)[..], &["--offset", &offset]].concat();
    ends(&world, &show, 0, &["correct_chars", &format!("partition {partition} offset {offset}"), "\"user_id\": 7"]);
    let shown = data(&world, &show, 0);
    assert_eq!((&shown["offset"], &shown["event"]["correct_chars"]), (&json!(offsets[1]), &json!(-1)), "{shown}");
    let accept = [&of_partition(&["letters", "accept"], &partition)[..], &["--reason", "a test"]].concat();
    ends(&world, &accept, 2, &["has no open breaker: see `fleet letters list`"]);
}

#[test]
fn an_open_breaker_is_trouble_until_its_records_are_accepted() {
    let mut seed = Seed::of("accept");
    let mut world = World::new("accept");
    world.variables.insert("FLEET_BREAKER_RUN", RUN.to_owned());
    let worker = world.worker(results().name);
    let offsets = sent(&world, &mut seed, &[true; 10]);
    await_breaker(&world, offsets[3]);
    let partition = partition();
    ends(&world, &["letters", "list"], 1, &["open breaker of", "correct_chars"]);
    ends(&world, &["letters", "list", "--role", "leaderboard"], 0, &[]);
    let accept = |to: &[&str], code, says: &str| {
        let words = of_partition(&["letters", "accept", "--reason", "a test"], &partition);
        ends(&world, &[&words[..], to].concat(), code, &[says])
    };
    accept(&["--to", &offsets[3].to_string()], 2, "--to must lie above it");
    accept(&["--to", &offsets[6].to_string()], 0, "may become letters");
    await_breaker(&world, offsets[6]);
    let lettered: Vec<i64> = letters(&world, results()).keys().map(|it| it.1).collect();
    assert_eq!(lettered, offsets[..6], "those below --to, and no other");
    accept(&[], 0, &format!("records {}..{} may become letters", offsets[6], offsets[9] + 1));
    world.settle(results());
    let lettered: Vec<i64> = letters(&world, results()).keys().map(|it| it.1).collect();
    assert_eq!(lettered, offsets);
    let counts = |more: &[&str]| {
        let listed = data(&world, &[&["letters", "list"], more].concat(), 0);
        listed["letters"].as_array().unwrap().iter().map(|it| it["letters"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((counts(&[]), counts(&["--each"]), counts(&["--each", "--limit", "4"])), (vec![10], vec![1; 10], vec![1; 4]));
    worker.stop();
}
