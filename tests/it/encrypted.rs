//! Servers over TLS, by their URLs: one that is trusted is used, another is not spoken to.

use std::fs;

use crate::support::{Seed, World, caches, events, results, servers::address, soon, wait::when, world::told};

#[test]
fn redis_and_the_registry_are_spoken_to_over_tls_where_they_are_trusted() {
    let mut seed = Seed::of("tls");
    let mut world = World::new("tls");
    let (redis, registry) = (world.tls_front(&address(&world.redis.url())), world.tls_front(&address(&world.servers.registry)));
    let path = world.servers.registry.splitn(4, '/').nth(3).unwrap_or_default().to_owned();
    world.variables.insert("FLEET_REDIS_URL", format!("rediss://{}/0", redis.address));
    world.variables.insert("FLEET_REGISTRY_URL", format!("https://{}/{path}", registry.address));
    world.send(results().topic, &events::test_results(&mut seed, 20, 200));
    let wary = world.worker("test-results");
    soon("a worker that trusts neither to say so", || {
        let ready = wary.get("/readyz")?.body;
        let both = ready.contains("redis of test-results: redis: ") && ready.contains("registry https://localhost");
        when(both && ready.matches("certificate").count() >= 2, || ready)
    });
    wary.stop();
    assert_eq!(world.database.applied(results()), 0, "no schema can be had");
    let certificates = world.folder().join("both.pem");
    let both = [&redis, &registry].map(|it| fs::read_to_string(&it.certificate).unwrap());
    fs::write(&certificates, both.concat()).unwrap();
    let worker = world.worker_with("test-results", &[("SSL_CERT_FILE", certificates.to_str().unwrap())]);
    world.settle(results());
    caches::assert_equal(&world, results());
    worker.stop();
}

#[test]
fn mysql_is_believed_as_far_as_its_url_says() {
    let world = World::new("tls-mysql");
    let own = world.folder().join("ca.pem");
    let rows = world.database.rows("SELECT CONVERT(LOAD_FILE(CONCAT(@@datadir, 'ca.pem')) USING utf8mb4)");
    fs::write(&own, rows[0][0].as_deref().expect("the server's own authority")).unwrap();
    let other = world.tls_front("nowhere").certificate.clone();
    let check = |mode: &str, ca: &std::path::Path| {
        let url = world.database.url().replace("ssl-mode=disabled", &format!("ssl-mode={mode}&ssl-ca={}", ca.display()));
        let output = world.command(&["migrate", "--check"]).env("FLEET_MYSQL_URL", url).output().expect("the program runs");
        (output.status.code(), told(&output))
    };
    for (mode, ca, code, says) in [
        ("verify_ca", &own, 0, "up to date"),
        ("verify_ca", &other, 2, "certificate"),
        // The certificate that a server makes for itself names no host.
        ("verify_identity", &own, 2, "certificate"),
    ] {
        let (status, told) = check(mode, ca);
        assert_eq!(status, Some(code), "{mode} {}: {told}", ca.display());
        assert!(told.contains(says) && told.lines().count() < 12, "{mode}: {told}");
    }
}
