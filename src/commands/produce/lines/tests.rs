//! Tests of reading lines.

use serde_json::json;
use workers::fold::Parsed;

use super::*;

const SCHEMA: &str = r#"{"type":"record","name":"Thing","fields":[
    {"name":"id","type":"long"}, {"name":"name","type":"string"}, {"name":"wide","type":["null","double"],"default":null},
    {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}, {"name":"on","type":"boolean"},
    {"name":"parts","type":{"type":"array","items":"string"}}]}"#;

static TOPIC: Topic = Topic {
    name: "things",
    key: "id",
    partitions: 1,
    retention_ms: -1,
    schema: SCHEMA,
    examples: "",
    rate: 1,
    freshness_ms: 1000,
    parsed: Parsed::new(),
};

fn read(lines: Lines<'_>) -> Vec<(u64, Result<Json, String>)> {
    lines.map(Result::unwrap).collect()
}

#[test]
fn ndjson_counts_every_line_and_skips_empty_ones() {
    let text = "\u{feff}{\"id\": 1}\r\n\n  \n{\"id\": oops}\n{\"id\": 2}";
    let lines = read(ndjson(text.as_bytes()));
    assert_eq!(lines[0], (1, Ok(json!({"id": 1}))));
    assert_eq!(lines[1], (4, Err("not JSON: expected value at column 8".to_owned())));
    assert_eq!(lines[2], (5, Ok(json!({"id": 2}))));
    assert_eq!(lines.len(), 3);
}

#[test]
fn cells_become_what_their_field_asks_for() {
    let text = "id,name,wide,at,on,parts\n7,\"a, \"\"b\"\"\",,2024-05-13T09:30:00Z,true,\"[\"\"x\"\"]\"\n8,9,1.5,1715592690123,false,[]\n";
    let lines = read(csv(text.as_bytes(), &TOPIC).unwrap());
    assert_eq!(lines[0], (2, Ok(json!({"id": 7, "name": "a, \"b\"", "at": "2024-05-13T09:30:00Z", "on": true, "parts": ["x"]}))));
    assert_eq!(lines[1], (3, Ok(json!({"id": 8, "name": "9", "wide": 1.5, "at": 1_715_592_690_123_i64, "on": false, "parts": []}))));
}

#[test]
fn a_bad_record_is_named_by_its_first_line_and_the_next_is_read() {
    let text = "id,name,on\n1,\"two\nlines\",true\n2,x\n3,x,maybe\nfour,x,true\n5,x,true\n";
    let lines = read(csv(text.as_bytes(), &TOPIC).unwrap());
    let bad: Vec<(u64, String)> = lines.iter().filter_map(|(number, it)| Some((*number, it.clone().err()?))).collect();
    let expected = [(4, "2 cells under a heading of 3"), (5, "on: expected true or false"), (6, "id: expected a number")];
    assert_eq!(bad, expected.map(|(number, reason)| (number, reason.to_owned())));
    assert_eq!(lines.last().unwrap(), &(7, Ok(json!({"id": 5, "name": "x", "on": true}))));
}

#[test]
fn a_heading_must_name_fields_each_once() {
    let refused = |text: &str| csv(text.as_bytes(), &TOPIC).err().unwrap().to_string();
    assert!(refused("id,nome\n").starts_with("the heading names \"nome\", which is no field of things"));
    assert_eq!(refused("id,id\n"), "the heading names id twice");
}

#[test]
fn a_quote_left_open_does_not_swallow_a_file() {
    let text = format!("id,name\n1,\"{}", "x".repeat(LONGEST + (1 << 20)));
    let last = csv(text.as_bytes(), &TOPIC).unwrap().last().unwrap();
    assert!(last.unwrap_err().to_string().contains("is a quote left open?"));
}
