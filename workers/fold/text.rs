//! Changes and rows as readable lines: JSON lines in, changes out as text, which is how a role is tested.
//!
//! It decides nothing: every line is what the fold made, in a fixed order.

use serde_json::Value as Json;

use super::{
    batch::{Cached, Changes},
    plain,
    play::{Flush, Play, Record},
    role::Role,
    row::Column,
    tables::Emit,
    topic::Topic,
    units::{Day, Time},
    value::{Kind, Value},
};

/// What a role makes of JSON lines, all in one batch, from nothing.
pub fn run(role: &'static Role, ndjson: &str) -> String {
    run_cut(role, ndjson, &[])
}

/// What a role makes of JSON lines, with a new batch after each of these numbers of lines.
pub fn run_cut(role: &'static Role, ndjson: &str, cuts: &[usize]) -> String {
    match records(role.topic, ndjson) {
        Ok(records) => run_records(&mut Play::new(role), role, &records, cuts),
        Err(bad) => bad,
    }
}

/// The rows that JSON lines come to.
pub fn dump(role: &'static Role, ndjson: &str) -> String {
    let mut play = Play::new(role);
    match records(role.topic, ndjson).map(|it| play.batch(&it)) {
        Ok(Ok(_)) => play.model().dump(),
        Ok(Err(conflict)) => format!("conflict {conflict:?}\n"),
        Err(bad) => bad,
    }
}

/// What a role makes of records, with a new batch after each of these numbers of records.
pub fn run_records(play: &mut Play, role: &Role, records: &[Record], cuts: &[usize]) -> String {
    let mut out = String::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([records.len()]) {
        match play.batch(records.get(start..end).unwrap_or_default()) {
            Ok(flushes) => flushes.iter().for_each(|it| push_flush(&mut out, role, it, start)),
            Err(conflict) => push_line(&mut out, &["conflict", &format!("{conflict:?}")]),
        }
        start = end;
    }
    out
}

/// The records of JSON lines: each in its key's partition, produced when it happened. Blank lines are skipped.
///
/// # Errors
/// The first bad line, by its number.
pub fn records(topic: &Topic, ndjson: &str) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    for (place, line) in ndjson.lines().enumerate().filter(|(_, it)| !it.trim().is_empty()) {
        let json: Json = serde_json::from_str(line).map_err(|error| format!("line {}: {error}\n", place + 1))?;
        let event = plain::encode(topic, &json).map_err(|it| format!("line {}: {}\n", place + 1, it.reason))?;
        records.push(Record::of(topic, &event));
    }
    Ok(records)
}

/// The changes of one flush, a line each; rejects by their number among all records, from 1.
fn push_flush(out: &mut String, role: &Role, flush: &Flush, start: usize) {
    push_line(out, &["lane", &flush.lane.to_string()]);
    push_changes(out, role, &flush.changes);
    for (place, reject) in &flush.changes.rejects {
        push_line(out, &["reject", &(start + place + 1).to_string(), &reject.reason]);
    }
}

/// The changes of a batch, a line each, without its rejects.
pub fn push_changes(out: &mut String, role: &Role, changes: &Changes) {
    for (verb, tables) in [("put", &changes.puts), ("append", &changes.appends), ("enqueue", &changes.queued), ("add", &changes.adds)] {
        for (place, rows) in tables {
            let Some(table) = role.tables.get(*place) else { continue };
            for row in rows {
                let row = if verb == "add" { steps(table, row) } else { columns(table.columns, row) };
                push_line(out, &[verb, table.name, &row]);
            }
        }
    }
    for (place, keys) in &changes.deletes {
        let Some(table) = role.tables.get(*place) else { continue };
        for key in keys {
            push_line(out, &["delete", table.name, &columns(table.columns, key)]);
        }
    }
    for cached in &changes.caches {
        push_cached(out, role, cached);
    }
    for emit in &changes.emits {
        push_emit(out, role, emit);
    }
    for (name, count) in &changes.counts {
        push_line(out, &["count", name, &count.to_string()]);
    }
    if changes.duplicates > 0 {
        push_line(out, &["duplicates", &changes.duplicates.to_string()]);
    }
}

fn push_cached(out: &mut String, role: &Role, cached: &Cached) {
    let Some(family) = role.caches.get(cached.family) else { return };
    let held = if cached.row.is_some() { "held" } else { "absent" };
    push_line(out, &["cache", family.name, &columns(family.key_columns(), &cached.key), held, &format!("at={}", instant(cached.at))]);
}

fn push_emit(out: &mut String, role: &Role, emit: &Emit) {
    let Some(topic) = role.emits.get(emit.topic) else { return };
    let body = plain::decode(topic, &emit.datum).map_or_else(|it| it.reason, |it| it.to_string());
    push_line(out, &["emit", topic.name, &format!("key={}", emit.key), &body]);
}

/// A line of words.
pub(super) fn push_line(out: &mut String, words: &[&str]) {
    out.push_str(&words.join(" "));
    out.push('\n');
}

/// Values with their columns' names: `user_id=1 mode=time wpm=72.35`.
pub fn columns(columns: &[Column], values: &[Value]) -> String {
    let pairs = columns.iter().zip(values).map(|(column, value)| format!("{}={}", column.name, value_text(column.kind, value)));
    pairs.collect::<Vec<_>>().join(" ")
}

/// A counter's key and its steps, which carry their sign.
fn steps(table: &super::Table, row: &[Value]) -> String {
    let (key, steps) = row.split_at(table.key.min(row.len()));
    let signed = table.other_columns().iter().zip(steps).map(|(column, value)| {
        let sign = if matches!(value, Value::Long(0..)) { "+" } else { "" };
        format!("{}={sign}{}", column.name, value_text(column.kind, value))
    });
    std::iter::once(columns(table.key_columns(), key)).chain(signed).collect::<Vec<_>>().join(" ")
}

/// A value as people read it.
pub fn value_text(kind: Kind, value: &Value) -> String {
    match (kind, value) {
        (_, Value::Null) => "null".into(),
        (Kind::Bool, Value::Long(it)) => (*it != 0).to_string(),
        (Kind::Hundredths, Value::Long(it)) => hundredths(*it),
        (Kind::Time, Value::Long(it)) => instant(Time(*it)),
        (Kind::Day, Value::Long(it)) => day(*it),
        (_, Value::Long(it)) => it.to_string(),
        (_, Value::Id(it)) => it.to_string(),
        (Kind::Json, Value::Text(it)) => it.to_string(),
        (_, Value::Text(it)) => quoted(it),
    }
}

/// A number of hundredths: 72.35.
pub(super) fn hundredths(it: i64) -> String {
    let (sign, size) = (if it < 0 { "-" } else { "" }, it.unsigned_abs());
    format!("{sign}{}.{:02}", size / 100, size % 100)
}

fn instant(at: Time) -> String {
    at.to_rfc3339().unwrap_or_else(|| at.0.to_string())
}

fn day(it: i64) -> String {
    let date = i32::try_from(it).ok().and_then(|it| Day(it).date());
    date.map_or_else(|| it.to_string(), |it| it.to_string())
}

/// A word as it is; what would not stand as one word, or would read as another value, in quotes.
fn quoted(text: &str) -> String {
    let word =
        !text.is_empty() && text != "null" && !text.contains(|it: char| it.is_whitespace() || it.is_control() || it == '"' || it == '=');
    if word { text.to_owned() } else { Json::from(text).to_string() }
}
