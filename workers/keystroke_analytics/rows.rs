//! The rows that sessions make: one struct a table, as `migrations/0004_keystroke_analytics.sql` has them.
//!
//! Columns are explained there. Statistics are one row a user and layout: a row a key costs 60 and more a session, and insights would
//! need them all.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    distance::levenshtein,
    event::{KeystrokeSession, Press},
    figures::{Moments, percent, share, wpm},
    insights::{self, RecentSession},
    statistics::Open,
    strokes::pairs,
};
use crate::{
    fold::{Field, Hundredths, Json, Reject, Time, Value, body_hash},
    row,
};

/// One session: its figures, and nothing that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub user_id: i64,
    pub occurred_at: Time,
    pub event_id: Uuid,
    pub session_id: Arc<str>,
    pub language: Arc<str>,
    pub layout: Arc<str>,
    pub keys: i64,
    pub wpm: Hundredths,
    pub error_percent: Hundredths,
    pub kspc: Option<Hundredths>,
    pub iki_mean: Option<Hundredths>,
    pub iki_sd: Option<Hundredths>,
    pub hold_mean: Option<Hundredths>,
    pub hold_sd: Option<Hundredths>,
    pub rollovers: i64,
    pub rollover_ratio: Option<Hundredths>,
    pub corrections: i64,
    pub duration_ms: i64,
    pub body_hash: i64,
}
row!(
    Session,
    History,
    "keystroke_sessions",
    [user_id, occurred_at, event_id],
    [
        session_id,
        language,
        layout,
        keys,
        wpm,
        error_percent,
        kspc,
        iki_mean,
        iki_sd,
        hold_mean,
        hold_sd,
        rollovers,
        rollover_ratio,
        corrections,
        duration_ms,
        body_hash,
    ]
);

/// The legacy codes of backspace and delete.
const CORRECTIONS: [i32; 2] = [8, 46];

impl Session {
    /// The identity of an event and what it says of itself, before anything is measured.
    pub fn of(event: &KeystrokeSession, presses: &[&Press]) -> Self {
        Self {
            user_id: event.user_id,
            occurred_at: event.occurred_at,
            event_id: event.event_id,
            session_id: event.session_id.clone(),
            language: event.language.clone(),
            layout: event.layout.clone(),
            keys: count(presses.len()),
            wpm: Hundredths(0),
            error_percent: Hundredths(0),
            kspc: None,
            iki_mean: None,
            iki_sd: None,
            hold_mean: None,
            hold_sd: None,
            rollovers: 0,
            rollover_ratio: None,
            corrections: 0,
            duration_ms: 0,
            body_hash: hash(event, presses),
        }
    }

    /// The figures, from the presses in order.
    pub fn measure(&mut self, event: &KeystrokeSession, presses: &[&Press]) {
        let (prompt, typed) = (event.prompt.chars().count(), event.typed.chars().count());
        let gaps = Moments::of(pairs(presses).map(|it| it.gap_ms()));
        let holds = Moments::of(presses.iter().filter_map(|it| it.hold_ms()));
        let rollovers = pairs(presses).filter(|it| it.is_rollover()).count();
        self.duration_ms = pairs(presses).map(|it| it.gap_ms()).sum();
        self.wpm = wpm(typed, self.duration_ms);
        self.error_percent = percent(levenshtein(&event.prompt, &event.typed), prompt.max(typed));
        self.kspc = share(presses.len(), typed);
        (self.iki_mean, self.iki_sd) = (gaps.mean(), gaps.deviation());
        (self.hold_mean, self.hold_sd) = (holds.mean(), holds.deviation());
        self.rollovers = count(rollovers);
        self.rollover_ratio = share(rollovers, presses.len().saturating_sub(1));
        self.corrections = count(presses.iter().filter(|it| CORRECTIONS.contains(&it.code)).count());
    }
}

fn count(it: usize) -> i64 {
    i64::try_from(it).unwrap_or(i64::MAX)
}

/// The hash of an event's body. The order and the repeats of its keys are no part of it, as they are of nothing that is stored.
fn hash(event: &KeystrokeSession, presses: &[&Press]) -> i64 {
    let texts = [&event.session_id, &event.language, &event.layout, &event.prompt, &event.typed];
    let mut body: Vec<Value> = texts.iter().map(|it| it.to_value()).collect();
    for Press { key, code, down_ms, up_ms, expected, correct } in presses {
        body.extend([key.to_value(), code.to_value(), down_ms.to_value(), up_ms.to_value(), expected.to_value(), correct.to_value()]);
    }
    body_hash(&body)
}

/// Statistics of all keys, digraphs and confusions of one user and layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    pub user_id: i64,
    pub layout: Arc<str>,
    pub sessions: i64,
    pub key_stats: Json,
    pub digraph_stats: Json,
    pub key_confusions: Json,
    pub last_event_at: Time,
}
row!(Statistics, State, "keystroke_stats", [user_id, layout], [sessions, key_stats, digraph_stats, key_confusions, last_event_at]);

impl Statistics {
    /// Those of no session yet.
    pub fn new(session: &Session) -> Self {
        let none = Json("[]".into());
        Self {
            user_id: session.user_id,
            layout: session.layout.clone(),
            sessions: 0,
            key_stats: none.clone(),
            digraph_stats: none.clone(),
            key_confusions: none,
            last_event_at: session.occurred_at,
        }
    }
}

/// What a user may learn from it all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insights {
    pub user_id: i64,
    pub insights: Json,
    pub layout: Arc<str>,
    pub recent_sessions: Json,
    pub last_event_at: Time,
}
row!(Insights, State, "user_insights", [user_id], [insights, layout, recent_sessions, last_event_at]);

impl Insights {
    /// Those of no session yet.
    pub fn new(session: &Session) -> Self {
        let layout = session.layout.clone();
        Self {
            user_id: session.user_id,
            insights: Json("{}".into()),
            layout,
            recent_sessions: Json("[]".into()),
            last_event_at: session.occurred_at,
        }
    }

    /// The insights after a session, with the statistics of its layout.
    ///
    /// # Errors
    /// A reject if a document of the row is damaged.
    pub fn after(self, session: &Session, open: &Open<'_>) -> Result<Self, Reject> {
        let recent = insights::with(&self.recent_sessions, session)?;
        let is_newest = recent.first().is_some_and(|it| it.is(session));
        let layout = if is_newest { session.layout.clone() } else { self.layout };
        // A late session of another layout leaves the lists as they are; the trend is of all sessions.
        let lists = if layout == session.layout { insights::lists(&layout, open) } else { insights::kept(&self.insights)? };
        Ok(Self {
            user_id: self.user_id,
            insights: insights::document(lists, &recent)?,
            layout,
            recent_sessions: RecentSession::document(&recent)?,
            last_event_at: self.last_event_at.max(session.occurred_at),
        })
    }
}
