//! Handing a row over, recording what came of it, and telling its topic.

use std::{sync::Arc, time::Instant};

use tokio::time::sleep;
use uuid::Uuid;
use workers::fold::{
    Emit, Time, Value,
    drain::{Answer, Channel, Due, Outcome, State},
};

use super::{
    Draining, Post,
    round::{Handing, Job},
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
            Err(fault) => fault.to_string(),
        };
        tracing::debug!("given back: {why}");
        if let Err(fault) = self.own.write(&handing.before.given_back(), Some(handing.lease)).await {
            self.own.weather(&fault);
        }
    }

    /// Records what an answer means, and tells the topic. The mail is out: neither is given up while the process lives.
    async fn settle(&self, handing: Handing, answer: Answer) {
        crate::failpoint!("after-answer");
        self.note(&handing.domain, &answer);
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

    fn note(&self, domain: &str, answer: &Answer) {
        let mut domains = self.domains.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match answer {
            Answer::Reply { code: 400..500, .. } => domains.put_off(domain, Instant::now()),
            Answer::Reply { .. } => domains.answered(domain),
            Answer::Lost(_) | Answer::Unreached(_) => {}
        }
        self.own.metrics.reply(class(answer));
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
        if self.is_unreported(entry) {
            self.tell(entry).await;
        }
        let mut retry = Retry::default();
        while let Err(fault) = recorded {
            self.weather(&fault);
            sleep(retry.next_delay()).await;
            recorded = self.write(entry, Some(lease)).await;
        }
        if self.is_unreported(entry) {
            self.acknowledge(entry).await;
        }
    }

    /// Tells the topic of an outcome that stands in its row, and notes that there.
    pub(super) async fn report(&self, entry: &Entry) {
        self.tell(entry).await;
        self.acknowledge(entry).await;
    }

    fn is_unreported(&self, entry: &Entry) -> bool {
        entry.long("reported") == 0
    }

    async fn tell(&self, entry: &Entry) {
        let Channel::Mail(mail) = self.drain.channel;
        let reported = (mail.report)(entry.values()).map_err(|it| it.reason);
        let topic = self.context.role.emits.iter().position(|it| it.name == self.drain.reports.name);
        let told = match (reported, topic) {
            (Ok(report), Some(topic)) => {
                let emit = Emit { topic, key: report.key, datum: report.datum };
                self.context.emit(&[emit], &mut Retry::default()).await
            }
            (Err(why), _) => Err(why.to_string()),
            (_, None) => Err(format!("{} is not among the role's topics", self.drain.reports.name)),
        };
        if let Err(why) = told {
            tracing::error!(role = self.context.role.name, queue = self.drain.name, "an outcome cannot be reported: {why}");
        }
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
