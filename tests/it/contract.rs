//! The contract as producers read it, printed by the program alone: no server is asked.

use std::process::Command;

use serde_json::Value as Json;
use workers::{fold::plain, topics};

/// What `fleet schemas docs` prints, with no address that leads anywhere.
fn docs(flags: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FLEET_")) {
        command.env_remove(name);
    }
    command.env("FLEET_REGISTRY_URL", "http://127.0.0.1:1").env("FLEET_BROKERS", "127.0.0.1:1").env("FLEET_NAMESPACE", "there");
    let output = command.args(["schemas", "docs"]).args(flags).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn as_text_every_topic_has_its_partitioner_subject_compatibility_and_an_example() {
    let text = docs(&[]);
    // Facts, fields, and an example of each.
    let contracts: Vec<&str> = text.split("\n\n").collect();
    for topic in topics() {
        let name = format!("there.{}", topic.name);
        let begin = contracts.iter().position(|it| it.lines().next() == Some(&name)).unwrap_or_else(|| panic!("nothing of {name}"));
        let of_it = contracts[begin..=begin + 2].join("\n");
        for line in [
            format!("  subject    {name}-value, BACKWARD_TRANSITIVE"),
            format!("  partition  murmur2_random over {} partitions", topic.partitions),
            format!("  key        {}: the field's text in UTF-8", topic.key),
        ] {
            assert!(of_it.lines().any(|it| it == line), "{line}\n{of_it}");
        }
        let example = of_it.lines().find_map(|it| it.strip_prefix("  example ")).unwrap_or_else(|| panic!("no example of {name}"));
        assert!(plain::encode(topic, &serde_json::from_str(example).unwrap()).is_ok(), "{example}");
    }
}

#[test]
fn as_json_likewise() {
    let all: Json = serde_json::from_str(&docs(&["--json"])).unwrap();
    for topic in topics() {
        let name = format!("there.{}", topic.name);
        let of_it = all.as_array().unwrap().iter().find(|it| it["topic"] == name.as_str()).unwrap_or_else(|| panic!("nothing of {name}"));
        assert_eq!(of_it["subject"], format!("{name}-value"));
        assert_eq!((&of_it["partitioner"], &of_it["compatibility"]), (&"murmur2_random".into(), &"BACKWARD_TRANSITIVE".into()));
        assert_eq!((&of_it["key"], &of_it["partitions"]), (&topic.key.into(), &topic.partitions.into()));
        assert!(plain::encode(topic, &of_it["example"]).is_ok(), "{}", of_it["example"]);
        let silent = |it: &&Json| it["name"].as_str().is_none_or(str::is_empty) || it["doc"].as_str().is_none_or(str::is_empty);
        assert_eq!(of_it["fields"].as_array().unwrap().iter().find(silent), None);
    }
}
