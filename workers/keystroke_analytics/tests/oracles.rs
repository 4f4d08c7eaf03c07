//! Oracles: six real people's typing, and made-up sessions, against the reference of the file beside.
//!
//! The data stays outside the project. Where it is absent, one line says what was not checked.

use std::collections::BTreeMap;

use super::{
    reference::{Figures, of_digraphs, of_keys, of_session},
    *,
};
use crate::{
    fold::{Hundredths, derived_id},
    real_data, simulate,
};

const PARTICIPANTS: [&str; 6] = ["5", "103", "100001", "100003", "100122", "110677"];

/// The sessions of a participant's file, one a sentence. Lines that are torn are no lines.
fn sessions(path: &str) -> Option<Vec<Json>> {
    let text = real_data::text(&format!("aalto136m/{path}"))?;
    let mut sections: BTreeMap<i64, Vec<Vec<&str>>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        if fields.len() == 9 && fields[8].parse::<i64>().is_ok() {
            sections.entry(fields[1].parse().unwrap()).or_default().push(fields);
        }
    }
    Some(sections.values().map(|it| sentence(it)).collect())
}

/// The session of a sentence. The names of its keys are as they came, empty ones too.
fn sentence(rows: &[Vec<&str>]) -> Json {
    let number = |row: &Vec<&str>, place: usize| row[place].parse::<i64>().unwrap();
    let start = rows.iter().map(|it| number(it, 5)).min().unwrap();
    let keys: Vec<Json> = rows
        .iter()
        .map(|it| json!({"key": it[7], "code": number(it, 8), "down_ms": number(it, 5) - start, "up_ms": number(it, 6) - start, "expected": null, "correct": true}))
        .collect();
    json!({
        "event_id": derived_id(&[rows[0][0], rows[0][1]]).to_string(), "occurred_at": start, "user_id": number(&rows[0], 0),
        "session_id": rows[0][1], "language": "english", "layout": "qwerty", "prompt": rows[0][2], "typed": rows[0][3], "keys": keys,
    })
}

fn number(it: i64) -> f64 {
    it as f64
}

fn figures_of(it: &Session) -> Figures {
    let some = |it: Option<Hundredths>| it.map(|it| number(it.0) / 100.0);
    let all = [
        ("keys", Some(number(it.keys))),
        ("wpm", some(Some(it.wpm))),
        ("error_percent", some(Some(it.error_percent))),
        ("kspc", some(it.kspc)),
        ("iki_mean", some(it.iki_mean)),
        ("iki_sd", some(it.iki_sd)),
        ("hold_mean", some(it.hold_mean)),
        ("hold_sd", some(it.hold_sd)),
        ("rollovers", Some(number(it.rollovers))),
        ("rollover_ratio", some(it.rollover_ratio)),
        ("corrections", Some(number(it.corrections))),
        ("duration_ms", Some(number(it.duration_ms))),
    ];
    all.into_iter().filter_map(|(name, it)| Some((name, it?))).collect()
}

/// Figures of a column's entry, by the names of its places.
fn entry(counts: [&'static str; 2], it: &Json) -> Figures {
    let mut figures: Figures = counts.iter().enumerate().map(|(place, name)| (*name, it[place].as_f64().unwrap())).collect();
    let spreads = [
        ["latency_n", "latency_sum", "latency_sum_sq", "latency_p50", "latency_p95"],
        ["hold_n", "hold_sum", "hold_sum_sq", "hold_p50", "hold_p95"],
    ];
    for (spread, names) in it.as_array().unwrap()[2..].iter().zip(spreads) {
        for (place, name) in names.into_iter().enumerate() {
            let halved = if place > 2 { 2.0 } else { 1.0 };
            figures.extend(spread[place].as_f64().map(|it| (name, it / halved)));
        }
    }
    figures
}

fn assert_near(found: &Figures, expected: &Figures, what: &str) {
    let names = |it: &Figures| it.keys().copied().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "{what}");
    for (name, figure) in found {
        assert!((figure - expected[name]).abs() <= 0.01, "{what}: {name} {figure}, by the reference {}", expected[name]);
    }
}

/// Compares all that sessions of one user and layout come to with the reference.
fn assert_as_the_reference(sessions: &[Json]) {
    let play = played(&records(sessions));
    let by_id: BTreeMap<String, Session> = rows::<Session>(&play).into_iter().map(|it| (it.event_id.to_string(), it)).collect();
    for event in sessions {
        let id = event["event_id"].as_str().unwrap();
        assert_near(&figures_of(&by_id[id]), &of_session(event), id);
    }
    let row: Statistics = rows(&play).pop().unwrap();
    let open = |column: &crate::fold::Json| -> Vec<Json> { serde_json::from_str(&column.0).unwrap() };
    let (keys, digraphs) = (of_keys(sessions), of_digraphs(sessions));
    for it in open(&row.key_stats) {
        let key = it[0].as_str().unwrap();
        assert_near(&entry(["n", "errors"], &it[1]), &keys[key], key);
    }
    for it in open(&row.digraph_stats) {
        let both = (it[0][0].as_str().unwrap().to_owned(), it[0][1].as_str().unwrap().to_owned());
        assert_near(&entry(["n", "rollovers"], &it[1]), &digraphs[&both], &format!("{both:?}"));
    }
    assert_eq!((open(&row.key_stats).len(), open(&row.digraph_stats).len()), (keys.len(), digraphs.len()));
}

#[test]
fn real_sessions_have_the_references_figures() {
    for participant in PARTICIPANTS {
        let Some(sessions) = sessions(&format!("raw/{participant}_keystrokes.txt")) else { return };
        assert_eq!(sessions.len(), 15, "{participant}");
        assert_as_the_reference(&sessions);
    }
}

#[test]
fn a_file_appended_twice_and_torn_gives_the_figures_of_the_whole_one() {
    let Some(torn) = sessions("fixtures/duplicated_torn_participant_5.txt") else { return };
    let Some(whole) = sessions("raw/5_keystrokes.txt") else { return };
    let presses = |sessions: &[Json]| sessions.iter().map(|it| it["keys"].as_array().unwrap().len()).sum::<usize>();
    assert_eq!((presses(&whole), presses(&torn)), (630, 1_258));
    let both = [torn, whole].map(|it| played(&records(&it)).model().dump());
    assert_eq!(both[0], both[1]);
}

#[test]
fn real_sessions_make_the_same_rows_in_any_batching() {
    for participant in PARTICIPANTS {
        let Some(sessions) = sessions(&format!("raw/{participant}_keystrokes.txt")) else { return };
        let all = records(&sessions);
        let mut cut = Play::with(&ROLE, crate::fold::Presume::New, 64 << 10);
        for batch in all.chunks(4) {
            cut.batch(batch).unwrap();
        }
        assert_eq!(cut.model(), played(&all).model());
    }
}

/// The events that `simulate` makes as plain JSON, each once, as if they were of one user.
fn made_up() -> Vec<Json> {
    let plan = simulate::Plan { users: 20, events: 300, seed: 7, start: NOON, span_ms: 30 * DAY_MS };
    let mut sessions: BTreeMap<String, Json> = BTreeMap::new();
    for event in simulate::stream(&TOPIC, plan).unwrap() {
        let json = TOPIC.plain().unwrap().decode(&event.datum).unwrap();
        sessions.insert(json["event_id"].to_string(), with(json, &json!({"user_id": 1, "layout": "qwerty"})));
    }
    sessions.into_values().collect()
}

#[test]
fn made_up_sessions_have_the_references_figures_and_all_that_hands_do() {
    let sessions = made_up();
    assert_as_the_reference(&sessions);
    let rows: Vec<Session> = rows(&played(&records(&sessions)));
    let total = |of: fn(&Session) -> i64| rows.iter().map(of).sum::<i64>();
    let keys = total(|it| it.keys) / i64::try_from(rows.len()).unwrap();
    assert!((45..=55).contains(&keys), "{keys} keys a session");
    assert!(total(|it| it.rollovers) > 0 && total(|it| it.corrections) > 0 && total(|it| it.error_percent.0) > 0);
    let raw: usize = sessions.iter().map(|it| it["keys"].as_array().unwrap().len()).sum();
    assert!(total(|it| it.keys) < i64::try_from(raw).unwrap(), "some keys come twice");
    let unsorted = |it: &&Json| !it["keys"].as_array().unwrap().is_sorted_by_key(|it| it["down_ms"].as_i64());
    assert!(sessions.iter().filter(unsorted).count() > 0);
}
