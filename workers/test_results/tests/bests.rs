//! Personal bests: which results are, of which kind, and which never.

use super::*;

fn flags(results: &[TestResult]) -> Vec<bool> {
    tests(results).iter().map(|it| it.is_pb).collect()
}

fn bests(results: &[TestResult]) -> Vec<PersonalBest> {
    rows(&after(results))
}

/// The nth result in time, of so many characters in a minute.
fn nth(n: u128, chars: i32) -> TestResult {
    result(n).typed(chars, 60.0).later(i64::try_from(n).unwrap())
}

#[test]
fn a_best_is_the_first_or_strictly_faster_in_hundredths() {
    let results = [nth(1, 500), nth(2, 500), nth(3, 501), nth(4, 500), nth(5, 501).but(|it| it.wpm += 0.004)];
    assert_eq!(flags(&results), [true, false, true, false, false]);
    let best = bests(&results).pop().unwrap();
    assert_eq!((best.wpm.0, best.event_id.as_u128(), best.achieved_at), (10_020, 3, NOON.plus(3)));
}

#[test]
fn a_late_result_may_beat_a_newer_one() {
    let best = bests(&[nth(5, 500), nth(1, 501)]).pop().unwrap();
    assert_eq!((best.achieved_at, best.last_event_at), (NOON.plus(1), NOON.plus(5)));
}

#[test]
fn each_kind_of_test_has_a_best_of_its_own() {
    let kinds: [fn(&mut TestResult); 9] = [
        |_| (),
        |it| it.mode = Mode::Words,
        |it| it.mode2 = "30".into(),
        |it| it.language = "English".into(),
        |it| it.difficulty = Difficulty::Expert,
        |it| it.punctuation = true,
        |it| it.numbers = true,
        |it| it.lazy_mode = true,
        |it| it.user_id = 2,
    ];
    let results: Vec<TestResult> = kinds.into_iter().zip(1..).map(|(kind, n)| nth(n, 500).but(kind)).collect();
    assert!(flags(&results).into_iter().all(|it| it));
    assert_eq!(bests(&results).len(), kinds.len());
}

#[test]
fn some_results_are_never_a_best() {
    let never: [fn(&mut TestResult); 5] = [
        |it| it.mode = Mode::Quote,
        |it| it.bailed_out = true,
        |it| it.funbox = vec!["mirror".into()],
        |it| (it.stop_on_letter, it.accuracy) = (true, 99.99),
        |it| it.wpm = 99.0,
    ];
    for change in never {
        assert_eq!(flags(&[nth(1, 500).but(change)]), [false]);
        assert_eq!(bests(&[nth(1, 500).but(change)]), []);
    }
    assert_eq!(flags(&[nth(1, 500).but(|it| (it.stop_on_letter, it.accuracy) = (true, 100.0))]), [true]);
    assert_eq!(flags(&[nth(1, 500).but(|it| it.accuracy = 1.0)]), [true]);
}
