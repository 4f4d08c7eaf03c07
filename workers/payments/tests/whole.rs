//! The role as a whole: its examples, one event's changes as text, identities.

use super::*;
use crate::fold::text;

#[test]
fn every_example_is_applied_and_they_show_every_rule() {
    let changes = text::run(&ROLE, TOPIC.examples);
    assert!(!changes.contains("reject"), "{changes}");
    for reason in ["mismatch", "amount_conflict", "over_capture", "succeeded_and_canceled", "over_refund"] {
        assert!(changes.contains(&format!("reason={reason}")), "no example of {reason}: {changes}");
    }
}

#[test]
fn the_same_identity_with_another_body_is_refused_and_at_another_time_is_another_event() {
    let once = event(1, 0, failed("x"));
    let bodies = [
        once.clone(),
        once.clone(),
        PaymentEvent { body: failed("y"), ..once.clone() },
        PaymentEvent { body: created(1), ..once.clone() },
        PaymentEvent { user_id: 2, ..once.clone() },
        PaymentEvent { order_id: "x".into(), ..once.clone() },
        event(1, 1, failed("x")),
    ];
    let changes = changes(&bodies);
    assert_eq!((changes.applied, changes.duplicates, changes.rejects.len()), (2, 1, 4));
    let reason = "same identity as an earlier event, with another body";
    assert!(changes.rejects.iter().all(|it| it.1.reason == reason));
}

#[test]
fn another_creation_is_another_payment() {
    let first = event(1, 0, created(5));
    let second = PaymentEvent { created_at: NOON.plus(1), ..first.clone() };
    assert_eq!(rows::<Payment>(&after(&[first, second])).len(), 2);
}

#[test]
fn says_all_that_one_event_changes() {
    let line = TOPIC.examples.lines().nth(2).unwrap();
    let expected = r#"lane LANE
put payments payment_id=pay-1 created_at=2024-05-13T09:30:00Z user_id=42 order_id=order-1 currency=EUR status=succeeded amount=null authorised=null captured=1999 refunded=0 refund_pending=0 disputed=0 provider_ref=ch_3PGk2e failures=0 last_failure_code=null succeeded_at=2024-05-13T09:30:02.5Z canceled_at=null facts=[{"occurred_at":1715592602500,"event_id":"018f3c5a-7b1e-7c3d-9a4b-000000000003","user_id":42,"order_id":"order-1","currency":"EUR","body":{"Succeeded":{"amount":1999,"provider_ref":"ch_3PGk2e"}}}] announced={"receipt":true,"refunds":[]} last_event_at=2024-05-13T09:30:02.5Z
put ledger_entries payment_id=pay-1 created_at=2024-05-13T09:30:00Z event_id=018f3c5a-7b1e-7c3d-9a4b-000000000003 line=1 account=customer_receivable debit=1999 credit=0 currency=EUR occurred_at=2024-05-13T09:30:02.5Z last_event_at=2024-05-13T09:30:02.5Z
put ledger_entries payment_id=pay-1 created_at=2024-05-13T09:30:00Z event_id=018f3c5a-7b1e-7c3d-9a4b-000000000003 line=2 account=revenue debit=0 credit=1999 currency=EUR occurred_at=2024-05-13T09:30:02.5Z last_event_at=2024-05-13T09:30:02.5Z
put ledger_entries payment_id=pay-1 created_at=2024-05-13T09:30:00Z event_id=018f3c5a-7b1e-7c3d-9a4b-000000000003 line=3 account=processor_clearing debit=1999 credit=0 currency=EUR occurred_at=2024-05-13T09:30:02.5Z last_event_at=2024-05-13T09:30:02.5Z
put ledger_entries payment_id=pay-1 created_at=2024-05-13T09:30:00Z event_id=018f3c5a-7b1e-7c3d-9a4b-000000000003 line=4 account=customer_receivable debit=0 credit=1999 currency=EUR occurred_at=2024-05-13T09:30:02.5Z last_event_at=2024-05-13T09:30:02.5Z
add revenue_days day=2024-05-13 currency=EUR lane=LANE gross=+1999 refunds=+0 disputes=+0 net=+1999
cache transactions user_id=42 absent at=2024-05-13T09:30:02.5Z
emit achievement-events key=42 {"event_id":"FACT","occurred_at":"2024-05-13T09:30:02.5Z","user_id":42,"fact":"payment_succeeded","value":1999,"tags":{"currency":"EUR"}}
emit email-send key=user:42 {"event_id":"MAIL","occurred_at":"2024-05-13T09:30:02.5Z","recipient":"user:42","body":{"SendRequested":{"message_id":"MESSAGE","template":"receipt","locale":"","params":{"amount":"1999","currency":"EUR","order_id":"order-1","paid_on":"2024-05-13"},"user_id":42,"category":"transactional","list":null,"not_after":null}}}
"#;
    let id = |name| crate::fold::derived_id(&["payments", "pay-1", "018f3c5a-7b1e-7c3d-9a4b-000000000003", name]).to_string();
    let message = crate::fold::derived_id(&["pay-1", "receipt"]).to_string();
    let lane = TOPIC.partition_of(b"pay-1").to_string();
    let words = [("FACT", id("payment_succeeded")), ("MAIL", id("receipt")), ("MESSAGE", message), ("LANE", lane)];
    let expected = words.iter().fold(expected.to_owned(), |text, (word, value)| text.replace(word, value));
    assert_eq!(text::run(&ROLE, line), expected);
}

#[test]
fn a_payment_that_turns_over_to_another_user_is_shown_anew_for_both() {
    let late = PaymentEvent { user_id: 2, ..event(9, -1, created(10)) };
    let changes = changes(&[event(1, 0, created(10)), late]);
    let owners: Vec<fold::Key> = changes.caches.iter().map(|it| it.key.clone()).collect();
    assert_eq!(owners, [1, 2].map(|it| fold::Key::from([fold::Value::Long(it)])));
}

#[test]
fn the_list_of_a_user_shows_declared_columns() {
    let Form::Gathered(gathered) = &TRANSACTIONS.form else { unreachable!() };
    assert_eq!(gathered.shown(Payment::TABLE).len(), gathered.columns.len());
    assert_eq!(TRANSACTIONS.key_columns().iter().map(|it| it.name).collect::<Vec<_>>(), ["user_id"]);
    assert!(gathered.order.iter().all(|it| Payment::TABLE.place(it).is_some()));
}
