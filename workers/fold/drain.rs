//! Drains: what becomes of a queue's rows, as data and pure functions. The shell claims rows, calls out and records.
//!
//! Nothing here sends, waits or knows the time: every instant is given.

use super::{
    event::Reject,
    row::{Column, Table},
    topic::Topic,
    units::Time,
    value::{Kind, Value},
};

/// What takes the rows of one queue table and calls out for each.
///
/// A row is looked at when its `due_at` has come. In one transaction it is locked, its facts are read and `prepare` is asked;
/// what is to be sent becomes `sending` under a lease, and is sent after the COMMIT. A row found `sending` is a lost lease: its
/// worker died, and nobody knows whether it was sent.
#[derive(Debug)]
pub struct Drain {
    /// Its name, in metrics and logs.
    pub name: &'static str,
    /// The queue: its columns hold all of [`OWNED`].
    pub queue: &'static Table,
    /// What the fold's tables know beside it.
    pub facts: Facts,
    /// The topic that outcomes go to: the role's own, and one of its `emits`.
    pub reports: &'static Topic,
    /// How it calls out.
    pub channel: Channel,
}

/// A question to the fold's tables about one row of the queue.
#[derive(Debug)]
pub struct Facts {
    /// It has one `?` a column of the queue's key, in order, and gives one row or none.
    pub query: &'static str,
    /// What it gives.
    pub columns: &'static [Column],
}

/// How a drain calls out.
#[derive(Clone, Copy, Debug)]
pub enum Channel {
    /// Mail, by SMTP.
    Mail(&'static Mail),
}

/// How rows become mails.
#[derive(Debug)]
pub struct Mail {
    /// What is to be done with a row that is due.
    pub prepare: fn(&Due<'_>, &Sender) -> Result<Prepared, Reject>,
    /// What a server's answer to it means.
    pub judge: fn(&Due<'_>, &Answer) -> Result<Outcome, Reject>,
    /// The event that tells the outcome which a row records. It depends on the row alone, so that a repeat is the same event.
    pub report: fn(&[Value]) -> Result<Report, Reject>,
}

/// A row that is due.
#[derive(Clone, Copy, Debug)]
pub struct Due<'r> {
    /// The queue's columns in order, as they stood before this claim.
    pub row: &'r [Value],
    /// What the facts' query gave, if anything.
    pub facts: Option<&'r [Value]>,
    /// The time.
    pub now: Time,
}

/// In whose name mail is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The address in From; its domain stands in every Message-ID.
    pub address: String,
    /// Where an HTTPS POST ends a subscription; the recipient, list and mail are added as its query.
    pub unsubscribe_url: String,
}

/// What is to be done with a row that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// It is sent: this is attempt `attempts` + 1.
    Send(Box<Message>),
    /// It cannot be sent yet: it is looked at again then, and no attempt is counted.
    Later(Time),
    /// It is not sent: the outcome is recorded, as attempt `attempts` + 1.
    Close(Outcome),
}

/// A mail, ready but for its encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The address it goes to.
    pub to: String,
    /// What follows the address's @.
    pub to_domain: String,
    /// One line.
    pub subject: String,
    /// The plain part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// The header Message-ID, brackets included: the same for every attempt.
    pub message_id: String,
    /// Other headers: names and values in ASCII.
    pub headers: Vec<(&'static str, String)>,
}

/// What came of calling out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The server answered, last with this.
    Reply {
        /// The basic code: 250, 421, 550.
        code: u16,
        /// All else of the reply.
        text: String,
    },
    /// The connection was lost after DATA began: the server may have taken it.
    Lost(String),
    /// It was not handed over: no connection, no TLS, no answer in time.
    Unreached(String),
}

/// What came of a row, to be recorded in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How the row stands now.
    pub state: State,
    /// When it is due again; `None` when it is done with.
    pub due_at: Option<Time>,
    /// What the server said, or why there is nothing: one line of at most 512 characters.
    pub reply: String,
    /// Whether the topic is told.
    pub report: bool,
}

/// An outcome as an event of the drain's topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The record's key.
    pub key: String,
    /// The datum, without the envelope.
    pub datum: Vec<u8>,
}

/// How a row of a queue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Not tried yet.
    Queued,
    /// A worker holds its lease.
    Sending,
    /// Tried, to be tried again.
    Retry,
    /// Taken by the server.
    Sent,
    /// Refused for good.
    Failed,
    /// Refused for good, because there is nobody of that address.
    Bounced,
    /// Too late.
    Expired,
    /// Not wanted.
    Suppressed,
    /// Perhaps taken. With a `due_at` it is tried again.
    InDoubt,
    /// Known from the log to be done with.
    Closed,
}

crate::symbols!(State, {
    Queued: "queued",
    Sending: "sending",
    Retry: "retry",
    Sent: "sent",
    Failed: "failed",
    Bounced: "bounced",
    Expired: "expired",
    Suppressed: "suppressed",
    InDoubt: "in_doubt",
    Closed: "closed",
});

/// The columns of every queue with a drain. The fold writes what is said here into a new row, and only the drain changes it.
///
/// | column | what | a new row |
/// |---|---|---|
/// | `lane` | the partition of the row's source: rows of a lane that is still catching up with its log are left alone | the partition |
/// | `bulk` | whether it goes after all that is not, and has but a share of the rate | |
/// | `queued_at` | when the source event happened: age counts from it | `occurred_at` |
/// | `state` | a [`State`] by name | `queued` |
/// | `attempts` | attempts that began or were closed | 0 |
/// | `due_at` | when it is to be looked at; while `sending`, when the lease ends; NULL: done with | `occurred_at` |
/// | `lease` | drawn by the worker that sends it; NULL: nobody does | NULL |
/// | `smtp_reply` | the last outcome's reply | NULL |
/// | `settled_at` | when the last outcome was recorded: the time of its report | NULL |
/// | `reported` | whether every outcome so far is acknowledged by the log: only such a row may be claimed | true |
pub const OWNED: &[Column] = &[
    owned("lane", Kind::Long, Null::No),
    owned("bulk", Kind::Bool, Null::No),
    owned("queued_at", Kind::Time, Null::No),
    owned("state", Kind::Text, Null::No),
    owned("attempts", Kind::Long, Null::No),
    owned("due_at", Kind::Time, Null::Yes),
    owned("lease", Kind::Id, Null::Yes),
    owned("smtp_reply", Kind::Text, Null::Yes),
    owned("settled_at", Kind::Time, Null::Yes),
    owned("reported", Kind::Bool, Null::No),
];

/// Whether a column may hold NULL.
#[derive(PartialEq)]
enum Null {
    Yes,
    No,
}

const fn owned(name: &'static str, kind: Kind, null: Null) -> Column {
    Column { name, kind, nullable: matches!(null, Null::Yes) }
}

impl Drain {
    /// The value of a column of the queue in a row of it.
    pub fn value<'r>(&self, row: &'r [Value], column: &str) -> Option<&'r Value> {
        row.get(self.queue.place(column)?)
    }
}
