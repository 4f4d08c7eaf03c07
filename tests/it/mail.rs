//! Mail against a real server: what arrives, and what becomes of every fault on the way.

use std::{collections::BTreeSet, time::Duration};

use mailparse::{MailHeaderMap as _, ParsedMail, parse_mail};
use serde_json::json;

use crate::support::{
    Seed, Worker, events, mails,
    post::{Asked, ONCE, Post, TWICE, address, ask, ask_many, event, now},
    results,
    smtp::{Act, At},
    soon,
    wait::{SOON, when},
};

fn header(mail: &ParsedMail<'_>, name: &str) -> String {
    mail.headers.get_first_value(name).unwrap_or_else(|| panic!("no header {name}"))
}

#[test]
fn a_mail_arrives_as_its_template_says() {
    let mut seed = Seed::of("mail-arrives");
    let post = Post::new("mail-arrives");
    let worker = post.worker();
    let (first, bulk) = (ask(&mut seed, TWICE, "ada@example.org"), ask(&mut seed, ONCE, "bo@example.org"));
    post.send(&[first.clone(), bulk.clone()]);
    post.await_states(&[first.clone(), bulk.clone()], &["sent"]);
    for (asked, is_bulk) in [(&first, false), (&bulk, true)] {
        let taken = post.arrived(&asked.recipient);
        assert_eq!((taken.len(), taken[0].from.as_str()), (1, "fleet@example.org"));
        let content = &taken[0].content;
        assert!(content.is_ascii() && content.split(|it| *it == b'\n').all(|line| line.len() <= 998), "not what every server takes");
        let mail = parse_mail(content).unwrap();
        assert_eq!(header(&mail, "From"), "Fleet ✓ <fleet@example.org>");
        assert_eq!(header(&mail, "To"), asked.recipient);
        assert_eq!(header(&mail, "X-Fleet-Recipient"), asked.recipient);
        assert!(header(&mail, "Message-ID").contains("@example.org>"));
        assert!(!header(&mail, "Subject").is_empty() && !header(&mail, "Date").is_empty());
        assert_eq!(mail.ctype.mimetype, "multipart/alternative");
        let kinds: Vec<&str> = mail.subparts.iter().map(|it| it.ctype.mimetype.as_str()).collect();
        assert_eq!(kinds, ["text/plain", "text/html"]);
        assert!(mail.subparts.iter().all(|it| it.ctype.charset == "utf-8" && !it.get_body().unwrap().is_empty()));
        let ways_out = (mail.headers.get_first_value("List-Unsubscribe"), mail.headers.get_first_value("List-Unsubscribe-Post"));
        assert_eq!((ways_out.0.is_some(), ways_out.1.is_some()), (is_bulk, is_bulk));
        if let (Some(link), Some(post)) = ways_out {
            assert!(link.starts_with("<https://example.org/unsubscribe?") && link.ends_with('>'), "{link}");
            assert_eq!(post, "List-Unsubscribe=One-Click");
        }
    }
    assert_eq!(post.told()[&first.message_id], [(1, "sent".to_owned())]);
    worker.stop();
}

/// What is done to a mail, with what template, and what becomes of it: its state, when it is tried again, mails taken.
type Case = (Act, &'static str, &'static str, Option<i64>, usize);

const STALL: Duration = Duration::from_secs(30);

const FAULTS: &[Case] = &[
    (Act::Answer(At::Recipient, "450 4.2.1 busy"), TWICE, "retry", Some(300), 0),
    (Act::Answer(At::Recipient, "450 4.7.1 greylisted, try again in 20 seconds"), TWICE, "retry", Some(30), 0),
    (Act::Answer(At::Data, "451 4.3.0 not now"), ONCE, "retry", Some(300), 0),
    (Act::Answer(At::Content, "452 4.3.1 full, try again in 2 minutes"), ONCE, "retry", Some(130), 0),
    (Act::Answer(At::Recipient, "550 5.1.1 no such user"), TWICE, "bounced", None, 0),
    (Act::Answer(At::Recipient, "550 5.7.1 blocked for spam"), TWICE, "failed", None, 0),
    (Act::Answer(At::Content, "554 5.6.0 unreadable"), ONCE, "failed", None, 0),
    (Act::Close(At::Recipient), TWICE, "retry", Some(300), 0),
    (Act::Close(At::Data), ONCE, "retry", Some(300), 0),
    (Act::Stall(At::Recipient, STALL), ONCE, "retry", Some(300), 0),
    (Act::Close(At::Content), TWICE, "in_doubt", Some(300), 0),
    (Act::Close(At::Content), ONCE, "in_doubt", None, 0),
    (Act::TakeAndClose, TWICE, "in_doubt", Some(300), 1),
    (Act::TakeAndClose, ONCE, "in_doubt", None, 1),
    (Act::Stall(At::Content, STALL), TWICE, "in_doubt", Some(300), 0),
    (Act::Stall(At::Content, STALL), ONCE, "in_doubt", None, 0),
];

#[test]
fn every_fault_has_its_outcome() {
    let mut seed = Seed::of("mail-faults");
    let post = Post::new("mail-faults");
    let asked: Vec<Asked> = FAULTS.iter().map(|(_, template, ..)| ask_many(&mut seed, template, 1).remove(0)).collect();
    for (asked, (act, ..)) in asked.iter().zip(FAULTS) {
        // Once for a conversation that rested, once for the fresh one.
        let times = if matches!(act, Act::Close(At::Recipient | At::Data)) { 2 } else { 1 };
        post.server.script(&asked.recipient, vec![act.clone(); times]);
    }
    post.send(&asked);
    let worker = post.worker();
    for (asked, (act, template, state, rest, taken)) in asked.iter().zip(FAULTS) {
        post.await_states(std::slice::from_ref(asked), &[state]);
        let row = post.queue().unwrap()[&asked.message_id].clone();
        assert_eq!((row.attempts, row.rest), (1, *rest), "{act:?} of {template}: {row:?}");
        assert_eq!(post.arrived(&asked.recipient).len(), *taken, "{act:?} of {template}");
    }
    let again = assert_tried_again(&post, &asked);
    assert_counted(&worker, again);
    worker.stop();
}

/// What is to be tried again is, as the same mail; the rest is left. How many were tried again.
fn assert_tried_again(post: &Post, asked: &[Asked]) -> usize {
    post.server.take_all();
    post.hurry();
    let (again, left): (Vec<_>, Vec<_>) = asked.iter().zip(FAULTS).partition(|(_, case)| case.3.is_some());
    for (asked, case) in &again {
        post.await_states(std::slice::from_ref(asked), &["sent"]);
        let taken = post.arrived(&asked.recipient);
        assert_eq!(taken.len(), case.4 + 1);
        let ids: Vec<String> = taken.iter().map(|it| header(&parse_mail(&it.content).unwrap(), "Message-ID")).collect();
        assert!(ids.iter().all(|it| *it == ids[0]), "the same mail has the same id: {ids:?}");
        assert_eq!(post.told()[&asked.message_id], [(1, case.2.to_owned()), (2, "sent".to_owned())]);
    }
    assert!(left.iter().all(|(asked, case)| post.arrived(&asked.recipient).len() == case.4));
    again.len()
}

fn assert_counted(worker: &Worker, again: usize) {
    assert_eq!(worker.metric("fleet_drain_outcomes_total", &["outcome=\"in_doubt\""]), 6.0);
    assert_eq!(worker.metric("fleet_drain_replies_total", &["class=\"lost\""]), 6.0);
    assert_eq!(worker.metric("fleet_drain_replies_total", &["class=\"unreached\""]), 3.0);
    assert_eq!(worker.metric("fleet_drain_replies_total", &["class=\"4xx\""]), 4.0);
    assert_eq!(worker.metric("fleet_drain_age_seconds_count", &[]), again as f64);
}

#[test]
fn without_a_server_mails_wait_and_nothing_else_does() {
    let mut seed = Seed::of("mail-away");
    let mut post = Post::new("mail-away");
    post.server.go_away();
    let asked = ask_many(&mut seed, TWICE, 20);
    post.send(&asked);
    post.world.send(results().topic, &events::test_results(&mut seed, 5, 50));
    let worker = post.world.worker(&format!("{},{}", mails().name, results().name));
    post.world.settle(mails());
    post.world.settle(results());
    soon("the drain to say so", || {
        let state = worker.get("/state")?.body;
        when(state.contains("mail server smtp://127.0.0.1"), || state)
    });
    assert_eq!((worker.get("/livez").unwrap().status, worker.get("/readyz").unwrap().status), (200, 200));
    assert!(post.queue().unwrap().values().all(|it| (it.state.as_str(), it.attempts) == ("queued", 0)), "a mail was blamed");
    assert_eq!(worker.metric("fleet_drain_held", &[]), 1.0);
    post.server.come_back();
    post.await_states(&asked, &["sent"]);
    post.assert_once(&asked);
    assert!(post.queue().unwrap().values().all(|it| it.attempts == 1));
    worker.stop();
}

#[test]
fn a_wrong_password_is_one_line_and_no_mails_fault() {
    let mut seed = Seed::of("mail-password");
    let post = Post::new("mail-password");
    post.server.demand("fleet", "right");
    let with = |password: &str| post.server.url().replace("://", &format!("://fleet:{password}@"));
    let asked = ask_many(&mut seed, ONCE, 5);
    post.send(&asked);
    let worker = post.world.worker_with(mails().name, &[("FLEET_SMTP_URL", &with("wr0ng"))]);
    soon("several tries to log in", || when(post.server.connections() >= 4, || format!("{}", post.server.connections())));
    let log = worker.log();
    let lines: Vec<&str> = log.lines().filter(|it| it.contains("does not let us in")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("535") && !log.contains("wr0ng"), "{log}");
    assert!(post.queue().unwrap().values().all(|it| (it.state.as_str(), it.attempts) == ("queued", 0)));
    worker.stop();
    let worker = post.world.worker_with(mails().name, &[("FLEET_SMTP_URL", &with("right"))]);
    post.await_states(&asked, &["sent"]);
    post.assert_once(&asked);
    worker.stop();
}

#[test]
fn without_an_address_of_a_server_mails_wait() {
    let mut seed = Seed::of("mail-nowhere");
    let mut post = Post::new("mail-nowhere");
    let url = post.world.variables.remove("FLEET_SMTP_URL").unwrap();
    let asked = ask_many(&mut seed, TWICE, 3);
    post.send(&asked);
    let worker = post.worker();
    post.world.settle(mails());
    assert!(worker.get("/state").unwrap().body.contains("FLEET_SMTP_URL is not set"));
    soon("what waits to be counted", || {
        let rows = worker.metrics()?.sum("fleet_queue_rows", &[]);
        when(rows == 3.0, || format!("{rows} wait"))
    });
    worker.stop();
    let worker = post.world.worker_with(mails().name, &[("FLEET_SMTP_URL", &url)]);
    post.await_states(&asked, &["sent"]);
    worker.stop();
}

/// A post that sends five mails at once, then two a second, whose server is away for now.
fn slow_post(name: &str) -> Post {
    let mut post = Post::new(name);
    post.world.variables.insert("FLEET_SMTP_RATE", "7200".to_owned());
    post.world.variables.insert("FLEET_SMTP_BURST", "5".to_owned());
    post.server.go_away();
    post
}

#[test]
fn so_many_are_under_way_at_once() {
    let mut seed = Seed::of("mail-at-once");
    let mut post = Post::new("mail-at-once");
    post.world.variables.insert("FLEET_SMTP_TIMEOUT", "20".to_owned());
    let asked = ask_many(&mut seed, TWICE, 80);
    asked.iter().for_each(|it| post.server.script(&it.recipient, [Act::Stall(At::Content, Duration::from_secs(2))]));
    post.server.go_away();
    post.send(&asked);
    let worker = post.worker();
    post.world.settle(mails());
    post.server.come_back();
    post.await_states(&asked, &["sent"]);
    assert_eq!(post.server.most_at_once(), 32);
    post.assert_once(&asked);
    worker.stop();
}

#[test]
fn what_is_not_bulk_goes_first() {
    let mut seed = Seed::of("mail-first");
    let mut post = slow_post("mail-first");
    let (bulk, first) = (ask_many(&mut seed, ONCE, 8), ask_many(&mut seed, TWICE, 5));
    post.send(&bulk);
    post.send(&first);
    let worker = post.worker();
    post.world.settle(mails());
    post.server.come_back();
    post.await_states(&bulk, &["sent"]);
    let order: Vec<String> = post.server.taken().into_iter().map(|it| it.to).collect();
    let early: BTreeSet<&String> = order.iter().take(5).collect();
    assert_eq!(early, first.iter().map(|it| &it.recipient).collect());
    post.assert_once(&[bulk, first].concat());
    worker.stop();
}

#[test]
fn all_workers_together_keep_one_rate() {
    let mut seed = Seed::of("mail-rate");
    let mut post = slow_post("mail-rate");
    let asked = ask_many(&mut seed, TWICE, 12);
    post.send(&asked);
    let workers = [post.worker(), post.worker()];
    post.world.settle(mails());
    let back = now();
    post.server.come_back();
    post.await_states(&asked, &["sent"]);
    assert!(now() - back >= 3_500, "7 more than at once went out within {} ms", now() - back);
    post.assert_once(&asked);
    assert!(workers.iter().map(|it| it.metric("fleet_drain_limiter_waits_total", &[])).sum::<f64>() > 0.0);
    workers.into_iter().for_each(Worker::stop);
}

#[test]
fn a_stop_gives_back_what_is_not_sent_and_waits_for_what_is() {
    let mut seed = Seed::of("mail-stop");
    let mut post = Post::new("mail-stop");
    post.world.variables.insert("FLEET_SMTP_TIMEOUT", "20".to_owned());
    let (early, late) = (ask_many(&mut seed, ONCE, 1).remove(0), ask_many(&mut seed, ONCE, 1).remove(0));
    post.server.script(&early.recipient, [Act::Stall(At::Recipient, Duration::from_secs(60))]);
    post.server.script(&late.recipient, [Act::Stall(At::Content, Duration::from_secs(3))]);
    post.send(&[early.clone(), late.clone()]);
    let mut worker = post.worker();
    soon("both to be under way", || when(post.server.tries() == 2, || format!("{}", post.server.tries())));
    soon("the content of one", || when(post.server.contents() == 1, || format!("{}", post.server.contents())));
    worker.terminate();
    let (status, took) = worker.wait(SOON);
    assert!(status.success() && took < Duration::from_secs(15), "{status} after {took:?}");
    let queue = post.queue().unwrap();
    assert_eq!((queue[&late.message_id].state.as_str(), queue[&late.message_id].is_reported), ("sent", true));
    assert_eq!((queue[&early.message_id].state.as_str(), queue[&early.message_id].attempts), ("queued", 0));
    let heir = post.worker();
    post.await_states(&[early.clone(), late.clone()], &["sent"]);
    post.assert_once(&[early, late]);
    heir.stop();
}

#[test]
fn what_is_too_late_is_not_sent() {
    let mut seed = Seed::of("mail-late");
    let post = Post::new("mail-late");
    let mut asked = ask_many(&mut seed, TWICE, 1).remove(0);
    asked.event["occurred_at"] = json!(now() - 25 * 3_600_000);
    post.send(std::slice::from_ref(&asked));
    let worker = post.worker();
    post.await_states(std::slice::from_ref(&asked), &["expired"]);
    let nobody = ask(&mut seed, TWICE, "user:77");
    post.send(std::slice::from_ref(&nobody));
    post.world.settle(mails());
    let to = address(&mut seed);
    let contact = event(&mut seed, "user:77", now(), json!({"ContactSet": {"user_id": 77, "address": to, "locale": "en"}}));
    post.world.send(mails().topic, &[contact]);
    post.await_states(std::slice::from_ref(&nobody), &["sent"]);
    assert_eq!(post.server.taken().iter().map(|it| it.to.clone()).collect::<Vec<_>>(), [to]);
    worker.stop();
}
