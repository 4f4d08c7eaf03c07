//! Mails that are kept back: for who wants none, for a domain that wants rest, for what goes first, until they are due.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::support::{
    Seed, events, mails,
    post::{Asked, ONCE, Post, TWICE, address, ask, ask_many, event, now},
    smtp::{Act, At},
    soon,
    wait::when,
};

/// What a provider or a person says of a recipient, and whether a mail that is awaited and one of bulk still go there.
type Said = (Json, bool, bool);

fn said(seed: &mut Seed) -> [Said; 5] {
    let mail = events::id(seed);
    [
        (json!({"Complained": {"message_id": mail}}), false, false),
        (json!({"Bounced": {"message_id": mail, "kind": "hard", "code": "5.1.1", "detail": "no such user"}}), false, false),
        (json!({"Bounced": {"message_id": mail, "kind": "soft", "code": "4.2.2", "detail": "full"}}), true, true),
        // The list of a bulk mail that names none is its template.
        (json!({"Unsubscribed": {"list": ONCE}}), true, false),
        (json!({"Unsubscribed": {"list": "weekly-summary"}}), true, true),
    ]
}

#[test]
fn who_wants_no_mail_gets_none() {
    let mut seed = Seed::of("mail-unwanted");
    let post = Post::new("mail-unwanted");
    let (mut before, mut wanted, mut unwanted, mut arrive) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
    for (user, (body, takes_awaited, takes_bulk)) in (1_i64..).step_by(2).zip(said(&mut seed)) {
        // It was said of an address, which a user has too, or of a user.
        let (own, of_user) = (address(&mut seed), address(&mut seed));
        let users = [(format!("user:{user}"), user, &own), (format!("user:{}", user + 1), user + 1, &of_user)];
        for (recipient, user, address) in &users {
            let contact = json!({"ContactSet": {"user_id": user, "address": address, "locale": "en"}});
            before.push(event(&mut seed, recipient, now(), contact));
        }
        before.push(event(&mut seed, &own, now(), body.clone()));
        before.push(event(&mut seed, &users[1].0, now(), body));
        for (recipient, to) in [(&own, &own), (&users[0].0, &own), (&users[1].0, &of_user)] {
            for (template, goes) in [(TWICE, takes_awaited), (ONCE, takes_bulk)] {
                if goes {
                    *arrive.entry(to.clone()).or_default() += 1_usize;
                }
                if goes { &mut wanted } else { &mut unwanted }.push(ask(&mut seed, template, recipient));
            }
        }
    }
    post.world.send(mails().topic, &before);
    let worker = post.worker();
    post.world.settle(mails());
    post.send(&unwanted);
    post.send(&wanted);
    post.await_states(&unwanted, &["suppressed"]);
    post.await_states(&wanted, &["sent"]);
    assert_eq!(post.server.counts(), arrive);
    let told = post.told();
    assert!(unwanted.iter().all(|it| told[&it.message_id] == [(1, "suppressed".to_owned())]), "{told:?}");
    worker.stop();
}

/// A mail to a domain.
fn to_domain(seed: &mut Seed, domain: &str) -> Asked {
    let local = address(seed);
    ask(seed, TWICE, &local.replace("example.org", domain))
}

#[test]
fn a_domain_that_puts_off_mail_after_mail_has_rest_and_others_do_not() {
    let mut seed = Seed::of("mail-domain");
    let post = Post::new("mail-domain");
    let worker = post.worker();
    for _ in 0..5 {
        let asked = to_domain(&mut seed, "busy.example");
        post.server.script(&asked.recipient, [Act::Answer(At::Recipient, "451 4.3.2 later")]);
        post.send(std::slice::from_ref(&asked));
        post.await_states(&[asked], &["retry"]);
    }
    let (late, other) = (to_domain(&mut seed, "busy.example"), to_domain(&mut seed, "idle.example"));
    post.send(std::slice::from_ref(&late));
    soon("the sixth to wait for its domain", || {
        let row = post.queue()?.remove(&late.message_id).ok_or("it is not queued yet")?;
        let waits = post.column(&late, "due_at > UTC_TIMESTAMP(3) + INTERVAL 5 SECOND");
        when(waits.as_deref() == Some("1"), || format!("{row:?}"))
    });
    post.send(std::slice::from_ref(&other));
    post.await_states(std::slice::from_ref(&other), &["sent"]);
    let row = &post.queue().unwrap()[&late.message_id];
    assert_eq!(
        (row.state.as_str(), row.attempts, post.server.tries()),
        ("queued", 0, 6),
        "five were put off, and one was to another domain"
    );
    worker.stop();
}

#[test]
fn bulk_leaves_a_share_of_the_rate_to_what_goes_first() {
    let mut seed = Seed::of("mail-share");
    let mut post = Post::new("mail-share");
    // Ten at once, and then as good as none.
    post.world.variables.insert("FLEET_SMTP_RATE", "1".to_owned());
    post.world.variables.insert("FLEET_SMTP_BURST", "10".to_owned());
    let bulk = ask_many(&mut seed, ONCE, 12);
    post.send(&bulk);
    let worker = post.worker();
    soon("bulk to wait for tokens", || {
        let waits = worker.metrics()?.sum("fleet_drain_limiter_waits_total", &[]);
        let settled = post.queue()?.values().filter(|it| it.is_reported && it.state == "sent").count();
        when(waits > 0.0 && settled >= 8, || format!("{settled} are sent"))
    });
    let first = ask_many(&mut seed, TWICE, 2);
    post.send(&first);
    post.await_states(&first, &["sent"]);
    let (to_bulk, to_first) = (|it: &&Asked| !post.arrived(&it.recipient).is_empty(), first.len());
    assert_eq!((bulk.iter().filter(to_bulk).count(), post.server.taken().len()), (8, 8 + to_first));
    worker.stop();
}

#[test]
fn when_a_mail_is_tried_again_no_restart_changes() {
    let mut seed = Seed::of("mail-schedule");
    let post = Post::new("mail-schedule");
    let (asked, other) = (ask_many(&mut seed, ONCE, 1), ask_many(&mut seed, ONCE, 1));
    post.server.script(&asked[0].recipient, [Act::Answer(At::Recipient, "450 4.2.1 busy")]);
    post.send(&asked);
    let worker = post.worker();
    post.await_states(&asked, &["retry"]);
    let due_at = post.column(&asked[0], "due_at");
    assert!(due_at.is_some());
    worker.kill();
    let heir = post.worker();
    post.send(&other);
    post.await_states(&other, &["sent"]);
    assert_eq!(post.column(&asked[0], "due_at"), due_at);
    let row = &post.queue().unwrap()[&asked[0].message_id];
    assert_eq!((row.state.as_str(), row.attempts, post.arrived(&asked[0].recipient).len()), ("retry", 1, 0));
    post.hurry();
    post.await_states(&asked, &["sent"]);
    assert_eq!(post.told()[&asked[0].message_id], [(1, "retry".to_owned()), (2, "sent".to_owned())]);
    post.assert_once(&[asked, other].concat());
    heir.stop();
}
