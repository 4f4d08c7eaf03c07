//! Statistics of the keys, digraphs and confusions of one user and layout: opened from their columns, added to, closed again.
//!
//! All are sums and histograms: sessions in any order, in any batches, give the same bytes. A sum stops at the greatest number of its
//! column, in any order too, since nothing below 0 is added: keys held down for weeks may come to it, and no hand. They are written in
//! the order of their keys as JSON arrays, which the views `key_stats`, `digraph_stats` and `key_confusions` take apart:
//!
//! | column | each entry |
//! |---|---|
//! | key_stats | `[key, [n, errors, latency, hold]]` |
//! | digraph_stats | `[[first_key, second_key], [n, rollovers, latency]]` |
//! | key_confusions | `[[expected, typed], n]` |
//!
//! where latency and hold are `[n, sum, sum of squares, twice p50, twice p95, histogram]`, of milliseconds; the percentiles are null of
//! nothing, the histogram's text is [`Histogram::to_text`]'s.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};

use super::{
    event::Press,
    histogram::Histogram,
    rows::{Session, Statistics},
    strokes::{Pair, pairs},
};
use crate::fold::{Json, Reject};

/// The most bytes that the three columns of a user and layout may have together: 4 MiB. No hand fills a tenth of it.
pub const MOST_BYTES: usize = 4 << 20;

/// Milliseconds: sums, percentiles, and the histogram that these come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Spread<'d> {
    pub n: i64,
    sum: i64,
    sum_sq: i64,
    /// Twice the median.
    pub p50: Option<i64>,
    p95: Option<i64>,
    #[serde(borrow)]
    histogram: Cow<'d, str>,
}

impl Serialize for Spread<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.n, self.sum, self.sum_sq, self.p50, self.p95, &self.histogram).serialize(serializer)
    }
}

impl Spread<'_> {
    fn add(&mut self, values: &[i64]) -> Result<(), Reject> {
        if values.is_empty() {
            return Ok(());
        }
        let mut histogram =
            Histogram::from_text(&self.histogram).ok_or_else(|| Reject::new("a histogram of keystroke_stats is damaged"))?;
        for value in values {
            self.n = self.n.saturating_add(1);
            self.sum = self.sum.saturating_add(*value);
            self.sum_sq = self.sum_sq.saturating_add(value.saturating_mul(*value));
            histogram.add(*value);
        }
        self.p50 = histogram.percentile(50);
        self.p95 = histogram.percentile(95);
        self.histogram = histogram.to_text().into();
        Ok(())
    }
}

/// Statistics of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct KeyStats<'d> {
    n: i64,
    errors: i64,
    #[serde(borrow)]
    pub latency: Spread<'d>,
    #[serde(borrow)]
    hold: Spread<'d>,
}

impl Serialize for KeyStats<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.n, self.errors, &self.latency, &self.hold).serialize(serializer)
    }
}

/// Statistics of two keys, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct DigraphStats<'d> {
    n: i64,
    rollovers: i64,
    #[serde(borrow)]
    pub latency: Spread<'d>,
}

impl Serialize for DigraphStats<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.n, self.rollovers, &self.latency).serialize(serializer)
    }
}

/// The columns opened.
#[derive(Default)]
pub struct Open<'d> {
    pub keys: BTreeMap<String, KeyStats<'d>>,
    pub digraphs: BTreeMap<(String, String), DigraphStats<'d>>,
    /// How often one key was pressed in place of another, by (expected, typed).
    pub confusions: BTreeMap<(String, String), i64>,
}

impl<'d> Open<'d> {
    /// Opens the columns of a row.
    ///
    /// # Errors
    /// A reject if one is damaged: it must not be written over.
    pub fn of(row: &'d Statistics) -> Result<Self, Reject> {
        Ok(Self { keys: open(&row.key_stats)?, digraphs: open(&row.digraph_stats)?, confusions: open(&row.key_confusions)? })
    }

    /// Adds a session's presses, in order.
    ///
    /// # Errors
    /// A reject if a histogram is damaged: it must not be written over.
    pub fn add(&mut self, presses: &[&Press]) -> Result<(), Reject> {
        for (key, steps) in key_steps(presses) {
            let stats = self.keys.entry(key.to_owned()).or_default();
            stats.n = stats.n.saturating_add(steps.n);
            stats.errors = stats.errors.saturating_add(steps.errors);
            stats.latency.add(&steps.latency)?;
            stats.hold.add(&steps.hold)?;
        }
        for ((first, second), steps) in digraph_steps(presses) {
            let stats = self.digraphs.entry((first.to_owned(), second.to_owned())).or_default();
            stats.n = stats.n.saturating_add(steps.n);
            stats.rollovers = stats.rollovers.saturating_add(steps.rollovers);
            stats.latency.add(&steps.latency)?;
        }
        for press in presses.iter().filter(|it| !it.correct) {
            let Some(expected) = &press.expected else { continue };
            let confusions = self.confusions.entry((expected.to_string(), press.key.to_string())).or_default();
            *confusions = confusions.saturating_add(1);
        }
        Ok(())
    }

    /// The row after a session, in place of the one before it.
    ///
    /// # Errors
    /// A reject where it would be longer than [`MOST_BYTES`].
    pub fn close(&self, session: &Session, before: &Statistics) -> Result<Statistics, Reject> {
        let row = Statistics {
            user_id: before.user_id,
            layout: before.layout.clone(),
            sessions: before.sessions.saturating_add(1),
            key_stats: close(&self.keys)?,
            digraph_stats: close(&self.digraphs)?,
            key_confusions: close(&self.confusions)?,
            last_event_at: before.last_event_at.max(session.occurred_at),
        };
        let bytes: usize = [&row.key_stats, &row.digraph_stats, &row.key_confusions].iter().map(|it| it.0.len()).sum();
        if bytes > MOST_BYTES {
            return Err(Reject::new(format!("the statistics of this user and layout would have more than {MOST_BYTES} bytes")));
        }
        Ok(row)
    }
}

fn open<'d, K: Ord + DeserializeOwned, V: Deserialize<'d>>(column: &'d Json) -> Result<BTreeMap<K, V>, Reject> {
    let entries: Vec<(K, V)> = serde_json::from_str(&column.0).map_err(|_| Reject::new("a column of keystroke_stats is damaged"))?;
    Ok(entries.into_iter().collect())
}

fn close<K: Serialize, V: Serialize>(entries: &BTreeMap<K, V>) -> Result<Json, Reject> {
    let entries: Vec<(&K, &V)> = entries.iter().collect();
    let text = serde_json::to_string(&entries).map_err(|_| Reject::new("a column of keystroke_stats has no JSON form"))?;
    Ok(Json(text.into()))
}

/// What one session adds to a key.
#[derive(Default)]
struct KeySteps {
    n: i64,
    errors: i64,
    latency: Vec<i64>,
    hold: Vec<i64>,
}

fn key_steps<'e>(presses: &[&'e Press]) -> BTreeMap<&'e str, KeySteps> {
    let mut keys: BTreeMap<&str, KeySteps> = BTreeMap::new();
    for press in presses {
        let steps = keys.entry(&press.key).or_default();
        steps.n += 1;
        steps.errors += i64::from(!press.correct);
        steps.hold.extend(press.hold_ms());
    }
    for pair in pairs(presses) {
        keys.entry(&pair.second.key).or_default().latency.extend(pair.latency_ms());
    }
    keys
}

/// What one session adds to a digraph.
#[derive(Default)]
struct DigraphSteps {
    n: i64,
    rollovers: i64,
    latency: Vec<i64>,
}

fn digraph_steps<'e>(presses: &[&'e Press]) -> BTreeMap<(&'e str, &'e str), DigraphSteps> {
    let mut digraphs: BTreeMap<(&str, &str), DigraphSteps> = BTreeMap::new();
    for pair in pairs(presses) {
        let Pair { first, second } = pair;
        let steps = digraphs.entry((&first.key, &second.key)).or_default();
        steps.n += 1;
        steps.rollovers += i64::from(pair.is_rollover());
        steps.latency.extend(pair.latency_ms());
    }
    digraphs
}
