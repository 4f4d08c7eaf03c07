//! A datum whose writer did not know a defaulted field reads as if it had written the default.
//!
//! Avro's resolution never runs, so each event's struct states the schema's defaults again: here they are compared.

use serde_json::Value as Json;
use workers::{
    ROLES,
    fold::{Entry, Fold, Place, Presume, Record, Role, Topic, plain, plain::Plain, text::push_changes},
};

use crate::tiny;

/// The way to a field: names of fields, and of the record where a union has several.
type Path = Vec<String>;

/// Every field with a default, by the way to it.
fn defaulted(schema: &Json, path: &Path, found: &mut Vec<Path>) {
    match schema {
        Json::Array(branches) => {
            let several = branches.iter().filter(|it| *it != "null").count() > 1;
            for branch in branches {
                let name = branch["name"].as_str().filter(|_| several).map(str::to_owned);
                defaulted(branch, &path.iter().cloned().chain(name).collect(), found);
            }
        }
        Json::Object(object) => {
            for field in object.get("fields").and_then(Json::as_array).into_iter().flatten() {
                let path: Path = path.iter().cloned().chain(field["name"].as_str().map(str::to_owned)).collect();
                if field.get("default").is_some() {
                    found.push(path.clone());
                }
                defaulted(&field["type"], &path, found);
            }
            for inner in ["type", "items", "values"].iter().filter_map(|it| object.get(*it)) {
                defaulted(inner, path, found);
            }
        }
        _ => {}
    }
}

/// The schema without a field.
fn schema_without(schema: &Json, path: &[String]) -> Json {
    let Some((step, rest)) = path.split_first() else { return schema.clone() };
    match schema {
        Json::Array(branches) => {
            let several = branches.iter().filter(|it| *it != "null").count() > 1;
            let branch = |it: &Json| match (several, it["name"] == **step) {
                (true, true) => schema_without(it, rest),
                (true, false) => it.clone(),
                (false, _) => schema_without(it, path),
            };
            branches.iter().map(branch).collect()
        }
        Json::Object(object) => {
            let mut object = object.clone();
            if let Some(Json::Array(fields)) = object.get_mut("fields") {
                fields.retain(|it| !(rest.is_empty() && it["name"] == **step));
                for field in fields.iter_mut().filter(|it| it["name"] == **step) {
                    field["type"] = schema_without(&field["type"], rest);
                }
            }
            for inner in ["type", "items", "values"] {
                if let Some(schema) = object.get_mut(inner) {
                    *schema = schema_without(schema, path);
                }
            }
            Json::Object(object)
        }
        other => other.clone(),
    }
}

/// Takes a field out of a value.
fn remove(value: &mut Json, path: &[String]) {
    match (value, path) {
        (Json::Array(items), _) => items.iter_mut().for_each(|it| remove(it, path)),
        (Json::Object(object), [last]) => drop(object.shift_remove(last)),
        (Json::Object(object), [step, rest @ ..]) => object.get_mut(step).into_iter().for_each(|it| remove(it, rest)),
        _ => {}
    }
}

/// What a role makes of one datum, read with the schema that wrote it.
fn changes(role: &'static Role, record: &Record, datum: &[u8], writer: &serde_avro_fast::Schema) -> String {
    let place =
        Place { partition: record.partition, partitions: role.topic.partitions, timestamp: record.timestamp, key: record.key.as_deref() };
    let entry = Entry { offset: 0, timestamp: record.timestamp, event: (role.decode)(datum, writer, place) };
    let mut fold = Fold::new(role, record.partition, Presume::Everything, usize::MAX);
    fold.advance(std::slice::from_ref(&entry));
    let changes = fold.take();
    let mut out = format!("{:?}\n", changes.rejects);
    push_changes(&mut out, role, &changes);
    out
}

fn check(role: &'static Role, topic: &Topic, ndjson: &str) {
    let schema: Json = serde_json::from_str(topic.schema).unwrap();
    let mut paths = Vec::new();
    defaulted(&schema, &Vec::new(), &mut paths);
    for path in &paths {
        let older = schema_without(&schema, path).to_string();
        let (plain_older, writer) = (Plain::parse(&older).unwrap(), older.parse().unwrap());
        let mut left_out = 0;
        for line in ndjson.lines().filter(|it| !it.trim().is_empty()) {
            let mut json: Json = serde_json::from_str(line).unwrap();
            remove(&mut json, path);
            let event = plain::encode(topic, &json).unwrap();
            let record = Record::of(topic, &event);
            let datum = plain_older.encode(&json).unwrap();
            // The same datum: its body is another record of the union.
            left_out += usize::from(datum != event.datum);
            let as_default = changes(role, &record, &event.datum, topic.codec().unwrap());
            assert_eq!(changes(role, &record, &datum, &writer), as_default, "{}: {path:?} without default in the event", role.name);
        }
        assert!(left_out > 0, "{}: {path:?} is in no example", topic.name);
    }
}

#[test]
fn every_event_states_its_schemas_defaults() {
    for role in ROLES {
        check(role, role.topic, role.topic.examples);
    }
}

#[test]
fn finds_a_default() {
    let line = r#"{"event_id":"018f3c5a-0000-7000-8000-000000000001","occurred_at":"2024-05-13T09:30:00Z","user_id":1,"what":"best","category":"a"}"#;
    check(&tiny::ROLE, &tiny::THINGS, line);
}

#[test]
fn reaches_fields_in_unions_and_arrays() {
    let schema: Json = serde_json::from_str(
        r#"{"type": "record", "name": "E", "fields": [{"name": "body", "type": [
            {"type": "record", "name": "A", "fields": [{"name": "x", "type": "int", "default": 1}]},
            {"type": "record", "name": "B", "fields": [{"name": "l", "type": {"type": "array", "items":
                {"type": "record", "name": "I", "fields": [{"name": "n", "type": "int", "default": 0}, {"name": "m", "type": "int"}]}}}]}
        ]}]}"#,
    )
    .unwrap();
    let mut paths = Vec::new();
    defaulted(&schema, &Vec::new(), &mut paths);
    let paths: Vec<String> = paths.iter().map(|it| it.join(".")).collect();
    assert_eq!(paths, ["body.A.x", "body.B.l.n"]);
    let path = ["body", "B", "l", "n"].map(str::to_owned);
    let older = schema_without(&schema, &path);
    assert_eq!(older["fields"][0]["type"][0], schema["fields"][0]["type"][0]);
    assert_eq!(older["fields"][0]["type"][1]["fields"][0]["type"]["items"]["fields"].as_array().unwrap().len(), 1);
    let mut value: Json = serde_json::from_str(r#"{"body": {"B": {"l": [{"n": 1, "m": 2}, {"m": 3}]}}}"#).unwrap();
    remove(&mut value, &path);
    assert_eq!(value.to_string(), r#"{"body":{"B":{"l":[{"m":2},{"m":3}]}}}"#);
}
