//! The stores.

pub mod ledger;
pub mod mysql;
pub mod redis;
