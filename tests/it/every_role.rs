//! What holds for roles on real servers, whatever they are: examples and made-up events come to the fold's rows and keys, and
//! catalogues are the program's.

use std::{fs, path::Path};

use workers::{
    ROLES,
    fold::{Catalogue, Column, Role, Value},
    simulate::distributions,
};

use crate::support::{World, caches, oracle::Oracle, soon, world::told};

/// Every role but those whose drain tells their own topic what came of its rows: that log is never still.
fn still() -> impl Iterator<Item = &'static Role> {
    ROLES.iter().copied().filter(|it| it.drains.is_empty())
}

#[test]
fn examples_and_made_up_events_come_to_the_rows_and_keys_of_the_fold() {
    let world = World::new("every-role");
    let worker = world.worker(&still().map(|it| it.name).collect::<Vec<_>>().join(","));
    for role in still() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{}.examples.ndjson", role.topic.name));
        assert!(fs::exists(&examples).unwrap(), "{}", examples.display());
        world.must(&["produce", "--topic", role.topic.name, "--file", &examples.to_string_lossy()]);
        if !distributions(role.topic).is_empty() {
            world.must(&["simulate", "--topic", role.topic.name, "--users", "200", "--events", "3000"]);
        }
    }
    // A role may derive events for one before it: the log is still once that many looks in a row say so.
    soon("every role to be at its log's end", || still().try_for_each(|_| still().try_for_each(|it| world.settled(it))));
    for role in still() {
        Oracle::of(&world, role).assert(&world);
        caches::assert_equal(&world, role);
        world.verify(role);
    }
    worker.stop();
}

#[test]
fn catalogues_are_the_programs_whatever_became_of_them() {
    let world = World::new("catalogues");
    let catalogues: Vec<&Catalogue> = ROLES.iter().flat_map(|it| it.catalogues).copied().collect();
    assert!(!catalogues.is_empty());
    for catalogue in catalogues {
        let name = catalogue.table.name;
        let mut given: Vec<Vec<Value>> = (catalogue.rows)().unwrap().iter().map(|it| it.to_vec()).collect();
        given.sort_unstable();
        assert_eq!(rows(&world, catalogue), given, "{name} as it was made");

        let first = catalogue.table.columns[0].name;
        let rest: Vec<&str> = catalogue.table.columns[1..].iter().map(|it: &Column| it.name).collect();
        let rest = rest.join(", ");
        for damage in [
            format!("INSERT INTO {name} ({first}, {rest}) SELECT 'no_more', {rest} FROM {name} LIMIT 1"),
            format!("DELETE FROM {name} WHERE {first} <> 'no_more' ORDER BY {first} LIMIT 1"),
            format!("UPDATE {name} SET retired = 1 WHERE {first} <> 'no_more' ORDER BY {first} DESC LIMIT 1"),
        ] {
            assert_eq!(world.database.run(&damage), Ok(1), "{damage}");
        }
        let looked = world.run(&["migrate", "--check"]);
        assert!(looked.status.code() == Some(1) && told(&looked).contains(name), "{}", told(&looked));
        world.must(&["migrate"]);
        let (retired, kept): (Vec<_>, Vec<_>) = rows(&world, catalogue).into_iter().partition(|it| it[0] == Value::Text("no_more".into()));
        assert_eq!(kept, given, "{name} as it was mended");
        assert_eq!(retired.iter().map(|it| it.last().cloned()).collect::<Vec<_>>(), [Some(Value::Long(1))], "{name} forgets nothing");
        world.must(&["migrate", "--check"]);
    }
}

/// All rows of a catalogue, in order.
fn rows(world: &World, catalogue: &Catalogue) -> Vec<Vec<Value>> {
    let mut rows = world.database.values(catalogue.table);
    rows.sort_unstable();
    rows
}
