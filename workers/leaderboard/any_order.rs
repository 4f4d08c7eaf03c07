//! Properties of the leaderboards over generated events: no order of arrival shows, and packed scores keep the table's order.
//!
//! It states no figure: those are in `tests.rs` and beside what computes them.

use std::cmp::Reverse;

use proptest::{prelude::*, sample::select};

use super::{
    board::packed,
    tests::{at, best, entries, total},
    *,
};

/// Instants on both sides of the ends of a day, a week and a month, some of them equal.
fn instants() -> impl Strategy<Value = Time> {
    const ENDS: &[&str] = &["2024-03-31T23:59:59.999Z", "2024-04-01T00:00:00Z", "2024-04-01T00:00:00.001Z", "2024-04-01T12:00:00Z"];
    (select(ENDS), 0_i64..3).prop_map(|(end, moved)| at(end).plus(moved * 400))
}

/// Few users, names, scores and boards, so that they meet.
fn updates() -> impl Strategy<Value = Vec<LeaderboardUpdate>> {
    const SCORES: &[i64] = &[0, 0, 1, 2, 899_999, 900_000, 900_001, 900_002, MAX_SCORE - 1, MAX_SCORE];
    let fields = (any::<bool>(), instants(), 1_i64..4, select(&["", "a", "b"]), select(SCORES), select(&[0, 1, MAX_TIEBREAK]));
    let update = fields.prop_map(|(adds, occurred_at, user_id, name, score, tiebreak)| {
        let update = if adds { total(0, score) } else { best(0, score) };
        LeaderboardUpdate { occurred_at, user_id, user_name: name.into(), tiebreak, ..update }
    });
    // Identities are told apart by id: a repeat is another matter, and goes by who came first.
    prop::collection::vec((update, any::<u128>()), 0..14).prop_map(|updates| {
        let numbered = updates.into_iter().enumerate();
        numbered.map(|(n, (update, id))| LeaderboardUpdate { event_id: Uuid::from_u128(id & !0xff | n as u128), ..update }).collect()
    })
}

/// The order of `leaderboard_ranks`.
fn position(entry: &LeaderboardEntry) -> impl Ord + use<> {
    (Reverse(entry.score), Reverse(entry.tiebreak), entry.achieved_at, entry.user_id)
}

fn window(entry: &LeaderboardEntry) -> (&str, &str, Time) {
    (&entry.category, entry.timeframe.name(), entry.window_start)
}

proptest! {
    #[test]
    fn any_order_gives_the_same_rows(
        (updates, shuffled) in updates().prop_flat_map(|it| (Just(it.clone()), Just(it).prop_shuffle()))
    ) {
        prop_assert_eq!(entries(&updates), entries(&shuffled));
    }

    #[test]
    fn a_packed_score_never_falls(updates in updates()) {
        for length in 1..=updates.len() {
            let (before, after) = (entries(&updates[..length - 1]), entries(&updates[..length]));
            for old in &before {
                let new = after.iter().find(|it| window(it) == window(old) && it.user_id == old.user_id).unwrap();
                prop_assert!(packed(new) >= packed(old), "{:?} then {:?}", old, new);
            }
        }
    }

    #[test]
    fn packed_scores_keep_the_order_of_the_table_up_to_equals(updates in updates()) {
        let entries = entries(&updates);
        for (one, other) in entries.iter().flat_map(|it| entries.iter().map(move |other| (it, other))) {
            if window(one) == window(other) && position(one) < position(other) {
                prop_assert!(packed(one) as f64 >= packed(other) as f64, "{:?} before {:?}", one, other);
            }
        }
    }
}
