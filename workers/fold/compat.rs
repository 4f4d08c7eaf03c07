//! Whether what is written with one schema can be read as another, as strictly as our decoding needs it.
//!
//! Events are decoded with their writer's schema straight into structs, so Avro's resolution never runs: a symbol's default, an
//! alias, text read as bytes, or another unit of time would pass a resolving reader and are refused here.

use std::collections::BTreeSet;

use apache_avro::{
    Schema,
    schema::{EnumSchema, RecordField, RecordSchema, UnionSchema, UuidSchema},
};

use super::plain::{Fault, Plain};

/// Whether the reader's schema can read all that the writer's can write.
///
/// # Errors
/// The first place where it cannot, and why; or a text that is no schema.
pub fn can_read(reader_json: &str, writer_json: &str) -> Result<(), String> {
    let parse = |json, whose| Plain::parse(json).map_err(|it| format!("the {whose}'s schema: {}", it.reason));
    let (reader, writer) = (parse(reader_json, "reader")?, parse(writer_json, "writer")?);
    let mut pair = Pair { reader: &reader, writer: &writer, seen: BTreeSet::new() };
    pair.fits(&reader.schema, &writer.schema).map_err(|it| it.into_reject().reason)
}

struct Pair<'s> {
    reader: &'s Plain,
    writer: &'s Plain,
    /// Records compared already, or being compared: a schema may refer to itself.
    seen: BTreeSet<(String, String)>,
}

impl<'s> Pair<'s> {
    fn fits(&mut self, reader: &'s Schema, writer: &'s Schema) -> Result<(), Fault> {
        match (self.reader.resolve(reader), self.writer.resolve(writer)) {
            (reader, Schema::Union(writer)) => self.every_branch_fits(reader, writer),
            (Schema::Union(reader), writer) => self.some_branch_fits(reader, writer),
            (Schema::Record(reader), Schema::Record(writer)) => self.record_fits(reader, writer),
            (Schema::Enum(reader), Schema::Enum(writer)) => enum_fits(reader, writer),
            (Schema::Array(reader), Schema::Array(writer)) => self.fits(&reader.items, &writer.items),
            (Schema::Map(reader), Schema::Map(writer)) => self.fits(&reader.types, &writer.types),
            (reader, writer) if scalar_fits(reader, writer) => Ok(()),
            (reader, writer) => Err(Fault::new(format!("{} cannot be read as {}", name(writer), name(reader)))),
        }
    }

    fn every_branch_fits(&mut self, reader: &'s Schema, writer: &'s UnionSchema) -> Result<(), Fault> {
        for branch in writer.variants() {
            let branch = self.writer.resolve(branch);
            match reader {
                Schema::Union(reader) => self.some_branch_fits(reader, branch)?,
                reader => self.fits(reader, branch)?,
            }
        }
        Ok(())
    }

    /// The branch of the writer's own name or type, or else any that it is promoted to.
    fn some_branch_fits(&mut self, reader: &'s UnionSchema, writer: &'s Schema) -> Result<(), Fault> {
        let own = reader.variants().iter().find(|it| name(self.reader.resolve(it)) == name(writer));
        if let Some(own) = own {
            return self.fits(own, writer);
        }
        let fits = reader.variants().iter().any(|it| self.fits(it, writer).is_ok());
        if fits { Ok(()) } else { Err(Fault::new(format!("the reader's union has no {}", name(writer)))) }
    }

    fn record_fits(&mut self, reader: &'s RecordSchema, writer: &'s RecordSchema) -> Result<(), Fault> {
        if reader.name.name() != writer.name.name() {
            return Err(Fault::new(format!("record {} cannot be read as {}", writer.name.name(), reader.name.name())));
        }
        if !self.seen.insert((reader.name.fullname(None), writer.name.fullname(None))) {
            return Ok(());
        }
        for field in &reader.fields {
            self.field_fits(field, writer).map_err(|it| it.under(&field.name))?;
        }
        Ok(())
    }

    fn field_fits(&mut self, field: &'s RecordField, writer: &'s RecordSchema) -> Result<(), Fault> {
        let find = |name: &str| writer.fields.iter().find(|it| it.name == name);
        match find(&field.name) {
            Some(written) => self.fits(&field.schema, &written.schema),
            None if field.aliases.iter().any(|it| find(it).is_some()) => {
                Err(Fault::new("is written under an alias, which is not looked at"))
            }
            None if field.default.is_none() => Err(Fault::new("is not written and has no default")),
            None => Ok(()),
        }
    }
}

fn enum_fits(reader: &EnumSchema, writer: &EnumSchema) -> Result<(), Fault> {
    if reader.name.name() != writer.name.name() {
        return Err(Fault::new(format!("enum {} cannot be read as {}", writer.name.name(), reader.name.name())));
    }
    match writer.symbols.iter().find(|it| !reader.symbols.contains(it)) {
        Some(symbol) => Err(Fault::new(format!("the symbol {symbol} is unknown to the reader"))),
        None => Ok(()),
    }
}

fn scalar_fits(reader: &Schema, writer: &Schema) -> bool {
    use Schema::{Boolean, Bytes, Double, Fixed, Float, Int, Long, Null, String, TimestampMillis, Uuid};
    match (reader, writer) {
        (Null, Null) | (Boolean, Boolean) | (Bytes, Bytes) => true,
        (Int | Long | Float | Double, Int) | (Float | Double, Float) | (Double, Double) => true,
        (Long | TimestampMillis, Long | TimestampMillis) | (Float | Double, Long) => true,
        (String | Uuid(UuidSchema::String), String | Uuid(UuidSchema::String)) => true,
        (Fixed(reader), Fixed(writer)) => reader.name.name() == writer.name.name() && reader.size == writer.size,
        _ => false,
    }
}

/// What tells the branches of a union apart: a name, or the type.
fn name(schema: &Schema) -> String {
    match schema.name() {
        Some(name) => name.name().to_owned(),
        None => format!("{:?}", apache_avro::schema::SchemaKind::from(schema)).to_lowercase(),
    }
}
