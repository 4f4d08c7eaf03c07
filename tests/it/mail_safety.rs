//! Mail over TLS: a server is trusted or not spoken to, and no password goes out in the clear.

use crate::support::{
    Seed, mails,
    post::{Post, TWICE, ask_many},
    smtp::Tls,
    soon,
    wait::when,
};

/// A mail goes to a server that is trusted, and waits before one that is not.
fn over_tls(test: &str, scheme: &str, change: fn(Tls) -> Tls) {
    let mut seed = Seed::of(test);
    let mut post = Post::new(test);
    let (server, certificate) = post.world.safe_mail_server(change);
    server.demand("fleet", "right");
    let port = server.address().rsplit(':').next().unwrap().to_owned();
    post.world.variables.insert("FLEET_SMTP_URL", format!("{scheme}://fleet:right@localhost:{port}"));
    let asked = ask_many(&mut seed, TWICE, 2);
    post.send(&asked);
    let wary = post.worker();
    soon("a worker that does not trust the server to say so", || {
        let log = wary.log();
        when(log.contains("held: mail server") && log.contains("certificate verify failed"), || log)
    });
    wary.stop();
    assert_eq!((server.taken().len(), server.clear_logins()), (0, 0));
    let worker = post.world.worker_with(mails().name, &[("SSL_CERT_FILE", &certificate)]);
    post.await_states(&asked, &["sent"]);
    assert_eq!((server.taken().len(), server.clear_logins()), (2, 0));
    worker.stop();
}

#[test]
fn mail_goes_over_tls_from_the_first_byte() {
    over_tls("mail-tls", "smtps", Tls::at_once);
}

#[test]
fn mail_goes_over_starttls() {
    over_tls("mail-starttls", "smtp+starttls", |it| it);
}

#[test]
fn a_server_without_starttls_gets_neither_password_nor_mail() {
    let mut seed = Seed::of("mail-stripped");
    let mut post = Post::new("mail-stripped");
    post.server.demand("fleet", "right");
    post.world.variables.insert("FLEET_SMTP_URL", format!("smtp+starttls://fleet:right@{}", post.server.address()));
    let asked = ask_many(&mut seed, TWICE, 2);
    post.send(&asked);
    let worker = post.worker();
    soon("the worker to say so", || when(worker.log().contains("STARTTLS is not supported on this server"), || worker.log()));
    assert_eq!((post.server.taken().len(), post.server.clear_logins()), (0, 0));
    worker.stop();
}
