//! The document of a user's latest results: ten of any verdict, the newest first.
//!
//! Its bytes are those of the column `recent` and of `data` in Redis. Times in it are milliseconds since 1970.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
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
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Recent {
    #[serde(deserialize_with = "fold::event_id", serialize_with = "fold::write_event_id")]
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

    fn order(&self) -> (Time, Uuid) {
        (self.occurred_at, self.event_id)
    }
}

/// The document with one more result, which is left out if ten are newer.
///
/// # Errors
/// A reject if the document is none: a damaged row, which must not be written over.
pub fn with(document: &Json, test: &Test) -> Result<Json, Reject> {
    let mut results: Vec<Recent> = serde_json::from_str(&document.0).map_err(|_| Reject::new("typing_profiles.recent is damaged"))?;
    let newest = Recent::of(test);
    let place = results.partition_point(|it| it.order() > newest.order());
    results.insert(place, newest);
    results.truncate(LENGTH);
    let text = serde_json::to_string(&results).map_err(|_| Reject::new("recent has no JSON form"))?;
    Ok(Json(text.into()))
}

#[cfg(test)]
mod tests {
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
        assert!(with(&Json("{}".into()), &Test::of(&result(1)).unwrap()).is_err());
    }

    #[test]
    fn it_stands_under_the_users_key() {
        let Form::Document(document) = &FAMILY.form else { unreachable!() };
        assert_eq!((document.key, document.ttl_s), ("user:{user_id}:recent-results", 86_400));
        let (key, column) = (FAMILY.table.place("user_id"), FAMILY.table.place(document.column));
        assert!(key.is_some_and(|it| it < FAMILY.table.key) && column.is_some());
    }
}
