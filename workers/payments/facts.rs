//! The facts of a payment: the set of its events, sorted, as `payments.facts` keeps it.
//!
//! It looks into no body: what the set comes to is `standing`'s.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::event::{Body, PaymentEvent};
use crate::fold::{self, Json, Reject, Time};

/// The most events of one payment.
pub const MOST: usize = 200;

/// One event, without what all events of its payment share. The order of the fields is that of the column's JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    pub occurred_at: Time,
    #[serde(deserialize_with = "fold::event_id", serialize_with = "fold::write_event_id")]
    pub event_id: Uuid,
    pub user_id: i64,
    pub order_id: Arc<str>,
    pub currency: Arc<str>,
    pub body: Body,
}

impl Fact {
    pub fn of(event: &PaymentEvent) -> Self {
        let PaymentEvent { event_id, occurred_at, order_id, user_id, currency, body, .. } = event.clone();
        Self { occurred_at, event_id, user_id, order_id, currency, body }
    }

    /// Its place among the others: by time, then by the rank of its kind, then by id.
    pub fn order(&self) -> (Time, u8, Uuid) {
        (self.occurred_at, self.body.rank(), self.event_id)
    }

    /// Whose payment it is, of which order and in which currency.
    pub fn parties(&self) -> (i64, &str, &str) {
        (self.user_id, &self.order_id, &self.currency)
    }

    /// As `facts` and `payment_quarantine` keep it.
    pub fn json(&self) -> Result<Json, Reject> {
        json(self)
    }
}

/// A payment's events in order, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(Vec<Fact>);

impl Facts {
    /// Those of a row.
    ///
    /// # Errors
    /// A damaged row, which must not be written over.
    pub fn read(json: &Json) -> Result<Self, Reject> {
        serde_json::from_str(&json.0).map(Self).map_err(|_| Reject::new("payments.facts is damaged"))
    }

    pub fn json(&self) -> Result<Json, Reject> {
        json(&self.0)
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Fact> {
        self.0.iter()
    }

    /// The set with one more event; `None` if it holds that already.
    ///
    /// # Errors
    /// The same identity with another body, or an event too many.
    pub fn with(&self, fact: Fact) -> Result<Option<Self>, Reject> {
        let same = self.0.iter().find(|it| (it.event_id, it.occurred_at) == (fact.event_id, fact.occurred_at));
        match same {
            Some(same) if *same == fact => return Ok(None),
            Some(_) => return Err(Reject::new("same identity as an earlier event, with another body")),
            None if self.0.len() >= MOST => return Err(Reject::new(format!("the payment has {MOST} events already"))),
            None => {}
        }
        let mut facts = self.0.clone();
        facts.insert(facts.partition_point(|it| it.order() < fact.order()), fact);
        Ok(Some(Self(facts)))
    }
}

fn json(it: &impl Serialize) -> Result<Json, Reject> {
    let text = serde_json::to_string(it).map_err(|_| Reject::new("an event has no JSON form"))?;
    Ok(Json(text.into()))
}
