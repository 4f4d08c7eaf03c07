//! Made-up keystrokes: as uneven as hands are, in the shares that the help states.

use serde_json::Value as Json;

use crate::simulate::{events, plan, topic};

const KEYSTROKES: &str = "keystroke-analytics";
/// A gap over this is a pause, by the contract.
const PAUSE_MS: i64 = 1_500;

/// A press: when, until when if that was seen, and which code.
type Press = (i64, Option<i64>, i64);

fn presses(event: &Json) -> Vec<Press> {
    let press = |it: &Json| (it["down_ms"].as_i64().unwrap(), it["up_ms"].as_i64(), it["code"].as_i64().unwrap());
    event["keys"].as_array().unwrap().iter().map(press).collect()
}

#[test]
fn they_hold_pauses_rollovers_unseen_releases_corrections_disorder_and_repeats() {
    let codec = topic(KEYSTROKES).plain().unwrap();
    let sessions: Vec<Vec<Press>> =
        events(KEYSTROKES, plan(2_000, 7)).iter().map(|it| presses(&codec.decode(&it.datum).unwrap())).collect();
    let (mut keys, mut pauses, mut rollovers, mut unseen, mut corrections) = (0, 0, 0, 0, 0);
    let (mut disordered, mut doubled) = (0, 0);
    for session in &sessions {
        let mut sorted = session.clone();
        sorted.sort_unstable_by_key(|it| (it.0, it.2));
        disordered += usize::from(!session.is_sorted_by_key(|it| it.0));
        doubled += usize::from(sorted.windows(2).any(|it| it[0] == it[1]));
        keys += session.len();
        unseen += session.iter().filter(|it| it.1.is_none()).count();
        corrections += session.iter().filter(|it| it.2 == 8).count();
        pauses += sorted.windows(2).filter(|it| it[1].0 - it[0].0 > PAUSE_MS).count();
        rollovers += sorted.windows(2).filter(|it| it[0].1.is_some_and(|up| it[1].0 < up)).count();
    }
    println!("{keys} keys: {pauses} pauses, {rollovers} rollovers, {unseen} unseen, {corrections} corrections; {disordered} {doubled}");
    let permille = |count: usize| 1_000 * count / keys;
    assert!((48..=56).contains(&(keys / sessions.len())), "{keys} keys");
    assert!((13..=22).contains(&permille(pauses)), "{pauses} pauses, 1 in 60 are said");
    assert!(permille(rollovers) >= 5, "{rollovers} rollovers");
    assert!((1..=3).contains(&permille(unseen)), "{unseen} releases are not seen, 1 in 500 are said");
    assert!(permille(corrections) >= 10, "{corrections} corrections");
    // The order of releases is that of presses where no key was rolled over.
    assert!((20..=140).contains(&disordered), "{disordered} sessions in disorder, 1 in 20 are said");
    assert!((20..=70).contains(&doubled), "{doubled} sessions with a key twice, 1 in 50 are said");
}
