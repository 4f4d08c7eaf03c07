//! Documents: versions, times to live, rows that are gone.

use fleet::store::redis::Version;

use super::{model::*, server::Server};

const KEY: &str = "user:42:recent";

fn shown(version: Version, data: &str) -> String {
    format!("{{\"v\":\"{version}\",\"data\":{data}}}")
}

#[tokio::test]
async fn refuses_an_older_version_and_takes_an_equal_one() {
    let server = Server::start();
    let caches = server.caches_alone();
    caches.write(1, version(10), &[document(42, "[10]")]).await.unwrap();
    caches.write(1, version(9), &[document(42, "[9]")]).await.unwrap();
    assert_eq!(server.ask::<String>(&["GET", KEY]), shown(version(10), "[10]"));
    caches.write(1, version(10), &[document(42, "[1,0]")]).await.unwrap();
    assert_eq!(server.ask::<String>(&["GET", KEY]), shown(version(10), "[1,0]"));
    let later = Version { epoch: 1, next_offset: 3 };
    caches.write(1, later, &[document(42, "[3]")]).await.unwrap();
    caches.write(1, version(1_000_000), &[document(42, "[0]")]).await.unwrap();
    assert_eq!(server.ask::<String>(&["GET", KEY]), shown(later, "[3]"));
    let ttl: i64 = server.ask(&["TTL", KEY]);
    assert!((598..=600).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn writes_many_documents_in_few_pipelines() {
    let server = Server::start();
    let caches = server.caches_alone();
    let entries: Vec<_> = (0..2_345).map(|user| document(user, "[]")).collect();
    caches.write(1, version(10), &entries).await.unwrap();
    assert_eq!(server.keys().len(), 2_345);
}

#[tokio::test]
async fn remembers_the_greatest_version_of_each_lane() {
    let server = Server::start();
    let caches = server.caches_alone();
    assert_eq!(caches.high_water(1).await.unwrap(), None);
    for next in [10, 30, 20] {
        caches.write(1, version(next), &[document(42, "[]")]).await.unwrap();
    }
    caches.write(2, version(7), &[entry("a", MONDAY, 1, 1)]).await.unwrap();
    assert_eq!(caches.high_water(1).await.unwrap(), Some(version(30)));
    assert_eq!(caches.high_water(2).await.unwrap(), Some(version(7)));
}
