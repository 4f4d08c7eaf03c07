//! Bounds: what an event may say, and what of it is refused.

use super::*;
use crate::fold::{Event, FIRST_TIME};

/// The event with a change.
fn with(change: fn(&mut PaymentEvent)) -> PaymentEvent {
    let mut event = event(1, 0, succeeded(1));
    change(&mut event);
    event
}

fn long(length: usize) -> std::sync::Arc<str> {
    "é".repeat(length).into()
}

fn assert_refused(bad: &PaymentEvent, field: &str) {
    let reason = bad.check().unwrap_err().reason;
    assert!(reason.starts_with(field), "{field}: {reason}");
}

#[test]
fn values_out_of_bounds_are_refused() {
    for (bad, field) in [
        (with(|it| it.payment_id = "p".repeat(65).into()), "payment_id"),
        (with(|it| it.payment_id = "p\0".into()), "payment_id"),
        (with(|it| it.order_id = long(65)), "order_id"),
        (with(|it| it.user_id = 0), "user_id"),
        (with(|it| it.created_at = FIRST_TIME.plus(-1)), "created_at"),
        (with(|it| it.created_at = Time(253_402_300_800_000)), "created_at"),
        (with(|it| it.currency = "EUX".into()), "currency"),
        (with(|it| it.currency = "eur".into()), "currency"),
        (with(|it| it.currency = "".into()), "currency"),
    ] {
        assert_refused(&bad, field);
    }
    assert_eq!(with(|it| (it.payment_id, it.order_id) = (long(64), "".into())).check(), Ok(()));
}

#[test]
fn bodies_out_of_bounds_are_refused() {
    for (bad, field) in [
        (created(0), "amount"),
        (created(-5), "amount"),
        (authorised(1_000_000_000_001), "amount"),
        (succeeded(0), "amount"),
        (requested("r", 0), "amount"),
        (opened("d", i64::MAX), "amount"),
        (Body::Succeeded { amount: 1, provider_ref: long(129) }, "provider_ref"),
        (Body::Failed { code: long(129), message: "".into() }, "code"),
        (Body::Failed { code: "".into(), message: long(501) }, "message"),
        (Body::Canceled { reason: long(501) }, "reason"),
        (Body::RefundRequested { refund_id: long(65), amount: 1 }, "refund_id"),
        (Body::RefundSucceeded { refund_id: "\0".into() }, "refund_id"),
        (Body::RefundFailed { refund_id: long(65), code: "".into() }, "refund_id"),
        (Body::RefundFailed { refund_id: "".into(), code: long(129) }, "code"),
        (Body::DisputeOpened { dispute_id: long(65), amount: 1 }, "dispute_id"),
        (Body::DisputeClosed { dispute_id: long(65), outcome: Outcome::Won }, "dispute_id"),
    ] {
        assert_refused(&event(1, 0, bad), field);
    }
    for fine in [Body::Failed { code: long(128), message: long(500) }, created(1_000_000_000_000)] {
        assert_eq!(event(1, 0, fine).check(), Ok(()));
    }
}

#[test]
fn an_event_survives_its_schema() {
    let bodies = [
        created(1),
        authorised(2),
        Body::ActionRequired {},
        Body::Processing {},
        succeeded(3),
        failed("declined"),
        canceled(),
        requested("r", 4),
        refunded("r"),
        refund_failed("r"),
        opened("d", 5),
        closed("d", Outcome::Won),
        closed("d", Outcome::Lost),
    ];
    for event in events(&bodies) {
        let mut config = serde_avro_fast::ser::SerializerConfig::new(TOPIC.codec().unwrap());
        let datum = serde_avro_fast::to_datum_vec(&event, &mut config).unwrap();
        assert_eq!(serde_avro_fast::from_datum_slice::<PaymentEvent>(&datum, TOPIC.codec().unwrap()).unwrap(), event);
        let text = serde_json::to_string(&Fact::of(&event)).unwrap();
        assert_eq!(serde_json::from_str::<Fact>(&text).unwrap(), Fact::of(&event));
    }
}

#[test]
fn the_rank_of_a_kind_is_its_place_in_the_union() {
    let schema: serde_json::Value = serde_json::from_str(TOPIC.schema).unwrap();
    let union = schema["fields"].as_array().unwrap().last().unwrap()["type"].as_array().unwrap();
    for (rank, kind) in union.iter().enumerate() {
        let name = kind["name"].as_str().unwrap();
        let all = [
            created(1),
            authorised(2),
            Body::ActionRequired {},
            Body::Processing {},
            succeeded(3),
            failed("declined"),
            canceled(),
            requested("r", 4),
            refunded("r"),
            refund_failed("r"),
            opened("d", 5),
            closed("d", Outcome::Won),
        ];
        let body = all.iter().find(|it| serde_json::to_value(it).unwrap().get(name).is_some()).unwrap();
        assert_eq!(usize::from(body.rank()), rank, "{name}");
    }
    assert_eq!(union.len(), 12);
}

#[test]
fn a_payment_has_two_hundred_events_and_no_more() {
    let full: Vec<PaymentEvent> = (0..201).map(|it| event(it as u128, it, failed("again"))).collect();
    let changes = changes(&full);
    assert_eq!(changes.rejects, [(200, Reject::new("the payment has 200 events already"))]);
    assert_eq!(rows::<Payment>(&after(&full[..200]))[0].failures, 200);
}

#[test]
fn the_greatest_amounts_of_the_most_events_add_up() {
    let most = 1_000_000_000_000;
    let full: Vec<Body> = std::iter::once(succeeded(most)).chain((1..200).map(|it| opened(&it.to_string(), most))).collect();
    assert_eq!(payment(&full).disputed, 199 * most);
}
