//! The shell: flags, consumer, lanes, stores, metrics, HTTP. It holds no domain word and no role's name.

pub mod cli;
pub mod commands;
pub mod config;
pub mod drain;
pub mod failpoint;
pub mod fault;
pub mod health;
pub mod http;
pub mod kafka;
pub mod lane;
pub mod metrics;
pub mod output;
pub mod registry;
pub mod retention;
pub mod retry;
pub mod store;
pub mod verify;
pub mod worker;
