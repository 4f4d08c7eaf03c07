//! The event `PaymentEvent`: its fields as the schema has them, and the bounds of each.
//!
//! It judges nothing: what an event means beside the others of its payment is the fold's.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    currency,
    fold::{self, END_OF_TIME, Event, FIRST_TIME, Reject, Stop, Tables, Time, check_text, check_within},
};

/// Something that happened to a payment. Its key is `payment_id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentEvent {
    #[serde(deserialize_with = "fold::event_id", serialize_with = "fold::write_event_id")]
    pub event_id: Uuid,
    pub occurred_at: Time,
    pub payment_id: Arc<str>,
    /// The same in all events of a payment: with another it is another payment.
    pub created_at: Time,
    pub order_id: Arc<str>,
    pub user_id: i64,
    pub currency: Arc<str>,
    pub body: Body,
}

/// What happened. Amounts are minor units of the payment's currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    #[serde(alias = "fleet.Created")]
    Created { amount: i64 },
    #[serde(alias = "fleet.Authorised")]
    Authorised { amount: i64 },
    #[serde(alias = "fleet.ActionRequired")]
    ActionRequired {},
    #[serde(alias = "fleet.Processing")]
    Processing {},
    #[serde(alias = "fleet.Succeeded")]
    Succeeded { amount: i64, provider_ref: Arc<str> },
    #[serde(alias = "fleet.Failed")]
    Failed { code: Arc<str>, message: Arc<str> },
    #[serde(alias = "fleet.Canceled")]
    Canceled { reason: Arc<str> },
    #[serde(alias = "fleet.RefundRequested")]
    RefundRequested { refund_id: Arc<str>, amount: i64 },
    #[serde(alias = "fleet.RefundSucceeded")]
    RefundSucceeded { refund_id: Arc<str> },
    #[serde(alias = "fleet.RefundFailed")]
    RefundFailed { refund_id: Arc<str>, code: Arc<str> },
    #[serde(alias = "fleet.DisputeOpened")]
    DisputeOpened { dispute_id: Arc<str>, amount: i64 },
    #[serde(alias = "fleet.DisputeClosed")]
    DisputeClosed { dispute_id: Arc<str>, outcome: Outcome },
}

/// How a dispute ended, for the merchant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The money comes back.
    Won,
    /// It does not.
    Lost,
}

/// The greatest amount of one event, in minor units: 10^12.
const MAX_AMOUNT: i64 = 1_000_000_000_000;
/// The most characters of an id.
const ID: usize = 64;
/// The most characters of a code or a provider's reference.
const CODE: usize = 128;
/// The most characters of a text for people.
const WORDS: usize = 500;

impl Event for PaymentEvent {
    fn event_id(&self) -> Uuid {
        self.event_id
    }

    fn occurred_at(&self) -> Time {
        self.occurred_at
    }

    fn key(&self) -> String {
        self.payment_id.to_string()
    }

    fn check(&self) -> Result<(), Reject> {
        check_text("payment_id", &self.payment_id, 0..=ID)?;
        check_text("order_id", &self.order_id, 0..=ID)?;
        check_within("user_id", self.user_id, 1..=i64::MAX)?;
        if !(FIRST_TIME..END_OF_TIME).contains(&self.created_at) {
            return Err(Reject::new("created_at is not within the years 2000..9999"));
        }
        currency::places(&self.currency).ok_or_else(|| Reject::new("currency is no code of ISO 4217"))?;
        self.body.check()
    }

    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), Stop> {
        super::apply(self, tables)
    }
}

impl Body {
    fn check(&self) -> Result<(), Reject> {
        match self {
            Self::Created { amount } | Self::Authorised { amount } => check_amount(*amount),
            Self::ActionRequired {} | Self::Processing {} => Ok(()),
            Self::Succeeded { amount, provider_ref } => {
                check_text("provider_ref", provider_ref, 0..=CODE)?;
                check_amount(*amount)
            }
            Self::Failed { code, message } => {
                check_text("code", code, 0..=CODE)?;
                check_text("message", message, 0..=WORDS)
            }
            Self::Canceled { reason } => check_text("reason", reason, 0..=WORDS),
            Self::RefundRequested { refund_id, amount } => {
                check_text("refund_id", refund_id, 0..=ID)?;
                check_amount(*amount)
            }
            Self::RefundSucceeded { refund_id } => check_text("refund_id", refund_id, 0..=ID),
            Self::RefundFailed { refund_id, code } => {
                check_text("refund_id", refund_id, 0..=ID)?;
                check_text("code", code, 0..=CODE)
            }
            Self::DisputeOpened { dispute_id, amount } => {
                check_text("dispute_id", dispute_id, 0..=ID)?;
                check_amount(*amount)
            }
            Self::DisputeClosed { dispute_id, .. } => check_text("dispute_id", dispute_id, 0..=ID),
        }
    }
}

fn check_amount(amount: i64) -> Result<(), Reject> {
    check_within("amount", amount, 1..=MAX_AMOUNT)
}
