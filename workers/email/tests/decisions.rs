//! What the drain decides of a mail that is due, of a server's answer to it, and how it tells that.

use std::sync::Arc;

use crate::fold::{
    Field, Row, Value,
    drain::{Answer, Channel, Due, Outcome, Prepared, Sender, State},
};

use super::*;

const NOW: Time = Time(1_715_592_600_000);
const DAY_MS: i64 = 86_400_000;

fn mail_of_drain() -> &'static crate::fold::drain::Mail {
    let Channel::Mail(mail) = ROLE.drains[0].channel;
    mail
}

fn sender() -> Sender {
    Sender { address: "mail@fleet.example".into(), unsubscribe_url: "https://fleet.example/unsubscribe".into() }
}

/// A queued mail of a template, an hour old.
fn queued(template: &str, params: &str) -> EmailOutbox {
    EmailOutbox {
        recipient: "user:42".into(),
        message_id: mail(1),
        template: template.into(),
        locale: "".into(),
        params: crate::fold::Json(params.into()),
        user_id: Some(42),
        list: None,
        not_after: NOW.plus(DAY_MS),
        lane: 3,
        bulk: false,
        queued_at: NOW.plus(-3_600_000),
        state: State::Queued,
        attempts: 0,
        due_at: Some(NOW),
        lease: None,
        smtp_reply: None,
        settled_at: None,
        reported: true,
    }
}

/// A mail that is sent at most once.
fn welcomed() -> EmailOutbox {
    queued("welcome", r#"{"name":"Zoë"}"#)
}

/// A mail that is sent at least once.
fn receipt() -> EmailOutbox {
    queued("receipt", r#"{"order_id":"A-17","amount":"1999","currency":"EUR","paid_on":"2024-05-13"}"#)
}

fn bulk(mut row: EmailOutbox) -> EmailOutbox {
    (row.bulk, row.list) = (true, Some("news".into()));
    row
}

/// What the fold knows: how far it came, and what the recipient does not get.
fn facts(state: &str, address: Option<&str>, scopes: Option<&str>) -> Vec<Value> {
    let text = |it: &str| Value::Text(it.into());
    vec![text(state), address.map_or(Value::Null, text), address.map_or(Value::Null, |_| text("de-AT")), scopes.map_or(Value::Null, text)]
}

fn usual() -> Vec<Value> {
    facts("queued", Some("zoe@example.net"), None)
}

fn prepare(row: &EmailOutbox, facts: Option<&[Value]>) -> Prepared {
    let values = row.to_values();
    (mail_of_drain().prepare)(&Due { row: &values, facts, now: NOW }, &sender()).unwrap()
}

fn closed(prepared: Prepared) -> (State, bool) {
    let Prepared::Close(Outcome { state, report, due_at: None, .. }) = prepared else { panic!("{prepared:?}") };
    (state, report)
}

fn sent(prepared: Prepared) -> crate::fold::drain::Message {
    let Prepared::Send(message) = prepared else { panic!("{prepared:?}") };
    *message
}

#[test]
fn what_the_log_knows_as_done_with_is_never_sent() {
    for state in ["suppressed", "expired", "failed", "sent", "bounced_soft", "delivered", "bounced_hard"] {
        for mut row in [welcomed(), receipt()] {
            let known = facts(state, Some("zoe@example.net"), None);
            assert_eq!(closed(prepare(&row, Some(&known))), (State::Closed, false), "{state}");
            // Neither a lost lease nor a late hour changes that.
            (row.state, row.not_after) = (State::Sending, NOW);
            assert_eq!(closed(prepare(&row, Some(&known))), (State::Closed, false), "{state}");
        }
    }
    let doubtful = facts("in_doubt", Some("zoe@example.net"), None);
    assert_eq!(closed(prepare(&welcomed(), Some(&doubtful))), (State::Closed, false));
    sent(prepare(&receipt(), Some(&doubtful)));
    sent(prepare(&welcomed(), Some(&facts("retry", Some("zoe@example.net"), None))));
}

#[test]
fn old_mail_is_too_late_whatever_else_holds() {
    let mut row = welcomed();
    row.not_after = NOW;
    for known in [None, Some(usual()), Some(facts("queued", None, Some(r#"["all"]"#)))] {
        assert_eq!(closed(prepare(&row, known.as_deref())), (State::Expired, true));
    }
    row.not_after = NOW.plus(1);
    sent(prepare(&row, Some(&usual())));
}

#[test]
fn a_lost_lease_is_judged_by_the_templates_class() {
    let lost = |mut row: EmailOutbox| {
        (row.state, row.attempts) = (State::Sending, 1);
        row
    };
    assert_eq!(closed(prepare(&lost(welcomed()), Some(&usual()))), (State::InDoubt, true));
    let first = sent(prepare(&receipt(), Some(&usual())));
    let again = sent(prepare(&lost(receipt()), Some(&usual())));
    assert_eq!(again, first, "the same mail, by its Message-ID too");
    let late = EmailOutbox { not_after: NOW, ..lost(receipt()) };
    assert_eq!(closed(prepare(&late, Some(&usual()))), (State::InDoubt, true), "it may have been taken");
}

#[test]
fn suppression_is_judged_when_it_would_be_sent() {
    let known = |scopes| facts("queued", Some("zoe@example.net"), Some(scopes));
    for (row, scopes, suppressed) in [
        (welcomed(), r#"["all"]"#, true),
        (bulk(welcomed()), r#"["all"]"#, true),
        (bulk(welcomed()), r#"["other","news"]"#, true),
        (bulk(welcomed()), r#"["other"]"#, false),
        (welcomed(), r#"["news"]"#, false),
    ] {
        let prepared = prepare(&row, Some(&known(scopes)));
        assert_eq!(matches!(prepared, Prepared::Close(Outcome { state: State::Suppressed, report: true, .. })), suppressed, "{scopes}");
    }
}

#[test]
fn without_a_contact_it_waits_at_growing_distances_until_it_is_too_late() {
    let unknown = facts("queued", None, None);
    let next = |age_ms: i64, left_ms: i64, facts: Option<&[Value]>| {
        let row = EmailOutbox { queued_at: NOW.plus(-age_ms), not_after: NOW.plus(left_ms), ..welcomed() };
        let Prepared::Later(at) = prepare(&row, facts) else { panic!("not later") };
        at.0 - NOW.0
    };
    for known in [Some(unknown.as_slice()), None] {
        assert_eq!(next(0, DAY_MS, known), 15_000);
        assert_eq!(next(-5, DAY_MS, known), 15_000, "clocks differ");
        assert_eq!(next(600_000, DAY_MS, known), 300_000);
        assert_eq!(next(DAY_MS, DAY_MS, known), 3_600_000);
        assert_eq!(next(600_000, 1_000, known), 1_000);
    }
    let row = EmailOutbox { recipient: "ada@example.org".into(), ..welcomed() };
    assert_eq!(sent(prepare(&row, Some(&unknown))).to, "ada@example.org", "an address needs no contact");
}

#[test]
fn a_damaged_row_or_fact_is_refused() {
    let values = welcomed().to_values();
    for (row, facts) in [(&values[1..], None), (&values[..], Some(&values[..1]))] {
        assert!((mail_of_drain().prepare)(&Due { row, facts, now: NOW }, &sender()).is_err());
    }
}

fn judge(row: &EmailOutbox, answer: &Answer) -> Outcome {
    (mail_of_drain().judge)(&Due { row: &row.to_values(), facts: None, now: NOW }, answer).unwrap()
}

fn reply(code: u16, text: &str) -> Answer {
    Answer::Reply { code, text: text.into() }
}

fn later(ms: i64) -> Option<Time> {
    Some(NOW.plus(ms))
}

#[test]
fn an_answer_means_one_thing() {
    let five = 300_000;
    for (code, text, state, due_at) in [
        (250, "2.0.0 queued", State::Sent, None),
        (421, "4.3.2 closing", State::Retry, later(five)),
        (450, "4.2.0 greylisted, try again in 20 seconds", State::Retry, later(30_000)),
        (451, "4.7.1 Please retry after 5 min.", State::Retry, later(310_000)),
        (452, "wait 1 hour", State::Retry, later(3_610_000)),
        (451, "too many connections in 60 seconds", State::Retry, later(five)),
        (454, "4.7.0 temporary authentication failure", State::Retry, later(five)),
        (354, "go ahead", State::Retry, later(five)),
        (530, "5.7.0 authentication required", State::Retry, later(five)),
        (534, "5.7.9 mechanism too weak", State::Retry, later(five)),
        (535, "5.7.8 bad credentials", State::Retry, later(five)),
        (550, "5.1.1 no such user", State::Bounced, None),
        (550, "5.1.10 null MX", State::Bounced, None),
        (553, "5.1.3 bad address", State::Bounced, None),
        (550, "5.1.8 sender's domain unknown", State::Failed, None),
        (550, "5.7.1 blocked, see 5.1.1", State::Failed, None),
        (550, "no such user", State::Failed, None),
        (552, "5.2.2 mailbox full", State::Failed, None),
        (554, "5.6.0 try again in 20 seconds", State::Failed, None),
    ] {
        let expected = Outcome { state, due_at, reply: format!("{code} {text}"), report: true };
        assert_eq!(judge(&welcomed(), &reply(code, text)), expected);
    }
    let silent = judge(&welcomed(), &Answer::Unreached("no answer\r\nin time".into()));
    assert_eq!((silent.state, silent.due_at, &*silent.reply), (State::Retry, later(five), "no answer  in time"));
}

#[test]
fn each_wait_is_a_third_longer_until_it_would_be_too_late() {
    let mut row = welcomed();
    let mut waits = Vec::new();
    for attempts in [0, 1, 2, 3, 10, 1_000] {
        row.attempts = attempts;
        row.not_after = NOW.plus(10 * DAY_MS);
        waits.push(judge(&row, &reply(451, "")).due_at.unwrap().0 - NOW.0);
    }
    assert_eq!(waits, [300_000, 390_000, 507_000, 659_100, 4_135_751, DAY_MS]);
    (row.attempts, row.not_after) = (0, NOW.plus(300_001));
    assert_eq!(judge(&row, &reply(451, "x")).state, State::Retry);
    row.not_after = NOW.plus(300_000);
    assert_eq!(judge(&row, &reply(451, "x")), Outcome { state: State::Expired, due_at: None, reply: "451 x".into(), report: true });
    assert_eq!(judge(&row, &reply(451, "retry in 9999999999999999999 seconds")).state, State::Expired);
    assert_eq!(judge(&row, &reply(451, "retry in 9000000000000000000 hours")).state, State::Expired);
}

#[test]
fn a_lost_answer_is_judged_by_the_templates_class() {
    let lost = Answer::Lost("connection reset".into());
    let left = judge(&welcomed(), &lost);
    assert_eq!((left.state, left.due_at, left.report), (State::InDoubt, None, true));
    let again = judge(&receipt(), &lost);
    assert_eq!((again.state, again.due_at, again.report), (State::InDoubt, later(300_000), true));
    let late = EmailOutbox { not_after: NOW.plus(1), ..receipt() };
    assert_eq!((judge(&late, &lost).state, judge(&late, &lost).due_at), (State::InDoubt, None));
}

#[test]
fn what_may_have_been_taken_never_expires() {
    let doubtful = facts("in_doubt", Some("zoe@example.net"), None);
    let late = EmailOutbox { not_after: NOW, ..receipt() };
    for state in [State::InDoubt, State::Retry] {
        let row = EmailOutbox { state, attempts: 2, ..late.clone() };
        assert_eq!(closed(prepare(&row, Some(&doubtful))), (State::InDoubt, false), "it was told before");
        sent(prepare(&EmailOutbox { state, ..receipt() }, Some(&doubtful)));
    }
    let row = EmailOutbox { not_after: NOW.plus(1), ..receipt() };
    let due = Due { row: &row.to_values(), facts: Some(&doubtful), now: NOW };
    assert_eq!((mail_of_drain().judge)(&due, &reply(451, "")).unwrap().state, State::InDoubt);
}

#[test]
fn a_reply_is_kept_as_one_bounded_line() {
    let kept = judge(&welcomed(), &reply(250, &format!("a\r\nb\0{}", "é".repeat(600)))).reply;
    assert!(kept.starts_with("250 a  b é") && kept.chars().count() == 512);
}

#[test]
fn every_outcome_is_told_as_the_row_has_it_and_a_repeat_is_the_same_event() {
    let told = |state, attempts| {
        let row = EmailOutbox { state, attempts, smtp_reply: Some("250 ok".into()), settled_at: Some(NOW), ..receipt() };
        (mail_of_drain().report)(&row.to_values())
    };
    for (state, symbol) in [
        (State::Retry, "retry"),
        (State::InDoubt, "in_doubt"),
        (State::Suppressed, "suppressed"),
        (State::Expired, "expired"),
        (State::Failed, "failed"),
        (State::Sent, "sent"),
        (State::Bounced, "bounced"),
    ] {
        let report = told(state, 2).unwrap();
        assert_eq!(report.key, "user:42");
        assert_eq!(told(state, 2).unwrap(), report);
        let event = crate::fold::plain::decode(&TOPIC, &report.datum).unwrap();
        let attempted =
            json!({"message_id": mail(1), "attempt": 2, "outcome": symbol, "reply": "250 ok", "template": "receipt", "user_id": 42});
        assert_eq!(event["body"]["Attempted"], attempted);
        assert_eq!(event["occurred_at"], AT);
        assert_ne!(event["event_id"], crate::fold::plain::decode(&TOPIC, &told(state, 3).unwrap().datum).unwrap()["event_id"]);
    }
    for state in [State::Queued, State::Sending, State::Closed] {
        assert!(told(state, 1).is_err(), "{state:?}");
    }
}

#[test]
fn a_told_outcome_keeps_a_rebuilt_queue_from_sending() {
    let row = EmailOutbox { state: State::Sent, attempts: 1, settled_at: Some(NOW), ..welcomed() };
    let report = (mail_of_drain().report)(&row.to_values()).unwrap();
    let told = crate::fold::plain::decode(&TOPIC, &report.datum).unwrap().to_string();
    let folded = super::row("email_messages", &[line(1, -9, "user:42", &welcome(1)), told]);
    assert!(folded.contains(" state=sent "), "{folded}");
    let state: Arc<str> = "sent".into();
    assert_eq!(closed(prepare(&welcomed(), Some(&[state.to_value(), Value::Null, Value::Null, Value::Null]))), (State::Closed, false));
}
