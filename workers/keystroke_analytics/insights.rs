//! Insights: the document of what slows a user down, and whether they get faster.
//!
//! Its bytes are those of the column `insights` and of `data` under `user:{user_id}:insights`. It speaks of the layout of the user's
//! newest session, by (occurred_at, event_id), which it names; the trend alone is of sessions of any layout.
//!
//! | field | what |
//! |---|---|
//! | layout | text: the layout that the lists are of |
//! | slowest_keys | at most 10 of `{key, n, median_ms}`: greatest median latency first, of equals the lesser key; n latencies, at least 10 |
//! | slowest_digraphs | at most 10 of `{first_key, second_key, n, median_ms}`, likewise |
//! | most_missed | at most 10 of `{key, n}`: keys in whose place another was pressed, most often first, of equals the lesser key |
//! | confidence | each key with a latency, in their order: `{key, confidence}`: (60,000 / 175 ms) / median latency, to hundredths; null where the median is 0 |
//! | trend_wpm | mean wpm of the last 10 sessions less that of the 10 before, to hundredths; null before there are 20 |
//!
//! Medians are in milliseconds, to halves. Keys compare by their Unicode scalars.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{
    figures::ratio,
    rows::{Insights, Session},
    statistics::{Open, Spread},
};
use crate::fold::{self, Document, Family, Form, Hundredths, Json, Reject, Row, Time};

/// `user:{user_id}:insights`, for an hour.
pub static FAMILY: Family = Family {
    name: "insights",
    table: Insights::TABLE,
    form: Form::Document(Document { key: "user:{user_id}:insights", column: "insights", ttl_s: 3_600 }),
};

/// Entries of a list at most.
const LENGTH: usize = 10;
/// Latencies behind a median at least.
const ENOUGH: i64 = 10;
/// Sessions on each side of the trend.
const TREND: usize = 10;
/// The keys a minute that count as confident.
const CONFIDENT: i128 = 175;
const MINUTE_MS: i128 = 60_000;

/// All but the trend.
#[derive(Debug, Serialize, Deserialize)]
pub struct Lists {
    layout: Arc<str>,
    slowest_keys: Vec<SlowKey>,
    slowest_digraphs: Vec<SlowDigraph>,
    most_missed: Vec<MissedKey>,
    confidence: Vec<Confidence>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SlowKey {
    key: String,
    n: i64,
    median_ms: f64,
}

#[derive(Debug, Serialize, Deserialize)]
struct SlowDigraph {
    first_key: String,
    second_key: String,
    n: i64,
    median_ms: f64,
}

#[derive(Debug, Serialize, Deserialize)]
struct MissedKey {
    key: String,
    n: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Confidence {
    key: String,
    confidence: Option<Hundredths>,
}

/// The whole document. The order of the fields is the contract's.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    lists: Lists,
    trend_wpm: Option<Hundredths>,
}

/// The lists of a layout's statistics.
pub fn lists(layout: &Arc<str>, open: &Open<'_>) -> Lists {
    let slow_key = |(key, n, median_ms): (&String, i64, f64)| SlowKey { key: key.clone(), n, median_ms };
    let slow_digraph = |((first, second), n, median_ms): (&(String, String), i64, f64)| SlowDigraph {
        first_key: first.clone(),
        second_key: second.clone(),
        n,
        median_ms,
    };
    Lists {
        layout: layout.clone(),
        slowest_keys: slowest(open.keys.iter().map(|(key, it)| (key, &it.latency))).map(slow_key).collect(),
        slowest_digraphs: slowest(open.digraphs.iter().map(|(keys, it)| (keys, &it.latency))).map(slow_digraph).collect(),
        most_missed: most_missed(&open.confusions),
        confidence: open
            .keys
            .iter()
            .filter_map(|(key, it)| Some(Confidence { key: key.clone(), confidence: confidence(it.latency.p50?) }))
            .collect(),
    }
}

/// The keys of the greatest medians, with the latencies behind each and it in milliseconds.
fn slowest<'o, K: Ord + 'o>(spreads: impl Iterator<Item = (&'o K, &'o Spread<'o>)>) -> impl Iterator<Item = (&'o K, i64, f64)> {
    let mut known: Vec<(i64, &K, i64)> =
        spreads.filter(|(_, it)| it.n >= ENOUGH).filter_map(|(key, it)| Some((it.p50?, key, it.n))).collect();
    known.sort_unstable_by_key(|(median, key, _)| (Reverse(*median), *key));
    known.truncate(LENGTH);
    known.into_iter().map(|(halves, key, n)| (key, n, halves as f64 / 2.0))
}

fn most_missed(confusions: &BTreeMap<(String, String), i64>) -> Vec<MissedKey> {
    let mut missed: BTreeMap<&str, i64> = BTreeMap::new();
    for ((expected, _), n) in confusions {
        let misses = missed.entry(expected).or_default();
        *misses = misses.saturating_add(*n);
    }
    let mut missed: Vec<(&str, i64)> = missed.into_iter().collect();
    missed.sort_by_key(|(_, n)| Reverse(*n));
    missed.truncate(LENGTH);
    missed.into_iter().map(|(key, n)| MissedKey { key: key.to_owned(), n }).collect()
}

/// From twice a median.
fn confidence(halves: i64) -> Option<Hundredths> {
    ratio(100 * 2 * MINUTE_MS, CONFIDENT * i128::from(halves))
}

/// The lists of a document.
///
/// # Errors
/// A reject if it is none: a damaged row, which must not be written over.
pub fn kept(document: &Json) -> Result<Lists, Reject> {
    read(document)
}

/// The document of lists and latest sessions.
///
/// # Errors
/// None in practice: it has a JSON form.
pub fn document(lists: Lists, recent: &[RecentSession]) -> Result<Json, Reject> {
    write(&Whole { lists, trend_wpm: trend(recent) })
}

fn trend(recent: &[RecentSession]) -> Option<Hundredths> {
    let (last, before) = (recent.get(..TREND)?, recent.get(TREND..2 * TREND)?);
    let total = |sessions: &[RecentSession]| sessions.iter().map(|it| i128::from(it.wpm.0)).sum::<i128>();
    ratio(total(last) - total(before), i128::try_from(TREND).ok()?)
}

/// One of the latest sessions, as the column `recent_sessions` has it.
#[derive(Debug, Serialize, Deserialize)]
pub struct RecentSession {
    occurred_at: Time,
    #[serde(deserialize_with = "fold::event_id", serialize_with = "fold::write_event_id")]
    event_id: Uuid,
    wpm: Hundredths,
}

impl RecentSession {
    fn order(&self) -> (Time, Uuid) {
        (self.occurred_at, self.event_id)
    }

    /// Whether it is this session.
    pub fn is(&self, session: &Session) -> bool {
        self.order() == (session.occurred_at, session.event_id)
    }

    /// The column of these.
    ///
    /// # Errors
    /// None in practice: it has a JSON form.
    pub fn document(recent: &[Self]) -> Result<Json, Reject> {
        write(&recent)
    }
}

/// The latest sessions of a column and this one, the newest first, as many as the trend needs.
///
/// # Errors
/// A reject if the column is damaged.
pub fn with(column: &Json, session: &Session) -> Result<Vec<RecentSession>, Reject> {
    let mut recent: Vec<RecentSession> = read(column)?;
    let (occurred_at, event_id, wpm) = (session.occurred_at, session.event_id, session.wpm);
    let place = recent.partition_point(|it| it.order() > (occurred_at, event_id));
    recent.insert(place, RecentSession { occurred_at, event_id, wpm });
    recent.truncate(2 * TREND);
    Ok(recent)
}

fn read<T: DeserializeOwned>(document: &Json) -> Result<T, Reject> {
    serde_json::from_str(&document.0).map_err(|_| Reject::new("a document of user_insights is damaged"))
}

fn write<T: Serialize>(value: &T) -> Result<Json, Reject> {
    let text = serde_json::to_string(value).map_err(|_| Reject::new("a document of user_insights has no JSON form"))?;
    Ok(Json(text.into()))
}
