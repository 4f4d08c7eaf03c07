//! What others are told: each thing once, whatever comes after it.

use serde_json::{Value as Json, json};

use super::*;
use crate::fold::{Play, Record, plain};

/// The derived events of events that arrive one by one, by topic.
fn told(all: &[PaymentEvent]) -> Vec<(&'static str, Json)> {
    let mut play = Play::with(&ROLE, Presume::New, 0);
    let mut told = Vec::new();
    for event in all {
        let datum = serde_avro_fast::to_datum_vec(event, &mut serde_avro_fast::ser::SerializerConfig::new(TOPIC.codec().unwrap())).unwrap();
        let event = fold::PlainEvent { key: event.payment_id.to_string(), datum, occurred_at: event.occurred_at };
        for flush in play.batch(&[Record::of(&TOPIC, &event)]).unwrap() {
            for emit in flush.changes.emits {
                let topic = ROLE.emits[emit.topic];
                told.push((topic.name, plain::decode(topic, &emit.datum).unwrap()));
            }
        }
    }
    told
}

/// What was told of one topic.
fn told_to(topic: &str, all: &[PaymentEvent]) -> Vec<Json> {
    told(all).into_iter().filter(|it| it.0 == topic).map(|it| it.1).collect()
}

#[test]
fn the_fact_is_told_once_at_the_first_capture() {
    let mut all = events(&[created(10), succeeded(10), succeeded(10), failed("x"), created(10)]);
    let facts = told_to("achievement-events", &all);
    assert_eq!(facts.len(), 1);
    let expected = json!({"user_id": 1, "fact": "payment_succeeded", "value": 10, "tags": {"currency": "EUR"},
                          "occurred_at": "2024-05-13T12:01:00Z", "event_id": facts[0]["event_id"]});
    assert_eq!(facts[0], expected);
    // Taken back by a late authorisation of less, and given again by a late success.
    all.push(event(11, -5, authorised(6)));
    all.push(event(12, 9, succeeded(6)));
    assert_eq!(told_to("achievement-events", &all), facts);
}

#[test]
fn the_same_event_again_tells_nothing() {
    let all = events(&[succeeded(10), requested("r", 4), refunded("r")]);
    let twice: Vec<PaymentEvent> = all.iter().chain(&all).cloned().collect();
    assert_eq!(told(&twice), told(&all));
}
