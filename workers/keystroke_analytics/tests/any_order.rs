//! Sessions in any order and any batches come to the same bytes.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;
use crate::fold::Presume;

/// Presses of a few keys, some pauses and some unseen releases among them, and keys held for weeks: three of these fill a sum of squares.
fn keys() -> impl Strategy<Value = Json> {
    let hold = prop_oneof![8 => 0..2_500_i64, 1 => (i64::from(i32::MAX) - 9_000)..(i64::from(i32::MAX) - 8_000)];
    let key = ("[a-d]", 0..8_000_i64, proptest::option::of(hold), any::<bool>());
    let json = |(key, down_ms, hold_ms, correct): (String, i64, Option<i64>, bool)| {
        with(press(&key, down_ms, hold_ms.map(|it| down_ms + it)), &json!({"expected": "a", "correct": correct}))
    };
    vec(key.prop_map(json), 1..12).prop_map(Json::Array)
}

/// Sessions of two users and two layouts.
fn sessions() -> impl Strategy<Value = Vec<Json>> {
    vec((keys(), 1..3_i64, any::<bool>(), "[ab]{0,4}"), 1..30).prop_map(|all| {
        let fields = |(user, dvorak, typed): (i64, bool, String)| {
            json!({"user_id": user, "layout": if dvorak { "dvorak" } else { "qwerty" }, "prompt": "abab", "typed": typed})
        };
        let one = |(minute, (keys, user, dvorak, typed))| with(session(minute, &keys), &fields((user, dvorak, typed)));
        (1_i64..).zip(all).map(one).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_batches_and_any_repeats_give_the_same_bytes(sessions in sessions(), cuts in vec(any::<Index>(), 0..6), again in vec(any::<Index>(), 0..6)) {
        let all = records(&sessions);
        let whole = played(&all);
        let mut play = Play::with(&ROLE, Presume::New, 4 << 10);
        let mut cuts: Vec<usize> = cuts.iter().map(|it| it.index(all.len() + 1)).chain([0, all.len()]).collect();
        cuts.sort_unstable();
        for (start, end) in cuts.iter().zip(cuts.iter().skip(1)) {
            let repeats: Vec<Record> = again.iter().map(|it| it.index(all.len())).filter(|it| it < end).map(|it| all[it].clone()).collect();
            play.batch(&[&all[*start..*end], &repeats].concat()).unwrap();
            play.forget();
        }
        prop_assert_eq!(play.model().dump(), whole.model().dump());
    }

    #[test]
    fn any_order_gives_the_same_bytes(sessions in sessions(), turn in any::<Index>()) {
        let mut turned = sessions.clone();
        turned.rotate_left(turn.index(sessions.len()));
        turned.reverse();
        prop_assert_eq!(played(&records(&turned)).model().dump(), played(&records(&sessions)).model().dump());
    }
}
