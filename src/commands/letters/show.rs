//! One letter, whole: where it comes from, why it is one, its bytes, and its event as far as its schema tells.
//!
//! It applies nothing and sends nothing.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value as Json;
use sqlx::MySqlPool;
use workers::fold::{open_envelope, plain::Plain};

use super::Show;
use crate::{
    commands::Outcome,
    config::Config,
    fault::Fault,
    registry::{Api, Fetched},
    store::letters::{self, Letter},
};

/// Bytes that a dump shows of a key or a value.
const DUMPED: usize = 64 << 10;
/// Bytes of a dump's line.
const WIDTH: usize = 16;

/// A letter as it is printed.
#[derive(Serialize)]
struct Shown {
    role: &'static str,
    topic: String,
    partition: i32,
    offset: i64,
    timestamp: Option<String>,
    lettered_at: Option<String>,
    cause: String,
    reason: String,
    schema_id: Option<u32>,
    headers: Vec<(String, Option<String>)>,
    key: Option<String>,
    value: Option<String>,
    event: Option<Json>,
    undecodable: Option<String>,
    #[serde(skip)]
    bytes: (Option<Vec<u8>>, Option<Vec<u8>>),
}

/// Prints a letter.
///
/// # Errors
/// A letter that is not there, a database that does not answer.
pub async fn print(config: &Config, pool: &MySqlPool, wanted: &Show) -> Result<Outcome, Fault> {
    let (role, topic) = (wanted.role.name, config.topic(wanted.role.topic));
    let letter = letters::find(pool, (role, &topic), wanted.partition, wanted.offset).await?;
    let missing = || Fault::fatal(format!("no letter of {role} from {topic} partition {} offset {}", wanted.partition, wanted.offset));
    let letter = letter.ok_or_else(missing)?;
    let event = decode(config, &letter).await;
    let Letter { schema_id, timestamp, key, value, headers, reason, cause, lettered_at } = letter;
    let shown = Shown {
        role,
        topic,
        partition: wanted.partition,
        offset: wanted.offset,
        timestamp: timestamp.and_then(workers::fold::Time::to_rfc3339),
        lettered_at: lettered_at.to_rfc3339(),
        cause,
        reason,
        schema_id,
        headers: headers.and_then(|it| serde_json::from_str(&it).ok()).unwrap_or_default(),
        key: key.as_deref().map(hex),
        value: value.as_deref().map(hex),
        undecodable: event.as_ref().err().cloned(),
        event: event.ok(),
        bytes: (key, value),
    };
    config.output.one(&shown, Shown::text)?;
    Ok(Outcome::Fine)
}

/// The event in plain JSON, by the schema of its id; or why there is none.
async fn decode(config: &Config, letter: &Letter) -> Result<Json, String> {
    let (id, datum) = open_envelope(letter.value.as_deref()).map_err(|it| it.reason)?;
    let api = Api::new(&config.registry).map_err(|it| it.to_string())?;
    match api.schema(id).await {
        Ok(Fetched::Schema(schema)) => Plain::parse(&schema).and_then(|it| it.decode(datum)).map_err(|it| it.reason),
        Ok(Fetched::Unusable(why)) => Err(format!("schema id {id}: {why}")),
        Ok(Fetched::Absent) => Err(format!("the registry does not know schema id {id}")),
        Err(fault) => Err(fault.to_string()),
    }
}

impl Shown {
    fn text(&self) -> String {
        let mut text = String::new();
        let or_dash = |it: &Option<String>| it.clone().unwrap_or_else(|| "-".to_owned());
        let schema = self.schema_id.map_or_else(|| "-".to_owned(), |it| it.to_string());
        let pairs = [
            ("role", self.role.to_owned()),
            ("record", format!("{} partition {} offset {}", self.topic, self.partition, self.offset)),
            ("produced", or_dash(&self.timestamp)),
            ("lettered", or_dash(&self.lettered_at)),
            ("cause", self.cause.clone()),
            ("reason", self.reason.clone()),
            ("schema id", schema),
        ];
        for (name, value) in &pairs {
            push(&mut text, format_args!("{name:10} {value}"));
        }
        for (name, value) in &self.headers {
            push(&mut text, format_args!("header     {name}: {}", value.as_deref().unwrap_or("null")));
        }
        push_dump(&mut text, "key", self.bytes.0.as_deref());
        push_dump(&mut text, "value", self.bytes.1.as_deref());
        match (&self.event, &self.undecodable) {
            (Some(event), _) => push(&mut text, format_args!("event\n{event:#}")),
            (None, why) => push(&mut text, format_args!("event      none: {}", why.as_deref().unwrap_or_default())),
        }
        text.truncate(text.trim_end().len());
        text
    }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing into a text never fails.
    let _ = writeln!(text, "{line}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, it| {
        let _ = write!(text, "{it:02x}");
        text
    })
}

/// Offsets, bytes in base 16, and beside them what is printable ASCII.
fn push_dump(text: &mut String, name: &str, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else { return push(text, format_args!("{name:10} null")) };
    push(text, format_args!("{name:10} {} bytes", bytes.len()));
    for (place, line) in bytes.chunks(WIDTH).take(DUMPED / WIDTH).enumerate() {
        let pairs: Vec<String> = line.iter().map(|it| format!("{it:02x}")).collect();
        let shown: String = line.iter().map(|it| if it.is_ascii_graphic() || *it == b' ' { char::from(*it) } else { '.' }).collect();
        push(text, format_args!("  {:08x}  {:48} {shown}", place * WIDTH, pairs.join(" ")));
    }
    if bytes.len() > DUMPED {
        push(text, format_args!("  and {} bytes more: --json has them all", bytes.len() - DUMPED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_has_offsets_bytes_and_letters() {
        let mut text = String::new();
        push_dump(&mut text, "key", Some(b"0123456789abcdef\x00z"));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "key        18 bytes");
        assert_eq!(lines[1], "  00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef");
        assert!(lines[2].starts_with("  00000010  00 7a ") && lines[2].ends_with(" .z"), "{text}");
        push_dump(&mut text, "value", None);
        assert!(text.ends_with("value      null\n"), "{text}");
    }

    #[test]
    fn a_large_value_is_cut_and_says_so() {
        let mut text = String::new();
        push_dump(&mut text, "value", Some(&vec![7; DUMPED + 5]));
        assert!(text.ends_with("  and 5 bytes more: --json has them all\n"));
    }
}
