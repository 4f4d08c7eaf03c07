//! Views that take documents apart: they say what the documents do, whatever text stands in them.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value as Json;

use crate::support::{World, database::Texts, keystrokes};

/// A user and layout, and the documents of their statistics.
struct Row {
    owner: Texts,
    keys: Vec<Json>,
    digraphs: Vec<Json>,
    confusions: Vec<Json>,
}

fn stored(world: &World) -> Vec<Row> {
    let rows = world.database.rows("SELECT user_id, layout, key_stats, digraph_stats, key_confusions FROM keystroke_stats");
    let open = |it: &Option<String>| serde_json::from_str(it.as_ref().unwrap()).unwrap();
    let row = |it: Texts| Row { owner: it[..2].to_vec(), keys: open(&it[2]), digraphs: open(&it[3]), confusions: open(&it[4]) };
    rows.into_iter().map(row).collect()
}

/// A value as the client shows it.
fn shown(it: &Json) -> Option<String> {
    it.as_str().map(str::to_owned).or_else(|| it.as_i64().map(|it| it.to_string()))
}

/// Latency or hold: its percentiles are stored doubled.
fn spread(it: &Json) -> Texts {
    let halved = |it: &Json| it.as_i64().map(|it| format!("{}.{}", it / 2, it % 2 * 5));
    let sums = [shown(&it[0]), shown(&it[1]), shown(&it[2])];
    sums.into_iter().chain([halved(&it[3]), halved(&it[4]), shown(&it[5])]).collect()
}

fn sorted(mut rows: Vec<Texts>) -> Vec<Texts> {
    rows.sort_unstable();
    rows
}

#[test]
fn statistics_of_keys_are_those_of_their_documents() {
    let world = World::new("views");
    let worker = world.worker(keystrokes().name);
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/keystroke-analytics.examples.ndjson");
    world.must(&["produce", "--topic", keystrokes().topic.name, "--file", &examples.to_string_lossy()]);
    world.settle(keystrokes());
    worker.stop();

    let stored = stored(&world);
    let (mut keys, mut digraphs, mut confusions) = (Vec::new(), Vec::new(), BTreeMap::<Texts, i64>::new());
    for row in &stored {
        let line = |texts: [Texts; 3]| [row.owner.clone(), texts.concat()].concat();
        keys.extend(row.keys.iter().map(|it| {
            let counts = vec![shown(&it[0]), shown(&it[1][0]), shown(&it[1][1])];
            line([counts, spread(&it[1][2]), spread(&it[1][3])])
        }));
        digraphs.extend(row.digraphs.iter().map(|it| {
            let counts = vec![shown(&it[1][0]), shown(&it[1][1])];
            line([vec![shown(&it[0][0]), shown(&it[0][1])], counts, spread(&it[1][2])])
        }));
        for it in &row.confusions {
            let key = vec![row.owner[0].clone(), shown(&it[0][0]), shown(&it[0][1])];
            *confusions.entry(key).or_default() += it[1].as_i64().unwrap();
        }
    }
    let confusions = confusions.into_iter().map(|(key, n)| [key, vec![Some(n.to_string())]].concat()).collect();
    for (view, expected) in [("key_stats", keys), ("digraph_stats", digraphs), ("key_confusions", confusions)] {
        assert!(!expected.is_empty(), "{view}");
        assert_eq!(sorted(world.database.rows(&format!("SELECT * FROM {view}"))), sorted(expected), "{view}");
    }
}
