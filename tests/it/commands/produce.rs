//! `fleet produce` with lines of every kind.

use std::{io::Write as _, process::Output};

use serde_json::{Value as Json, json};
use tempfile::NamedTempFile;

use crate::support::{Seed, World, events, results, world::told};

fn produce(world: &World, lines: &[String], more: &[&str]) -> Output {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "{}", lines.join("\n")).unwrap();
    let path = file.path().to_str().unwrap();
    world.run(&[&["produce", "--topic", results().topic.name, "--file", path], more].concat())
}

fn event_ids(world: &World) -> Vec<String> {
    let records = world.log.read(&world.topic(results().topic));
    let mut ids: Vec<String> = records.iter().map(|it| it.event(results().topic)["event_id"].as_str().unwrap().to_owned()).collect();
    ids.sort_unstable();
    ids
}

fn sorted_ids(events: &[&Json]) -> Vec<String> {
    let mut ids: Vec<String> = events.iter().map(|it| it["event_id"].as_str().unwrap().to_owned()).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn bad_lines_are_named_by_number_and_reason_and_the_rest_is_sent() {
    let mut seed = Seed::of("bad-lines");
    let world = World::new("bad-lines");
    let made = events::test_results(&mut seed, 5, 4);
    let change = |change: fn(&mut Json)| {
        let mut event = made[0].clone();
        change(&mut event);
        event.to_string()
    };
    let lines = [
        made[0].to_string(),
        "{\"event_id\":".to_owned(),
        change(|it| drop(it.as_object_mut().unwrap().remove("mode2"))),
        made[1].to_string(),
        change(|it| it["correct_chars"] = json!("many")),
        change(|it| it["no_such_field"] = json!(1)),
    ];
    let output = produce(&world, &lines, &[]);
    let told_all = told(&output);
    assert_eq!(output.status.code(), Some(1), "{told_all}");
    let named: Vec<&str> = told_all.lines().filter(|it| it.starts_with("line ")).collect();
    for (line, (number, reason)) in named.iter().zip([(2, "JSON"), (3, "mode2"), (5, "correct_chars"), (6, "no_such_field")]) {
        assert!(line.starts_with(&format!("line {number}: ")) && line.contains(reason), "{reason}: {line}");
    }
    assert_eq!(named.len(), 4, "{told_all}");
    assert!(told_all.contains("2 events sent, 4 bad lines"), "{told_all}");
    assert_eq!(event_ids(&world), sorted_ids(&[&made[0], &made[1]]));
    let output = produce(&world, &[made[2].to_string(), String::new(), made[3].to_string()], &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let summary: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["sent"], &summary["bad"]), (&json!(2), &json!(0)));
    assert_eq!(event_ids(&world), sorted_ids(&made.iter().collect::<Vec<_>>()));
}
