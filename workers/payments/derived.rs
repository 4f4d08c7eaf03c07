//! What a payment tells others: a fact and mails, each once, whatever happens later.
//!
//! `announced` remembers it beside the rows: it alone depends on the order in which events arrived.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    event::PaymentEvent,
    machine::Progress,
    rows::{Payment, Refund},
    standing::Standing,
};
use crate::{
    achievements::{self, AchievementFact},
    email::{self, Body, Category, EmailEvent, SendRequested},
    fold::{Json, Reject, Stop, Tables, Time, derived_id},
};

/// What was told. The order of the fields is that of the column's JSON.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Announced {
    /// The first capture: its fact and its receipt.
    receipt: bool,
    /// Refunds that succeeded.
    refunds: BTreeSet<Arc<str>>,
}

/// Tells what is new, and gives what the payment's row is to remember.
pub fn announce(event: &PaymentEvent, before: Option<&Payment>, after: &Standing, tables: &mut Tables<'_>) -> Result<Json, Stop> {
    let mut announced = before.map_or_else(|| Ok(Announced::default()), read)?;
    if let Some(payment) = &after.payment {
        if let (false, Some(captured), Some(at)) = (announced.receipt, payment.captured, payment.succeeded_at) {
            announced.receipt = true;
            fact(event, (payment, captured), tables)?;
            mail(event, payment, receipt(captured, at), tables)?;
        }
        for refund in after.refunds.iter().filter(|it| &*it.state == Progress::Succeeded.name()) {
            if announced.refunds.insert(Arc::clone(&refund.refund_id)) {
                mail(event, payment, refund_mail(payment, refund), tables)?;
            }
        }
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

/// A mail to whoever pays.
struct Mail {
    /// What its id is made of beside the payment's.
    name: Vec<Arc<str>>,
    template: &'static str,
    amount: i64,
    /// The param that holds the day, and the day.
    on: (&'static str, Time),
}

fn receipt(amount: i64, at: Time) -> Mail {
    Mail { name: vec!["receipt".into()], template: "receipt", amount, on: ("paid_on", at) }
}

fn refund_mail(payment: &Payment, refund: &Refund) -> Mail {
    let on = ("refunded_on", refund.settled_at.unwrap_or(payment.last_event_at));
    Mail { name: vec!["refund".into(), Arc::clone(&refund.refund_id)], template: "refund", amount: refund.amount.unwrap_or_default(), on }
}

fn mail(event: &PaymentEvent, payment: &Payment, mail: Mail, tables: &mut Tables<'_>) -> Result<(), Stop> {
    tables.emit(&mail.name.join(" "), &email::TOPIC, |event_id| {
        let recipient: Arc<str> = format!("user:{}", payment.user_id).into();
        let body = Body::SendRequested(request(payment, &mail));
        (recipient.to_string(), EmailEvent { event_id, occurred_at: event.occurred_at, recipient, body })
    })
}

fn request(payment: &Payment, mail: &Mail) -> SendRequested {
    let parts: Vec<&str> = std::iter::once(&*payment.payment_id).chain(mail.name.iter().map(|it| &**it)).collect();
    let (on, at) = mail.on;
    // A line of a subject has no control characters; an id may.
    let order_id = payment.order_id.replace(char::is_control, " ");
    let params: [(&str, Arc<str>); 4] = [
        ("order_id", order_id.into()),
        ("amount", mail.amount.to_string().into()),
        ("currency", Arc::clone(&payment.currency)),
        (on, at.day().date().map_or_else(String::new, |it| it.to_string()).into()),
    ];
    SendRequested {
        message_id: derived_id(&parts),
        template: mail.template.into(),
        locale: "".into(),
        params: params.map(|(name, value)| (name.into(), value)).into(),
        user_id: payment.user_id,
        category: Category::Transactional,
        list: None,
        not_after: None,
    }
}
