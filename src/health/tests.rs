//! Tests of health as a whole.

use super::*;

fn health() -> Arc<Health> {
    Health::new(Arc::new(Metrics::new().unwrap()))
}

#[test]
fn what_did_not_tick_in_time_is_overdue_until_it_ends() {
    let health = health();
    let on_time = health.beat("loop", Duration::from_secs(60));
    let late = health.beat("flush of partition 3", Duration::ZERO);
    on_time.tick();
    let overdue = health.overdue();
    assert!(overdue.len() == 1 && overdue[0].starts_with("flush of partition 3: overdue by"), "{overdue:?}");
    drop(late);
    assert!(health.overdue().is_empty());
}

#[test]
fn a_loop_that_panicked_stays_overdue() {
    let health = health();
    let beat = health.beat("loop", Duration::ZERO);
    let ended = std::thread::spawn(move || {
        beat.tick();
        panic!("as a bug would");
    });
    assert!(ended.join().is_err());
    assert_eq!(health.overdue().len(), 1);
}

#[test]
fn is_ready_when_all_needs_are_met_and_no_lane_is_blocked() {
    let health = health();
    let need = health.need("mysql");
    assert_eq!(health.not_ready(), ["mysql: not yet"]);
    need.failing("connection refused");
    assert_eq!(health.not_ready(), ["mysql: connection refused"]);
    need.met();
    let lane = health.lane("some-role", "some-topic", 3);
    assert!(health.not_ready().is_empty());
    lane.set_state_because(State::LogChanged, "another topic id");
    assert_eq!(health.not_ready(), ["role some-role partition 3: log-changed another topic id"]);
    drop(lane);
    assert!(health.not_ready().is_empty());
}

#[test]
fn a_lane_and_its_gauges_end_with_its_last_handle() {
    let health = health();
    let lane = health.lane("some-role", "some-topic", 3);
    let other = lane.clone();
    lane.progress(5, 9, None);
    drop(lane);
    health.refresh_gauges();
    assert_eq!(health.lanes()[0].lag_records, Some(4));
    assert!(health.metrics.text().unwrap().contains("fleet_consumer_lag_records"));
    drop(other);
    assert!(health.lanes().is_empty());
    assert!(!health.metrics.text().unwrap().contains("some-topic"));
}
