//! Bounds: what an event may say, and what of it is refused.

use super::*;
use crate::fold::{Event, FIRST_TIME};

#[test]
fn values_out_of_bounds_are_refused() {
    let fine = event(1, 0, succeeded(1));
    let with = |change: fn(&mut PaymentEvent)| {
        let mut event = fine.clone();
        change(&mut event);
        event
    };
    let of = |body: Body| event(1, 0, body);
    let long = |length: usize| "é".repeat(length).into();
    for (bad, field) in [
        (with(|it| it.payment_id = "p".repeat(65).into()), "payment_id"),
        (with(|it| it.payment_id = "p\0".into()), "payment_id"),
        (with(|it| it.order_id = "é".repeat(65).into()), "order_id"),
        (with(|it| it.user_id = 0), "user_id"),
        (with(|it| it.created_at = FIRST_TIME.plus(-1)), "created_at"),
        (with(|it| it.created_at = Time(253_402_300_800_000)), "created_at"),
        (with(|it| it.currency = "EUX".into()), "currency"),
        (with(|it| it.currency = "eur".into()), "currency"),
        (with(|it| it.currency = "".into()), "currency"),
        (of(created(0)), "amount"),
        (of(created(-5)), "amount"),
        (of(authorised(1_000_000_000_001)), "amount"),
        (of(succeeded(0)), "amount"),
        (of(requested("r", 0)), "amount"),
        (of(opened("d", i64::MAX)), "amount"),
        (of(Body::Succeeded { amount: 1, provider_ref: long(129) }), "provider_ref"),
        (of(Body::Failed { code: long(129), message: "".into() }), "code"),
        (of(Body::Failed { code: "".into(), message: long(501) }), "message"),
        (of(Body::Canceled { reason: long(501) }), "reason"),
        (of(Body::RefundRequested { refund_id: long(65), amount: 1 }), "refund_id"),
        (of(Body::RefundSucceeded { refund_id: "\0".into() }), "refund_id"),
        (of(Body::RefundFailed { refund_id: long(65), code: "".into() }), "refund_id"),
        (of(Body::RefundFailed { refund_id: "".into(), code: long(129) }), "code"),
        (of(Body::DisputeOpened { dispute_id: long(65), amount: 1 }), "dispute_id"),
        (of(Body::DisputeClosed { dispute_id: long(65), outcome: Outcome::Won }), "dispute_id"),
    ] {
        let reason = bad.check().unwrap_err().reason;
        assert!(reason.starts_with(field), "{field}: {reason}");
    }
    let widest = with(|it| (it.payment_id, it.order_id) = ("é".repeat(64).into(), "".into()));
    assert_eq!(widest.check(), Ok(()));
    assert_eq!(of(Body::Failed { code: long(128), message: long(500) }).check(), Ok(()));
    assert_eq!(of(created(1_000_000_000_000)).check(), Ok(()));
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
