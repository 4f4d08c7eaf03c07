//! What a payment tells others: a fact once money was taken, each thing once, whatever happens later.
//!
//! `announced` remembers it beside the rows: it alone depends on the order in which events arrived.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{event::PaymentEvent, rows::Payment, standing::Standing};
use crate::{
    achievements::{self, AchievementFact},
    fold::{Json, Reject, Stop, Tables},
};

/// What was told. The order of the fields is that of the column's JSON.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Announced {
    receipt: bool,
}

/// Tells what is new, and remembers it in the payment's row.
pub fn announce(event: &PaymentEvent, before: Option<&Payment>, standing: &Standing, tables: &mut Tables<'_>) -> Result<Json, Stop> {
    let mut announced = before.map_or_else(|| Ok(Announced::default()), read)?;
    if let Some((payment, captured)) = standing.payment.as_ref().and_then(|it| Some((it, it.captured?)))
        && !announced.receipt
    {
        announced.receipt = true;
        fact(event, (payment, captured), tables)?;
    }
    let text = serde_json::to_string(&announced).map_err(|_| Reject::new("announced has no JSON form"))?;
    Ok(Json(text.into()))
}

fn read(payment: &Payment) -> Result<Announced, Reject> {
    serde_json::from_str(&payment.announced.0).map_err(|_| Reject::new("payments.announced is damaged"))
}

/// The fact that money was taken, for achievements.
fn fact(event: &PaymentEvent, (payment, captured): (&Payment, i64), tables: &mut Tables<'_>) -> Result<(), Stop> {
    tables.emit("payment_succeeded", &achievements::TOPIC, |event_id| {
        let fact = AchievementFact {
            event_id,
            occurred_at: event.occurred_at,
            user_id: payment.user_id,
            fact: "payment_succeeded".into(),
            value: captured,
            tags: BTreeMap::from([("currency".into(), Arc::clone(&payment.currency))]),
        };
        (payment.user_id.to_string(), fact)
    })
}
