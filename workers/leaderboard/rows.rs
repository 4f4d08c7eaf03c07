//! Rows of the leaderboards, and how two entries of one user become one.
//!
//! [`LeaderboardEntry::merge`] minds no order: entries of the same events are the same row, however they arrived.

use std::{cmp::Reverse, sync::Arc};

use uuid::Uuid;

use super::{LeaderboardUpdate, Operator, Timeframe};
use crate::{
    fold::{Field, Reject, Time, body_hash},
    row,
};

/// An event that was applied: its identity, and what tells a repeat from a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderboardEvent {
    /// Whose.
    pub user_id: i64,
    /// When it happened.
    pub occurred_at: Time,
    /// Its id.
    pub event_id: Uuid,
    /// Of all else that is stored of it.
    pub body_hash: i64,
}
row!(LeaderboardEvent, History, "leaderboard_events", [user_id, occurred_at, event_id], [body_hash]);

impl LeaderboardEvent {
    /// That of an event as stored.
    pub(super) fn of(update: &LeaderboardUpdate) -> Self {
        let LeaderboardUpdate { event_id, occurred_at, user_id, user_name, category, operator, score, tiebreak } = update;
        let body = [user_name.to_value(), category.to_value(), operator.to_value(), score.to_value(), tiebreak.to_value()];
        Self { user_id: *user_id, occurred_at: *occurred_at, event_id: *event_id, body_hash: body_hash(&body) }
    }
}

/// Where a user stands in one window of one board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderboardEntry {
    /// The board, spelled one way.
    pub category: Arc<str>,
    /// How long its windows are.
    pub timeframe: Timeframe,
    /// The window's first instant.
    pub window_start: Time,
    /// Whose.
    pub user_id: i64,
    /// The category's.
    pub operator: Operator,
    /// The best, or the sum.
    pub score: i64,
    /// Of the best; 0 of a sum.
    pub tiebreak: i64,
    /// Events applied.
    pub submissions: i64,
    /// When the event happened that gave the best, or the last that added to the sum.
    pub achieved_at: Time,
    /// That event.
    pub event_id: Uuid,
    /// The newest that is not empty.
    pub user_name: Arc<str>,
    /// When the event happened that carried it, `None` while there is none.
    pub user_name_at: Option<Time>,
    /// The greatest of all events.
    pub last_event_at: Time,
}
row!(
    LeaderboardEntry,
    State,
    "leaderboard_entries",
    [category, timeframe, window_start, user_id],
    [operator, score, tiebreak, submissions, achieved_at, event_id, user_name, user_name_at, last_event_at]
);

impl LeaderboardEntry {
    /// The entry that one event makes alone.
    pub(super) fn of(update: &LeaderboardUpdate, timeframe: Timeframe) -> Self {
        Self {
            category: update.category.clone(),
            timeframe,
            window_start: timeframe.start(update.occurred_at),
            user_id: update.user_id,
            operator: update.operator,
            score: update.score,
            tiebreak: update.tiebreak,
            submissions: 1,
            achieved_at: update.occurred_at,
            event_id: update.event_id,
            user_name: update.user_name.clone(),
            user_name_at: (!update.user_name.is_empty()).then_some(update.occurred_at),
            last_event_at: update.occurred_at,
        }
    }

    /// The entry of the events of both.
    ///
    /// # Errors
    /// A sum past 2^63 - 1.
    pub(super) fn merge(self, other: Self) -> Result<Self, Reject> {
        let submissions = sum(self.submissions, other.submissions)?;
        let last_event_at = self.last_event_at.max(other.last_event_at);
        let score = match self.operator {
            Operator::Best => self.score.max(other.score),
            Operator::Total => sum(self.score, other.score)?,
        };
        // Two names of one millisecond: the greater text, so that no order of arrival shows.
        let named = [&self, &other].into_iter().max_by_key(|it| (it.user_name_at, &it.user_name)).unwrap_or(&self);
        let (user_name, user_name_at) = (named.user_name.clone(), named.user_name_at);
        let leader = if other.leads(&self) { other } else { self };
        Ok(Self { score, submissions, user_name, user_name_at, last_event_at, ..leader })
    }

    /// Whether achieved_at, event_id and tiebreak of the two's sum are this one's. A total order: ids settle what is left.
    fn leads(&self, other: &Self) -> bool {
        let (own, others) = ((self.achieved_at, self.event_id), (other.achieved_at, other.event_id));
        match self.operator {
            Operator::Best => (self.score, self.tiebreak, Reverse(own)) > (other.score, other.tiebreak, Reverse(others)),
            // Nothing but zeros yet: the first of them, so that the packed score never falls.
            Operator::Total if self.score == 0 && other.score == 0 => own < others,
            // A zero beside a sum moves nothing.
            Operator::Total if self.score == 0 || other.score == 0 => self.score > 0,
            Operator::Total => own > others,
        }
    }
}

fn sum(one: i64, other: i64) -> Result<i64, Reject> {
    one.checked_add(other).ok_or_else(|| Reject::new("the total overflows"))
}
