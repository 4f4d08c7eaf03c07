//! No mail goes out twice: not with many workers, not after a crash, not from a new database, an older one, or a log read again.
//!
//! The mail server's own count is what proves it.

use std::{os::unix::process::ExitStatusExt as _, time::Duration};

use crate::support::{
    Seed, Worker, mails,
    post::{Asked, ONCE, Post, TWICE, ask_many},
    soon,
    wait::{SOON, holds_for, when},
};

/// Mails of both kinds.
fn both(seed: &mut Seed, count: usize) -> Vec<Asked> {
    [ask_many(seed, TWICE, count), ask_many(seed, ONCE, count)].concat()
}

#[test]
fn many_workers_that_come_and_go_send_each_mail_once() {
    let mut seed = Seed::of("mail-workers");
    let post = Post::new("mail-workers");
    let mut asked = both(&mut seed, 100);
    let first = post.worker();
    post.send(&asked);
    let others = [post.worker(), post.worker()];
    let more = both(&mut seed, 100);
    post.send(&more);
    first.stop();
    let last = both(&mut seed, 50);
    post.send(&last);
    asked.extend(more);
    asked.extend(last);
    post.await_states(&asked, &["sent"]);
    post.assert_once(&asked);
    assert!(post.told().values().all(|it| *it == [(1, "sent".to_owned())]));
    assert!(post.server.most_at_once() <= 32 * 3, "{} at once", post.server.most_at_once());
    post.world.settle(mails());
    post.world.verify(mails());
    others.into_iter().for_each(Worker::stop);
}

/// How often a mail of a template arrived, and what became of it, after a worker died on its way at a point.
fn die_at(post: &Post, seed: &mut Seed, point: &str, template: &str) -> (usize, String) {
    let asked = ask_many(seed, template, 1);
    let mut doomed = post.world.worker_with(mails().name, &[("FLEET_FAILPOINT", point)]);
    post.send(&asked);
    let (status, _) = doomed.wait(SOON);
    assert_eq!(status.signal(), Some(9), "at {point} it ended with {status}");
    post.hurry();
    let heir = post.worker();
    post.await_states(&asked, &["sent", "in_doubt"]);
    heir.stop();
    let state = post.queue().unwrap()[&asked[0].message_id].state.clone();
    (post.arrived(&asked[0].recipient).len(), state)
}

#[test]
fn a_worker_that_dies_on_the_way_sends_again_only_what_may_be() {
    let mut seed = Seed::of("mail-dies");
    let post = Post::new("mail-dies");
    let (sent, in_doubt) = (|arrived: usize| (arrived, "sent".to_owned()), |arrived: usize| (arrived, "in_doubt".to_owned()));
    // Nobody knows how far it came: what may be sent twice is sent, what may not is left.
    for (point, twice, once) in
        [("before-send", sent(1), in_doubt(0)), ("before-content", sent(1), in_doubt(0)), ("after-answer", sent(2), in_doubt(1))]
    {
        assert_eq!(die_at(&post, &mut seed, point, TWICE), twice, "{point}");
        assert_eq!(die_at(&post, &mut seed, point, ONCE), once, "{point}");
    }
    assert!(post.told().values().flatten().all(|(_, outcome)| ["sent", "in_doubt"].contains(&outcome.as_str())));
}

#[test]
fn an_outcome_that_was_written_down_is_told_by_another_worker() {
    let mut seed = Seed::of("mail-untold");
    let post = Post::new("mail-untold");
    for point in ["after-record", "before-acknowledge"] {
        assert_eq!(die_at(&post, &mut seed, point, ONCE), (1, "sent".to_owned()), "{point}");
    }
    assert!(post.told().len() == 2 && post.told().values().all(|it| *it == [(1, "sent".to_owned())]));
}

#[test]
fn a_worker_that_is_killed_amid_many_sends_nothing_twice_that_may_not() {
    let mut seed = Seed::of("mail-killed");
    let post = Post::new("mail-killed");
    let asked = both(&mut seed, 150);
    post.send(&asked);
    for _ in 0..3 {
        let nth = seed.within(5, 60);
        let mut doomed = post.world.worker_with(mails().name, &[("FLEET_FAILPOINT", &format!("after-answer:{nth}"))]);
        doomed.wait(SOON);
    }
    let workers = [post.worker(), post.worker()];
    post.await_states(&asked, &["sent", "in_doubt"]);
    let (queue, counts) = (post.queue().unwrap(), post.server.counts());
    for (place, it) in asked.iter().enumerate() {
        let (state, count) = (queue[&it.message_id].state.as_str(), counts.get(&it.recipient).copied().unwrap_or_default());
        let may = if place < 150 { state == "sent" && count >= 1 } else { count <= 1 && (state == "in_doubt" || count == 1) };
        assert!(may, "{state}, and {count} arrived");
    }
    workers.into_iter().for_each(Worker::stop);
}

#[test]
fn a_frozen_worker_sends_nothing_when_its_lease_is_over() {
    let mut seed = Seed::of("mail-frozen");
    let post = Post::new("mail-frozen");
    let asked = ask_many(&mut seed, TWICE, 1);
    let variables = [("FLEET_FAILPOINT", "before-send"), ("FLEET_FAILPOINT_STOP", "1"), ("FLEET_LOG", "info,fleet::drain=debug")];
    let frozen = post.world.worker_with(mails().name, &variables);
    post.send(&asked);
    soon("the worker to freeze", || when(frozen.is_frozen(), || "it runs".to_owned()));
    let heir = post.worker();
    post.await_states(&asked, &["sent"]);
    frozen.thaw();
    soon("the worker to give the mail up", || when(frozen.log().contains("given back"), || frozen.log()));
    frozen.stop();
    heir.stop();
    post.assert_once(&asked);
}

#[test]
fn a_new_database_on_an_old_log_sends_nothing_again() {
    let mut seed = Seed::of("mail-new-database");
    let mut post = Post::new("mail-new-database");
    let asked = both(&mut seed, 60);
    let worker = post.worker();
    post.send(&asked);
    post.await_states(&asked, &["sent"]);
    worker.stop();
    post.world.forget_everything();
    let workers = [post.worker(), post.worker()];
    let more = both(&mut seed, 10);
    post.send(&more);
    post.await_states(&asked, &["closed"]);
    post.await_states(&more, &["sent"]);
    post.assert_once(&[asked, more].concat());
    workers.into_iter().for_each(Worker::stop);
}

#[test]
fn an_older_database_put_back_under_way_sends_nothing_again() {
    let mut seed = Seed::of("mail-put-back");
    let post = Post::new("mail-put-back");
    let before = both(&mut seed, 30);
    post.send(&before);
    let workers = [post.worker(), post.worker()];
    post.await_states(&before, &["sent"]);
    post.server.demand("nobody", "gets in");
    let queued = both(&mut seed, 30);
    post.send(&queued);
    post.world.settle(mails());
    post.world.database.keep_copy();
    post.server.admit_all();
    post.await_states(&queued, &["sent"]);
    // In the copy these wait to be sent.
    post.world.database.put_back();
    let after = both(&mut seed, 30);
    post.send(&after);
    post.await_states(&queued, &["closed"]);
    post.await_states(&after, &["sent"]);
    post.assert_once(&[before, queued, after].concat());
    post.world.settle(mails());
    post.world.verify(mails());
    workers.into_iter().for_each(Worker::stop);
}

#[test]
fn a_row_put_back_before_its_lane_has_read_what_came_of_it_is_not_sent_again() {
    let mut seed = Seed::of("mail-row-put-back");
    let post = Post::new("mail-row-put-back");
    let worker = post.worker();
    post.server.demand("nobody", "gets in");
    let asked = ask_many(&mut seed, TWICE, 1);
    post.send(&asked);
    post.world.settle(mails());
    // From here on the lanes read, and write nothing.
    let lock = post.world.database.hold(&format!("BEGIN; SELECT next_offset FROM {} FOR UPDATE", mails().ledger));
    post.server.admit_all();
    post.await_states(&asked, &["sent"]);
    let older = "state = 'queued', attempts = 0, due_at = UTC_TIMESTAMP(3), lease = NULL, smtp_reply = NULL, settled_at = NULL";
    post.world.database.run(&format!("UPDATE email_outbox SET {older}")).expect("the row as it was");
    holds_for(Duration::from_secs(2), || when(post.server.taken().len() == 1, || format!("{} arrived", post.server.taken().len())));
    drop(lock);
    post.await_states(&asked, &["closed"]);
    post.assert_once(&asked);
    worker.stop();
}

#[test]
fn a_log_read_again_sends_nothing_again() {
    let mut seed = Seed::of("mail-again");
    let post = Post::new("mail-again");
    let asked = both(&mut seed, 40);
    post.send(&asked);
    let worker = post.worker();
    post.await_states(&asked, &["sent"]);
    worker.stop();
    for partition in 0..mails().topic.partitions {
        let partition = partition.to_string();
        let place = ["--role", mails().name, "--partition", &partition, "--to", "earliest", "--accept-loss", "--reason", "again"];
        post.world.must(&[&["ledger", "move"][..], &place].concat());
    }
    let worker = post.worker();
    let more = both(&mut seed, 5);
    post.send(&more);
    post.await_states(&more, &["sent"]);
    post.world.settle(mails());
    post.assert_once(&[asked, more].concat());
    worker.stop();
}
