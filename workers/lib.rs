//! The core: every role as a pure fold over typed rows. No I/O, no clock, no chance, no threads.
//!
//! [`ROLES`] is the one table of roles: flags, topics, groups, labels, docs and tests are derived from it.

pub mod achievements;
#[cfg(feature = "bench")]
mod copy;
mod currency;
pub mod email;
pub mod fold;
mod keystroke_analytics;
pub mod leaderboard;
mod payments;
#[cfg(test)]
#[path = "tests/support/real_data.rs"]
mod real_data;
pub mod simulate;
mod test_results;

/// Every role, in the order of `fleet roles`.
pub static ROLES: &[&fold::Role] = &[
    &test_results::ROLE,
    &leaderboard::ROLE,
    &keystroke_analytics::ROLE,
    &achievements::ROLE,
    &payments::ROLE,
    &email::ROLE,
    #[cfg(feature = "bench")]
    &copy::ROLE,
];

/// Every topic of the contract: those that a role consumes or derives events for, each once.
pub fn topics() -> Vec<&'static fold::Topic> {
    let mut topics: Vec<&'static fold::Topic> = Vec::new();
    for topic in ROLES.iter().flat_map(|it| std::iter::once(&it.topic).chain(it.emits)) {
        if !topics.iter().any(|it| it.name == topic.name) {
            topics.push(topic);
        }
    }
    topics
}
