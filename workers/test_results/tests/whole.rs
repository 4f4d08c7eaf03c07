//! The role as a whole: its examples, one result's changes as text, results sent twice.
//!
//! No rule of its own is tested here.

use super::*;
use crate::fold::Presume;

#[test]
fn accepts_every_example_and_folds_it_the_same_however_it_is_batched() {
    let records = text::records(&TOPIC, TOPIC.examples).unwrap();
    let whole = played(&records);
    assert!(records.len() >= 12);
    let verdicts: std::collections::BTreeSet<&str> = rows::<Test>(&whole).iter().map(|it| it.verdict.name()).collect();
    assert_eq!(verdicts.len(), 3);
    for (presume, memory_bytes, step) in [(Presume::Nothing, 1, 1), (Presume::New, 4_000, 3), (Presume::New, 1 << 20, 7)] {
        let mut play = Play::with(&ROLE, presume, memory_bytes);
        for batch in records.chunks(step) {
            play.batch(batch).unwrap();
            play.forget();
        }
        assert_eq!(play.model(), whole.model(), "{presume:?}");
    }
    assert!(played(&[records.clone(), records].concat()).model() == whole.model(), "sent twice");
}

#[test]
fn says_all_that_one_result_changes() {
    let expected = r#"lane 9
put personal_bests user_id=1 mode=time mode2=60 language=english difficulty=normal punctuation=false numbers=false lazy_mode=false wpm=100.00 raw_wpm=101.00 accuracy=97.00 consistency=80.00 achieved_at=2024-05-13T12:00:00Z event_id=00000000-0000-0000-0000-000000000001 last_event_at=2024-05-13T12:00:00Z
put typing_profiles user_id=1 tests=1 time_typed_ms=60000 chars=500 xp=213 level=2 streak=1 longest_streak=1 last_day=2024-05-13 last_result_at=2024-05-13T12:00:00Z recent=[{"event_id":"00000000-0000-0000-0000-000000000001","occurred_at":1715601600000,"mode":"time","mode2":"60","language":"english","wpm":100.0,"accuracy":97.0,"verdict":"counted","is_pb":true}] last_event_at=2024-05-13T12:00:00Z
put typing_days user_id=1 day=2024-05-13 tests=1 time_typed_ms=60000 best_wpm=100.00 sum_wpm=100.00 sum_accuracy=97.00 xp=213 last_event_at=2024-05-13T12:00:00Z
append test_results user_id=1 occurred_at=2024-05-13T12:00:00Z event_id=00000000-0000-0000-0000-000000000001 user_name=ada mode=time mode2=60 language=english difficulty=normal punctuation=false numbers=false lazy_mode=false bailed_out=false stop_on_letter=false funbox=[] wpm=100.00 raw_wpm=101.00 accuracy=97.00 consistency=80.00 correct_chars=500 incorrect_chars=3 extra_chars=2 missed_chars=1 test_duration_ms=60000 afk_duration_ms=0 incomplete_test_ms=0 restart_count=0 day_offset_hours=0 verdict=counted is_pb=true xp=213 body_hash=525819316411543568
add wpm_histogram day=2024-05-13 mode=time mode2=60 language=english bucket=10 lane=9 tests=+1
add language_days day=2024-05-13 language=english lane=9 tests=+1 time_typed_ms=+60000
cache recent-results user_id=1 held at=2024-05-13T12:00:00Z
emit leaderboard-updates key=1 {"event_id":"8923674b-effc-5595-89c7-0370515f39a2","occurred_at":"2024-05-13T12:00:00Z","user_id":1,"user_name":"ada","category":"time-60-english","operator":"best","score":10000,"tiebreak":9700}
emit leaderboard-updates key=1 {"event_id":"ed2b6fd5-89ee-54a3-a044-f4aff0c23210","occurred_at":"2024-05-13T12:00:00Z","user_id":1,"user_name":"ada","category":"xp","operator":"total","score":213,"tiebreak":0}
emit achievement-events key=1 {"event_id":"d4d7320c-97f7-5698-a98f-050683e6ddb1","occurred_at":"2024-05-13T12:00:00Z","user_id":1,"fact":"test_completed","value":10000,"tags":{"day":"2024-05-13","difficulty":"normal","is_pb":"true","language":"english","mode":"time","mode2":"60","perfect":"false"}}
emit achievement-events key=1 {"event_id":"9e87f5d4-8b26-5c34-abdb-22d302ddc9f8","occurred_at":"2024-05-13T12:00:00Z","user_id":1,"fact":"streak_reached","value":1,"tags":{}}
emit achievement-events key=1 {"event_id":"274d5f21-9aaa-5d85-97ee-3072142a48d4","occurred_at":"2024-05-13T12:00:00Z","user_id":1,"fact":"level_reached","value":2,"tags":{}}
"#;
    assert_eq!(text::run(&ROLE, &lines(&[result(1)])), expected);
}

#[test]
fn keeps_a_result_that_does_not_count_as_a_row_and_a_profile_of_zeros() {
    let changes = text::run(&ROLE, &lines(&[result(1).typed(70, 14.0).of(Mode::Zen, "zen")]));
    let names: Vec<String> = changes.lines().map(|it| it.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(names, ["lane 9", "put typing_profiles", "append test_results", "cache recent-results"]);
    let profile = profile(&[result(1).of(Mode::Zen, "zen").typed(70, 14.0)]);
    assert_eq!((profile.tests, profile.level, profile.xp, profile.last_day, profile.last_result_at), (0, 1, 0, None, None));
    assert_eq!(profile.last_event_at, NOON);
}

#[test]
fn the_same_result_again_changes_nothing() {
    let once = after(&[result(1)]);
    let rounded = result(1).but(|it| it.wpm = 100.004);
    assert_eq!(after(&[result(1), result(1), rounded]).model(), once.model(), "the body is compared as stored");
    let changes = text::run_cut(&ROLE, &lines(&[result(1), result(1)]), &[1]);
    assert!(changes.ends_with("lane 9\nduplicates 1\n"), "{changes}");
}

#[test]
fn another_body_under_the_same_identity_is_a_reject() {
    for change in [
        (|it: &mut TestResult| it.wpm = 100.01) as fn(&mut TestResult),
        |it| it.user_name = "eve".into(),
        |it| it.funbox = vec!["mirror".into()],
        |it| it.test_duration = 60.001,
        |it| it.day_offset_hours = 1,
    ] {
        let changes = text::run_cut(&ROLE, &lines(&[result(1), result(1).but(change)]), &[1]);
        assert!(changes.ends_with("lane 9\nreject 2 same identity as an earlier event, with another body\n"), "{changes}");
    }
}

#[test]
fn another_time_under_the_same_id_is_another_result() {
    assert_eq!(tests(&[result(1), result(1).later(1)]).len(), 2);
}

#[test]
fn a_sum_that_would_overflow_refuses_the_result_whole() {
    let endless = |id: u128| result(id).but(|it| (it.wpm, it.correct_chars, it.test_duration) = (0.0, 0, 5e15));
    assert_eq!(tests(&[endless(1).of(Mode::Zen, "")]).len(), 1);
    let changes = text::run(&ROLE, &lines(&[endless(1).of(Mode::Zen, ""), endless(2).of(Mode::Zen, "")]));
    assert!(changes.ends_with("reject 2 time_typed_ms overflows\n"), "{changes}");
    let changes = text::run(&ROLE, &lines(&[endless(1).but(|it| it.incomplete_test_seconds = 5e15)]));
    assert!(changes.ends_with("lane 9\nreject 1 time_typed_ms overflows\n"), "{changes}");
}
