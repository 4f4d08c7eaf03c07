//! The fields of an Avro schema as a flat list: each by its path, with its type, its default and what is said of it.
//!
//! It takes the schema as JSON, since the texts stand there, and checks nothing: the core parses schemas.

use serde::Serialize;
use serde_json::Value as Json;

/// One field.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Its path: `user_id`, `body.Created.amount`, `keys[].key`.
    pub name: String,
    /// Its type, as a person would say it.
    #[serde(rename = "type")]
    pub kind: String,
    /// What stands where it is absent; none: it must be there.
    pub default: Option<Json>,
    /// Its bounds and its meaning.
    pub doc: String,
}

impl Field {
    /// All fields of a record, those of records in it below the field that holds them.
    pub fn all(schema: &Json) -> Vec<Self> {
        let mut fields = Vec::new();
        record(schema, "", &mut fields);
        fields
    }

    /// Two lines: name and type, and below them what is said of it.
    pub fn text(&self, width: usize) -> String {
        let default = self.default.as_ref().map_or_else(String::new, |it| format!(", default {it}"));
        format!("  {:<width$}  {}{default}\n  {:<width$}    {}\n", self.name, self.kind, "", self.doc)
    }
}

fn record(schema: &Json, path: &str, out: &mut Vec<Field>) {
    for field in schema.get("fields").and_then(Json::as_array).into_iter().flatten() {
        let name = format!("{path}{}", word(field, "name"));
        let kind = field.get("type").unwrap_or(&Json::Null);
        out.push(Field { kind: named(kind), default: field.get("default").cloned(), doc: word(field, "doc").to_owned(), name });
        let holder = out.last().map_or_else(String::new, |it| it.name.clone());
        inner(kind, &holder, out);
    }
}

/// The fields of the records within a type.
fn inner(kind: &Json, path: &str, out: &mut Vec<Field>) {
    match kind {
        Json::Array(branches) => {
            let records = branches.iter().filter(|it| word(it, "type") == "record");
            for branch in records {
                let below = format!("{path}.{}", word(branch, "name"));
                out.push(Field { name: below.clone(), kind: "record".to_owned(), default: None, doc: word(branch, "doc").to_owned() });
                record(branch, &format!("{below}."), out);
            }
        }
        Json::Object(_) => match word(kind, "type") {
            "record" => record(kind, &format!("{path}."), out),
            "array" => inner(kind.get("items").unwrap_or(&Json::Null), &format!("{path}[]"), out),
            "map" => inner(kind.get("values").unwrap_or(&Json::Null), &format!("{path}{{}}"), out),
            _ => {}
        },
        _ => {}
    }
}

/// A type in words: `long`, `timestamp-millis`, `enum time | words`, `null or string`, `array of string`.
fn named(kind: &Json) -> String {
    let of = |part: &str| kind.get(part).map(named).unwrap_or_default();
    match kind {
        Json::String(name) => name.clone(),
        Json::Array(branches) => branches.iter().map(named).collect::<Vec<_>>().join(" or "),
        Json::Object(_) if kind.get("logicalType").is_some() => word(kind, "logicalType").to_owned(),
        Json::Object(_) => match word(kind, "type") {
            "enum" => format!("enum {}", symbols(kind).join(" | ")),
            "array" => format!("array of {}", of("items")),
            "map" => format!("map of {}", of("values")),
            "record" => word(kind, "name").to_owned(),
            other => other.to_owned(),
        },
        _ => String::new(),
    }
}

fn symbols(kind: &Json) -> Vec<&str> {
    kind.get("symbols").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect()
}

fn word<'j>(json: &'j Json, name: &str) -> &'j str {
    json.get(name).and_then(Json::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_listed_with_those_of_records_in_it() {
        let schema = serde_json::json!({"type": "record", "name": "E", "fields": [
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "doc": "when"},
            {"name": "mode", "type": {"type": "enum", "name": "M", "symbols": ["a", "b"]}, "default": "a"},
            {"name": "keys", "type": {"type": "array", "items": {"type": "record", "name": "K", "fields": [
                {"name": "up", "type": ["null", "int"], "default": null}]}}},
            {"name": "tags", "type": {"type": "map", "values": "string"}},
            {"name": "body", "type": [{"type": "record", "name": "Made", "doc": "it is made", "fields": [
                {"name": "amount", "type": "long", "doc": "above 0"}]}, "Gone"]}
        ]});
        let lines: Vec<String> = Field::all(&schema).iter().map(|it| format!("{}: {}: {}", it.name, it.kind, it.doc)).collect();
        assert_eq!(
            lines,
            [
                "at: timestamp-millis: when",
                "mode: enum a | b: ",
                "keys: array of K: ",
                "keys[].up: null or int: ",
                "tags: map of string: ",
                "body: Made or Gone: ",
                "body.Made: record: it is made",
                "body.Made.amount: long: above 0",
            ]
        );
    }

    #[test]
    fn every_field_of_every_topic_says_what_it_may_be() {
        for topic in workers::topics() {
            let fields = Field::all(&serde_json::from_str(topic.schema).unwrap());
            assert!(fields.iter().any(|it| it.name == topic.key), "{}", topic.name);
            let silent: Vec<&str> = fields.iter().filter(|it| it.doc.is_empty() || it.kind.is_empty()).map(|it| &*it.name).collect();
            assert_eq!(silent, Vec::<&str>::new(), "{}", topic.name);
        }
    }
}
