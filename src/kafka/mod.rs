//! What is asked of the brokers.

pub mod admin;
pub mod consumer;
pub mod producer;
mod topic_id;
