//! The program against real servers: whatever happens, the tables and keys are what the log says.
//!
//! One binary, a module for each kind of trouble. `eval "$(ops/stack env)"` first; FLEET_TEST_SEED repeats a run, FLEET_TEST_LOG=debug makes workers tell more.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test says by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod boards;
mod breaker;
mod chain;
mod commands;
mod commit;
mod contract;
mod conversations;
mod crash;
mod encrypted;
mod every_role;
mod letters;
mod life;
mod mail;
mod mail_kept_back;
mod mail_once;
mod mail_safety;
mod mail_shut;
mod payments;
mod poison;
mod restored;
mod retention;
mod same_tables;
mod schema;
mod servers;
mod together;
mod topics;
mod views;
mod zombie;
