//! The role email, by what its events come to.

mod any_order;
mod bounds;
mod contract;
mod decisions;
mod feedback;
mod rendering;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::*;
use crate::fold::text::{dump, records};

const AT: &str = "2024-05-13T09:30:00Z";

/// An event by its number, at so many seconds after [`AT`].
fn line(number: u64, seconds: i64, recipient: &str, body: &Json) -> String {
    let at = Time::from_rfc3339(AT).unwrap().plus(seconds * 1_000);
    json!({"event_id": format!("018f3c5a-0000-7000-8000-{number:012x}"), "occurred_at": at.0, "recipient": recipient, "body": body})
        .to_string()
}

/// The id of a mail.
fn mail(number: u128) -> Uuid {
    Uuid::from_u128(0x5b0f_8a70_1111_5222_8333_0000_0000_0000 + number)
}

/// A request of the plainest mail.
fn welcome(number: u128) -> Json {
    json!({"SendRequested": {"message_id": mail(number), "template": "welcome", "params": {"name": "Zoë"}, "user_id": 42, "category": "transactional"}})
}

/// What one attempt came to.
fn attempted(number: u128, attempt: i64, outcome: &str) -> Json {
    json!({"Attempted": {"message_id": mail(number), "attempt": attempt, "outcome": outcome, "reply": format!("reply {attempt}")}})
}

/// Any feedback that names a mail alone.
fn told(kind: &str, number: u128) -> Json {
    json!({ kind: {"message_id": mail(number)} })
}

/// The rows that lines come to, but those of the history, which only say what was sent in.
fn rows(lines: &[String]) -> String {
    let dump = dump(&ROLE, &lines.join("\n"));
    dump.lines().filter(|it| !it.starts_with("email_history")).map(|it| format!("{it}\n")).collect()
}

/// The one row of a table that lines come to.
fn row(table: &str, lines: &[String]) -> String {
    let rows = rows(lines);
    let mut found = rows.lines().filter(|it| it.starts_with(&format!("{table} ")));
    let row = found.next().unwrap_or_else(|| panic!("no {table} in\n{rows}"));
    assert_eq!(found.next(), None, "{rows}");
    row.to_owned()
}

#[test]
fn every_kind_of_event_survives_its_schema() {
    let schema = TOPIC.codec().unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for record in records(&TOPIC, TOPIC.examples).unwrap() {
        let datum = &record.value.unwrap()[5..];
        let event: EmailEvent = serde_avro_fast::from_datum_slice(datum, schema).unwrap();
        assert_eq!(record.key.unwrap(), event.recipient.as_bytes());
        let mut config = serde_avro_fast::ser::SerializerConfig::new(schema);
        let again = serde_avro_fast::to_datum_vec(&event, &mut config).unwrap();
        assert_eq!(serde_avro_fast::from_datum_slice::<EmailEvent>(&again, schema).unwrap(), event);
        assert_eq!(again.len(), datum.len(), "{event:?}");
        kinds.insert(format!("{:?}", event.body).split('(').next().unwrap().to_owned());
    }
    assert_eq!(kinds.len(), 9, "{kinds:?}");
}

#[test]
fn a_request_keeps_its_hash_for_good() {
    // Another hash of the same body would make every event that was applied before, and comes again, a conflict.
    let changes = crate::fold::text::run(&ROLE, &line(1, 0, "user:42", &welcome(1)));
    assert!(
        changes.contains("email_type=welcome message_id=5b0f8a70-1111-5222-8333-000000000001 sent_at=null body_hash=1673623156646257328"),
        "{changes}"
    );
}
