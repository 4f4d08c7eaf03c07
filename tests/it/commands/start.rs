//! `fleet run` where something is not as it must be: it ends before it takes a partition, with one line that says what to do.

use crate::support::{World, results, servers::Servers, world::told};

/// A worker that may not start: its code is 2, and all that it says is one line with these words.
fn refuses(world: &World, says: &[&str]) {
    let output = world.command(&["run", "--role", results().name]).env("FLEET_LOG", "off").output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("fleet: ") && says.iter().all(|it| said.contains(it)), "it does not say {says:?}: {said}");
}

#[test]
fn a_worker_whose_database_or_topic_is_not_ready_ends_with_the_command_that_mends_it() {
    let world = World::bare("not-ready", Servers::given());
    refuses(&world, &["the database lacks", "run `fleet migrate`"]);
    world.must(&["migrate"]);
    refuses(&world, &[&world.topic(results().topic), "does not exist: run `fleet topics apply`"]);
    world.must(&["topics", "apply"]);
    world.database.run("DELETE FROM _sqlx_migrations ORDER BY version DESC LIMIT 1").unwrap();
    refuses(&world, &["the database lacks 1 migrations", "run `fleet migrate`"]);
    let later =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, 'x', 1)";
    world.database.run(later).unwrap();
    refuses(&world, &["the database is ahead of this version of fleet (migration 9999)", "deploy the newer fleet"]);
    let check = world.run(&["migrate", "--check"]);
    assert_eq!(check.status.code(), Some(2), "{}", told(&check));
}
