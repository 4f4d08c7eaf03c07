//! Datums for people: a decoded Avro value as the plain JSON that would have made it.
//!
//! It checks nothing and no fold depends on it.

use apache_avro::{Schema, schema::UnionSchema, types::Value};
use serde_json::{Map, Value as Json};

use super::{
    plain::{Plain, record_name},
    units::Time,
};

/// The plain JSON of a value at a place of the schema.
pub(super) fn json_of(plain: &Plain, schema: &Schema, value: &Value) -> Json {
    match (plain.resolve(schema), value) {
        (Schema::Union(union), Value::Union(place, value)) => json_of_branch(plain, union, *place, value),
        (Schema::Array(it), Value::Array(items)) => items.iter().map(|item| json_of(plain, &it.items, item)).collect(),
        (Schema::Map(it), Value::Map(entries)) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_unstable_by_key(|(name, _)| *name);
            entries.into_iter().map(|(name, value)| (name.clone(), json_of(plain, &it.types, value))).collect()
        }
        (Schema::Record(record), Value::Record(values)) => {
            let fields = record.fields.iter().zip(values);
            fields.map(|(field, (name, value))| (name.clone(), json_of(plain, &field.schema, value))).collect()
        }
        (_, value) => json_of_scalar(value),
    }
}

fn json_of_branch(plain: &Plain, union: &UnionSchema, place: u32, value: &Value) -> Json {
    let branches = union.variants();
    let Some(branch) = branches.get(place as usize) else { return Json::Null };
    let json = json_of(plain, branch, value);
    let several = branches.iter().filter(|it| **it != Schema::Null).count() > 1;
    match record_name(plain, branch) {
        Some(name) if several => Json::Object(Map::from_iter([(name.name().to_owned(), json)])),
        _ => json,
    }
}

fn json_of_scalar(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(it) => (*it).into(),
        Value::Int(it) => (*it).into(),
        Value::Long(it) => (*it).into(),
        Value::Float(it) => finite(f64::from(*it)),
        Value::Double(it) => finite(*it),
        Value::String(it) | Value::Enum(_, it) => it.as_str().into(),
        Value::Uuid(it) => it.to_string().into(),
        Value::TimestampMillis(it) => Time(*it).to_rfc3339().map_or_else(|| (*it).into(), Json::from),
        other => format!("{other:?}").into(),
    }
}

/// NaN and infinity have no number in JSON: their names stand for them.
fn finite(number: f64) -> Json {
    if number.is_finite() { number.into() } else { number.to_string().into() }
}
