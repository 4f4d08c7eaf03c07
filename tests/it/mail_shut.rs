//! A mail server that takes conversations and no mails, and a log that takes no outcomes: the drain holds, and no mail suffers.

use std::time::Duration;

use crate::support::{
    Seed, Worker, mails,
    post::{Asked, ONCE, Post, TWICE, ask_many},
    soon,
    wait::{holds_for, when},
};

fn await_held(worker: &Worker, why: &str) {
    soon("the drain to say why it is held", || {
        let state = worker.get("/state")?.body;
        when(state.contains(why), || state)
    });
    assert_eq!(worker.metric("fleet_drain_held", &[]), 1.0);
}

/// How many lines of its log hold a text.
fn lines(worker: &Worker, text: &str) -> usize {
    worker.log().lines().filter(|it| it.contains(text)).count()
}

#[test]
fn a_server_that_shuts_mails_out_holds_the_drain_until_it_answers_to_one() {
    let mut seed = Seed::of("mail-shut");
    let mut post = Post::new("mail-shut");
    // No token to spare: those of mails that did not get in are there again.
    post.world.variables.insert("FLEET_SMTP_RATE", "1".to_owned());
    post.world.variables.insert("FLEET_SMTP_BURST", "5".to_owned());
    post.server.demand("fleet", "right");
    let asked = [ask_many(&mut seed, ONCE, 2), ask_many(&mut seed, TWICE, 3)].concat();
    post.send(&asked);
    let worker = post.worker();
    await_held(&worker, "does not let us in: 530 5.7.0");
    soon("mails to be tried one at a time", || when(post.server.barred() >= 10, || format!("{} were", post.server.barred())));
    let tried = post.server.barred();
    holds_for(Duration::from_secs(2), || {
        when(post.server.barred() <= tried + 4, || format!("{} more tries", post.server.barred() - tried))
    });
    assert_eq!((lines(&worker, "held: "), lines(&worker, "goes on")), (1, 0), "{}", worker.log());
    assert_eq!(worker.metric("fleet_drain_held", &[]), 1.0);
    let row = |it: &Asked| post.queue().unwrap()[&it.message_id].clone();
    assert!(asked.iter().all(|it| row(it).attempts <= 1 && row(it).reply.is_empty()), "a mail was blamed: {:?}", post.queue());
    assert_eq!((post.told().len(), post.server.taken().len()), (0, 0));
    post.server.admit_all();
    post.await_states(&asked, &["sent"]);
    assert!(asked.iter().all(|it| row(it).attempts == 1), "an attempt was counted: {:?}", post.queue());
    assert_eq!((lines(&worker, "held: "), lines(&worker, "goes on")), (1, 1), "{}", worker.log());
    assert_eq!(worker.metric("fleet_drain_held", &[]), 0.0);
    post.assert_once(&asked);
    worker.stop();
}

/// What the queue says of mails that were sent: how many of them the log is not known to hold.
fn untold(post: &Post) -> Result<(usize, usize), String> {
    let rows = post.queue()?;
    let sent = rows.values().filter(|it| it.state == "sent").count();
    Ok((sent, rows.values().filter(|it| !it.is_reported).count()))
}

#[test]
fn outcomes_that_the_log_refuses_are_not_taken_for_told_and_nothing_more_is_sent() {
    let mut seed = Seed::of("mail-log-refuses");
    let mut post = Post::new("mail-log-refuses");
    let (asked, more) = (ask_many(&mut seed, ONCE, 3), ask_many(&mut seed, ONCE, 2));
    post.server.go_away();
    post.send(&asked);
    let worker = post.worker();
    post.world.settle(mails());
    post.world.log.alter(&post.world.topic(mails().topic), &[("max.message.bytes", "100")]);
    post.server.come_back();
    await_held(&worker, "end the process");
    soon("all that were under way", || when(untold(&post)? == (3, 3), || format!("{:?}", untold(&post))));
    assert_eq!(lines(&worker, "end the process"), 1, "{}", worker.log());
    post.world.must(&["topics", "apply"]);
    post.send(&more);
    post.world.settle(mails());
    holds_for(Duration::from_secs(2), || when(post.server.tries() == 3, || "it sends mails whose outcomes it cannot tell".to_owned()));
    assert_eq!((untold(&post), post.told().len()), (Ok((3, 3)), 0));
    worker.stop();
    let heir = post.worker();
    let all = [asked, more].concat();
    post.await_states(&all, &["sent"]);
    post.assert_once(&all);
    let told = post.told();
    assert!(all.iter().all(|it| told[&it.message_id] == [(1, "sent".to_owned())]), "{told:?}");
    heir.stop();
}

#[test]
fn an_outcome_that_no_event_tells_is_not_taken_for_told() {
    let mut seed = Seed::of("mail-untold-row");
    let post = Post::new("mail-untold-row");
    let (asked, later) = (ask_many(&mut seed, ONCE, 1), ask_many(&mut seed, ONCE, 1));
    post.send(&[asked.clone(), later.clone()].concat());
    let worker = post.worker();
    post.await_states(&[asked.clone(), later.clone()].concat(), &["sent"]);
    let set = |asked: &Asked, change: &str| {
        let change = format!("UPDATE email_outbox SET reported = 0, {change} WHERE message_id = '{}'", asked.message_id);
        assert_eq!(post.world.database.run(&change), Ok(1));
    };
    // As it stands when somebody wrote in it: no outcome, none due, and none told.
    set(&asked[0], "state = 'queued', due_at = UTC_TIMESTAMP(3) - INTERVAL 1 HOUR, settled_at = UTC_TIMESTAMP(3) - INTERVAL 2 HOUR");
    for _ in 0..2 {
        // Outcomes are told in the order in which they came: when this one is, the other was looked at.
        set(&later[0], "settled_at = UTC_TIMESTAMP(3) - INTERVAL 1 HOUR");
        post.await_states(&later, &["sent"]);
    }
    assert!(!post.queue().unwrap()[&asked[0].message_id].is_reported);
    assert_eq!(lines(&worker, "an outcome cannot be told"), 1, "{}", worker.log());
    assert_eq!(worker.metric("fleet_drain_held", &[]), 0.0);
    post.assert_once(&[asked, later].concat());
    worker.stop();
}
