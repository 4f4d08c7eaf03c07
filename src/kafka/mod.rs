//! What is asked of the brokers.

pub mod admin;
pub mod bulk;
pub mod consumer;
pub mod log;
pub mod producer;
mod quiet;
mod topic_id;
