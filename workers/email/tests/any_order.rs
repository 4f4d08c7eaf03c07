//! Events of one recipient in any order, doubled and cut anyhow, come to the same rows.

use proptest::{prelude::*, sample::Index};

use super::*;
use crate::fold::{Play, Presume, Record};

/// Any body about one of two mails of a recipient. Times are few, so that many are equal.
fn bodies() -> impl Strategy<Value = (i64, Json)> {
    let outcomes = prop::sample::select(vec!["retry", "in_doubt", "suppressed", "expired", "failed", "sent", "bounced"]);
    let stamps = prop::sample::select(vec!["Delivered", "Complained", "Opened", "Clicked"]);
    let numbers = 1..=2_u128;
    let body = prop_oneof![
        (numbers.clone(), "[a-c]").prop_map(|(number, name)| {
            let mut request = welcome(number);
            request["SendRequested"]["params"]["name"] = name.into();
            request
        }),
        (numbers.clone(), 1..4_i64, outcomes).prop_map(|(number, attempt, outcome)| attempted(number, attempt, outcome)),
        (numbers.clone(), stamps).prop_map(|(number, stamp)| told(stamp, number)),
        (numbers, any::<bool>())
            .prop_map(|(number, hard)| { json!({"Bounced": {"message_id": mail(number), "kind": if hard { "hard" } else { "soft" }}}) }),
        "[ab]".prop_map(|list| json!({"Unsubscribed": {"list": list}})),
        "[a-c]".prop_map(|name| json!({"ContactSet": {"user_id": 42, "address": format!("{name}@example.org")}})),
    ];
    (0..4_i64, body)
}

/// The rows of records, a batch after each of these places. The queue is left out: its row is that of the request that came first.
fn rows_of(records: &[Record], cuts: &[usize]) -> Vec<String> {
    let mut play = Play::with(&ROLE, Presume::New, 0);
    let mut start = 0;
    for end in cuts.iter().copied().chain([records.len()]) {
        play.batch(&records[start..end]).unwrap();
        start = end;
    }
    play.model().dump().lines().filter(|it| !it.starts_with("email_outbox")).map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_comes_to_the_same_rows(
        events in prop::collection::vec(bodies(), 1..14),
        order in prop::collection::vec(any::<Index>(), 40),
        cuts in prop::collection::btree_set(0..20_usize, 0..5),
    ) {
        // Two events of one millisecond differ by their ids, and half of the ids run against time.
        let lines: Vec<String> = events.iter().zip(0_u64..).map(|((at, body), n)| line(if n % 2 == 0 { n } else { 99 - n }, *at, "user:42", body)).collect();
        let straight = records(&TOPIC, &lines.join("\n")).unwrap();
        let mut mixed: Vec<Record> = order.iter().map(|it| straight[it.index(straight.len())].clone()).collect();
        mixed.extend(straight.iter().rev().cloned());
        let cuts: Vec<usize> = cuts.into_iter().map(|it| it.min(mixed.len())).collect();
        prop_assert_eq!(rows_of(&straight, &[]), rows_of(&mixed, &cuts));
    }
}
