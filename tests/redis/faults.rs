//! A Redis that is away, frozen, flushed or another one: what is told, and how soon.

use std::time::{Duration, Instant};

use fleet::{fault::Fault, store::redis::Caches};
use nix::sys::signal::Signal;
use workers::fold::Cached;

use super::{model::*, server::Server};

async fn fails_soon(caches: &Caches) {
    let started = Instant::now();
    let entries: Vec<_> = (0..1_000).map(|user| document(user, "[]")).collect();
    let fault = caches.write(1, version(1), &entries).await.unwrap_err();
    assert!(matches!(&fault, Fault::Transient(line, _) if line.starts_with("redis: ")), "{fault}");
    assert!(matches!(caches.whole().await, Err(Fault::Transient(..))));
    assert!(started.elapsed() < Duration::from_millis(1_800), "{:?} for two calls", started.elapsed());
}

/// Writes an entry as soon as the server is spoken to again.
async fn written_soon(caches: &Caches, entry: &Cached) {
    let started = Instant::now();
    while let Err(fault) = caches.write(1, version(2), std::slice::from_ref(entry)).await {
        assert!(started.elapsed() < Duration::from_secs(20), "not within 20 s: {fault}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn nothing_waits_for_a_frozen_server() {
    let server = Server::start();
    let (warm, cold) = (server.caches_alone(), server.caches_alone());
    warm.write(1, version(1), &[document(1, "[]")]).await.unwrap();
    server.signal(Signal::SIGSTOP);
    fails_soon(&warm).await;
    fails_soon(&cold).await;
    let started = Instant::now();
    futures_util::future::join_all((0..10).map(|_| fails_soon(&cold))).await;
    assert!(started.elapsed() < Duration::from_millis(1_800), "{:?} for ten lanes at once", started.elapsed());
    server.signal(Signal::SIGCONT);
    for caches in [warm, cold] {
        written_soon(&caches, &document(1, "[2]")).await;
    }
    assert!(server.ask::<String>(&["GET", "user:1:recent"]).ends_with("[2]}"));
}

#[tokio::test]
async fn a_server_that_is_away_is_found_when_it_is_back() {
    let mut server = Server::start();
    let caches = server.caches_alone();
    server.kill();
    fails_soon(&caches).await;
    server.replace();
    written_soon(&caches, &document(1, "[]")).await;
    server.replace();
    // The connection that was open tells of its end at its next use.
    let _ = caches.whole().await;
    caches.write(1, version(1), &[document(1, "[]")]).await.unwrap();
    assert_eq!(server.keys(), ["user:1:recent"]);
}

#[tokio::test]
async fn scripts_that_a_server_forgot_are_sent_again() {
    let server = Server::start();
    let caches = server.caches_alone();
    caches.write(1, version(1), &[document(1, "[1]")]).await.unwrap();
    server.ask::<()>(&["SCRIPT", "FLUSH"]);
    caches.write(1, version(2), &[document(1, "[2]")]).await.unwrap();
    assert!(server.ask::<String>(&["GET", "user:1:recent"]).ends_with("[2]}"));
}

#[test]
fn a_url_that_is_none_is_told_without_its_password() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let mysql = sqlx::MySqlPool::connect_lazy("mysql://nobody@127.0.0.1:1/none").unwrap();
    for url in ["http://:secret@localhost/", "redis://:secret@localhost:port/", "secret"] {
        let Err(Fault::Fatal(line)) = Caches::new(url, &ROLE, mysql.clone()) else { panic!("{url} is taken") };
        assert!(line.contains("FLEET_REDIS_URL") && !line.contains("secret"), "{line}");
    }
}
