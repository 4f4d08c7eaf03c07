//! Tests of the core from outside: the fold machine by a role of its own, plain JSON, and what holds for every role.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod compat;
mod decoding;
mod defaults;
mod documents;
mod every_role;
mod keystrokes;
mod look_ups;
mod machine;
mod mails;
mod plain;
mod simulate;
mod tiny;

/// Generated cases from a seed that a failure shows; `PROPTEST_RNG_SEED` repeats it.
#[expect(clippy::disallowed_methods, reason = "a test may draw a new seed at each run, and take one")]
fn cases() -> proptest::test_runner::Config {
    use std::hash::{BuildHasher, RandomState};
    let given = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|it| it.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| RandomState::new().hash_one(std::process::id()));
    println!("PROPTEST_RNG_SEED={seed}");
    proptest::test_runner::Config { rng_seed: proptest::test_runner::RngSeed::Fixed(seed), failure_persistence: None, ..Default::default() }
}
