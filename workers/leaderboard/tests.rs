//! The leaderboards' rules as sentences: events in, rows and packed scores out.
//!
//! Rows are compared as values; how they look in MySQL or Redis is the shell's to test.

use std::collections::BTreeMap;

use super::*;
use crate::fold::{Changes, Entry, Fold, Presume, Progress, Values, text};

const NOON: &str = "2024-05-13T12:00:00Z";

pub(super) fn at(text: &str) -> Time {
    Time::from_rfc3339(text).unwrap()
}

/// A best of user 1 at noon of 2024-05-13; tests change what they are about.
pub(super) fn best(id: u128, score: i64) -> LeaderboardUpdate {
    LeaderboardUpdate {
        event_id: Uuid::from_u128(id),
        occurred_at: at(NOON),
        user_id: 1,
        user_name: "".into(),
        category: "time-60-english".into(),
        operator: Operator::Best,
        score,
        tiebreak: 0,
    }
}

pub(super) fn total(id: u128, score: i64) -> LeaderboardUpdate {
    LeaderboardUpdate { category: "xp".into(), operator: Operator::Total, ..best(id, score) }
}

fn later(update: LeaderboardUpdate, millis: i64) -> LeaderboardUpdate {
    LeaderboardUpdate { occurred_at: update.occurred_at.plus(millis), ..update }
}

fn record(update: &LeaderboardUpdate) -> Entry {
    Entry { offset: 0, timestamp: update.occurred_at, event: Ok(Box::new(update.clone())) }
}

/// The fold of one batch that presumes every row absent.
fn folded(updates: &[LeaderboardUpdate]) -> (Fold, Changes) {
    let batch: Vec<Entry> = updates.iter().map(record).collect();
    let mut fold = Fold::new(&ROLE, 0, Presume::Everything, 1 << 30);
    assert_eq!(fold.advance(&batch), Progress::Done);
    let changes = fold.take();
    (fold, changes)
}

pub(super) fn entries(updates: &[LeaderboardUpdate]) -> Vec<LeaderboardEntry> {
    let (fold, _) = folded(updates);
    let mut rows: Vec<Values> = fold.rows(1).map(|(_, row)| row.clone()).collect();
    rows.sort_unstable();
    rows.iter().map(|it| LeaderboardEntry::from_values(it).unwrap()).collect()
}

/// The one entry of all time.
fn entry(updates: &[LeaderboardUpdate]) -> LeaderboardEntry {
    let mut of_all_time = entries(updates).into_iter().filter(|it| it.timeframe == Timeframe::All);
    let entry = of_all_time.next().unwrap();
    assert_eq!(of_all_time.next(), None);
    entry
}

#[test]
fn one_event_makes_an_entry_in_four_windows_and_asks_for_their_places() {
    let (_, changes) = folded(&[best(1, 9_000)]);
    let rows: Vec<LeaderboardEntry> = changes.puts[&1].iter().map(|it| LeaderboardEntry::from_values(it).unwrap()).collect();
    let windows: BTreeMap<&str, Option<String>> = rows.iter().map(|it| (it.timeframe.name(), it.window_start.to_rfc3339())).collect();
    let day = Some("2024-05-13T00:00:00Z".to_owned());
    let (month, ever) = (Some("2024-05-01T00:00:00Z".to_owned()), Some("1970-01-01T00:00:00Z".to_owned()));
    assert_eq!(windows, BTreeMap::from([("daily", day.clone()), ("weekly", day), ("monthly", month), ("all", ever)]));
    assert_eq!(changes.caches.len(), 4);
    assert!(changes.caches.iter().all(|it| it.row.is_some() && it.at == at(NOON)));
}

#[test]
fn keeps_the_greatest_score_then_tiebreak_then_the_first() {
    let (low, high) = (best(1, 9_000), LeaderboardUpdate { tiebreak: 10, ..best(2, 9_000) });
    let sooner = LeaderboardUpdate { event_id: Uuid::from_u128(3), ..later(high.clone(), -5) };
    let worse = later(LeaderboardUpdate { tiebreak: 99_999, ..best(4, 8_999) }, 60_000);
    let entry = entry(&[low, high, sooner.clone(), worse.clone()]);
    assert_eq!((entry.score, entry.tiebreak, entry.achieved_at), (9_000, 10, sooner.occurred_at));
    assert_eq!((entry.event_id, entry.submissions, entry.last_event_at), (sooner.event_id, 4, worse.occurred_at));
}

#[test]
fn of_equal_bests_in_one_millisecond_the_lesser_id_stays() {
    assert_eq!(entry(&[best(7, 50), best(3, 50), best(9, 50)]).event_id, Uuid::from_u128(3));
}

#[test]
fn a_total_adds_up_and_stands_at_its_last_event() {
    let (first, last) = (total(1, 100), later(total(2, 30), 1_000));
    let late = later(LeaderboardUpdate { tiebreak: 500, ..total(3, 7) }, -1_000);
    let entry = entry(&[first, last.clone(), late]);
    assert_eq!((entry.score, entry.tiebreak, entry.submissions), (137, 0, 3));
    assert_eq!((entry.achieved_at, entry.event_id), (last.occurred_at, last.event_id));
}

#[test]
fn a_total_of_zero_changes_only_submissions() {
    let sum = [total(1, 100)];
    let with_zero = [total(1, 100), later(total(2, 0), 1_000)];
    let (before, after) = (entry(&sum), entry(&with_zero));
    assert_eq!((after.submissions, after.last_event_at), (2, at(NOON).plus(1_000)));
    assert_eq!(LeaderboardEntry { submissions: 1, last_event_at: before.last_event_at, ..after }, before);
}

#[test]
fn zeros_alone_stand_at_their_first_until_something_adds() {
    let (zero, sooner) = (total(1, 0), later(total(2, 0), -1_000));
    assert_eq!(entry(&[zero.clone(), sooner.clone()]).event_id, sooner.event_id);
    let early = later(total(3, 5), -2_000);
    let entry = entry(&[zero, sooner, early.clone()]);
    assert_eq!((entry.score, entry.achieved_at, entry.submissions), (5, early.occurred_at, 3));
}

#[test]
fn the_name_is_the_newest_that_is_not_empty() {
    let named = |update: LeaderboardUpdate, name: &str| LeaderboardUpdate { user_name: name.into(), ..update };
    let old = named(best(1, 900), "old");
    let new = later(named(best(2, 10), "new"), 1_000);
    let unnamed = later(best(3, 20), 2_000);
    assert_eq!(&*entry(&[new, old.clone(), unnamed.clone()]).user_name, "new");
    assert_eq!(&*entry(&[named(best(4, 1), "b"), old, named(best(5, 1), "a")]).user_name, "old", "one instant: the greater text");
    assert_eq!(entry(std::slice::from_ref(&unnamed)).user_name_at, None);
}

#[test]
fn a_window_names_its_users_by_its_own_events() {
    let yesterday = later(LeaderboardUpdate { user_name: "then".into(), ..best(1, 10) }, -86_400_000);
    let days: Vec<_> = entries(&[yesterday, best(2, 5)]).into_iter().filter(|it| it.timeframe == Timeframe::Daily).collect();
    assert_eq!(days.iter().map(|it| (&*it.user_name, it.score)).collect::<Vec<_>>(), [("then", 10), ("", 5)]);
}

#[test]
fn a_repeat_changes_nothing_however_it_spells_the_same_body() {
    let once = LeaderboardUpdate { category: "Total Chars".into(), ..best(1, 10) };
    let repeat = LeaderboardUpdate { category: "total_chars".into(), ..once.clone() };
    let (_, changes) = folded(&[once, repeat, total(2, 5), LeaderboardUpdate { tiebreak: 9, ..total(2, 5) }]);
    assert_eq!((changes.applied, changes.duplicates, changes.rejects.len()), (2, 2, 0));
}

#[test]
fn the_same_identity_with_another_body_is_refused_and_at_another_time_is_another_event() {
    let once = best(1, 10);
    let bodies = [
        once.clone(),
        LeaderboardUpdate { score: 11, ..once.clone() },
        LeaderboardUpdate { tiebreak: 1, ..once.clone() },
        LeaderboardUpdate { user_name: "x".into(), ..once.clone() },
        LeaderboardUpdate { category: "else".into(), ..once.clone() },
    ];
    let (_, changes) = folded(&[bodies.as_slice(), &[later(once, 1)]].concat());
    assert_eq!((changes.applied, changes.rejects.len()), (2, 4));
}

#[test]
fn a_total_past_the_greatest_number_is_refused_whole() {
    let mut update = total(1, MAX_SCORE);
    let batch: Vec<Entry> = (0..9_224_u128)
        .map(|id| {
            update.event_id = Uuid::from_u128(id);
            record(&update)
        })
        .collect();
    let mut fold = Fold::new(&ROLE, 0, Presume::Everything, 1 << 30);
    assert_eq!(fold.advance(&batch), Progress::Done);
    let changes = fold.take();
    assert_eq!((changes.applied, changes.appends[&0].len()), (9_223, 9_223));
    assert_eq!(changes.rejects, [(9_223, Reject::new("the total overflows"))]);
}

#[test]
fn values_out_of_bounds_are_refused() {
    let fine = best(1, 10);
    assert_eq!(fine.check(), Ok(()));
    for (bad, field) in [
        (LeaderboardUpdate { user_id: 0, ..fine.clone() }, "user_id"),
        (LeaderboardUpdate { user_name: "é".repeat(65).into(), ..fine.clone() }, "user_name"),
        (LeaderboardUpdate { user_name: "a\0".into(), ..fine.clone() }, "user_name"),
        (LeaderboardUpdate { category: "".into(), ..fine.clone() }, "category"),
        (LeaderboardUpdate { category: "c".repeat(97).into(), ..fine.clone() }, "category"),
        (LeaderboardUpdate { category: "a\0".into(), ..fine.clone() }, "category"),
        (LeaderboardUpdate { score: -1, ..fine.clone() }, "score"),
        (LeaderboardUpdate { score: MAX_SCORE + 1, ..fine.clone() }, "score"),
        (LeaderboardUpdate { tiebreak: -1, ..fine.clone() }, "tiebreak"),
        (LeaderboardUpdate { tiebreak: MAX_TIEBREAK + 1, ..fine.clone() }, "tiebreak"),
        (LeaderboardUpdate { operator: Operator::Total, ..fine.clone() }, "operator"),
        (LeaderboardUpdate { category: "XP".into(), ..fine }, "operator"),
    ] {
        let reason = bad.check().unwrap_err().reason;
        assert!(reason.starts_with(field), "{field}: {reason}");
    }
    let widest = LeaderboardUpdate { user_name: "é".repeat(64).into(), category: "é".repeat(96).into(), ..best(1, MAX_SCORE) };
    assert_eq!(widest.check(), Ok(()));
}

#[test]
fn an_update_survives_its_schema() {
    let schema = TOPIC.codec().unwrap();
    for update in [LeaderboardUpdate { tiebreak: 9, user_name: "Zoë 🐈".into(), ..best(1, MAX_SCORE) }, later(total(2, 0), -1)] {
        let mut config = serde_avro_fast::ser::SerializerConfig::new(schema);
        let datum = serde_avro_fast::to_datum_vec(&update, &mut config).unwrap();
        assert_eq!(serde_avro_fast::from_datum_slice::<LeaderboardUpdate>(&datum, schema).unwrap(), update);
    }
}

#[test]
fn every_example_is_applied() {
    let changes = text::run(&ROLE, TOPIC.examples);
    assert!(!changes.contains("reject"), "{changes}");
    let ranked: Vec<&str> = changes.lines().filter(|it| it.starts_with("put") && it.contains("category=xp timeframe=daily")).collect();
    assert_eq!(
        ranked,
        [
            "put leaderboard_entries category=xp timeframe=daily window_start=2024-05-13T00:00:00Z user_id=42 operator=total score=355 \
             tiebreak=0 submissions=2 achieved_at=2024-05-13T10:00:00Z event_id=018f3c5b-3063-7182-8f90-6e738c91a0bf \
             user_name=ada user_name_at=2024-05-13T10:00:00Z last_event_at=2024-05-13T10:00:00Z",
            "put leaderboard_entries category=xp timeframe=daily window_start=2024-05-13T00:00:00Z user_id=8 operator=total score=0 \
             tiebreak=0 submissions=1 achieved_at=2024-05-13T10:00:01Z event_id=018f3c5b-4174-7293-90a1-7f849da2b1c0 \
             user_name=\"new here\" user_name_at=2024-05-13T10:00:01Z last_event_at=2024-05-13T10:00:01Z",
        ]
    );
}

#[test]
fn an_identity_keeps_its_hash_for_good() {
    // Another hash of the same body would make every event that was applied before, and comes again, a conflict.
    let changes = text::run(&ROLE, TOPIC.examples.lines().next().unwrap());
    let appended = "append leaderboard_events user_id=42 occurred_at=2024-05-13T09:30:00Z \
                    event_id=018f3c5a-7b1e-7c3d-9a4b-1f2e3d4c5b6a body_hash=-6561051121384234284";
    assert!(changes.contains(appended), "{changes}");
}
