//! `fleet topics` and `fleet schemas` where the cluster or the registry has something else than the contract.

use serde_json::Value as Json;
use workers::fold::MAX_MESSAGE_BYTES;

use super::{ends, json};
use crate::support::{World, keystrokes, results, servers::Servers};

/// The `then` of each difference of a topic, by the setting.
fn remedies(differences: &Json, topic: &str) -> Vec<(String, String)> {
    let text = |it: &Json| it.as_str().unwrap_or_default().to_owned();
    let own = differences.as_array().unwrap().iter().filter(|it| it["topic"] == topic);
    own.map(|it| (text(&it["what"]), text(&it["remedy"]))).collect()
}

#[test]
fn topics_plan_names_a_setting_that_differs_and_apply_alters_what_loses_nothing() {
    let world = World::bare("settings", Servers::given());
    ends(&world, &["topics", "plan"], 1, &["missing", "`fleet topics apply` creates it"]);
    world.must(&["topics", "apply"]);
    world.must(&["topics", "plan"]);
    let (short, largest) = (world.topic(results().topic), MAX_MESSAGE_BYTES.to_string());
    world.log.alter(&short, &[("retention.ms", "3600000"), ("max.message.bytes", &largest)]);
    ends(&world, &["topics", "plan"], 1, &["retention.ms", "3600000", "`fleet topics apply` alters it"]);
    let plan = json(&world, &["topics", "plan"], 1);
    assert_eq!(remedies(&plan, &short), [("retention.ms".to_owned(), "alter".to_owned())]);
    ends(&world, &["topics", "apply"], 0, &["altered"]);
    world.must(&["topics", "plan"]);
    // Keeping less could lose records: that is left to people.
    let long = world.topic(keystrokes().topic);
    world.log.alter(&long, &[("retention.ms", "-1"), ("max.message.bytes", &largest)]);
    for command in ["apply", "plan"] {
        let differences = json(&world, &["topics", command], 1);
        assert_eq!(remedies(&differences, &long), [("retention.ms".to_owned(), "by-hand".to_owned())]);
    }
    ends(&world, &["topics", "apply"], 1, &["it could lose or refuse records", &format!("--topic {long} --add-config retention.ms=")]);
}

#[test]
fn schemas_check_names_what_is_not_registered_and_what_cannot_be_read() {
    let world = World::bare("schemas", Servers::given());
    ends(&world, &["schemas", "check"], 1, &["not registered: run `fleet schemas register`"]);
    let other = r#"{"type":"record","name":"TestResult","namespace":"fleet","fields":[{"name":"event_id","type":"string"}]}"#;
    world.register(&results().topic.subject(), other);
    ends(&world, &["schemas", "register"], 1, &["cannot read version 1"]);
    ends(&world, &["schemas", "check"], 1, &["cannot read version 1"]);
    let lines = json(&world, &["schemas", "check"], 1);
    let troubled: Vec<&Json> = lines.as_array().unwrap().iter().filter(|it| it["trouble"] != serde_json::json!([])).collect();
    assert_eq!(troubled.len(), 1, "the others are registered: {troubled:?}");
    assert_eq!(troubled[0]["topic"], results().topic.name);
}
