//! The figures once more, from their definitions alone: doubles, sorted lists, the whole table of an edit distance.
//!
//! It shares no line with what it is compared with.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// A press: when, code, key, when released, expected, whether right.
#[derive(Clone, PartialEq)]
struct Stroke {
    down: f64,
    code: i64,
    key: String,
    up: Option<f64>,
    expected: Option<String>,
    correct: bool,
}

fn strokes(event: &Json) -> Vec<Stroke> {
    let mut once: Vec<Stroke> = Vec::new();
    for it in event["keys"].as_array().unwrap() {
        let stroke = Stroke {
            down: it["down_ms"].as_f64().unwrap(),
            code: it["code"].as_i64().unwrap(),
            key: it["key"].as_str().unwrap().into(),
            up: it["up_ms"].as_f64(),
            expected: it["expected"].as_str().map(Into::into),
            correct: it["correct"].as_bool().unwrap(),
        };
        if !once.contains(&stroke) {
            once.push(stroke);
        }
    }
    once.sort_by(|a, b| a.down.total_cmp(&b.down).then(a.code.cmp(&b.code)));
    once
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let middle = mean(values);
    mean(&values.iter().map(|it| (it - middle).powi(2)).collect::<Vec<_>>()).sqrt()
}

/// Ranks from 1: where `n * q` is whole, between it and the next.
fn percentile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = sorted.len() as f64 * q;
    let whole = (rank - rank.round()).abs() < 1e-9;
    if whole { f64::midpoint(sorted[rank.round() as usize - 1], sorted[rank.round() as usize]) } else { sorted[rank.ceil() as usize - 1] }
}

fn distance(a: &[char], b: &[char]) -> f64 {
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i][j] = match (i, j) {
                (0, other) | (other, 0) => other,
                _ => {
                    let replaced = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    replaced.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1)
                }
            };
        }
    }
    table[a.len()][b.len()] as f64
}

/// Figures by name; those that are not defined are absent.
pub type Figures = BTreeMap<&'static str, f64>;

/// The figures of one session.
pub fn of_session(event: &Json) -> Figures {
    let strokes = strokes(event);
    let [prompt, typed] = ["prompt", "typed"].map(|it| event[it].as_str().unwrap().chars().collect::<Vec<char>>());
    let gaps: Vec<f64> = strokes.windows(2).map(|it| it[1].down - it[0].down).collect();
    let holds: Vec<f64> = strokes.iter().filter_map(|it| Some(it.up? - it.down)).collect();
    let rolled = strokes.windows(2).filter(|it| it[0].up.is_some_and(|up| it[1].down < up)).count() as f64;
    let length = typed.len() as f64;
    let minutes = (strokes[strokes.len() - 1].down - strokes[0].down) / 60_000.0;
    let longer = prompt.len().max(typed.len()) as f64;
    let mut figures = Figures::from([
        ("keys", strokes.len() as f64),
        ("wpm", if typed.is_empty() || minutes == 0.0 { 0.0 } else { (length - 1.0) / 5.0 / minutes }),
        ("error_percent", if longer == 0.0 { 0.0 } else { 100.0 * distance(&prompt, &typed) / longer }),
        ("corrections", strokes.iter().filter(|it| it.code == 8 || it.code == 46).count() as f64),
        ("rollovers", rolled),
        ("duration_ms", minutes * 60_000.0),
    ]);
    if !typed.is_empty() {
        figures.insert("kspc", strokes.len() as f64 / length);
    }
    if !gaps.is_empty() {
        figures.extend([("iki_mean", mean(&gaps)), ("iki_sd", deviation(&gaps)), ("rollover_ratio", rolled / gaps.len() as f64)]);
    }
    if !holds.is_empty() {
        figures.extend([("hold_mean", mean(&holds)), ("hold_sd", deviation(&holds))]);
    }
    figures
}

fn spread(figures: &mut Figures, names: [&'static str; 5], values: &[f64]) {
    let [n, sum, squares, p50, p95] = names;
    figures.extend([(n, values.len() as f64), (sum, values.iter().sum()), (squares, values.iter().map(|it| it * it).sum())]);
    if !values.is_empty() {
        figures.extend([(p50, percentile(values, 0.5)), (p95, percentile(values, 0.95))]);
    }
}

const LATENCY: [&str; 5] = ["latency_n", "latency_sum", "latency_sum_sq", "latency_p50", "latency_p95"];
const HOLD: [&str; 5] = ["hold_n", "hold_sum", "hold_sum_sq", "hold_p50", "hold_p95"];

/// The statistics of each key over sessions.
pub fn of_keys(events: &[Json]) -> BTreeMap<String, Figures> {
    let mut pressed: BTreeMap<String, (Vec<Stroke>, Vec<f64>)> = BTreeMap::new();
    for event in events {
        let strokes = strokes(event);
        for (place, stroke) in strokes.iter().enumerate() {
            let (all, latencies) = pressed.entry(stroke.key.clone()).or_default();
            all.push(stroke.clone());
            if place > 0 && stroke.down - strokes[place - 1].down <= 1_500.0 {
                latencies.push(stroke.down - strokes[place - 1].down);
            }
        }
    }
    let figures = |(all, latencies): (Vec<Stroke>, Vec<f64>)| {
        let wrong = all.iter().filter(|it| !it.correct).count() as f64;
        let mut figures = Figures::from([("n", all.len() as f64), ("errors", wrong)]);
        spread(&mut figures, LATENCY, &latencies);
        spread(&mut figures, HOLD, &all.iter().filter_map(|it| Some(it.up? - it.down)).collect::<Vec<_>>());
        figures
    };
    pressed.into_iter().map(|(key, it)| (key, figures(it))).collect()
}

/// The statistics of each two successive keys over sessions.
pub fn of_digraphs(events: &[Json]) -> BTreeMap<(String, String), Figures> {
    let mut pairs: BTreeMap<(String, String), Vec<(Stroke, Stroke)>> = BTreeMap::new();
    for strokes in events.iter().map(strokes) {
        for it in strokes.windows(2) {
            pairs.entry((it[0].key.clone(), it[1].key.clone())).or_default().push((it[0].clone(), it[1].clone()));
        }
    }
    let figures = |pairs: Vec<(Stroke, Stroke)>| {
        let rolled = pairs.iter().filter(|(a, b)| a.up.is_some_and(|up| b.down < up)).count() as f64;
        let mut figures = Figures::from([("n", pairs.len() as f64), ("rollovers", rolled)]);
        let gaps: Vec<f64> = pairs.iter().map(|(a, b)| b.down - a.down).filter(|it| *it <= 1_500.0).collect();
        spread(&mut figures, LATENCY, &gaps);
        figures
    };
    pairs.into_iter().map(|(keys, it)| (keys, figures(it))).collect()
}
