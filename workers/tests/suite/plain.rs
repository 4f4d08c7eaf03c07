//! Plain JSON to datums and back, against apache-avro as the reader.

use apache_avro::{Schema, reader::datum::GenericDatumReader};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use workers::fold::plain::{self, Plain};

use crate::tiny;

const SCHEMA: &str = r#"{"type": "record", "name": "Everything", "namespace": "fleet", "fields": [
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "small", "type": "int", "default": 7},
    {"name": "large", "type": "long", "default": -1},
    {"name": "ratio", "type": "double", "default": 0.5},
    {"name": "flag", "type": "boolean", "default": false},
    {"name": "text", "type": "string", "default": ""},
    {"name": "mode", "type": {"type": "enum", "name": "Mode", "symbols": ["time", "words"]}, "default": "words"},
    {"name": "before", "type": ["null", "Mode"], "default": null},
    {"name": "list", "type": {"type": "array", "items": "string"}, "default": []},
    {"name": "tags", "type": {"type": "map", "values": "long"}, "default": {}},
    {"name": "scalar", "type": ["null", "long", "string"], "default": null},
    {"name": "inner", "type": ["null", {"type": "record", "name": "Inner", "fields": [{"name": "n", "type": "int"}]}], "default": null},
    {"name": "body", "type": [
        {"type": "record", "name": "Created", "fields": [{"name": "amount", "type": "long"}]},
        {"type": "record", "name": "Canceled", "fields": []},
        {"type": "record", "name": "Noted", "fields": [{"name": "lines", "type": {"type": "array", "items": "Inner"}}]}
    ]}
]}"#;

fn everything() -> Plain {
    Plain::parse(SCHEMA).unwrap()
}

fn round_trip(json: &Json) -> Json {
    let datum = everything().encode(json).unwrap();
    everything().decode(&datum).unwrap()
}

#[test]
fn absent_fields_take_their_defaults() {
    let json = round_trip(&json!({"at": "2024-05-13T09:30:00.250+02:00", "body": {"Created": {"amount": 5}}}));
    let all = json!({"at": "2024-05-13T07:30:00.25Z", "small": 7, "large": -1, "ratio": 0.5, "flag": false, "text": "", "mode": "words",
        "before": null, "list": [], "tags": {}, "scalar": null, "inner": null, "body": {"Created": {"amount": 5}}});
    assert_eq!(json, all);
}

#[test]
fn unions_take_bare_values_and_named_records() {
    let json = json!({"at": 1_715_592_600_000_i64, "small": -3, "large": i64::MAX, "ratio": 3, "flag": true, "text": "Zoë \u{1F600}",
        "mode": "time", "before": "time", "list": ["a", ""], "tags": {"z": 1, "a": 2}, "scalar": "x", "inner": {"n": 1},
        "body": {"Noted": {"lines": [{"n": 1}, {"n": 2}]}}});
    let back = round_trip(&json);
    assert_eq!(back["scalar"], json["scalar"]);
    assert_eq!(back["inner"], json["inner"]);
    assert_eq!(back["before"], json["before"]);
    assert_eq!(back["body"], json["body"]);
    assert_eq!(back["ratio"], json!(3.0));
    assert_eq!(back["at"], json!("2024-05-13T09:30:00Z"));
    assert_eq!(round_trip(&json!({"at": 0, "scalar": 9, "body": {"Canceled": {}}}))["scalar"], json!(9));
}

#[test]
fn a_bad_line_says_where_and_what_was_expected() {
    let cases = [
        (json!({"body": {"Canceled": {}}}), "at: is absent and has no default, expected a time"),
        (json!({"at": "yesterday", "body": {"Canceled": {}}}), "at: expected a time, in whole milliseconds since 1970 or as RFC 3339"),
        (json!({"at": 1.5, "body": {"Canceled": {}}}), "at: expected a time"),
        (json!({"at": 0, "small": 2_147_483_648_i64, "body": {"Canceled": {}}}), "small: expected a whole number of 32 bits"),
        (json!({"at": 0, "large": u64::MAX, "body": {"Canceled": {}}}), "large: expected a whole number of 64 bits"),
        (json!({"at": 0, "large": 1.0, "body": {"Canceled": {}}}), "large: expected a whole number of 64 bits"),
        (json!({"at": 0, "ratio": "1", "body": {"Canceled": {}}}), "ratio: expected a number"),
        (json!({"at": 0, "flag": 1, "body": {"Canceled": {}}}), "flag: expected true or false"),
        (json!({"at": 0, "text": null, "body": {"Canceled": {}}}), "text: expected a text"),
        (json!({"at": 0, "mode": "zen", "body": {"Canceled": {}}}), "mode: expected one of time, words"),
        (json!({"at": 0, "before": "zen", "body": {"Canceled": {}}}), "before: expected one of time, words"),
        (json!({"at": 0, "list": ["a", 2], "body": {"Canceled": {}}}), "list[1]: expected a text"),
        (json!({"at": 0, "tags": {"a": "b"}, "body": {"Canceled": {}}}), "tags.a: expected a whole number of 64 bits"),
        (json!({"at": 0, "scalar": true, "body": {"Canceled": {}}}), "scalar: expected one of null, a whole number of 64 bits, a text"),
        (json!({"at": 0, "inner": {"n": "1"}, "body": {"Canceled": {}}}), "inner.n: expected a whole number of 32 bits"),
        (json!({"at": 0, "body": {"Created": {"amount": "1"}}}), "body.Created.amount: expected a whole number of 64 bits"),
        (json!({"at": 0, "body": {"Created": {"amount": 1, "x": 1}}}), "body.Created.x: Created has no such field"),
        (json!({"at": 0, "body": {"Noted": {"lines": [{"n": 1}, {}]}}}), "body.Noted.lines[1].n: is absent and has no default"),
        (json!({"at": 0, "body": {"Paid": {}}}), "body: expected one of the object Created, the object Canceled, the object Noted"),
        (json!({"at": 0, "body": {"Canceled": {}}, "smal": 1}), "smal: Everything has no such field"),
        (json!([]), "expected the object Everything"),
    ];
    for (json, reason) in cases {
        let reject = everything().encode(&json).unwrap_err();
        assert!(reject.reason.starts_with(reason), "{} is not {reason}", reject.reason);
    }
}

#[test]
fn an_event_has_its_keys_text_and_its_time() {
    let json = json!({"event_id": "018f3c5a-7b1e-7c3d-9a4b-1f2e3d4c5b6a", "occurred_at": "2024-05-13T09:30:00Z", "user_id": 42, "what": "best", "category": "a", "score": 1});
    let event = plain::encode(&tiny::THINGS, &json).unwrap();
    assert_eq!((event.key.as_str(), event.occurred_at.0), ("42", 1_715_592_600_000));
    assert_eq!(plain::decode(&tiny::THINGS, &event.datum).unwrap()["user_id"], json!(42));
}

#[test]
fn bytes_that_are_no_datum_are_refused() {
    let datum = everything().encode(&json!({"at": 0, "body": {"Canceled": {}}})).unwrap();
    for length in 0..datum.len() {
        assert!(everything().decode(&datum[..length]).is_err(), "{length} bytes");
    }
    let longer: Vec<u8> = datum.iter().copied().chain([0]).collect();
    assert_eq!(everything().decode(&longer).unwrap_err().reason, "undecodable: bytes after the datum");
}

fn anything() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,4}".prop_map(Json::from),
        Just(json!({"Created": {"amount": 1}})),
        Just(json!("time")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..4).prop_map(Json::from_iter),
        ]
    })
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn values_come_back_as_they_went(
        at in 0_i64..4_000_000_000_000, small: i32, large: i64, ratio in -1e300..1e300_f64, flag: bool, text in ".*",
        list in prop::collection::vec(".*", 0..5), tags in prop::collection::btree_map(".*", any::<i64>(), 0..5), amount: i64,
    ) {
        let json = json!({"at": at, "small": small, "large": large, "ratio": ratio, "flag": flag, "text": text, "mode": "time",
            "before": "words", "list": list, "tags": tags, "scalar": large, "inner": {"n": small}, "body": {"Created": {"amount": amount}}});
        let datum = everything().encode(&json).unwrap();
        let schema = Schema::parse_str(SCHEMA).unwrap();
        let value = GenericDatumReader::builder(&schema).build().unwrap().read_value(&mut datum.as_slice()).unwrap();
        prop_assert!(value.validate(&schema));
        let apache = Json::try_from(value).unwrap();
        prop_assert_eq!(&apache["text"], &json["text"]);
        prop_assert_eq!(&apache["tags"], &json["tags"]);
        prop_assert_eq!(&apache["list"], &json["list"]);
        prop_assert_eq!(&apache["large"], &json["large"]);
        let mut back = everything().decode(&datum).unwrap();
        back["at"] = workers::fold::Time::from_rfc3339(back["at"].as_str().unwrap()).unwrap().0.into();
        prop_assert_eq!(back, json);
    }

    #[test]
    fn nothing_makes_it_panic_and_what_it_accepts_it_can_read(
        place in prop::sample::select(vec!["at", "small", "ratio", "mode", "before", "list", "tags", "scalar", "inner", "body", "other"]),
        value in anything(),
    ) {
        let mut json = json!({"at": 0, "body": {"Canceled": {}}});
        json[place] = value;
        if let Ok(datum) = everything().encode(&json) {
            prop_assert!(everything().decode(&datum).is_ok());
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = everything().decode(&bytes);
    }
}
