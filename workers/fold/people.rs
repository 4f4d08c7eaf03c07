//! Datums for people: the bytes of a datum as the plain JSON that would have made them.
//!
//! No fold depends on it. Nothing in the bytes makes it go deeper or longer than its bounds.

use apache_avro::{
    Schema,
    schema::{RecordSchema, UnionSchema, UuidSchema},
};
use serde_json::{Map, Value as Json};

use super::{
    plain::{Plain, record_name},
    units::Time,
};

/// Items and entries of one datum, all told: some take no bytes, so bytes do not bound them.
const MAX_ITEMS: usize = 1_000_000;
const MAX_DEPTH: usize = 64;

/// What is left of a datum.
pub(super) struct Reader<'d> {
    plain: &'d Plain,
    rest: &'d [u8],
    items: usize,
    depth: usize,
}

impl<'d> Reader<'d> {
    /// A reader of a whole datum.
    pub(super) fn new(plain: &'d Plain, datum: &'d [u8]) -> Self {
        Self { plain, rest: datum, items: 0, depth: 0 }
    }

    /// Whether all was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The value at a place of the schema, `None` where the bytes hold no such thing.
    pub(super) fn read(&mut self, schema: &'d Schema) -> Option<Json> {
        self.depth += 1;
        let json = if self.depth > MAX_DEPTH { None } else { self.read_value(self.plain.resolve(schema)) };
        self.depth -= 1;
        json
    }

    fn read_value(&mut self, schema: &'d Schema) -> Option<Json> {
        Some(match schema {
            Schema::Null => Json::Null,
            Schema::Boolean => match self.take(1)? {
                [it @ (0 | 1)] => (*it == 1).into(),
                _ => return None,
            },
            Schema::Int => i32::try_from(self.long()?).ok()?.into(),
            Schema::Long => self.long()?.into(),
            Schema::TimestampMillis => {
                let at = self.long()?;
                Time(at).to_rfc3339().map_or_else(|| at.into(), Json::from)
            }
            Schema::Float => number(f32::from_le_bytes(self.take(4)?.try_into().ok()?).into()),
            Schema::Double => number(f64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            Schema::String | Schema::Uuid(UuidSchema::String) => self.text()?.into(),
            Schema::Enum(it) => it.symbols.get(self.length()?)?.as_str().into(),
            Schema::Array(it) => Json::Array(self.blocks(|reader| reader.read(&it.items))?),
            Schema::Map(it) => {
                let mut entries = self.blocks(|reader| Some((reader.text()?.to_owned(), reader.read(&it.types)?)))?;
                entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
                Json::from_iter(entries)
            }
            Schema::Record(it) => self.record(it)?,
            Schema::Union(it) => self.branch(it)?,
            _ => return None,
        })
    }

    fn record(&mut self, record: &'d RecordSchema) -> Option<Json> {
        let mut fields = Map::new();
        for field in &record.fields {
            fields.insert(field.name.clone(), self.read(&field.schema)?);
        }
        Some(Json::Object(fields))
    }

    /// A record of a union that has other values too is named, all else stands bare.
    fn branch(&mut self, union: &'d UnionSchema) -> Option<Json> {
        let branch = union.variants().get(self.length()?)?;
        let json = self.read(branch)?;
        let several = union.variants().iter().filter(|it| **it != Schema::Null).count() > 1;
        Some(match record_name(self.plain, branch) {
            Some(name) if several => Json::Object(Map::from_iter([(name.name().to_owned(), json)])),
            _ => json,
        })
    }

    /// The items of all blocks, up to the empty one.
    fn blocks<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        loop {
            let count = self.long()?;
            if count < 0 {
                // The block's size in bytes, for readers that skip it.
                self.long()?;
            }
            let count = usize::try_from(count.unsigned_abs()).ok()?;
            if count == 0 {
                return Some(items);
            }
            self.items = self.items.checked_add(count).filter(|it| *it <= MAX_ITEMS)?;
            for _ in 0..count {
                items.push(read(self)?);
            }
        }
    }

    fn take(&mut self, length: usize) -> Option<&'d [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn text(&mut self) -> Option<&'d str> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.long()?).ok()
    }

    /// Zigzag, seven bits a byte, the lowest first.
    fn long(&mut self) -> Option<i64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = *self.take(1)? else { return None };
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        None
    }
}

/// NaN and infinity have no number in JSON: their names stand for them.
fn number(it: f64) -> Json {
    if it.is_finite() { it.into() } else { it.to_string().into() }
}
