//! The document of a user's latest results: ten of any verdict, the newest first.
//!
//! Its bytes are those of the column `recent` and of `data` in Redis. Times in it are milliseconds since 1970.

use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::{
    event::Mode,
    rows::{Profile, Test},
    verdict::Verdict,
};
use crate::fold::{self, Document, Family, Form, Hundredths, Json, Reject, Row, Time};

/// `user:{user_id}:recent-results`, for a day.
pub static FAMILY: Family = Family {
    name: "recent-results",
    table: Profile::TABLE,
    form: Form::Document(Document { key: "user:{user_id}:recent-results", column: "recent", ttl_s: 86_400 }),
};

/// How many results it holds.
const LENGTH: usize = 10;

/// One result of it. The order of the fields is the contract's.
#[derive(Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
struct Recent {
    #[serde(serialize_with = "fold::write_event_id")]
    #[cfg_attr(test, serde(deserialize_with = "fold::event_id"))]
    event_id: Uuid,
    occurred_at: Time,
    mode: Mode,
    mode2: Arc<str>,
    language: Arc<str>,
    wpm: Hundredths,
    accuracy: Hundredths,
    verdict: Verdict,
    is_pb: bool,
}

impl Recent {
    fn of(test: &Test) -> Self {
        Self {
            event_id: test.event_id,
            occurred_at: test.occurred_at,
            mode: test.mode,
            mode2: Arc::clone(&test.mode2),
            language: Arc::clone(&test.language),
            wpm: test.wpm,
            accuracy: test.accuracy,
            verdict: test.verdict,
            is_pb: test.is_pb,
        }
    }
}

/// The document with one more result, which is left out if ten are newer. Results that stay are copied as they stand.
///
/// # Errors
/// A reject if the document is none: a damaged row, which must not be written over.
pub fn with(document: &Json, test: &Test) -> Result<Json, Reject> {
    let results = results(&document.0)?;
    let newest = (test.occurred_at, test.event_id);
    let mut place = 0;
    while let Some(result) = results.get(place)
        && order(result)? > newest
    {
        place += 1;
    }
    if place >= LENGTH {
        return Ok(document.clone());
    }
    let newest = serde_json::to_string(&Recent::of(test)).map_err(|_| Reject::new("recent has no JSON form"))?;
    let (newer, older) = results.split_at(place);
    let mut text = String::with_capacity(document.0.len() + newest.len() + 1);
    for result in newer.iter().chain([&newest.as_str()]).chain(older).take(LENGTH) {
        text.push(if text.is_empty() { '[' } else { ',' });
        text.push_str(result);
    }
    text.push(']');
    Ok(Json(text.into()))
}

/// How each result begins. No text within one holds this: there every quote stands behind a backslash.
const HEAD: &str = "{\"event_id\":\"";
/// What stands between a result's id and its time.
const NECK: &str = "\",\"occurred_at\":";

/// The results of a document, as they stand in it.
fn results(document: &str) -> Result<Vec<&str>, Reject> {
    let list = document.strip_prefix('[').and_then(|it| it.strip_suffix(']')).ok_or_else(damaged)?;
    let mut results = Vec::with_capacity(LENGTH);
    let mut rest = list;
    while !rest.is_empty() {
        let inner = rest.strip_prefix(HEAD).ok_or_else(damaged)?;
        let next = inner.match_indices('{').map(|it| it.0).find(|at| inner.get(*at..).is_some_and(|it| it.starts_with(HEAD)));
        let (result, after) = rest.split_at(next.map_or(rest.len(), |it| HEAD.len() + it));
        let result = if after.is_empty() { Some(result) } else { result.strip_suffix(',') };
        results.push(result.filter(|it| it.ends_with('}')).ok_or_else(damaged)?);
        rest = after;
    }
    Ok(results)
}

/// Results stand in falling order of this.
fn order(result: &str) -> Result<(Time, Uuid), Reject> {
    let parse = || {
        let (id, rest) = result.strip_prefix(HEAD)?.split_once(NECK)?;
        let (at, _) = rest.split_once(',')?;
        Some((Time(at.parse().ok()?), Uuid::try_parse(id).ok()?))
    };
    parse().ok_or_else(damaged)
}

fn damaged() -> Reject {
    Reject::new("typing_profiles.recent is damaged")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::result, *};

    /// The document after results of these (minutes, ids).
    fn document(results: &[(i64, u128)]) -> Json {
        let tests = results.iter().map(|(at, id)| Test::of(&result(*id).later(at * 60_000)).unwrap());
        tests.fold(Json("[]".into()), |document, test| with(&document, &test).unwrap())
    }

    fn ids(document: &Json) -> Vec<u128> {
        serde_json::from_str::<Vec<Recent>>(&document.0).unwrap().iter().map(|it| it.event_id.as_u128()).collect()
    }

    #[test]
    fn the_newest_come_first_whatever_order_they_arrive_in() {
        assert_eq!(ids(&document(&[(1, 1), (3, 3), (2, 2)])), [3, 2, 1]);
        assert_eq!(ids(&document(&[(1, 8), (1, 9), (1, 7)])), [9, 8, 7], "of one millisecond by id");
    }

    #[test]
    fn ten_are_kept_and_an_older_one_is_left_out() {
        let results: Vec<(i64, u128)> = (1..=12).map(|it| (it, u128::try_from(it).unwrap())).collect();
        let ten = document(&results);
        assert_eq!(ids(&ten), [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
        assert_eq!(with(&ten, &Test::of(&result(99)).unwrap()), Ok(ten));
    }

    #[test]
    fn the_bytes_are_the_contracts() {
        let event = result(1).typed(362, 60.04).but(|it| (it.accuracy, it.mode2, it.language) = (100.0, "60".into(), "日本\"語".into()));
        let document = with(&Json("[]".into()), &Test::of(&event).unwrap()).unwrap();
        let expected = r#"[{"event_id":"00000000-0000-0000-0000-000000000001","occurred_at":1715601600000,"mode":"time","mode2":"60","language":"日本\"語","wpm":72.35,"accuracy":100.0,"verdict":"counted","is_pb":false}]"#;
        assert_eq!(&*document.0, expected);
    }

    #[test]
    fn hundredths_survive_the_document() {
        for hundredths in 0..=100_000 {
            let text = serde_json::to_string(&Hundredths(hundredths)).unwrap();
            assert_eq!(serde_json::from_str::<Hundredths>(&text).unwrap(), Hundredths(hundredths));
        }
    }

    #[test]
    fn a_damaged_document_is_not_written_over() {
        let whole = document(&[(1, 1), (2, 2)]);
        assert!(with(&whole, &Test::of(&result(3)).unwrap()).is_ok());
        let at = whole.0.find(",{").unwrap();
        let broken =
            [whole.0[..at].to_owned(), whole.0.replacen(",{", "{", 1), whole.0.replacen("},{", ",{", 1), whole.0.replace("_at", "")];
        for damaged in ["{}", "", "[", "[{}]", "[null]"].map(str::to_owned).into_iter().chain(broken) {
            assert!(with(&Json(damaged.as_str().into()), &Test::of(&result(1)).unwrap()).is_err(), "{damaged}");
        }
    }

    /// The document as it is made when all of it is read and written anew.
    fn rewritten(document: &Json, test: &Test) -> Json {
        let mut results: Vec<Recent> = serde_json::from_str(&document.0).unwrap();
        results.push(Recent::of(test));
        results.sort_by_key(|it| std::cmp::Reverse((it.occurred_at, it.event_id)));
        results.truncate(LENGTH);
        Json(serde_json::to_string(&results).unwrap().into())
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z]{0,8}",
            ".{0,8}",
            Just(HEAD.to_owned()),
            Just(format!("\\\\{NECK}7,\\")),
            Just("},{\"event_id\":\"".to_owned()),
            Just("]}[{\u{1}日\\\"".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn results_that_stay_are_the_same_bytes_as_written_anew(
            tests in prop::collection::vec((0..6_i64, 1..9_u128, text(), text(), 0..3_000_i32, any::<bool>()), 1..40),
        ) {
            let mut document = Json("[]".into());
            for (minute, id, mode2, language, wpm, quote) in tests {
                let mode = if quote { Mode::Quote } else { Mode::Custom };
                let event = result(id).later(minute * 60_000).but(|it| {
                    (it.mode, it.mode2, it.language) = (mode, mode2.into(), language.into());
                    it.wpm = f64::from(wpm) / 7.0;
                });
                let test = Test::of(&event).unwrap();
                let spliced = with(&document, &test).unwrap();
                // Of equal order either may stand first: no two results of a user have the same id.
                let twice = results(&document.0).unwrap().iter().any(|it| order(it) == Ok((test.occurred_at, test.event_id)));
                if !twice {
                    prop_assert_eq!(&spliced, &rewritten(&document, &test));
                    document = spliced;
                }
            }
        }
    }

    #[test]
    fn it_stands_under_the_users_key() {
        let Form::Document(document) = &FAMILY.form else { unreachable!() };
        assert_eq!((document.key, document.ttl_s), ("user:{user_id}:recent-results", 86_400));
        let (key, column) = (FAMILY.table.place("user_id"), FAMILY.table.place(document.column));
        assert!(key.is_some_and(|it| it < FAMILY.table.key) && column.is_some());
    }
}
