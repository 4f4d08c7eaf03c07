//! Handing a row over, recording what came of it, and telling its topic.

use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::time::sleep;
use uuid::Uuid;
use workers::fold::{
    Emit, Time, Value,
    drain::{Answer, Channel, Due, Outcome, State},
    limit::Class,
};

use super::{
    Draining, Post,
    round::{Handing, Job},
    smtp::Unsent,
};
use crate::{
    fault::Fault,
    retry::Retry,
    store::{mysql::acquire, queue::Entry},
};

impl Post {
    /// Does what a round left to do.
    pub(super) async fn perform(self: Arc<Self>, job: Job) {
        match job {
            Job::Report(entry) => self.own.report(&entry).await,
            Job::Send(handing) => self.hand_over(*handing).await,
        }
    }

    async fn hand_over(&self, handing: Handing) {
        crate::failpoint!("before-send");
        let (since, longest) = (handing.since, self.own.lease.saturating_sub(self.settings.patience));
        // Past that another worker might hold the row before the answer is here.
        let in_time = move || since.elapsed() < longest;
        let why = match self.smtp.send(&handing.letter, &in_time, self.stop.clone()).await {
            // Frozen on the way: what the row needs is another worker's to say.
            Ok(Answer::Unreached(why)) if !in_time() => why,
            Ok(answer) => return self.settle(handing, answer).await,
            Err(unsent) => {
                if let Unsent::Away(fault) = &unsent {
                    self.turned_away(fault);
                }
                unsent.to_string()
            }
        };
        self.give_back(&handing, &why).await;
    }

    async fn give_back(&self, handing: &Handing, why: &str) {
        tracing::debug!("given back: {why}");
        let class = if handing.before.long("bulk") == 0 { Class::First } else { Class::Bulk };
        self.unused.lock().unwrap_or_else(PoisonError::into_inner).push(class);
        if let Err(fault) = self.own.write(&handing.before.given_back(), Some(handing.lease)).await {
            self.own.weather(&fault);
        }
    }

    /// Records what an answer means, and tells the topic. The mail is out: neither is given up while the process lives.
    async fn settle(&self, handing: Handing, answer: Answer) {
        crate::failpoint!("after-answer");
        self.note(&handing, &answer);
        self.own.note_made(&handing.entry);
        let now = self.own.clock.now().unwrap_or(Time(handing.entry.long("due_at")));
        let due = Due { row: handing.before.values(), facts: handing.facts.as_deref(), now };
        let outcome = (self.mail.judge)(&due, &answer).unwrap_or_else(|reject| unreadable(&reject.reason));
        self.own.metrics.outcome(outcome.state.name());
        if outcome.state == State::Sent {
            self.own.metrics.age.observe(((now.0 - handing.entry.long("queued_at")).max(0) as f64) / 1000.0);
        }
        let entry = handing.entry.settled(&outcome, now);
        self.own.record(&entry, handing.lease).await;
    }

    fn note(&self, handing: &Handing, answer: &Answer) {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Answer::Reply { code: 400..500, .. } => domains.put_off(&handing.domain, handing.since, Instant::now()),
            Answer::Reply { .. } => domains.answered(&handing.domain),
            Answer::Lost(_) | Answer::Unreached(_) => {}
        }
        if matches!(answer, Answer::Reply { .. }) {
            self.let_in(handing.since);
        }
        self.own.metrics.reply(class(answer));
    }
}

/// Whether mails get in. That the server takes a conversation does not say so: it may shut mails out all the same.
impl Post {
    fn shut(&self) -> MutexGuard<'_, Option<Instant>> {
        self.shut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_shut(&self) -> bool {
        self.shut().is_some()
    }

    /// The server takes a conversation.
    pub(super) fn reached(&self) {
        let shut = self.shut();
        if shut.is_none() {
            self.own.hold(None);
        }
    }

    /// A mail did not get in, through no fault of its own.
    fn turned_away(&self, fault: &Fault) {
        let mut shut = self.shut();
        *shut = Some(Instant::now());
        self.own.hold(Some(fault.to_string()));
    }

    /// A mail that was claimed at `since` had a reply. Older ones say nothing of how it is now.
    fn let_in(&self, since: Instant) {
        let mut shut = self.shut();
        if shut.is_some_and(|it| it < since) {
            *shut = None;
            self.own.hold(None);
        }
    }
}

/// An answer's class, as a label.
fn class(answer: &Answer) -> &'static str {
    match answer {
        Answer::Reply { code: 200..300, .. } => "2xx",
        Answer::Reply { code: 400..500, .. } => "4xx",
        Answer::Reply { code: 500..600, .. } => "5xx",
        Answer::Reply { .. } => "other",
        Answer::Lost(_) => "lost",
        Answer::Unreached(_) => "unreached",
    }
}

/// An answer that the core cannot judge says nothing about whether the mail was taken.
fn unreadable(why: &str) -> Outcome {
    Outcome { state: State::InDoubt, due_at: None, reply: why.to_owned(), report: true }
}

impl Draining {
    /// Writes an outcome and reports it. The topic is told at once, also when the database is away: then the fold knows.
    async fn record(&self, entry: &Entry, lease: Uuid) {
        let mut recorded = self.write(entry, Some(lease)).await;
        crate::failpoint!("after-record");
        let is_told = self.is_unreported(entry) && self.tell(entry).await;
        let mut retry = Retry::default();
        while let Err(fault) = recorded {
            self.weather(&fault);
            sleep(retry.next_delay()).await;
            recorded = self.write(entry, Some(lease)).await;
        }
        if is_told {
            self.acknowledge(entry).await;
        }
    }

    /// Tells the topic of an outcome that stands in its row, and notes that there.
    pub(super) async fn report(&self, entry: &Entry) {
        if self.tell(entry).await {
            self.acknowledge(entry).await;
        }
    }

    fn is_unreported(&self, entry: &Entry) -> bool {
        entry.long("reported") == 0
    }

    /// Tells the topic of an outcome, through any weather. Whether it is told.
    async fn tell(&self, entry: &Entry) -> bool {
        let Channel::Mail(mail) = self.drain.channel;
        let report = match (mail.report)(entry.values()) {
            Ok(report) => report,
            Err(reject) => {
                self.say_untold(entry, &reject.reason);
                return false;
            }
        };
        let told = match self.context.role.emits.iter().position(|it| it.name == self.drain.reports.name) {
            Some(topic) => {
                let emit = Emit { topic, key: report.key, datum: report.datum };
                self.context.emit(&[emit], &mut Retry::default()).await
            }
            None => Err(format!("{} is not among the role's topics", self.drain.reports.name)),
        };
        told.inspect_err(|why| self.break_off(why)).is_ok()
    }

    /// An outcome that no event tells stays in its row, which nobody claims.
    fn say_untold(&self, entry: &Entry, why: &str) {
        let is_new = self.untold.lock().unwrap_or_else(PoisonError::into_inner).insert(entry.key());
        if is_new {
            let (role, queue, table) = (self.context.role.name, self.drain.name, self.drain.queue.name);
            tracing::error!(role, queue, "an outcome cannot be told: {why}; look at it in {table} WHERE reported = 0");
        }
    }

    /// Nothing is claimed any more: what becomes of it could not be told.
    fn break_off(&self, why: &str) {
        self.broken.get_or_init(|| format!("{why}; keep the log, end the process: another tells what came of its rows"));
        self.hold(None);
    }

    /// Where the database is away now, another look finds the row, and tells the topic the same once more.
    async fn acknowledge(&self, entry: &Entry) {
        crate::failpoint!("before-acknowledge");
        let acknowledged = async { self.queue.acknowledge(&mut *acquire(&self.pool).await?, entry).await };
        if let Err(fault) = acknowledged.await {
            self.weather(&fault);
        }
    }

    /// Writes a row, if it is still under this lease. If it is not, its lease ran out, and another worker has judged it.
    async fn write(&self, entry: &Entry, lease: Option<Uuid>) -> Result<(), Fault> {
        let mut connection = acquire(&self.pool).await?;
        self.queue.write(&mut connection, entry, lease).await.map(|_| ())
    }
}

impl Entry {
    /// The lease that it is under.
    pub(super) fn lease(&self) -> Option<Uuid> {
        if let Value::Id(lease) = self.value("lease") { Some(*lease) } else { None }
    }

    /// The row under a lease: one attempt more.
    pub(super) fn leased(&self, lease: Uuid, until: Time) -> Self {
        self.clone()
            .with("state", text(State::Sending.name()))
            .with("attempts", Value::Long(self.long("attempts") + 1))
            .with("due_at", Value::Long(until.0))
            .with("lease", Value::Id(lease))
    }

    /// The row, to be looked at again at a time: no attempt was made.
    pub(super) fn postponed(&self, at: Time) -> Self {
        self.given_back().with("due_at", Value::Long(at.0))
    }

    /// The row as it was, under nobody's lease. One whose lease was lost stays `sending`: nobody knows more of it than before.
    pub(super) fn given_back(&self) -> Self {
        self.clone().with("lease", Value::Null)
    }

    /// The row with an outcome.
    pub(super) fn settled(self, outcome: &Outcome, now: Time) -> Self {
        let settled = self
            .with("state", text(outcome.state.name()))
            .with("due_at", outcome.due_at.map_or(Value::Null, |it| Value::Long(it.0)))
            .with("lease", Value::Null)
            .with("smtp_reply", text(&outcome.reply))
            .with("settled_at", Value::Long(now.0));
        if outcome.report { settled.with("reported", Value::Long(0)) } else { settled }
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}
