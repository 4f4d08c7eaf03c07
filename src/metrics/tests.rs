//! Tests of the metrics' table and of series that vanish.

use super::*;
use crate::health::State;

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new().unwrap())
}

#[test]
fn names_say_the_thing_and_the_unit() {
    for spec in TABLE {
        assert!(spec.name.starts_with("fleet_"), "{spec:?}");
        assert!(spec.help.ends_with('.'), "{spec:?}");
    }
}

#[test]
fn a_counter_of_a_role_is_there_from_the_start() {
    let metrics = metrics();
    let role = metrics.role("some-role");
    role.letters("data", 2);
    RoleMetrics::observe(&role.record_age, [0.004, 0.2]);
    let text = metrics.text().unwrap();
    assert!(text.contains("# HELP fleet_fenced_total Flushes that found"), "{text}");
    assert!(text.contains("fleet_commit_unknown_total{resolution=\"redone\",role=\"some-role\"} 0"), "{text}");
    assert!(text.contains("fleet_events_rejected_total{cause=\"data\",role=\"some-role\"} 2"), "{text}");
    assert!(text.contains("fleet_record_age_seconds_count{role=\"some-role\"} 2"), "{text}");
    assert!(text.contains("process_cpu_seconds_total"), "{text}");
}

#[test]
fn series_of_a_partition_vanish_with_its_last_handle() {
    let metrics = metrics();
    let first = metrics.lane("some-role", "some-topic", 3);
    first.state(State::Claiming);
    first.state(State::Flowing);
    let again = metrics.lane("some-role", "some-topic", 3);
    again.lag_records.set(7);
    drop(first);
    let text = metrics.text().unwrap();
    assert!(text.contains("fleet_consumer_lag_records{partition=\"3\",role=\"some-role\",topic=\"some-topic\"} 7"), "{text}");
    assert!(text.contains("state=\"flowing\"") && !text.contains("state=\"claiming\""), "{text}");
    drop(again);
    let text = metrics.text().unwrap();
    assert!(!text.contains("some-topic"), "{text}");
}

#[test]
fn every_metric_of_the_table_is_shown() {
    let metrics = metrics();
    let (role, lane) = (metrics.role("r"), metrics.lane("r", "t", 0));
    role.letters("data", 1);
    role.noted("n", 1);
    role.rows("t", 1);
    role.derived("t", 1);
    let drain = metrics.drain("r", "q");
    drain.waiting("bulk", 1);
    drain.outcome("sent");
    drain.reply("2xx");
    role.connections(Connections { open: 2, idle: 1 });
    lane.state(State::Idle);
    metrics.promise("r", 1000);
    metrics.store_error(Store::Mysql, Weather::Deadlock);
    metrics.registry_fetch("known");
    let text = metrics.text().unwrap();
    for spec in TABLE {
        assert!(text.contains(spec.name), "{} is never shown", spec.name);
    }
}
