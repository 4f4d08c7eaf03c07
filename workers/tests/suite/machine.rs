//! The fold machine by the tiny role: however a log is cut, loaded, taken back or repeated, it comes to the same tables.

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;
use workers::fold::{
    Changes, Fold, Model, Play, Presume, Progress, Record,
    text::{push_changes, records, run, run_cut},
};

use crate::tiny::{ROLE, THINGS};

/// One line of a log: few users, categories, ids and times, so that all meet again.
fn line() -> impl Strategy<Value = String> {
    let what = prop::sample::select(vec!["best", "best", "best", "clear", "drop", "spend"]);
    (1_i64..5, 0_u128..40, 0_i64..3, what, prop::sample::select(vec!["a", "b"]), 0_i64..30).prop_map(|(user, id, at, what, category, score)| {
        let at = 1_715_592_600_000 + at * 86_400_000;
        json!({"event_id": Uuid::from_u128(id).to_string(), "occurred_at": at, "user_id": user, "what": what, "category": category, "score": score})
            .to_string()
    })
}

fn log() -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec(line(), 1..60).prop_map(|lines| records(&THINGS, &lines.join("\n")).unwrap())
}

/// A play of the records in batches of these sizes, over and over.
fn played(mut play: Play, records: &[Record], sizes: &[usize]) -> (Play, Vec<Changes>) {
    let (mut rest, mut changes) = (records, Vec::new());
    for size in sizes.iter().cycle() {
        let (batch, after) = rest.split_at((*size).min(rest.len()));
        changes.extend(play.batch(batch).unwrap().into_iter().map(|it| it.changes));
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    (play, changes)
}

/// The derived events by key, in order: lanes have none among each other.
fn emits(changes: &[Changes]) -> Vec<(String, Vec<u8>)> {
    let mut emits: Vec<_> = changes.iter().flat_map(|it| &it.emits).map(|it| (it.key.clone(), it.datum.clone())).collect();
    emits.sort_by(|a, b| a.0.cmp(&b.0));
    emits
}

fn applied(changes: &[Changes]) -> (u64, u64, usize, u64) {
    let counts = changes.iter().flat_map(|it| it.counts.values()).sum();
    let sum = |of: fn(&Changes) -> u64| changes.iter().map(of).sum::<u64>();
    (sum(|it| it.applied), sum(|it| it.duplicates), changes.iter().map(|it| it.rejects.len()).sum(), counts)
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn any_batching_presumption_and_memory_give_the_same_tables(
        log in log(), sizes in prop::collection::vec(1_usize..20, 1..5), memory in prop::sample::select(vec![0_usize, 500, 2_000, 1 << 20]),
    ) {
        let (whole, expected) = played(Play::new(&ROLE), &log, &[log.len()]);
        for presume in [Presume::Everything, Presume::New, Presume::Nothing] {
            let memory = if presume == Presume::Everything { usize::MAX } else { memory };
            let (play, changes) = played(Play::with(&ROLE, presume, memory), &log, &sizes);
            prop_assert_eq!(play.model().dump(), whole.model().dump(), "{:?}", presume);
            prop_assert_eq!(emits(&changes), emits(&expected), "{:?}", presume);
            prop_assert_eq!(applied(&changes), applied(&expected), "{:?}", presume);
        }
    }

    #[test]
    fn a_lane_that_moves_loses_nothing(log in log(), sizes in prop::collection::vec(1_usize..20, 1..5), presume_new: bool) {
        let (whole, _) = played(Play::new(&ROLE), &log, &[log.len()]);
        let mut play = Play::with(&ROLE, if presume_new { Presume::New } else { Presume::Nothing }, 1 << 20);
        let mut rest = log.as_slice();
        for size in sizes.iter().cycle() {
            let (batch, after) = rest.split_at((*size).min(rest.len()));
            play.batch(batch).unwrap();
            play.forget();
            rest = after;
            if rest.is_empty() { break; }
        }
        prop_assert_eq!(play.model().dump(), whole.model().dump());
    }

    #[test]
    fn repeats_change_nothing(log in log(), repeats in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..30), 0..20), sizes in prop::collection::vec(1_usize..20, 1..5)) {
        let (once, expected) = played(Play::new(&ROLE), &log, &[log.len()]);
        let rejected: Vec<usize> = expected.iter().flat_map(|it| it.rejects.iter().map(|it| it.0)).collect();
        let mut again = log.clone();
        let mut added = 0;
        for (index, later) in repeats {
            let place = index.index(log.len());
            // A refused event leaves no identity: its repeat is judged anew.
            if rejected.contains(&place) { continue; }
            let at = again.iter().rposition(|it| *it == log[place]).unwrap() + 1 + later;
            again.insert(at.min(again.len()), log[place].clone());
            added += 1;
        }
        let (twice, changes) = played(Play::with(&ROLE, Presume::New, 1 << 20), &again, &sizes);
        prop_assert_eq!(twice.model().dump(), once.model().dump());
        prop_assert_eq!(emits(&changes), emits(&expected));
        prop_assert_eq!(applied(&changes).1, applied(&expected).1 + added);
    }

    #[test]
    fn a_batch_taken_back_never_happened(log in log(), cut in any::<prop::sample::Index>(), halfway in any::<prop::sample::Index>()) {
        let lane = log[0].partition;
        let log: Vec<Record> = log.into_iter().filter(|it| it.partition == lane).collect();
        let (before, batch) = log.split_at(cut.index(log.len()));
        let mut model = Model::new(&ROLE);
        let mut fold = Fold::new(&ROLE, lane, Presume::Nothing, 1 << 20);
        let first = folded(&mut fold, &model, before);
        model.apply(&first).unwrap();
        fold.settle();
        // Part of the batch, then a fault of the database; then all of it, and a fault after the changes were taken.
        let part = &batch[..halfway.index(batch.len().max(1)).min(batch.len())];
        let entries: Vec<_> = part.iter().map(|it| it.entry(&ROLE, 0)).collect();
        fold.advance(&entries);
        fold.undo();
        let once = folded(&mut fold, &model, batch);
        fold.undo();
        let twice = folded(&mut fold, &model, batch);
        prop_assert_eq!(lines(&once), lines(&twice));
        prop_assert_eq!(once.rejects, twice.rejects.clone());
        model.apply(&twice).unwrap();
        let (whole, _) = played(Play::new(&ROLE), &log, &[log.len()]);
        prop_assert_eq!(model.dump(), whole.model().dump());
    }

    #[test]
    fn a_lane_looks_ahead_only_as_far_as_it_has_room(log in log()) {
        let lane = log[0].partition;
        let entries: Vec<_> = log.iter().filter(|it| it.partition == lane).map(|it| it.entry(&ROLE, 0)).collect();
        let mut fold = Fold::new(&ROLE, lane, Presume::Nothing, 0);
        let Progress::Missing(mut missing) = fold.advance(&entries) else { panic!("nothing is held yet") };
        // One row tells how much rows weigh: there is no room for any.
        missing.truncate(1);
        loop {
            missing.into_iter().for_each(|it| fold.hold(it, None));
            let Progress::Missing(more) = fold.advance(&entries) else { break };
            let next = &entries[fold.done()..=fold.done()];
            let alone = Fold::new(&ROLE, lane, Presume::Nothing, 0).advance(next);
            prop_assert!(matches!(alone, Progress::Missing(alone) if more.len() <= alone.len()));
            missing = more;
        }
    }

    #[test]
    fn what_is_refused_leaves_no_trace(log in log(), bad in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..5), 0..10)) {
        let (clean, _) = played(Play::new(&ROLE), &log, &[log.len()]);
        let mut dirty = log.clone();
        for (index, kind) in &bad {
            let mut record = log[index.index(log.len())].clone();
            match kind {
                0 => record.value = None,
                1 => record.value = Some(vec![0, 0, 0, 0, 1, 2, 3]),
                2 => record.key = Some(b"someone else".to_vec()),
                3 => record.partition = (record.partition + 1) % THINGS.partitions,
                _ => record.timestamp = record.timestamp.plus(-600_001),
            }
            dirty.insert(index.index(dirty.len() + 1), record);
        }
        let (play, changes) = played(Play::with(&ROLE, Presume::Nothing, 1 << 20), &dirty, &[7]);
        prop_assert_eq!(play.model().dump(), clean.model().dump());
        prop_assert!(applied(&changes).2 >= bad.len());
    }
}

fn folded(fold: &mut Fold, model: &Model, records: &[Record]) -> Changes {
    let entries: Vec<_> = records.iter().enumerate().map(|(at, it)| it.entry(&ROLE, at as i64)).collect();
    while let Progress::Missing(missing) = fold.advance(&entries) {
        for it in missing {
            let row = model.get(it.table, &it.key).cloned();
            fold.hold(it, row);
        }
    }
    fold.take()
}

fn lines(changes: &Changes) -> String {
    let mut out = String::new();
    push_changes(&mut out, &ROLE, changes);
    out
}

const LINES: &str = r#"{"event_id":"018f3c5a-0000-7000-8000-000000000001","occurred_at":"2024-05-13T09:30:00Z","user_id":1,"what":"best","category":"a b","score":5}
{"event_id":"018f3c5a-0000-7000-8000-000000000002","occurred_at":"2024-05-13T09:31:00Z","user_id":1,"what":"best","category":"a b","score":4}

{"event_id":"018f3c5a-0000-7000-8000-000000000003","occurred_at":"2024-05-13T09:32:00Z","user_id":1,"what":"spend","category":"","score":2}
{"event_id":"018f3c5a-0000-7000-8000-000000000003","occurred_at":"2024-05-13T09:32:00Z","user_id":1,"what":"spend","category":"","score":2}
{"event_id":"018f3c5a-0000-7000-8000-000000000004","occurred_at":"2024-05-13T09:33:00Z","user_id":1,"what":"clear","category":"a b"}
{"event_id":"018f3c5a-0000-7000-8000-000000000005","occurred_at":"2024-05-13T09:34:00Z","user_id":1,"what":"spend","category":"","score":8}"#;

#[test]
fn changes_read_as_lines() {
    let text = run(&ROLE, LINES);
    println!("{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "lane 0");
    assert!(lines.contains(&r#"put thing_purses user_id=1 sum=7 document={"sum":7}"#));
    assert!(lines.contains(&r#"add thing_days day=2024-05-13 category="a b" lane=0 score=+4 events=+1"#));
    assert!(lines.contains(&"cache purse user_id=1 held at=2024-05-13T09:32:00Z"));
    assert!(lines.contains(&"enqueue thing_outbox user_id=1 event_id=018f3c5a-0000-7000-8000-000000000003 score=2"));
    assert!(lines.contains(&"count not_better 1"));
    assert!(lines.contains(&"duplicates 1"));
    assert_eq!(lines.last(), Some(&"reject 6 the purse does not hold as much"));
    assert!(!text.contains("thing_bests"), "made and gone in one batch");
    let emit = lines.iter().find(|it| it.starts_with("emit ")).unwrap();
    assert!(emit.starts_with(r#"emit echoes key=1 {"event_id":""#) && emit.ends_with(r#","user_id":1,"score":2}"#), "{emit}");
}

#[test]
fn a_cut_shows_each_batch() {
    let text = run_cut(&ROLE, LINES, &[1, 2]);
    assert_eq!(text.lines().filter(|it| *it == "lane 0").count(), 3);
    assert!(text.contains(r#"delete thing_bests user_id=1 category="a b""#));
    assert!(text.contains("reject 6 "));
}

#[test]
fn a_bad_line_is_named() {
    assert!(run(&ROLE, "\n{\"user\":1}").starts_with("line 2: event_id: is absent"));
    assert!(run(&ROLE, "{").starts_with("line 1: "));
}

#[test]
fn a_blind_delete_reaches_the_database() {
    let mut play = Play::with(&ROLE, Presume::Nothing, 1 << 20);
    let line = |id: u32, what: &str| {
        format!(r#"{{"event_id":"018f3c5a-0000-7000-8000-00000000000{id}","occurred_at":0,"user_id":1,"what":"{what}","category":"a"}}"#)
            .replace(":0,", ":1715592600000,")
    };
    play.batch(&records(&THINGS, &line(1, "best")).unwrap()).unwrap();
    assert!(play.model().dump().contains("thing_bests"));
    play.forget();
    play.batch(&records(&THINGS, &line(2, "drop")).unwrap()).unwrap();
    assert!(!play.model().dump().contains("thing_bests"));
}

#[test]
fn a_repeat_that_the_rows_would_now_refuse_is_still_a_repeat() {
    let line = |id: u32, what: &str| {
        format!(
            r#"{{"event_id":"018f3c5a-0000-7000-8000-00000000000{id}","occurred_at":1715592600000,"user_id":1,"what":"{what}","category":"a"}}"#
        )
    };
    let log = [line(1, "best"), line(2, "spend"), line(2, "spend"), line(3, "spend")].join("\n");
    let mut play = Play::with(&ROLE, Presume::New, 1 << 20);
    let mut outcomes = Vec::new();
    for record in records(&THINGS, &log).unwrap() {
        let flushes = play.batch(&[record]).unwrap();
        play.forget();
        outcomes.push((flushes[0].changes.duplicates, flushes[0].changes.rejects.len()));
    }
    assert_eq!(outcomes, [(0, 0), (0, 0), (1, 0), (0, 1)]);
}
