//! Conversations with a mail server: whatever goes wrong in one, it is known how far the mail came.
//!
//! No broker, no database: the program's own client against the server of the tests.

use std::{sync::Arc, time::Duration};

use clap::Parser as _;
use fleet::{
    config::{self, Config},
    drain::{
        message::{Letter, letter},
        smtp::{Smtp as Client, Unsent},
    },
};
use tokio::{runtime::Runtime, sync::watch};
use workers::fold::{
    Time,
    drain::{Answer, Message},
};

use crate::support::smtp::{Act, At, Smtp};

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: config::Args,
}

fn runtime() -> Arc<Runtime> {
    Arc::new(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

/// The program's client of a server, which waits for a second at most.
fn client(url: &str) -> Client {
    let flags = ["--smtp-from", "Fleet <fleet@example.org>", "--smtp-unsubscribe-url", "https://example.org/u", "--smtp-timeout", "1"];
    let line = Line::parse_from(["fleet", "--smtp-url", url].into_iter().chain(flags));
    Client::new(Config::new(line.args, []).unwrap().smtp.unwrap(), "worker.test".to_owned())
}

fn mail(to: &str) -> Letter {
    let message = Message {
        to: to.to_owned(),
        to_domain: "example.org".to_owned(),
        subject: "hello".to_owned(),
        text: ".\r\n.. dots\r\n".to_owned(),
        html: "<p>hello</p>".to_owned(),
        message_id: format!("<{to}>"),
        headers: Vec::new(),
    };
    letter(&message, &"fleet@example.org".parse().unwrap(), Time(1_700_000_000_000)).unwrap()
}

fn send(runtime: &Runtime, client: &Client, to: &str) -> Result<Answer, Unsent> {
    let (_going, stop) = watch::channel(false);
    runtime.block_on(client.send(&mail(to), &|| true, stop))
}

/// What an answer is, without the words of the system.
fn kind(answer: &Result<Answer, Unsent>) -> String {
    match answer {
        Ok(Answer::Reply { code, text }) => format!("{code} {text}"),
        Ok(Answer::Lost(_)) => "lost".to_owned(),
        Ok(Answer::Unreached(_)) => "unreached".to_owned(),
        Err(Unsent::Away(fault)) => format!("away: {fault}"),
        Err(unsent) => format!("unsent: {unsent}"),
    }
}

#[test]
fn every_fault_is_told_by_how_far_the_mail_came() {
    let runtime = runtime();
    let server = Smtp::start(&runtime);
    let client = client(&server.url());
    let long = Duration::from_secs(30);
    let table: &[(Act, &str, usize)] = &[
        (Act::Answer(At::Content, "250 2.0.0 queued as 7"), "250 2.0.0 queued as 7", 1),
        (Act::Answer(At::Recipient, "550 5.1.1 no such user"), "550 5.1.1 no such user", 0),
        (Act::Answer(At::Recipient, "450 4.2.1 try again in 20 seconds"), "450 4.2.1 try again in 20 seconds", 0),
        (Act::Answer(At::Recipient, "450-4.2.0 greylisted\r\n450 4.2.0 come back"), "450 4.2.0 greylisted come back", 0),
        (Act::Answer(At::Data, "451 4.3.0 not now"), "451 4.3.0 not now", 0),
        (Act::Answer(At::Content, "452 4.3.1 full"), "452 4.3.1 full", 0),
        (Act::Answer(At::Content, "554 5.7.1 we think this is spam"), "554 5.7.1 we think this is spam", 0),
        (Act::Answer(At::Content, "what is that"), "lost", 0),
        (Act::AnswerAndFreeze(At::Recipient, "550 5.1.1 no such user"), "550 5.1.1 no such user", 0),
        (Act::AnswerAndFreeze(At::Data, "451 4.3.0 not now"), "451 4.3.0 not now", 0),
        (Act::Close(At::Recipient), "unreached", 0),
        (Act::Close(At::Data), "unreached", 0),
        (Act::Close(At::Content), "lost", 0),
        (Act::TakeAndClose, "lost", 1),
        (Act::Stall(At::Recipient, long), "unreached", 0),
        (Act::Stall(At::Data, long), "unreached", 0),
        (Act::Stall(At::Content, long), "lost", 0),
    ];
    for (place, (act, expected, taken)) in table.iter().enumerate() {
        let to = format!("to-{place}@example.org");
        // A conversation that rested is tried anew when it breaks: what shall break, breaks twice.
        server.script(&to, [act.clone(), act.clone()]);
        assert_eq!(kind(&send(&runtime, &client, &to)), *expected, "{act:?}");
        assert_eq!(server.counts().get(&to).copied().unwrap_or_default(), *taken, "{act:?}");
        assert_eq!(kind(&send(&runtime, &client, "after@example.org")), "250 2.0.0 taken", "after {act:?}");
    }
}

#[test]
fn conversations_are_used_again_and_replaced_when_they_broke_meanwhile() {
    let runtime = runtime();
    let server = Smtp::start(&runtime);
    let client = client(&server.url());
    for _ in 0..3 {
        send(&runtime, &client, "a@example.org").unwrap();
    }
    assert_eq!(server.connections(), 1);
    server.script("b@example.org", [Act::Close(At::Recipient)]);
    assert_eq!(kind(&send(&runtime, &client, "b@example.org")), "250 2.0.0 taken");
    server.script("c@example.org", [Act::Answer(At::Recipient, "421 4.4.2 too many mails")]);
    assert_eq!(kind(&send(&runtime, &client, "c@example.org")), "250 2.0.0 taken");
    assert_eq!(server.connections(), 3);
    assert_eq!(server.taken()[0].content, mail("a@example.org").bytes.iter().copied().chain(*b"\r\n").collect::<Vec<u8>>());
}

#[test]
fn reaching_and_sending_use_one_conversation() {
    let runtime = runtime();
    let server = Smtp::start(&runtime);
    let client = client(&server.url());
    for _ in 0..3 {
        runtime.block_on(client.reach()).unwrap();
        runtime.block_on(client.reach()).unwrap();
        send(&runtime, &client, "a@example.org").unwrap();
    }
    server.script("b@example.org", [Act::Answer(At::Recipient, "550 5.1.1 no such user")]);
    send(&runtime, &client, "b@example.org").unwrap();
    assert_eq!(kind(&send(&runtime, &client, "a@example.org")), "250 2.0.0 taken", "nothing is left of the mail before");
    assert_eq!((server.connections(), server.taken().len()), (1, 4));
}

#[test]
fn a_server_that_went_away_is_not_reached_by_conversations_that_rest() {
    let runtime = runtime();
    let mut server = Smtp::start(&runtime);
    let client = client(&server.url());
    send(&runtime, &client, "a@example.org").unwrap();
    server.hang_up();
    runtime.block_on(client.reach()).unwrap();
    send(&runtime, &client, "a@example.org").unwrap();
    assert_eq!(server.connections(), 2, "a dead one is replaced");
    server.go_away();
    server.hang_up();
    let told = runtime.block_on(client.reach()).unwrap_err().to_string();
    assert!(told.starts_with("mail server smtp://127.0.0.1"), "{told}");
    server.come_back();
    runtime.block_on(client.reach()).unwrap();
    assert_eq!(kind(&send(&runtime, &client, "a@example.org")), "250 2.0.0 taken");
    assert_eq!((server.connections(), server.taken().len()), (3, 3));
}

#[test]
fn who_is_not_let_in_is_told_and_no_mail_is_to_blame() {
    let runtime = runtime();
    let mut server = Smtp::start(&runtime);
    server.demand("fleet", "p@ss word");
    let wrong = client(&server.url().replace("://", "://fleet:other@"));
    let told = runtime.block_on(wrong.reach()).unwrap_err().to_string();
    assert!(told.starts_with(&format!("mail server smtp://fleet:***@{}", server.address())), "{told}");
    assert!(told.contains("does not let us in") && told.contains("535") && !told.contains("other"), "{told}");
    let nobody = client(&server.url());
    let told = kind(&send(&runtime, &nobody, "a@example.org"));
    assert!(told.starts_with("away: mail server") && told.contains("does not let us in: 530 5.7.0"), "{told}");
    let right = client(&server.url().replace("://", "://fleet:p%40ss%20word@"));
    assert_eq!(kind(&send(&runtime, &right, "a@example.org")), "250 2.0.0 taken");
    server.go_away();
    let stranger = client(&server.url());
    assert!(kind(&send(&runtime, &stranger, "a@example.org")).starts_with("away: mail server smtp://127.0.0.1"));
    assert_eq!(server.taken().len(), 1);
}

#[test]
fn nothing_is_sent_when_it_is_too_late_or_the_worker_stops() {
    let runtime = runtime();
    let server = Smtp::start(&runtime);
    let client = client(&server.url());
    let (stop, stopping) = watch::channel(false);
    let late = runtime.block_on(client.send(&mail("a@example.org"), &|| false, stopping.clone()));
    assert_eq!(kind(&late), "unsent: its lease was over before it could be sent");
    stop.send(true).unwrap();
    let stopped = runtime.block_on(client.send(&mail("a@example.org"), &|| true, stopping));
    assert_eq!(kind(&stopped), "unsent: the worker stops");
    assert_eq!(server.taken().len(), 0);
}
