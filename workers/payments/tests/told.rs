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

#[test]
fn the_receipt_is_asked_for_once_with_what_its_template_needs() {
    let mut all = events(&[created(10), succeeded(10), succeeded(10), failed("x")]);
    all.iter_mut().for_each(|it| it.order_id = "o\n1".into());
    let mails = told_to("email-send", &all);
    let message_id = crate::fold::derived_id(&["p", "receipt"]).to_string();
    let request = json!({"message_id": message_id, "template": "receipt", "locale": "", "user_id": 1, "category": "transactional",
                         "list": null, "not_after": null,
                         "params": {"order_id": "o 1", "amount": "10", "currency": "EUR", "paid_on": "2024-05-13"}});
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["body"], json!({ "SendRequested": request }));
    assert_eq!((&mails[0]["recipient"], &mails[0]["occurred_at"]), (&json!("user:1"), &json!("2024-05-13T12:01:00Z")));
}

#[test]
fn each_refund_that_succeeded_has_its_mail_once() {
    let mut all = events(&[requested("a", 4), refunded("a"), succeeded(10), requested("b", 3), refunded("b"), refund_failed("b")]);
    // An authorisation of less takes the capture back, and a success within it brings it again.
    all.extend([event(11, 20, authorised(9)), event(12, 21, succeeded(9)), event(13, 22, refunded("a"))]);
    let refunds: Vec<Json> =
        told_to("email-send", &all).into_iter().filter(|it| it["body"]["SendRequested"]["template"] == "refund").collect();
    let request = |it: &Json| (it["body"]["SendRequested"]["params"]["amount"].clone(), it["body"]["SendRequested"]["message_id"].clone());
    let expected =
        [("a", "4"), ("b", "3")].map(|(id, amount)| (json!(amount), json!(crate::fold::derived_id(&["p", "refund", id]).to_string())));
    assert_eq!(refunds.iter().map(request).collect::<Vec<_>>(), expected);
    assert_eq!(refunds[0]["occurred_at"], "2024-05-13T12:02:00Z", "when the capture was known, which it waited for");
    assert_eq!(refunds[0]["body"]["SendRequested"]["params"]["refunded_on"], "2024-05-13");
}

#[test]
fn a_refund_that_waits_fails_or_is_refused_has_no_mail() {
    let all = events(&[succeeded(10), refunded("a"), requested("b", 3), refund_failed("b"), requested("c", 11), refunded("c")]);
    assert_eq!(told_to("email-send", &all).len(), 1, "the receipt");
}
