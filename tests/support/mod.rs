//! What the tests stand on: real servers, workers as processes, faults, dumps, and one way to wait.
//!
//! It knows no test. Whatever it starts, it ends: workers and servers are killed by their ids when a test is over.

pub mod caches;
pub mod database;
pub mod events;
pub mod faults;
pub mod http;
pub mod log;
pub mod oracle;
pub mod post;
pub mod proxy;
pub mod redis;
pub mod seed;
pub mod servers;
pub mod smtp;
pub mod tls_front;
pub mod wait;
pub mod worker;
pub mod world;

pub use seed::Seed;
pub use wait::{soon, wait_until};
pub use worker::Worker;
pub use world::{World, boards, keystrokes, mails, payments, results};
