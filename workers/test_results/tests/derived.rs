//! Derived events: which results reach a board, and which facts they tell.

use serde_avro_fast::ser::SerializerConfig;

use super::*;
use crate::fold::Event as _;

/// The derived events of one topic, as plain JSON.
fn told(results: &[TestResult], topic: &Topic) -> Vec<serde_json::Value> {
    let records = text::records(&TOPIC, &lines(results)).unwrap();
    let flushes = Play::new(&ROLE).batch(&records).unwrap();
    let emits = flushes.into_iter().flat_map(|it| it.changes.emits);
    let emits = emits.filter(|it| ROLE.emits.get(it.topic).unwrap().name == topic.name);
    emits.map(|it| plain::decode(topic, &it.datum).unwrap()).collect()
}

fn field(events: &[serde_json::Value], name: &str) -> Vec<String> {
    events.iter().map(|it| it.get(name).unwrap().to_string().replace('"', "")).collect()
}

fn categories(results: &[TestResult]) -> Vec<String> {
    field(&told(results, &leaderboard::TOPIC), "category")
}

#[test]
fn derives_only_events_that_their_topics_accept() {
    let records = text::records(&TOPIC, TOPIC.examples).unwrap();
    let flushes = Play::new(&ROLE).batch(&records).unwrap();
    for emit in flushes.iter().flat_map(|it| &it.changes.emits) {
        let topic = *ROLE.emits.get(emit.topic).unwrap();
        let schema = topic.codec().unwrap();
        if topic.name == achievements::TOPIC.name {
            let fact: achievements::AchievementFact = serde_avro_fast::from_datum_slice(&emit.datum, schema).unwrap();
            assert_eq!((fact.check(), emit.key.clone()), (Ok(()), fact.user_id.to_string()));
            assert_eq!(serde_avro_fast::to_datum_vec(&fact, &mut SerializerConfig::new(schema)).unwrap(), emit.datum);
        } else {
            let update: leaderboard::LeaderboardUpdate = serde_avro_fast::from_datum_slice(&emit.datum, schema).unwrap();
            assert_eq!((crate::fold::Event::check(&update), emit.key.clone()), (Ok(()), update.user_id.to_string()));
            assert_eq!(serde_avro_fast::to_datum_vec(&update, &mut SerializerConfig::new(schema)).unwrap(), emit.datum);
        }
    }
}

#[test]
fn plain_tests_of_15_and_60_seconds_have_a_board() {
    assert_eq!(categories(&[result(1)]), ["time-60-english", "xp"]);
    assert_eq!(categories(&[result(1).of(Mode::Time, "15").typed(125, 15.0)]), ["time-15-english", "xp"]);
    let odd: [fn(&mut TestResult); 6] = [
        |it| it.mode2 = "30".into(),
        |it| it.mode = Mode::Words,
        |it| it.mode = Mode::Quote,
        |it| it.lazy_mode = true,
        |it| it.bailed_out = true,
        |it| it.funbox = vec!["mirror".into()],
    ];
    for change in odd {
        assert_eq!(categories(&[result(1).but(change)]), ["xp"]);
    }
    assert_eq!(categories(&[result(1).but(|it| it.wpm = 99.0)]), [""; 0], "not counted");
}

#[test]
fn a_score_is_the_result_whether_a_best_or_not() {
    let slower = result(2).typed(400, 60.0).later(1);
    let told = told(&[result(1), slower], &leaderboard::TOPIC);
    assert_eq!(field(&told, "score"), ["10000", "213", "8000", "113"]);
    assert_eq!(field(&told, "tiebreak"), ["9700", "0", "9700", "0"]);
    assert_eq!(field(&told, "operator"), ["best", "total", "best", "total"]);
    assert_eq!(field(&told, "user_name"), ["ada"; 4]);
}

#[test]
fn no_xp_is_no_news() {
    let lost = result(2).later(1).but(|it| it.accuracy = 50.0);
    assert_eq!(categories(&[result(1), lost]), ["time-60-english", "xp", "time-60-english"]);
}

#[test]
fn streaks_and_levels_are_told_when_they_grow() {
    let facts = |results: &[TestResult]| {
        let told = told(results, &achievements::TOPIC);
        let (names, values) = (field(&told, "fact"), field(&told, "value"));
        names.into_iter().zip(values).map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
    };
    let first = "test_completed 10000, streak_reached 1, level_reached 2";
    assert_eq!(facts(&[result(1)]), first);
    // XP of 213, 437, 650, 874. A gap brings the streak back to 1, which is no growth; the day after it grows again.
    let second = "test_completed 10000, streak_reached 2, level_reached 3";
    let gap = "test_completed 10000, level_reached 4";
    let expected = format!("{first}, {second}, {gap}, test_completed 10000, streak_reached 2, level_reached 5");
    let days = [0, 1, 5, 6].map(|it| result(1).later(it * DAY));
    assert_eq!(facts(&days), expected);
}

#[test]
fn a_completed_test_is_tagged_with_the_users_day() {
    let result = result(1).but(|it| (it.accuracy, it.day_offset_hours, it.language) = (99.996, 13, "日本語".into()));
    let told = told(&[result], &achievements::TOPIC);
    let tags = told.first().unwrap().get("tags").unwrap();
    let expected =
        r#"{"day":"2024-05-12","difficulty":"normal","is_pb":"true","language":"日本語","mode":"time","mode2":"60","perfect":"true"}"#;
    assert_eq!(tags.to_string(), expected);
}

#[test]
fn a_repeat_in_another_batch_derives_the_same_bytes() {
    let records = text::records(&TOPIC, &lines(&[result(1), result(2).later(DAY)])).unwrap();
    let told = |cuts: usize| {
        let mut play = Play::new(&ROLE);
        let flushes: Vec<_> = records.chunks(cuts).flat_map(|it| play.batch(it).unwrap()).collect();
        flushes.into_iter().flat_map(|it| it.changes.emits).collect::<Vec<_>>()
    };
    assert_eq!(told(1), told(2));
}
