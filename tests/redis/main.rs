//! What Redis shows, against real servers: each test has a Redis of its own, which refuses any command over two hash slots.
//!
//! Rebuilds read the MySQL of `FLEET_MYSQL_URL` (that of `ops/stack` without it), in databases of their own.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

mod boards;
mod database;
mod documents;
mod faults;
mod gathered;
mod model;
mod rebuild;
mod server;
