//! The events of a file, a line each: NDJSON, or CSV under a heading.
//!
//! It knows no schema but the kinds of its fields, by which a cell of CSV becomes a value; the encoder judges the rest.

use std::io::{self, BufRead, Read};

use apache_avro::{Schema, schema::RecordSchema};
use serde_json::{Map, Value as Json};
use workers::fold::Topic;

use crate::fault::Fault;

/// The longest line, or record of CSV, that is read; far above what a topic takes.
const LONGEST: usize = 64 << 20;

/// A line: its number, from 1, and its event in plain JSON, or what is wrong with it.
pub type Line = (u64, Result<Json, String>);
/// The lines of a file; one that cannot be read any further ends them.
pub type Lines<'a> = Box<dyn Iterator<Item = Result<Line, Fault>> + 'a>;

/// A JSON object a line; empty lines are none.
pub fn ndjson<'a>(mut input: impl BufRead + 'a) -> Lines<'a> {
    let (mut number, mut line) = (0, Vec::new());
    Box::new(std::iter::from_fn(move || {
        loop {
            line.clear();
            let whole = match read_line(&mut input, &mut line) {
                Ok(None) => return None,
                Ok(Some(whole)) => whole,
                Err(error) => return Some(Err(broken(&error))),
            };
            number += 1;
            let text = if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line) } else { &line };
            if !whole {
                return Some(Ok((number, Err(too_long()))));
            }
            if !text.trim_ascii().is_empty() {
                return Some(Ok((number, json(text))));
            }
        }
    }))
}

/// Records under a heading that names fields of the topic's schema.
///
/// # Errors
/// A heading that names another field, or one twice.
pub fn csv<'a>(input: impl Read + 'a, topic: &Topic) -> Result<Lines<'a>, Fault> {
    let mut reader = ::csv::ReaderBuilder::new().from_reader(Bounded { input, left: LONGEST });
    let heading = reader.headers().map_err(|error| Fault::fatal(format!("the heading: {error}")))?.clone();
    let columns = columns(&heading, topic)?;
    let mut record = ::csv::StringRecord::new();
    Ok(Box::new(std::iter::from_fn(move || {
        reader.get_mut().left = LONGEST;
        let number = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(false) => None,
            Ok(true) => Some(Ok((record.position().map_or(number, ::csv::Position::line), event(&columns, &record)))),
            Err(error) => Some(match error.kind() {
                ::csv::ErrorKind::Io(error) => Err(broken(error)),
                ::csv::ErrorKind::UnequalLengths { expected_len, len, pos } => {
                    Ok((pos.as_ref().map_or(number, ::csv::Position::line), Err(format!("{len} cells under a heading of {expected_len}"))))
                }
                ::csv::ErrorKind::Utf8 { pos, .. } => Ok((pos.as_ref().map_or(number, ::csv::Position::line), Err("not UTF-8".to_owned()))),
                _ => Ok((number, Err("not CSV".to_owned()))),
            }),
        }
    })))
}

/// Reads up to a line's end: `false` where it was too long to be kept, `None` at the end of the file.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    let mut whole = true;
    let mut some = false;
    loop {
        let buffer = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if buffer.is_empty() {
            return Ok(some.then_some(whole));
        }
        some = true;
        let end = buffer.iter().position(|it| *it == b'\n');
        let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        whole = whole && line.len() + part.len() <= LONGEST;
        if whole {
            line.extend_from_slice(part);
        }
        let read = part.len() + usize::from(end.is_some());
        input.consume(read);
        if end.is_some() {
            return Ok(Some(whole));
        }
    }
}

fn json(text: &[u8]) -> Result<Json, String> {
    serde_json::from_slice(text).map_err(|error| {
        let (column, text) = (error.column(), error.to_string());
        let what = text.split_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        format!("not JSON: {what} at column {column}")
    })
}

fn broken(error: &io::Error) -> Fault {
    Fault::fatal(format!("the file cannot be read any further: {error}"))
}

fn too_long() -> String {
    format!("longer than {} MiB", LONGEST >> 20)
}

/// An input that ends in an error where a record has no end: a quote that nobody closes would swallow the rest of the file.
struct Bounded<R> {
    input: R,
    left: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other(format!("a record {}; is a quote left open?", too_long())));
        }
        let most = buffer.len().min(self.left);
        let read = self.input.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left -= read;
        Ok(read)
    }
}

/// How the text of a cell becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Text,
    Number,
    Flag,
    /// A number or a text, as a time may be.
    Time,
    /// Arrays, maps, records and unions of several: JSON.
    Nested,
}

fn columns(heading: &::csv::StringRecord, topic: &Topic) -> Result<Vec<(String, Cell)>, Fault> {
    let schema = Schema::parse_str(topic.schema).map_err(|error| Fault::fatal(format!("the schema of {}: {error}", topic.name)))?;
    let Schema::Record(record) = &schema else { return Err(Fault::fatal(format!("the schema of {} is no record", topic.name))) };
    let mut columns: Vec<(String, Cell)> = Vec::with_capacity(heading.len());
    for name in heading.iter().map(|it| it.trim_start_matches('\u{feff}').trim()) {
        let field = record.fields.iter().find(|it| it.name == name);
        let field = field
            .ok_or_else(|| Fault::fatal(format!("the heading names {name:?}, which is no field of {}: {}", topic.name, fields(record))))?;
        if columns.iter().any(|(it, _)| it == name) {
            return Err(Fault::fatal(format!("the heading names {name} twice")));
        }
        columns.push((name.to_owned(), cell(&field.schema)));
    }
    Ok(columns)
}

fn fields(record: &RecordSchema) -> String {
    record.fields.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn cell(schema: &Schema) -> Cell {
    match schema {
        Schema::Int | Schema::Long | Schema::Float | Schema::Double => Cell::Number,
        Schema::Boolean => Cell::Flag,
        Schema::TimestampMillis => Cell::Time,
        Schema::Array(_) | Schema::Map(_) | Schema::Record(_) | Schema::Ref { .. } => Cell::Nested,
        Schema::Union(union) => {
            let mut values = union.variants().iter().filter(|it| **it != Schema::Null);
            match (values.next(), values.next()) {
                (Some(only), None) => cell(only),
                _ => Cell::Nested,
            }
        }
        _ => Cell::Text,
    }
}

fn event(columns: &[(String, Cell)], record: &::csv::StringRecord) -> Result<Json, String> {
    let mut fields = Map::with_capacity(columns.len());
    for ((name, cell), text) in columns.iter().zip(record) {
        if !text.is_empty() {
            fields.insert(name.clone(), value(*cell, text).ok_or_else(|| format!("{name}: {}", wanted(*cell)))?);
        }
    }
    Ok(Json::Object(fields))
}

fn value(cell: Cell, text: &str) -> Option<Json> {
    match cell {
        Cell::Text => Some(text.into()),
        Cell::Number => number(text.trim()),
        Cell::Time => Some(number(text.trim()).unwrap_or_else(|| text.into())),
        Cell::Flag => match text.trim() {
            "true" | "TRUE" | "True" => Some(true.into()),
            "false" | "FALSE" | "False" => Some(false.into()),
            _ => None,
        },
        Cell::Nested => serde_json::from_str(text).ok(),
    }
}

fn wanted(cell: Cell) -> &'static str {
    match cell {
        Cell::Flag => "expected true or false",
        Cell::Nested => "expected JSON",
        _ => "expected a number",
    }
}

fn number(text: &str) -> Option<Json> {
    if let Ok(long) = text.parse::<i64>() {
        return Some(long.into());
    }
    text.parse::<f64>().ok().filter(|it| it.is_finite()).map(Json::from)
}

#[cfg(test)]
mod tests;
