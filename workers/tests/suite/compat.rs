//! What a reader's schema may read: strictly less than Avro's resolution would.

use apache_avro::{
    Schema,
    schema_compatibility::{Compatibility, SchemaCompatibility},
};
use workers::fold::plain::can_read;

fn record(fields: &str) -> String {
    format!(r#"{{"type": "record", "name": "Event", "namespace": "fleet", "fields": [{fields}]}}"#)
}

/// A record with one field `a` of this type, written as JSON, with more after the type if given.
fn field(kind: &str) -> String {
    record(&format!(r#"{{"name": "a", "type": {kind}}}"#))
}

const MODE: &str = r#"{"type": "enum", "name": "Mode", "symbols": ["time", "words"]}"#;
const MORE_MODES: &str = r#"{"type": "enum", "name": "Mode", "symbols": ["time", "words", "zen"]}"#;
const MODES_WITH_DEFAULT: &str = r#"{"type": "enum", "name": "Mode", "symbols": ["time", "words"], "default": "time"}"#;
const MILLIS: &str = r#"{"type": "long", "logicalType": "timestamp-millis"}"#;
const MICROS: &str = r#"{"type": "long", "logicalType": "timestamp-micros"}"#;
const UUID: &str = r#"{"type": "string", "logicalType": "uuid"}"#;
const ONE: &str = r#"[{"type": "record", "name": "A", "fields": []}]"#;
const TWO: &str = r#"[{"type": "record", "name": "A", "fields": []}, {"type": "record", "name": "B", "fields": []}]"#;
const TREE: &str = r#"{"type": "record", "name": "Tree", "fields": [{"name": "down", "type": {"type": "array", "items": "Tree"}}]}"#;

#[test]
fn reads_what_grew_compatibly() {
    let pairs = [
        (field(r#""long""#), field(r#""int""#)),
        (field(r#""double""#), field(r#""float""#)),
        (field(r#""double""#), field(r#""long""#)),
        (field(MILLIS), field(MILLIS)),
        (field(r#""string""#), field(UUID)),
        (field(r#"["null", "string"]"#), field(r#""string""#)),
        (field(r#"["null", "string"]"#), field(r#"["string", "null"]"#)),
        (field(r#"["null", "long"]"#), field(r#"["null", "int"]"#)),
        (field(MORE_MODES), field(MODE)),
        (field(TWO), field(ONE)),
        (field(TREE), field(TREE)),
        (record(r#"{"name": "a", "type": "int", "default": 0}"#), record("")),
        (record(""), field(r#""string""#)),
    ];
    for (reader, writer) in pairs {
        assert_eq!(can_read(&reader, &writer), Ok(()), "{reader} of {writer}");
        let [reader, writer] = [reader, writer].map(|it| Schema::parse_str(&it).unwrap());
        assert_eq!(SchemaCompatibility::can_read(&writer, &reader), Ok(Compatibility::Full));
    }
}

#[test]
fn refuses_what_our_decoding_could_not_tell_apart() {
    let cases = [
        (field(r#""int""#), field(r#""long""#), "a: long cannot be read as int"),
        (field(r#""float""#), field(r#""double""#), "a: double cannot be read as float"),
        (field(r#""string""#), field(r#""bytes""#), "a: bytes cannot be read as string"),
        (field(MILLIS), field(MICROS), "a: timestampmicros cannot be read as timestampmillis"),
        (field(r#""string""#), field(r#"["null", "string"]"#), "a: null cannot be read as string"),
        (field(r#"["null", "string"]"#), field(r#"["null", "string", "long"]"#), "a: the reader's union has no long"),
        (field(MODE), field(MORE_MODES), "a: the symbol zen is unknown to the reader"),
        (field(MODES_WITH_DEFAULT), field(MORE_MODES), "a: the symbol zen is unknown to the reader"),
        (field(ONE), field(TWO), "a: the reader's union has no B"),
        (field(r#""int""#), record(""), "a: is not written and has no default"),
        (
            record(r#"{"name": "b", "aliases": ["a"], "type": "int", "default": 0}"#),
            field(r#""int""#),
            "b: is written under an alias, which is not looked at",
        ),
        (record(""), r#"{"type": "record", "name": "Other", "fields": []}"#.into(), "record Other cannot be read as Event"),
        (field(r#"{"type": "array", "items": "int"}"#), field(r#"{"type": "array", "items": "long"}"#), "a: long cannot be read as int"),
    ];
    for (reader, writer, reason) in cases {
        assert_eq!(can_read(&reader, &writer), Err(reason.to_owned()), "{reader} of {writer}");
    }
    assert!(can_read(&record(""), "{").unwrap_err().starts_with("the writer's schema: not an Avro schema"));
}
