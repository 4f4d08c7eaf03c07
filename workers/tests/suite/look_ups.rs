//! How often a batch waits for the database: what its events look up must not hang on what the events before them change.

use std::collections::BTreeMap;

use workers::{
    ROLES,
    fold::{Entry, Fold, Model, Play, Presume, Progress, Record, Role},
    simulate::{Plan, stream},
};

use crate::simulate::{DAY_MS, START, record};

/// Rounds of look-ups that a batch may take: keys that hang on the rows of a first round are of a second.
const MOST_ROUNDS: usize = 3;
/// Room for all rows of a lane.
const MEMORY: usize = 64 << 20;

/// Made-up events of few users, by partition: a batch holds many of each.
fn lanes(role: &Role) -> Option<BTreeMap<i32, Vec<Record>>> {
    let plan = Plan { users: 20, events: 2_000, seed: 3, start: START, span_ms: DAY_MS };
    let mut lanes: BTreeMap<i32, Vec<Record>> = BTreeMap::new();
    for event in stream(role.topic, plan)? {
        let record = record(role.topic, event);
        lanes.entry(record.partition).or_default().push(record);
    }
    Some(lanes)
}

/// Rounds of look-ups that a batch takes in a lane that holds nothing yet.
fn rounds(role: &'static Role, lane: i32, batch: &[Record], model: &mut Model) -> usize {
    let mut fold = Fold::new(role, lane, Presume::Nothing, MEMORY);
    let entries: Vec<Entry> = batch.iter().map(|it| it.entry(role, 0)).collect();
    let mut rounds = 0;
    while let Progress::Missing(missing) = fold.advance(&entries) {
        rounds += 1;
        for it in missing {
            let row = model.get(it.table, &it.key).cloned();
            fold.hold(it, row);
        }
    }
    model.apply(&fold.take()).unwrap();
    rounds
}

#[test]
fn a_batch_is_looked_up_in_a_few_rounds_however_its_events_hang_together() {
    for role in ROLES {
        for (lane, records) in lanes(role).into_iter().flatten() {
            let mut model = Model::new(role);
            for batch in records.chunks(100) {
                let rounds = rounds(role, lane, batch, &mut model);
                assert!(rounds <= MOST_ROUNDS, "{}: a batch of {} records was looked up in {rounds} rounds", role.name, batch.len());
            }
            let mut whole = Play::new(role);
            whole.batch(&records).unwrap();
            assert_eq!(model.dump(), whole.model().dump(), "{}: what is looked up is what was held", role.name);
        }
    }
}
