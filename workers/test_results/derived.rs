//! What a counted result tells other topics: scores for the boards, facts for achievements.
//!
//! Ids and times are the source's, so a repeat is the same event; nothing here writes a row.

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::{
    event::Mode,
    rows::{Profile, Test},
    xp,
};
use crate::{
    achievements,
    fold::{Stop, Tables, Time, write_event_id},
    leaderboard::{self, Operator},
};

/// A `LeaderboardUpdate` that borrows its texts.
#[derive(Serialize)]
struct Score<'a> {
    #[serde(serialize_with = "write_event_id")]
    event_id: Uuid,
    occurred_at: Time,
    user_id: i64,
    user_name: &'a str,
    category: &'a str,
    operator: Operator,
    score: i64,
    tiebreak: i64,
}

/// An `AchievementFact` that borrows its texts.
#[derive(Serialize)]
struct Fact<'a> {
    #[serde(serialize_with = "write_event_id")]
    event_id: Uuid,
    occurred_at: Time,
    user_id: i64,
    fact: &'a str,
    value: i64,
    #[serde(serialize_with = "as_map")]
    tags: &'a [Tag<'a>],
}

/// A name and its value; in order of names, so that a repeat is the same bytes.
type Tag<'a> = (&'a str, &'a str);

fn as_map<S: Serializer>(tags: &&[Tag<'_>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(tags.iter().copied())
}

/// The user's speed, where a board is kept for its kind of test, and the XP.
pub fn scores(test: &Test, tables: &mut Tables<'_>) -> Result<(), Stop> {
    if has_board(test) {
        let category = format!("time-{}-{}", test.mode2, test.language);
        emit_score("best", (Operator::Best, &category), (test.wpm.0, test.accuracy.0), (test, tables))?;
    }
    if test.xp > 0 {
        emit_score("xp", (Operator::Total, "xp"), (test.xp, 0), (test, tables))?;
    }
    Ok(())
}

fn has_board(test: &Test) -> bool {
    test.mode == Mode::Time && matches!(&*test.mode2, "15" | "60") && test.is_plain() && !test.lazy_mode && !test.bailed_out
}

fn emit_score(
    name: &str,
    (operator, category): (Operator, &str),
    (score, tiebreak): (i64, i64),
    (test, tables): (&Test, &mut Tables<'_>),
) -> Result<(), Stop> {
    let Test { user_id, occurred_at, .. } = *test;
    let user_name = &*test.user_name;
    tables.emit(name, &leaderboard::TOPIC, |event_id| {
        (user_id.to_string(), Score { event_id, occurred_at, user_id, user_name, category, operator, score, tiebreak })
    })
}

/// That a test was completed, and which streak and level it reached. `before` is the profile without it.
pub fn facts(test: &Test, before: &Profile, after: &Profile, tables: &mut Tables<'_>) -> Result<(), Stop> {
    let day = test.day().date().map(|it| it.to_string()).unwrap_or_default();
    let yes_or_no = |it: bool| if it { "true" } else { "false" };
    let tags = [
        ("day", &*day),
        ("difficulty", test.difficulty.name()),
        ("is_pb", yes_or_no(test.is_pb)),
        ("language", &test.language),
        ("mode", test.mode.name()),
        ("mode2", &test.mode2),
        ("perfect", yes_or_no(test.accuracy.0 == xp::PERFECT)),
    ];
    emit_fact("test_completed", test, (test.wpm.0, &tags), tables)?;
    if after.streak > before.streak {
        emit_fact("streak_reached", test, (after.streak, &[]), tables)?;
    }
    if after.level > before.level {
        emit_fact("level_reached", test, (after.level, &[]), tables)?;
    }
    Ok(())
}

fn emit_fact(fact: &str, test: &Test, (value, tags): (i64, &[Tag<'_>]), tables: &mut Tables<'_>) -> Result<(), Stop> {
    let Test { user_id, occurred_at, .. } = *test;
    tables.emit(fact, &achievements::TOPIC, |event_id| (user_id.to_string(), Fact { event_id, occurred_at, user_id, fact, value, tags }))
}
