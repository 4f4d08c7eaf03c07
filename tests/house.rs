//! The rules of the house, as tests: what a file looks like, what the core may depend on, what the shell may not know.
//!
//! It reads the tree and the core's declarations, no server.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the tree fails")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use fleet::metrics::TABLE;
use workers::{
    ROLES,
    fold::{Role, Sort},
};

/// Lines of a file at most; tests and their oracles included.
const LONGEST: usize = 400;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Files under a folder with one of these endings, with their text.
fn files(folder: &str, endings: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if endings.iter().any(|it| path.to_string_lossy().ends_with(it)) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    assert!(!found.is_empty(), "nothing found under {folder}");
    found
}

fn sources() -> Vec<(PathBuf, String)> {
    ["src", "workers", "tests", "ops"].iter().flat_map(|it| files(it, &[".rs"])).collect()
}

/// The text before a file's own tests.
fn production(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

fn is_test(path: &Path) -> bool {
    path.components().any(|it| matches!(it.as_os_str().to_str(), Some("tests" | "tests.rs" | "oracles.rs" | "any_order.rs")))
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<PathBuf> = sources().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path).collect();
    assert_eq!(silent, Vec::<PathBuf>::new());
}

#[test]
fn no_file_is_longer_than_a_person_reads() {
    let long: Vec<(PathBuf, usize)> =
        sources().into_iter().map(|(path, text)| (path, text.lines().count())).filter(|(_, lines)| *lines > LONGEST).collect();
    assert_eq!(long, Vec::new());
}

#[test]
fn the_core_depends_on_these_crates_and_no_other() {
    let allowed = BTreeSet::from([
        "serde_avro_fast",
        "serde",
        "serde_json",
        "apache-avro",
        "uuid",
        "time",
        "xxhash-rust",
        // Mail templates, rendered from an event's params alone.
        "minijinja",
        "rustc-hash",
        "rand",
        "rand_chacha",
        "rand_distr",
    ]);
    let manifest = fs::read_to_string(root().join("workers/Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let named: BTreeSet<&str> = section
        .lines()
        .filter(|it| !it.starts_with('#') && it.contains('='))
        .map(|it| it.split(['=', '.']).next().unwrap().trim())
        .collect();
    assert_eq!(named, allowed);
}

#[test]
fn the_core_touches_no_clock_no_chance_no_thread_and_no_file() {
    let banned = [
        "std::fs",
        "std::net",
        "std::thread",
        "std::process",
        "std::env",
        "SystemTime",
        "Instant::now",
        "now_utc",
        "now_local",
        "thread_rng",
        "rand::rng()",
        "from_os_rng",
        "println!",
        "eprintln!",
        "tokio",
        "async fn",
    ];
    for (path, text) in files("workers", &[".rs"]) {
        let found = banned.iter().find(|it| production(&text).contains(**it));
        assert!(is_test(&path) || found.is_none(), "{}: {found:?}", path.display());
    }
}

#[test]
fn the_shell_knows_no_role_by_name() {
    for (path, text) in files("src", &[".rs"]) {
        for role in ROLES {
            let word = |at: usize| {
                let around = |it: Option<char>| it.is_some_and(|it| it.is_alphanumeric() || it == '_' || it == '-');
                !around(text[..at].chars().next_back()) && !around(text[at + role.name.len()..].chars().next())
            };
            let named = text.match_indices(role.name).any(|(at, _)| word(at));
            assert!(!named, "{} names {}", path.display(), role.name);
        }
    }
}

#[test]
fn migrations_are_numbered_without_gaps() {
    let mut numbers: Vec<usize> = files("migrations", &[".sql"])
        .iter()
        .map(|(path, _)| path.file_name().unwrap().to_string_lossy().split('_').next().unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
}

/// Lines of a CREATE TABLE that declare a column.
fn columns(table: &str) -> impl Iterator<Item = &str> {
    let kinds = [
        "INT", "BIGINT", "VARCHAR", "CHAR", "DATETIME", "DATE", "DECIMAL", "TINYINT", "BOOLEAN", "LONGTEXT", "LONGBLOB", "BINARY",
        "SMALLINT",
    ];
    table.lines().filter(move |line| {
        let kind = line.split_whitespace().nth(1).unwrap_or_default();
        let kind = kind.split(['(', ',']).next().unwrap_or_default();
        kinds.contains(&kind) && !line.trim_start().starts_with("--")
    })
}

#[test]
fn every_table_and_every_column_has_its_comment() {
    for (path, text) in files("migrations", &[".sql"]) {
        for table in text.split("CREATE TABLE ").skip(1) {
            let table = table.split(';').next().unwrap();
            let name = table.split_whitespace().next().unwrap();
            // A copy has the comments of what it is like.
            if table.split_whitespace().nth(1) == Some("LIKE") {
                continue;
            }
            let after = table.rsplit("\n)").next().unwrap();
            assert!(after.contains("COMMENT"), "{}: table {name} has no comment", path.display());
            assert!(columns(table).count() > 0, "{}: no column of {name} is seen", path.display());
            let silent = columns(table).find(|it| !it.contains("COMMENT"));
            assert_eq!(silent, None, "{}: table {name}", path.display());
        }
    }
}

#[test]
fn every_row_that_is_put_lies_in_its_events_own_lane() {
    let own = |role: &Role, name: &str| role.topic.key == name;
    for role in ROLES {
        for table in role.tables.iter().filter(|it| it.sort == Sort::State) {
            assert!(
                table.key_columns().iter().any(|it| own(role, it.name)),
                "{}: the key of {} lacks {}",
                role.name,
                table.name,
                role.topic.key
            );
        }
    }
}

#[test]
fn every_metric_is_graphed_or_alerted_on() {
    let watched: String = files("ops", &[".json", ".rules.yml"]).into_iter().map(|(_, text)| text).collect();
    let unseen: Vec<&str> = TABLE.iter().map(|it| it.name).filter(|it| !watched.contains(*it)).collect();
    assert_eq!(unseen, Vec::<&str>::new());
}

#[test]
fn every_dependency_says_what_for() {
    for manifest in ["Cargo.toml", "workers/Cargo.toml"] {
        let text = fs::read_to_string(root().join(manifest)).unwrap();
        let mut in_dependencies = false;
        let mut before = "";
        for line in text.lines() {
            if line.starts_with('[') {
                in_dependencies = line.contains("dependencies]");
            } else if in_dependencies && line.contains('=') && !line.starts_with('#') {
                assert!(before.starts_with("# "), "{manifest}: {line}");
            }
            before = line;
        }
    }
}
