//! The stores: MySQL, which holds the truth, and Redis, which shows a part of it.

pub mod breakers;
pub mod catalogues;
pub mod freshness;
pub mod ledger;
pub mod letters;
pub mod migrations;
pub mod mysql;
pub mod pending;
pub mod positions;
pub mod queue;
pub mod redis;
