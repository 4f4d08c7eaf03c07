//! The state machine as tables: what each kind of event may do, and what each effect posts.
//!
//! It holds no event and decides nothing about one payment: `standing` walks a payment's events along these lines.

use super::event::Body;

/// Why an event is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its user, order or currency is not that of the payment's first event.
    Mismatch,
    /// Another amount of the same thing was there first.
    AmountConflict,
    /// More than was authorised, or than the payment is of.
    OverCapture,
    /// Money was taken for a payment that is also canceled.
    SucceededAndCanceled,
    /// A success of a refund that has failed.
    RefundClosed,
    /// More than is left of what was taken.
    OverRefund,
    /// Another outcome of a dispute that is closed.
    DisputeClosed,
}

impl Reason {
    /// As it stands in the column.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mismatch => "mismatch",
            Self::AmountConflict => "amount_conflict",
            Self::OverCapture => "over_capture",
            Self::SucceededAndCanceled => "succeeded_and_canceled",
            Self::RefundClosed => "refund_closed",
            Self::OverRefund => "over_refund",
            Self::DisputeClosed => "dispute_closed",
        }
    }
}

impl Body {
    /// A line a kind: its rank among events of one instant, and the status that it gives a payment which is neither captured nor canceled.
    const fn line(&self) -> (u8, Option<&'static str>) {
        match self {
            Self::Created { .. } => (0, Some("created")),
            Self::Authorised { .. } => (1, Some("authorised")),
            Self::ActionRequired {} => (2, Some("action_required")),
            Self::Processing {} => (3, Some("processing")),
            Self::Succeeded { .. } => (4, None),
            Self::Failed { .. } => (5, Some("failed")),
            Self::Canceled { .. } => (6, None),
            Self::RefundRequested { .. } => (7, None),
            Self::RefundSucceeded { .. } => (8, None),
            Self::RefundFailed { .. } => (9, None),
            Self::DisputeOpened { .. } => (10, None),
            Self::DisputeClosed { .. } => (11, None),
        }
    }

    /// Its rank among events of one instant: its place in the union.
    pub const fn rank(&self) -> u8 {
        self.line().0
    }

    /// The status that it gives a payment which is neither captured nor canceled.
    pub const fn status(&self) -> Option<&'static str> {
        self.line().1
    }
}

/// How far a refund's provider is with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    #[default]
    Requested,
    Succeeded,
    FailedAfterSuccess,
    Failed,
}

/// What the provider says of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Success,
    Failure,
}

/// What a reply comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    To(Progress),
    Same,
    SetAside(Reason),
}

impl Progress {
    /// The refund after one more reply.
    pub const fn after(self, reply: Reply) -> Step {
        match (self, reply) {
            (Self::Requested, Reply::Success) => Step::To(Self::Succeeded),
            (Self::Requested, Reply::Failure) => Step::To(Self::Failed),
            (Self::Succeeded, Reply::Success) => Step::Same,
            (Self::Succeeded, Reply::Failure) => Step::To(Self::FailedAfterSuccess),
            (Self::Failed | Self::FailedAfterSuccess, Reply::Success) => Step::SetAside(Reason::RefundClosed),
            (Self::Failed | Self::FailedAfterSuccess, Reply::Failure) => Step::Same,
        }
    }

    /// The state in the refund's row, once it applies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Succeeded => "succeeded",
            Self::FailedAfterSuccess => "failed_after_success",
            Self::Failed => "failed",
        }
    }
}

/// What an applied event does to the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Captured,
    RefundRequested,
    RefundSucceeded,
    RefundFailed,
    RefundFailedAfterSuccess,
    DisputeOpened,
    DisputeWon,
}

/// The books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    CustomerReceivable,
    ProcessorClearing,
    Revenue,
    Refunds,
    Disputes,
}

impl Account {
    /// As it stands in the column.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CustomerReceivable => "customer_receivable",
            Self::ProcessorClearing => "processor_clearing",
            Self::Revenue => "revenue",
            Self::Refunds => "refunds",
            Self::Disputes => "disputes",
        }
    }
}

/// A figure of a day's revenue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    Gross,
    Refunds,
    Disputes,
}

/// What an effect of an amount posts: pairs of a debit and a credit, and which figure of its day it raises (1) or lowers (-1).
pub struct Posting {
    pub pairs: &'static [(Account, Account)],
    pub figure: Option<(Figure, i64)>,
}

impl Effect {
    /// The line of the table.
    pub const fn posting(self) -> Posting {
        use Account::{CustomerReceivable, Disputes, ProcessorClearing, Refunds, Revenue};
        match self {
            Self::Captured => Posting {
                pairs: &[(CustomerReceivable, Revenue), (ProcessorClearing, CustomerReceivable)],
                figure: Some((Figure::Gross, 1)),
            },
            Self::RefundRequested => Posting { pairs: &[(Refunds, CustomerReceivable)], figure: None },
            Self::RefundSucceeded => Posting { pairs: &[(CustomerReceivable, ProcessorClearing)], figure: Some((Figure::Refunds, 1)) },
            Self::RefundFailed => Posting { pairs: &[(CustomerReceivable, Refunds)], figure: None },
            Self::RefundFailedAfterSuccess => Posting { pairs: &[(ProcessorClearing, Refunds)], figure: Some((Figure::Refunds, -1)) },
            Self::DisputeOpened => Posting { pairs: &[(Disputes, ProcessorClearing)], figure: Some((Figure::Disputes, 1)) },
            Self::DisputeWon => Posting { pairs: &[(ProcessorClearing, Disputes)], figure: Some((Figure::Disputes, -1)) },
        }
    }
}
