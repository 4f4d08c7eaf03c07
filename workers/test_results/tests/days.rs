//! Days, streaks, totals and counters.

use super::*;
use crate::fold::Day;

/// A result of the day so many after the first.
fn on(day: i64) -> TestResult {
    result(u128::from(day.unsigned_abs()) + 1).later(day * DAY)
}

fn streaks(days: &[i64]) -> (i64, i64) {
    let profile = profile(&days.iter().map(|it| on(*it)).collect::<Vec<_>>());
    (profile.streak, profile.longest_streak)
}

#[test]
fn a_streak_grows_day_by_day_and_begins_anew_after_a_gap() {
    assert_eq!(streaks(&[0]), (1, 1));
    assert_eq!(streaks(&[0, 1, 2]), (3, 3));
    assert_eq!(streaks(&[0, 1, 3]), (1, 2));
    assert_eq!(streaks(&[0, 1, 3, 4, 5]), (3, 3));
}

#[test]
fn the_same_day_and_an_older_one_change_no_streak() {
    let twice = profile(&[on(0), on(1), result(9).later(DAY + HOUR)]);
    assert_eq!((twice.streak, twice.last_day), (2, Some(NOON.day().plus(1))));
    let late = profile(&[on(2), on(1), on(0)]);
    assert_eq!((late.streak, late.last_day, late.tests), (1, Some(NOON.day().plus(2)), 3));
    assert_eq!(late.last_result_at, Some(NOON.plus(2 * DAY)));
}

#[test]
fn only_a_new_day_earns_the_daily_bonus() {
    let xp = |results: &[TestResult]| tests(results).iter().map(|it| it.xp).collect::<Vec<_>>();
    assert_eq!(xp(&[on(0), on(0).later(1), on(1)]), [213, 113, 224], "the second day's streak of 2 adds 10 percent");
    assert_eq!(xp(&[on(1), on(0)]), [113, 213], "in the order of time: the older day came late");
}

#[test]
fn results_that_do_not_count_hold_no_streak() {
    let short = on(1).typed(50, 10.0).but(|it| it.bailed_out = true);
    assert_eq!(profile(&[on(0), short, on(2)]).streak, 1);
}

#[test]
fn a_users_day_begins_at_the_users_hour() {
    let days = |hours: i32, at: i64| {
        let result = result(1).later(at).but(|it| it.day_offset_hours = hours);
        let play = after(&[result]);
        let (mut of_user, mut counted) = (rows::<TypingDay>(&play), text_of(&play, "language_days"));
        (of_user.pop().unwrap().day, counted.pop().unwrap().contains("day=2024-05-13"))
    };
    let today = NOON.day();
    assert_eq!(days(12, 0), (today, true));
    assert_eq!(days(12, -1), (today.plus(-1), true));
    assert_eq!(days(-12, 0), (today.plus(1), true));
    assert_eq!(days(-12, -1), (today, true));
    assert_eq!(days(14, 0), (today.plus(-1), true));
}

fn text_of(play: &Play, table: &str) -> Vec<String> {
    play.model().dump().lines().filter(|it| it.starts_with(table)).map(str::to_owned).collect()
}

#[test]
fn a_day_adds_up_its_counted_results() {
    let results = [
        result(1).typed(500, 60.0).but(|it| (it.incomplete_test_seconds, it.afk_duration) = (5.25, 1.5)),
        result(2).typed(400, 60.0).later(1),
        result(3).typed(40, 10.0).later(2).but(|it| it.bailed_out = true),
        result(4).typed(100, 60.0).later(3).but(|it| it.wpm = 30.0),
    ];
    let play = after(&results);
    let day: TypingDay = rows(&play).pop().unwrap();
    assert_eq!((day.tests, day.time_typed_ms, day.best_wpm.0), (2, 63_750 + 60_000, 10_000));
    assert_eq!((day.sum_wpm.0, day.sum_accuracy.0, day.last_event_at), (18_000, 19_400, NOON.plus(1)));
    let profile: Profile = rows(&play).pop().unwrap();
    assert_eq!((profile.tests, profile.time_typed_ms, profile.chars, profile.xp), (2, 123_750, 900, day.xp));
    assert_eq!((profile.last_result_at, profile.last_event_at), (Some(NOON.plus(1)), NOON.plus(3)));
}

#[test]
fn time_typed_is_never_below_zero() {
    let away = result(1).typed(0, 60.0).but(|it| it.afk_duration = 60.0);
    assert_eq!(profile(&[away]).time_typed_ms, 0);
}

#[test]
fn counters_group_by_utc_day_kind_and_tens_of_words() {
    let chars = [449, 450, 499, 500];
    let results: Vec<_> = (1..).zip(chars).map(|(n, chars)| result(n).typed(chars, 60.0).but(|it| it.day_offset_hours = 14)).collect();
    let play = after(&results);
    let row = |bucket: i64, tests: i64| {
        format!("wpm_histogram day=2024-05-13 mode=time mode2=60 language=english bucket={bucket} lane=9 tests={tests}")
    };
    assert_eq!(text_of(&play, "wpm_histogram"), [row(8, 1), row(9, 2), row(10, 1)]);
    assert_eq!(text_of(&play, "language_days"), ["language_days day=2024-05-13 language=english lane=9 tests=4 time_typed_ms=240000"]);
    assert_eq!(rows::<TypingDay>(&play).pop().unwrap().day, Day(NOON.day().0 - 1));
}
