//! Plain JSON and datums: NDJSON of `produce` and of the examples in, datums of a topic's schema out, and back for people.
//!
//! It checks the schema and not the bounds: those are the events' own. It knows no envelope.

use std::collections::BTreeMap;

use apache_avro::{
    Schema,
    schema::{Name, RecordField, RecordSchema, UnionSchema, UuidSchema},
};
use serde_json::{Map, Number, Value as Json};

use super::{event::Reject, people::Reader, topic::Topic, units::Time};

pub use super::compat::can_read;

/// An event ready to be produced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainEvent {
    /// The text of the topic's key field.
    pub key: String,
    /// The datum, without the envelope.
    pub datum: Vec<u8>,
    /// When it happened, as it says.
    pub occurred_at: Time,
}

/// The event of one object in plain JSON.
///
/// # Errors
/// The first field that does not fit the topic's schema, and what was expected there.
pub fn encode(topic: &Topic, json: &Json) -> Result<PlainEvent, Reject> {
    let plain = topic.plain()?;
    let datum = plain.encode(json)?;
    let key = match plain.field(json, topic.key) {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Number(number)) => number.to_string(),
        _ => return Err(Reject::new(format!("{}: the schema's key field is neither text nor a number", topic.key))),
    };
    let occurred_at = plain.field(json, "occurred_at").and_then(|it| millis(it).ok());
    let occurred_at = occurred_at.ok_or_else(|| Reject::new("occurred_at: the schema has no such time"))?;
    Ok(PlainEvent { key, datum, occurred_at: Time(occurred_at) })
}

/// The plain JSON of a datum of the topic's own schema: times as RFC 3339, maps sorted.
///
/// # Errors
/// Bytes that are no such datum.
pub fn decode(topic: &Topic, datum: &[u8]) -> Result<Json, Reject> {
    topic.plain()?.decode(datum)
}

/// A schema, with which plain JSON becomes datums and datums plain JSON.
#[derive(Debug)]
pub struct Plain {
    pub(super) schema: Schema,
    /// Every named type by its full name, for the places that only refer to one.
    named: BTreeMap<String, Schema>,
}

impl Plain {
    /// The schema of this JSON text.
    ///
    /// # Errors
    /// A text that is no Avro schema.
    pub fn parse(schema: &str) -> Result<Self, Reject> {
        let schema = Schema::parse_str(schema).map_err(|error| Reject::new(format!("not an Avro schema: {error}")))?;
        let mut named = BTreeMap::new();
        collect(&schema, &mut named);
        Ok(Self { schema, named })
    }

    /// The datum of a value in plain JSON.
    ///
    /// # Errors
    /// The first field that does not fit, and what was expected there.
    pub fn encode(&self, json: &Json) -> Result<Vec<u8>, Reject> {
        let mut datum = Vec::with_capacity(256);
        self.write(&self.schema, json, &mut datum).map_err(Fault::into_reject)?;
        Ok(datum)
    }

    /// The plain JSON of a datum, which must hold nothing else.
    ///
    /// # Errors
    /// Bytes that are no datum of this schema.
    pub fn decode(&self, datum: &[u8]) -> Result<Json, Reject> {
        let mut reader = Reader::new(self, datum);
        match reader.read(&self.schema) {
            Some(json) if reader.is_at_end() => Ok(json),
            Some(_) => Err(Reject::new("undecodable: bytes after the datum")),
            None => Err(Reject::new("undecodable: the bytes are no datum of their schema")),
        }
    }

    /// What a place of the schema refers to.
    pub(super) fn resolve<'s>(&'s self, schema: &'s Schema) -> &'s Schema {
        match schema {
            Schema::Ref { name } => self.named.get(&name.fullname(None)).unwrap_or(schema),
            schema => schema,
        }
    }

    /// A field of the outermost record as given, or its default.
    fn field<'j>(&'j self, json: &'j Json, name: &str) -> Option<&'j Json> {
        let Schema::Record(record) = &self.schema else { return None };
        json.get(name).or_else(|| record.fields.iter().find(|it| it.name == name)?.default.as_ref())
    }

    fn write(&self, schema: &Schema, json: &Json, out: &mut Vec<u8>) -> Result<(), Fault> {
        match (self.resolve(schema), json) {
            (Schema::Null, Json::Null) => {}
            (Schema::Boolean, Json::Bool(it)) => out.push(u8::from(*it)),
            (Schema::Int, Json::Number(it)) => write_long(out, int(it)?),
            (Schema::Long, Json::Number(it)) => write_long(out, long(it)?),
            (Schema::TimestampMillis, it) => write_long(out, millis(it)?),
            (Schema::Float, Json::Number(it)) => out.extend_from_slice(&float(it)?.to_le_bytes()),
            (Schema::Double, Json::Number(it)) => out.extend_from_slice(&double(it)?.to_le_bytes()),
            (Schema::String | Schema::Uuid(UuidSchema::String), Json::String(it)) => write_text(out, it),
            (Schema::Enum(it), Json::String(symbol)) => {
                let place = it.symbols.iter().position(|it| it == symbol);
                let place = place.ok_or_else(|| Fault::expected(&one_of(it.symbols.iter().map(String::as_str))))?;
                write_length(out, place);
            }
            (Schema::Array(it), Json::Array(items)) => self.write_items(&it.items, items, out)?,
            (Schema::Map(it), Json::Object(entries)) => self.write_entries(&it.types, entries, out)?,
            (Schema::Record(it), Json::Object(fields)) => self.write_record(it, fields, out)?,
            (Schema::Union(it), json) => self.write_union(it, json, out)?,
            (schema, _) => return Err(Fault::expected(&kind(schema))),
        }
        Ok(())
    }

    fn write_items(&self, schema: &Schema, items: &[Json], out: &mut Vec<u8>) -> Result<(), Fault> {
        if !items.is_empty() {
            write_length(out, items.len());
        }
        for (place, item) in items.iter().enumerate() {
            self.write(schema, item, out).map_err(|it| it.under(&format!("[{place}]")))?;
        }
        write_length(out, 0);
        Ok(())
    }

    /// In the order of the text, so that the same text always gives the same bytes.
    fn write_entries(&self, schema: &Schema, entries: &Map<String, Json>, out: &mut Vec<u8>) -> Result<(), Fault> {
        if !entries.is_empty() {
            write_length(out, entries.len());
        }
        for (name, value) in entries {
            write_text(out, name);
            self.write(schema, value, out).map_err(|it| it.under(name))?;
        }
        write_length(out, 0);
        Ok(())
    }

    fn write_record(&self, record: &RecordSchema, fields: &Map<String, Json>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let mut given = 0;
        for field in &record.fields {
            let written = match (fields.get(&field.name), &field.default) {
                (Some(json), _) => {
                    given += 1;
                    self.write(&field.schema, json, out)
                }
                (None, Some(default)) => self.write_default(field, default, out),
                (None, None) => Err(Fault::new(format!("is absent and has no default, expected {}", kind(self.resolve(&field.schema))))),
            };
            written.map_err(|it| it.under(&field.name))?;
        }
        if given < fields.len() {
            let known = |name: &str| record.fields.iter().any(|it| it.name == name);
            let unknown = fields.keys().find(|it| !known(it)).map(String::as_str).unwrap_or_default();
            return Err(Fault::new(format!("{} has no such field", record.name.name())).under(unknown));
        }
        Ok(())
    }

    /// A default of a union is bare whatever the branch: the first that it fits.
    fn write_default(&self, field: &RecordField, default: &Json, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self.resolve(&field.schema) {
            Schema::Union(union) => self.write_first(union, default, out),
            schema => self.write(schema, default, out),
        }
    }

    fn write_union(&self, union: &UnionSchema, json: &Json, out: &mut Vec<u8>) -> Result<(), Fault> {
        let mut values = union.variants().iter().enumerate().filter(|(_, it)| **it != Schema::Null);
        if let (false, Some((place, only)), None) = (json.is_null(), values.next(), values.next()) {
            write_length(out, place);
            return self.write(only, json, out);
        }
        match named_branch(self, union, json) {
            Some((place, name, body)) => {
                write_length(out, place);
                let branch = union.variants().get(place).unwrap_or(&Schema::Null);
                self.write(branch, body, out).map_err(|it| it.under(name))
            }
            None => self.write_first(union, json, out),
        }
    }

    /// The first branch that the bare value fits. Records never do, unless the union has but one: they are named.
    fn write_first(&self, union: &UnionSchema, json: &Json, out: &mut Vec<u8>) -> Result<(), Fault> {
        let start = out.len();
        for (place, branch) in union.variants().iter().enumerate() {
            write_length(out, place);
            if self.write(branch, json, out).is_ok() {
                return Ok(());
            }
            out.truncate(start);
        }
        let names: Vec<String> = union.variants().iter().map(|it| kind(self.resolve(it))).collect();
        Err(Fault::expected(&one_of(names.iter().map(String::as_str))))
    }
}

/// The branch that `{"Created": {…}}` names, of a union with several records.
fn named_branch<'j>(plain: &Plain, union: &UnionSchema, json: &'j Json) -> Option<(usize, &'j str, &'j Json)> {
    let object = json.as_object().filter(|it| it.len() == 1)?;
    let (name, body) = object.iter().next()?;
    let place = union.variants().iter().position(|it| record_name(plain, it).is_some_and(|it| it.name() == name))?;
    Some((place, name, body))
}

/// The name of a record, by which it stands in a union.
pub(super) fn record_name<'s>(plain: &'s Plain, schema: &'s Schema) -> Option<&'s Name> {
    if let Schema::Record(record) = plain.resolve(schema) { Some(&record.name) } else { None }
}

fn collect(schema: &Schema, named: &mut BTreeMap<String, Schema>) {
    if let (Some(name), false) = (schema.name(), matches!(schema, Schema::Ref { .. })) {
        named.insert(name.fullname(None), schema.clone());
    }
    match schema {
        Schema::Record(it) => it.fields.iter().for_each(|it| collect(&it.schema, named)),
        Schema::Union(it) => it.variants().iter().for_each(|it| collect(it, named)),
        Schema::Array(it) => collect(&it.items, named),
        Schema::Map(it) => collect(&it.types, named),
        _ => {}
    }
}

/// Where something does not fit a schema, and why.
pub(super) struct Fault {
    path: String,
    reason: String,
}

impl Fault {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { path: String::new(), reason: reason.into() }
    }

    fn expected(what: &str) -> Self {
        Self::new(format!("expected {what}"))
    }

    /// The same fault, seen from a step further out.
    pub(super) fn under(mut self, step: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{step}{dot}{}", self.path);
        self
    }

    pub(super) fn into_reject(self) -> Reject {
        let colon = if self.path.is_empty() { "" } else { ": " };
        Reject::new(format!("{}{colon}{}", self.path, self.reason))
    }
}

fn one_of<'t>(names: impl Iterator<Item = &'t str>) -> String {
    format!("one of {}", names.collect::<Vec<_>>().join(", "))
}

/// What stands at a place of the schema, in words.
fn kind(schema: &Schema) -> String {
    match schema {
        Schema::Null => "null".into(),
        Schema::Boolean => "true or false".into(),
        Schema::Int => "a whole number of 32 bits".into(),
        Schema::Long => "a whole number of 64 bits".into(),
        Schema::Float | Schema::Double => "a number".into(),
        Schema::String | Schema::Uuid(UuidSchema::String) => "a text".into(),
        Schema::TimestampMillis => "a time, in whole milliseconds since 1970 or as RFC 3339".into(),
        Schema::Array(_) => "an array".into(),
        Schema::Map(_) => "an object".into(),
        Schema::Enum(it) => one_of(it.symbols.iter().map(String::as_str)),
        Schema::Record(it) => format!("the object {}", it.name.name()),
        Schema::Union(_) => "a value of the union".into(),
        _ => "a type that plain JSON does not carry".into(),
    }
}

fn long(number: &Number) -> Result<i64, Fault> {
    number.as_i64().ok_or_else(|| Fault::expected(&kind(&Schema::Long)))
}

fn int(number: &Number) -> Result<i64, Fault> {
    let long = number.as_i64().filter(|it| i32::try_from(*it).is_ok());
    long.ok_or_else(|| Fault::expected(&kind(&Schema::Int)))
}

fn double(number: &Number) -> Result<f64, Fault> {
    number.as_f64().filter(|it| it.is_finite()).ok_or_else(|| Fault::expected(&kind(&Schema::Double)))
}

fn float(number: &Number) -> Result<f32, Fault> {
    let float = double(number)? as f32;
    if float.is_finite() { Ok(float) } else { Err(Fault::expected("a number of 32 bits")) }
}

fn millis(json: &Json) -> Result<i64, Fault> {
    let millis = match json {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => Time::from_rfc3339(text).map(|it| it.0),
        _ => None,
    };
    millis.ok_or_else(|| Fault::expected(&kind(&Schema::TimestampMillis)))
}

/// Zigzag, seven bits a byte, the lowest first.
fn write_long(out: &mut Vec<u8>, long: i64) {
    let mut rest = ((long << 1) ^ (long >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn write_length(out: &mut Vec<u8>, length: usize) {
    write_long(out, i64::try_from(length).unwrap_or(i64::MAX));
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}
