//! The rules one by one, as sentences: bodies in the order in which they happened, and what they come to.

use super::*;

#[test]
fn user_order_and_currency_are_those_of_the_first_event_and_others_are_set_aside() {
    let mut all = events(&[created(10), succeeded(10), succeeded(10), authorised(5), canceled()]);
    (all[1].user_id, all[2].order_id, all[3].currency) = (2, "other".into(), "USD".into());
    let model = after(&all);
    let row = &rows::<Payment>(&model)[0];
    assert_eq!((row.user_id, &*row.order_id, &*row.currency), (1, "o", "EUR"));
    assert_eq!((row.authorised, row.captured, &*row.status), (None, None, "canceled"), "left out of all that follows");
    assert_eq!(aside(&model), [2, 3, 4].map(|it| (it, "mismatch".to_owned())));
    let first = &rows::<Quarantined>(&model)[0];
    assert!(first.event.0.contains("\"user_id\":2") && first.conflicts_with.0.contains("Created"), "{first:?}");
}

#[test]
fn an_earlier_event_that_comes_late_changes_whose_payment_it_is() {
    let late = PaymentEvent { user_id: 2, ..event(9, -1, created(10)) };
    let before = events(&[created(10), succeeded(10)]);
    let model = after(&[before.as_slice(), &[late]].concat());
    let row = &rows::<Payment>(&model)[0];
    assert_eq!((row.user_id, row.amount, row.captured, &*row.status), (2, Some(10), None, "created"));
    assert_eq!(aside(&model).len(), 2);
    assert_eq!((lines(&model).len(), revenue(&model)), (0, vec![]), "all of it is taken back");
}

#[test]
fn amounts_are_the_first_and_others_are_set_aside() {
    let model = after(&events(&[created(10), created(10), created(11), authorised(9), authorised(9), authorised(10)]));
    let row = &rows::<Payment>(&model)[0];
    assert_eq!((row.amount, row.authorised), (Some(10), Some(9)));
    assert_eq!(aside(&model), [(3, "amount_conflict".to_owned()), (6, "amount_conflict".to_owned())]);
    let conflicts: Vec<bool> = rows::<Quarantined>(&model).iter().map(|it| it.conflicts_with.0.contains("\"amount\":10")).collect();
    assert_eq!(conflicts, [true, false], "each beside its own first");
}

#[test]
fn at_most_what_was_authorised_is_captured_wherever_that_stands_in_the_set() {
    let model = after(&events(&[created(20), succeeded(11), succeeded(10), succeeded(9), succeeded(10), authorised(10)]));
    let row = &rows::<Payment>(&model)[0];
    assert_eq!((row.captured, row.provider_ref.as_deref(), row.succeeded_at), (Some(10), Some("ref 10"), Some(NOON.plus(2 * MINUTE))));
    assert_eq!(aside(&model), [(2, "over_capture".to_owned()), (4, "amount_conflict".to_owned())]);
}

#[test]
fn without_an_authorisation_the_amount_is_the_limit_and_without_that_there_is_none() {
    assert_eq!(payment(&[created(5), succeeded(6), succeeded(4)]).captured, Some(4));
    assert_eq!(payment(&[succeeded(6), created(5)]).captured, None);
    assert_eq!(payment(&[succeeded(1_000_000_000_000)]).captured, Some(1_000_000_000_000));
    assert_eq!(payment(&[created(5), authorised(7), succeeded(6)]).captured, Some(6), "an authorisation goes before the amount");
}

#[test]
fn the_status_is_the_capture_then_a_cancellation_then_the_last_kind_that_gives_one() {
    for (bodies, status) in [
        (vec![succeeded(1)], "succeeded"),
        (vec![created(1), canceled(), succeeded(1), failed("x")], "succeeded"),
        (vec![canceled(), created(1), failed("x")], "canceled"),
        (vec![created(1)], "created"),
        (vec![created(1), authorised(1)], "authorised"),
        (vec![created(1), Body::ActionRequired {}], "action_required"),
        (vec![Body::ActionRequired {}, Body::Processing {}], "processing"),
        (vec![Body::Processing {}, failed("x")], "failed"),
        (vec![failed("x"), created(1)], "created"),
        (vec![requested("r", 1), refunded("r")], "unknown"),
        (vec![created(1), succeeded(2)], "created"),
        (vec![failed("x"), created(1), created(2)], "created"),
    ] {
        assert_eq!(&*payment(&bodies).status, status, "{bodies:?}");
    }
}

#[test]
fn an_amount_conflict_still_counts_for_the_status() {
    assert_eq!(&*payment(&[created(1), failed("x"), created(2)]).status, "created");
}

#[test]
fn money_wins_over_a_cancellation_which_is_set_aside_and_dated() {
    let model = after(&events(&[canceled(), succeeded(5), canceled()]));
    let row = &rows::<Payment>(&model)[0];
    assert_eq!((&*row.status, row.canceled_at), ("succeeded", Some(NOON)));
    assert_eq!(aside(&model), [(1, "succeeded_and_canceled".to_owned()), (3, "succeeded_and_canceled".to_owned())]);
}

#[test]
fn failures_are_counted_and_the_last_code_is_kept() {
    let row = payment(&[failed("first"), succeeded(1), failed("last")]);
    assert_eq!((row.failures, row.last_failure_code.as_deref()), (2, Some("last")));
    assert_eq!(payment(&[created(1)]).last_failure_code, None);
}

#[test]
fn of_one_instant_the_union_is_the_order_and_then_the_id() {
    let same = |id, body| event(id, 0, body);
    let row = &rows::<Payment>(&after(&[same(1, failed("x")), same(2, Body::Processing {}), same(3, created(4)), same(9, created(5))]))[0];
    assert_eq!((&*row.status, row.amount), ("failed", Some(4)));
    let row = &rows::<Payment>(&after(&[same(9, created(4)), same(3, created(5))]))[0];
    assert_eq!(row.amount, Some(5), "the lesser id is the first");
}

#[test]
fn a_refund_goes_by_its_outcomes_in_order() {
    for (outcomes, state, set_aside) in [
        (vec![], "r requested Some(4)", 0),
        (vec![refunded("r")], "r succeeded Some(4)", 0),
        (vec![refunded("r"), refunded("r")], "r succeeded Some(4)", 0),
        (vec![refunded("r"), refund_failed("r")], "r failed_after_success Some(4)", 0),
        (vec![refunded("r"), refund_failed("r"), refund_failed("r")], "r failed_after_success Some(4)", 0),
        (vec![refunded("r"), refund_failed("r"), refunded("r")], "r failed_after_success Some(4)", 1),
        (vec![refund_failed("r")], "r failed Some(4)", 0),
        (vec![refund_failed("r"), refund_failed("r")], "r failed Some(4)", 0),
        (vec![refund_failed("r"), refunded("r")], "r failed Some(4)", 1),
    ] {
        let model = after(&events(&[vec![succeeded(10), requested("r", 4)], outcomes.clone()].concat()));
        assert_eq!(refunds(&model), [state], "{outcomes:?}");
        assert_eq!(aside(&model).iter().filter(|it| it.1 == "refund_closed").count(), set_aside, "{outcomes:?}");
        assert_eq!(aside(&model).len(), set_aside, "{outcomes:?}");
    }
}

#[test]
fn a_second_request_of_another_amount_is_set_aside() {
    let model = after(&events(&[succeeded(10), requested("r", 4), requested("r", 4), requested("r", 5)]));
    assert_eq!(refunds(&model), ["r requested Some(4)"]);
    assert_eq!(aside(&model), [(4, "amount_conflict".to_owned())]);
}

#[test]
fn without_a_request_or_a_capture_a_refund_waits_without_a_line() {
    let model = after(&events(&[refunded("a"), requested("b", 3), refunded("b")]));
    assert_eq!(refunds(&model), ["a waiting None", "b waiting Some(3)"]);
    assert_eq!(lines(&model), Vec::<String>::new());
    let model = after(&events(&[refunded("a"), requested("b", 3), refunded("b"), succeeded(3)]));
    assert_eq!(refunds(&model), ["a waiting None", "b succeeded Some(3)"]);
    let waiting = after(&events(&[refund_failed("a"), refunded("a")]));
    assert_eq!(aside(&waiting), [(2, "refund_closed".to_owned())], "it contradicts itself all the same");
}

#[test]
fn refunds_apply_in_the_order_of_their_requests_while_something_is_left() {
    let model = after(&events(&[
        succeeded(10),
        requested("b", 6),
        requested("a", 5),
        requested("c", 4),
        refunded("a"),
        refund_failed("a"),
        refunded("a"),
    ]));
    assert_eq!(refunds(&model), ["a refused Some(5)", "b requested Some(6)", "c requested Some(4)"]);
    assert_eq!(aside(&model), [(3, "over_refund".to_owned())], "its outcomes have no effect");
    let row = &rows::<Payment>(&model)[0];
    assert_eq!((row.refunded, row.refund_pending), (0, 10));
}

#[test]
fn what_a_failed_refund_claimed_is_free_again_judged_on_the_whole_set() {
    let bodies = [succeeded(10), requested("a", 6), requested("b", 6), refunded("b"), refunded("a"), refund_failed("a")];
    let model = after(&events(&bodies));
    assert_eq!(refunds(&model), ["a failed_after_success Some(6)", "b succeeded Some(6)"]);
    let row = &rows::<Payment>(&model)[0];
    assert_eq!((row.refunded, row.refund_pending), (6, 0));
    assert_eq!(refunds(&after(&events(&bodies[..5]))), ["a succeeded Some(6)", "b refused Some(6)"]);
}

#[test]
fn a_refunds_row_says_when() {
    let model =
        after(&events(&[succeeded(10), requested("a", 6), refunded("a"), refund_failed("a"), requested("b", 1), requested("c", 99)]));
    let at = |minute| Some(NOON.plus(minute * MINUTE));
    let times: Vec<_> = rows::<Refund>(&model).iter().map(|it| (it.requested_at, it.settled_at, it.last_event_at)).collect();
    assert_eq!(times, [(at(1), at(3), NOON.plus(3 * MINUTE)), (at(4), None, NOON.plus(4 * MINUTE)), (at(5), None, NOON.plus(5 * MINUTE))]);
}

#[test]
fn disputes_are_opened_and_closed_by_the_first() {
    use Outcome::{Lost, Won};
    for (bodies, state, disputed, set_aside) in [
        (vec![opened("d", 7)], "open", 7, None),
        (vec![opened("d", 7), opened("d", 7), closed("d", Won)], "won", 0, None),
        (vec![opened("d", 7), closed("d", Lost), closed("d", Lost)], "lost", 7, None),
        (vec![closed("d", Lost), opened("d", 7)], "lost", 7, None),
        (vec![opened("d", 7), closed("d", Won), closed("d", Lost)], "won", 0, Some((4, "dispute_closed"))),
        (vec![opened("d", 7), opened("d", 8)], "open", 7, Some((3, "amount_conflict"))),
    ] {
        let model = after(&events(&[vec![succeeded(10)], bodies.clone()].concat()));
        let row = &rows::<Dispute>(&model)[0];
        assert_eq!((&*row.state, rows::<Payment>(&model)[0].disputed), (state, disputed), "{bodies:?}");
        assert_eq!(aside(&model), set_aside.map(|(at, why)| (at, why.to_owned())).into_iter().collect::<Vec<_>>(), "{bodies:?}");
        assert_eq!(row.closed_at.is_some(), state != "open");
    }
}

#[test]
fn without_an_opening_or_a_capture_a_dispute_has_no_row() {
    for bodies in [vec![created(5), opened("d", 5)], vec![succeeded(5), closed("d", Outcome::Won)]] {
        assert_eq!(rows::<Dispute>(&after(&events(&bodies))), [], "{bodies:?}");
    }
}

#[test]
fn the_books_are_those_of_the_table() {
    let capture = ["1 1 customer_receivable 10 0", "1 2 revenue 0 10", "1 3 processor_clearing 10 0", "1 4 customer_receivable 0 10"];
    let request = ["2 1 refunds 4 0", "2 2 customer_receivable 0 4"];
    let success = ["3 1 customer_receivable 4 0", "3 2 processor_clearing 0 4"];
    let opening = ["2 1 disputes 4 0", "2 2 processor_clearing 0 4"];
    let (r, d) = (requested("r", 4), opened("d", 4));
    let table: [(&[Body], Vec<&[&str]>); 7] = [
        (&[succeeded(10)], vec![&capture]),
        (&[succeeded(10), r.clone()], vec![&capture, &request]),
        (&[succeeded(10), r.clone(), refunded("r")], vec![&capture, &request, &success]),
        (&[succeeded(10), r.clone(), refund_failed("r")], vec![&capture, &request, &["3 1 customer_receivable 4 0", "3 2 refunds 0 4"]]),
        (
            &[succeeded(10), r, refunded("r"), refund_failed("r")],
            vec![&capture, &request, &success, &["4 1 processor_clearing 4 0", "4 2 refunds 0 4"]],
        ),
        (
            &[succeeded(10), d.clone(), closed("d", Outcome::Won)],
            vec![&capture, &opening, &["3 1 processor_clearing 4 0", "3 2 disputes 0 4"]],
        ),
        (&[succeeded(10), d, closed("d", Outcome::Lost), created(10), failed("x")], vec![&capture, &opening]),
    ];
    for (bodies, expected) in table {
        assert_eq!(lines(&after(&events(bodies))), expected.concat(), "{bodies:?}");
    }
}

#[test]
fn lines_of_one_id_at_two_times_do_not_take_each_others_place() {
    let all = [event(1, 0, succeeded(10)), event(7, 1, requested("a", 1)), event(7, 2, requested("b", 2))];
    let expected = ["7 1 refunds 1 0", "7 2 customer_receivable 0 1", "7 3 refunds 2 0", "7 4 customer_receivable 0 2"];
    assert_eq!(lines(&after(&all))[4..], expected);
}

#[test]
fn revenue_stands_on_the_days_of_its_events_and_is_taken_back_on_those_of_theirs() {
    const DAY: i64 = 1_440;
    let all = [
        event(1, 0, succeeded(100)),
        event(2, DAY, requested("r", 30)),
        event(3, 2 * DAY, refunded("r")),
        event(4, 3 * DAY, refund_failed("r")),
        event(5, 4 * DAY, opened("d", 50)),
        event(6, 5 * DAY, closed("d", Outcome::Won)),
        event(7, 6 * DAY, opened("e", 20)),
        event(8, 7 * DAY, closed("e", Outcome::Lost)),
    ];
    let expected = [
        (13, [100, 0, 0, 100]),
        (15, [0, 30, 0, -30]),
        (16, [0, -30, 0, 30]),
        (17, [0, 0, 50, -50]),
        (18, [0, 0, -50, 50]),
        (19, [0, 0, 20, -20]),
    ];
    assert_eq!(revenue(&after(&all)), expected);
}
