//! What holds for every role and every topic, whatever they are.

use std::collections::BTreeSet;

use workers::{
    ROLES,
    fold::{
        Kind, Play, Presume, Record, Sort, Value,
        drain::OWNED,
        plain::{can_read, decode, encode},
        text::records,
    },
    topics,
};

#[test]
fn every_topic_has_a_schema_and_examples_that_fit_it() {
    for topic in topics() {
        assert!(topic.codec().is_ok() && topic.plain().is_ok(), "{}: the schema does not parse", topic.name);
        let examples = records(topic, topic.examples).unwrap_or_else(|bad| panic!("{}: {bad}", topic.name));
        assert!(!examples.is_empty(), "{} has no examples", topic.name);
        assert_eq!(can_read(topic.schema, topic.schema), Ok(()), "{}", topic.name);
    }
}

#[test]
fn every_example_is_applied_by_every_role_of_its_topic() {
    for role in ROLES {
        let examples = records(role.topic, role.topic.examples).unwrap();
        let mut play = Play::new(role);
        for flush in play.batch(&examples).unwrap() {
            assert!(flush.changes.rejects.is_empty(), "{}: {:?}", role.name, flush.changes.rejects);
        }
        assert!(!play.model().dump().is_empty(), "{} keeps nothing of its examples", role.name);
    }
}

#[test]
fn examples_come_to_the_same_rows_however_they_are_cut_loaded_or_repeated() {
    for role in ROLES {
        let examples = records(role.topic, role.topic.examples).unwrap();
        let mut whole = Play::new(role);
        whole.batch(&examples).unwrap();
        for presume in [Presume::New, Presume::Nothing] {
            let mut play = Play::with(role, presume, 0);
            for example in &examples {
                play.batch(std::slice::from_ref(example)).unwrap();
                play.forget();
            }
            assert_eq!(play.model().dump(), whole.model().dump(), "{} with {presume:?}", role.name);
            let flushes = play.batch(&examples).unwrap();
            assert_eq!(play.model().dump(), whole.model().dump(), "{} applied its examples twice", role.name);
            let emits: usize = flushes.iter().map(|it| it.changes.emits.len()).sum();
            assert_eq!(emits, 0, "{} derived events of a repeat", role.name);
        }
    }
}

#[test]
fn what_a_role_derives_is_applied_by_the_role_that_it_is_for() {
    for role in ROLES {
        let examples = records(role.topic, role.topic.examples).unwrap();
        let flushes = Play::new(role).batch(&examples).unwrap();
        for emit in flushes.iter().flat_map(|it| &it.changes.emits) {
            let topic = role.emits[emit.topic];
            let Some(reader) = ROLES.iter().find(|it| it.topic.name == topic.name) else { continue };
            let json = decode(topic, &emit.datum).unwrap();
            let record = Record::of(topic, &encode(topic, &json).unwrap());
            assert_eq!(record.key.as_deref(), Some(emit.key.as_bytes()), "{} to {}", role.name, topic.name);
            for flush in Play::new(reader).batch(&[record]).unwrap() {
                assert_eq!(flush.changes.rejects, [], "{} to {}: {json}", role.name, topic.name);
            }
        }
    }
}

#[test]
fn a_row_has_one_writer() {
    for role in ROLES {
        for table in role.tables.iter().filter(|it| it.sort != Sort::Counter) {
            let owned = table.key_columns().iter().any(|it| it.name == role.topic.key);
            assert!(owned, "{}: the key of {} holds no {}", role.name, table.name, role.topic.key);
        }
        for table in role.tables.iter().filter(|it| it.sort == Sort::Counter) {
            assert_eq!(table.key_columns().last().map(|it| it.name), Some("lane"), "{}", table.name);
        }
    }
}

#[test]
fn a_drains_queue_is_its_roles_and_has_the_columns_that_the_drain_owns() {
    for role in ROLES {
        for drain in role.drains {
            assert!(role.tables.contains(&drain.queue) && drain.queue.sort == Sort::Queue, "{}: {}", role.name, drain.name);
            assert!(role.emits.iter().any(|it| it.name == drain.reports.name), "{}: {} is not emitted", role.name, drain.reports.name);
            assert_eq!(drain.facts.query.matches('?').count(), drain.queue.key, "{}", drain.name);
            for owned in OWNED {
                let own = drain.queue.columns.iter().find(|it| it.name == owned.name);
                assert_eq!(own, Some(owned), "{}", drain.queue.name);
            }
        }
    }
}

/// The role of `ops/bench copy` alone goes without.
#[cfg(not(feature = "bench"))]
#[test]
fn identities_end_with_a_hash_of_the_body() {
    for table in ROLES.iter().flat_map(|it| it.tables).filter(|it| it.sort == Sort::History) {
        let last = table.columns.last().map(|it| it.name);
        assert_eq!(last, Some("body_hash"), "{}", table.name);
        let key: Vec<&str> = table.key_columns().iter().map(|it| it.name).collect();
        assert!(key.ends_with(&["occurred_at", "event_id"]), "{}", table.name);
    }
}

#[test]
fn a_catalogue_gives_rows_of_its_own_table_each_key_once_and_none_retired() {
    for catalogue in ROLES.iter().flat_map(|it| it.catalogues) {
        let (table, rows) = (catalogue.table, (catalogue.rows)().unwrap());
        assert_eq!(table.sort, Sort::Catalogue, "{}", table.name);
        assert_eq!(table.columns.last().map(|it| (it.name, it.kind)), Some(("retired", Kind::Bool)), "{}", table.name);
        let keys: BTreeSet<&[Value]> = rows.iter().map(|it| &it[..table.key]).collect();
        assert!(!rows.is_empty() && keys.len() == rows.len(), "{}", table.name);
        assert!(rows.iter().all(|it| it.len() == table.columns.len() && it.last() == Some(&Value::Long(0))), "{}", table.name);
    }
}

#[test]
fn names_are_taken_once() {
    let mut names = BTreeSet::new();
    for role in ROLES {
        let catalogues = role.catalogues.iter().map(|it| it.table);
        for name in role.tables.iter().copied().chain(catalogues).map(|it| it.name).chain([role.ledger]) {
            assert!(names.insert(name), "{name} is declared twice");
        }
        for table in role.tables {
            let columns: BTreeSet<&str> = table.columns.iter().map(|it| it.name).collect();
            assert_eq!(columns.len(), table.columns.len(), "{}: a column is declared twice", table.name);
        }
    }
    let roles: BTreeSet<&str> = ROLES.iter().map(|it| it.name).collect();
    assert_eq!(roles.len(), ROLES.len());
}
