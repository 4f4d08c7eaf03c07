//! The oracle: whatever order the events of a payment arrive in, and however often, the rows are the same, and the books balance.
//!
//! Exhaustive over three alphabets of twelve events: for every set S of up to seven of them and every e in S, applying e to the
//! state of S without e gives the state of S. By induction every order of arrival of every such set ends in the same rows. The alphabets
//! hold every kind, each conflict that sets an event aside, equal times, one id at two times, and events whose late arrival takes back
//! a capture or turns the payment over to another user. It says nothing of `announced`, which is outside the rule.

use std::collections::BTreeMap;

use proptest::{prelude::*, sample::select};

use super::*;
use crate::fold::{Key, Missing, Value};

/// The largest set.
const MOST: u32 = 7;

/// What makes and takes back a capture.
fn money() -> Vec<PaymentEvent> {
    let other_user = PaymentEvent { user_id: 2, ..event(1, -9, succeeded(10)) };
    vec![
        other_user,
        event(2, 0, created(10)),
        event(3, 1, created(12)),
        event(4, 0, authorised(10)),
        event(5, 2, authorised(8)),
        event(6, 3, succeeded(10)),
        event(7, 4, succeeded(8)),
        event(8, 4, succeeded(12)),
        event(9, 4, canceled()),
        event(10, 4, failed("declined")),
        event(10, 5, Body::Processing {}),
        event(11, 6, Body::ActionRequired {}),
    ]
}

/// Refunds that meet, wait, fail and are refused.
fn refund_cases() -> Vec<PaymentEvent> {
    vec![
        event(1, 5, succeeded(10)),
        event(2, 9, authorised(9)),
        event(3, 0, requested("a", 6)),
        event(4, 6, requested("a", 7)),
        event(5, 6, requested("b", 6)),
        event(5, 7, requested("c", 4)),
        event(6, 7, refunded("a")),
        event(7, 8, refund_failed("a")),
        event(8, 9, refunded("a")),
        event(9, 1_440, refunded("b")),
        event(10, 2_880, refund_failed("b")),
        event(11, 4, refund_failed("c")),
    ]
}

/// Disputes beside a refund, a late authorisation and another currency.
fn dispute_cases() -> Vec<PaymentEvent> {
    let dollars = PaymentEvent { currency: "USD".into(), ..event(12, -1, opened("d", 9)) };
    vec![
        event(1, 0, succeeded(10)),
        event(2, 1, opened("d", 9)),
        event(3, 2, opened("d", 8)),
        event(4, 1_440, closed("d", Outcome::Won)),
        event(5, 1_440, closed("d", Outcome::Lost)),
        event(6, 3, closed("e", Outcome::Lost)),
        event(7, 4, opened("e", 3)),
        event(8, 4, closed("e", Outcome::Won)),
        event(9, 5, requested("r", 10)),
        event(10, 6, refunded("r")),
        event(11, 7, authorised(9)),
        dollars,
    ]
}

/// The tables with one more event, by a lane that holds no row yet.
fn apply(model: &Model, event: &PaymentEvent) -> Model {
    let batch = [entry(event)];
    let mut fold = Fold::new(&ROLE, 0, Presume::Nothing, usize::MAX);
    while let Progress::Missing(missing) = fold.advance(&batch) {
        for Missing { table, key } in missing {
            let row = model.get(table, &key).cloned();
            fold.hold(Missing { table, key }, row);
        }
    }
    let changes = fold.take();
    assert_eq!(changes.rejects, []);
    let mut model = model.clone();
    model.apply(&changes).unwrap();
    model
}

/// Every row, `announced` blanked.
fn told_apart(model: &Model) -> Vec<Vec<Value>> {
    let announced = Payment::TABLE.place("announced").unwrap();
    let mut all = Vec::new();
    for table in 0..ROLE.tables.len() {
        for row in model.rows(table) {
            let mut row = row.to_vec();
            if table == 0 {
                row[announced] = Value::Null;
            }
            all.push(row);
        }
    }
    all
}

/// Whether debits equal credits in each currency, and each day's revenue is what the books say of that day.
fn assert_balanced(model: &Model) {
    // By currency; by day and currency: the revenue account's credit, the disputes account's debit, the processor's debit.
    let mut balance: BTreeMap<String, i64> = BTreeMap::new();
    let mut days: BTreeMap<(i64, String), [i64; 3]> = BTreeMap::new();
    for it in rows::<LedgerEntry>(model) {
        *balance.entry(it.currency.to_string()).or_default() += it.debit - it.credit;
        let day = days.entry((it.occurred_at.day().0.into(), it.currency.to_string())).or_default();
        match &*it.account {
            "revenue" => day[0] += it.credit - it.debit,
            "disputes" => day[1] += it.debit - it.credit,
            "processor_clearing" => day[2] += it.debit - it.credit,
            _ => {}
        }
    }
    assert!(balance.values().all(|it| *it == 0), "{balance:?}");
    let place = ROLE.tables.iter().position(|it| it.name == "revenue_days").unwrap();
    let mut counted: BTreeMap<(i64, String), [i64; 3]> = BTreeMap::new();
    for row in model.rows(place) {
        let [Value::Long(day), Value::Text(currency), _, Value::Long(gross), Value::Long(refunds), Value::Long(disputes), Value::Long(net)] =
            &row[..]
        else {
            panic!("{row:?}")
        };
        assert_eq!(*net, gross - refunds - disputes);
        counted.insert((*day, currency.to_string()), [*gross, *disputes, *net]);
    }
    days.retain(|_, it| *it != [0; 3]);
    assert_eq!(counted, days);
}

/// Every set of up to [`MOST`] events and every event of it; gives how many sets, and how many steps were compared.
fn exhaust(alphabet: &[PaymentEvent]) -> (usize, usize) {
    let (mut sets, mut steps) = (0, 0);
    let mut layer = BTreeMap::from([(0_u32, Model::new(&ROLE))]);
    for size in 1..=MOST {
        let mut next: BTreeMap<u32, (Model, Vec<Vec<Value>>)> = BTreeMap::new();
        for (set, model) in &layer {
            for (place, event) in alphabet.iter().enumerate().filter(|(place, _)| set & (1 << place) == 0) {
                let state = apply(model, event);
                let rows = told_apart(&state);
                steps += 1;
                match next.get(&(set | 1 << place)) {
                    Some((_, expected)) => assert!(rows == *expected, "{event:?} last of {set:b}: {rows:#?} is not {expected:#?}"),
                    None => {
                        assert_balanced(&state);
                        next.insert(set | 1 << place, (state, rows));
                    }
                }
            }
        }
        assert!(next.keys().all(|it| it.count_ones() == size));
        sets += next.len();
        layer = next.into_iter().map(|(set, (model, _))| (set, model)).collect();
    }
    (sets, steps)
}

#[test]
fn money_comes_to_the_same_rows_in_any_order() {
    assert_eq!(exhaust(&money()), (3_301, 17_832));
}

#[test]
fn refunds_come_to_the_same_rows_in_any_order() {
    assert_eq!(exhaust(&refund_cases()), (3_301, 17_832));
}

#[test]
fn disputes_come_to_the_same_rows_in_any_order() {
    assert_eq!(exhaust(&dispute_cases()), (3_301, 17_832));
}

#[test]
fn the_alphabets_reach_every_reason_state_and_status() {
    let mut seen = std::collections::BTreeSet::new();
    for alphabet in [money(), refund_cases(), dispute_cases()] {
        for set in 0_u32..1 << alphabet.len() {
            if set.count_ones() > 4 {
                continue;
            }
            let events: Vec<PaymentEvent> =
                alphabet.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0).map(|it| it.1.clone()).collect();
            let model = after(&events);
            seen.extend(rows::<Quarantined>(&model).iter().map(|it| it.reason.to_string()));
            seen.extend(rows::<Refund>(&model).iter().map(|it| it.state.to_string()));
            seen.extend(rows::<Dispute>(&model).iter().map(|it| it.state.to_string()));
            seen.extend(rows::<Payment>(&model).iter().map(|it| it.status.to_string()));
        }
    }
    let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
    let all = "action_required amount_conflict authorised canceled created dispute_closed failed failed_after_success lost mismatch open \
               over_capture over_refund processing refund_closed refused requested succeeded succeeded_and_canceled unknown waiting won";
    assert_eq!(seen.join(" "), all);
}

/// Many events of two payments, of all alphabets: each id once, so that none contradicts another's identity.
fn long_lives() -> impl Strategy<Value = Vec<PaymentEvent>> {
    let all: Vec<PaymentEvent> = [money(), refund_cases(), dispute_cases()].concat();
    prop::collection::vec((select(all), -20_i64..20, any::<bool>()), 1..40).prop_map(|drawn| {
        let numbered = drawn.into_iter().enumerate();
        let event = |(n, (event, moved, first)): (usize, (PaymentEvent, i64, bool))| PaymentEvent {
            event_id: Uuid::from_u128(n as u128),
            occurred_at: event.occurred_at.plus(moved * MINUTE),
            payment_id: if first { "p" } else { "q" }.into(),
            ..event
        };
        numbered.map(event).collect()
    })
}

proptest! {
    #[test]
    fn any_order_with_repeats_gives_the_same_rows(
        (events, shuffled, cut) in long_lives().prop_flat_map(|it| (Just(it.clone()), Just([it.clone(), it].concat()).prop_shuffle(), 1_usize..9))
    ) {
        let expected = after(&events);
        assert_balanced(&expected);
        let mut model = Model::new(&ROLE);
        for batch in shuffled.chunks(cut) {
            for event in batch {
                model = apply(&model, event);
            }
            assert_balanced(&model);
        }
        prop_assert_eq!(told_apart(&model), told_apart(&expected));
        let keys: Vec<Key> = model.rows(0).map(|it| it[..2].into()).collect();
        prop_assert!(keys.len() <= 2);
    }
}
