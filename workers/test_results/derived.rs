//! What a counted result tells other topics: scores for the boards, facts for achievements.
//!
//! Ids and times are the source's, so a repeat is the same event; nothing here writes a row.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    event::Mode,
    rows::{Profile, Test},
    xp,
};
use crate::{
    achievements::{self, AchievementFact},
    fold::{Stop, Tables},
    leaderboard::{self, LeaderboardUpdate, Operator},
};

/// The user's speed, where a board is kept for its kind of test, and the XP.
pub fn scores(test: &Test, tables: &mut Tables<'_>) -> Result<(), Stop> {
    if has_board(test) {
        let category = format!("time-{}-{}", test.mode2, test.language);
        let update = update(test, Operator::Best, &category);
        emit_score("best", LeaderboardUpdate { score: test.wpm.0, tiebreak: test.accuracy.0, ..update }, tables)?;
    }
    if test.xp > 0 {
        let update = update(test, Operator::Total, "xp");
        emit_score("xp", LeaderboardUpdate { score: test.xp, ..update }, tables)?;
    }
    Ok(())
}

fn has_board(test: &Test) -> bool {
    test.mode == Mode::Time && matches!(&*test.mode2, "15" | "60") && test.is_plain() && !test.lazy_mode && !test.bailed_out
}

/// An update without a score yet.
fn update(test: &Test, operator: Operator, category: &str) -> LeaderboardUpdate {
    LeaderboardUpdate {
        event_id: test.event_id,
        occurred_at: test.occurred_at,
        user_id: test.user_id,
        user_name: Arc::clone(&test.user_name),
        category: category.into(),
        operator,
        score: 0,
        tiebreak: 0,
    }
}

fn emit_score(name: &str, update: LeaderboardUpdate, tables: &mut Tables<'_>) -> Result<(), Stop> {
    let key = update.user_id.to_string();
    tables.emit(name, &leaderboard::TOPIC, |event_id| (key, LeaderboardUpdate { event_id, ..update }))
}

/// That a test was completed, and which streak and level it reached. `before` is the profile without it.
pub fn facts(test: &Test, before: &Profile, after: &Profile, tables: &mut Tables<'_>) -> Result<(), Stop> {
    emit_fact("test_completed", test, (test.wpm.0, tags(test)), tables)?;
    if after.streak > before.streak {
        emit_fact("streak_reached", test, (after.streak, BTreeMap::new()), tables)?;
    }
    if after.level > before.level {
        emit_fact("level_reached", test, (after.level, BTreeMap::new()), tables)?;
    }
    Ok(())
}

type Tags = BTreeMap<Arc<str>, Arc<str>>;

fn tags(test: &Test) -> Tags {
    let day = test.day().date().map(|it| it.to_string()).unwrap_or_default();
    let perfect = test.accuracy.0 == xp::PERFECT;
    [
        ("mode", test.mode.name().into()),
        ("mode2", Arc::clone(&test.mode2)),
        ("language", Arc::clone(&test.language)),
        ("difficulty", test.difficulty.name().into()),
        ("is_pb", test.is_pb.to_string().into()),
        ("perfect", perfect.to_string().into()),
        ("day", day.into()),
    ]
    .map(|(key, value): (&str, Arc<str>)| (key.into(), value))
    .into()
}

fn emit_fact(fact: &str, test: &Test, (value, tags): (i64, Tags), tables: &mut Tables<'_>) -> Result<(), Stop> {
    tables.emit(fact, &achievements::TOPIC, |event_id| {
        let (user_id, occurred_at) = (test.user_id, test.occurred_at);
        (user_id.to_string(), AchievementFact { event_id, occurred_at, user_id, fact: fact.into(), value, tags })
    })
}
