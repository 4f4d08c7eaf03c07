//! Boards in Redis: which sorted set an entry stands in, and the number that sorts it there.
//!
//! It holds no rank. Members of equal number stand in the set's own order; the table's order is exact.

use super::{LeaderboardEntry, Operator};
use crate::fold::{Board, Family, Form, Placing, Row, Value};

/// `leaderboard:{category}:{timeframe}` and its companions.
pub(super) static BOARDS: Family = Family {
    name: "leaderboard",
    table: LeaderboardEntry::TABLE,
    form: Form::Board(Board {
        place,
        top: 1_000,
        window_top: 2_000,
        ttl_s: 300,
        linger_ms: 86_400_000,
        rebuild: include_str!("rebuild.sql"),
    }),
};

fn place(values: &[Value]) -> Option<Placing> {
    let entry = LeaderboardEntry::from_values(values)?;
    Some(Placing {
        board: format!("leaderboard:{}:{}", entry.category, entry.timeframe.name()),
        window_start: entry.window_start,
        window_end: entry.timeframe.end(entry.window_start),
        member: entry.user_id.to_string(),
        score: packed(&entry) as f64,
        label: entry.user_name.to_string(),
    })
}

/// The greatest best that packs its tiebreak and its time beside it, below 2^53.
const EXACT: i64 = 900_000;
/// Above what every packed best up to [`EXACT`] reaches.
const BEYOND: i128 = 9_000_010_000_000_000;

/// An entry's place among those of its window as one number: score, then tiebreak, then the time left when it was reached.
///
/// A double holds it exactly up to 2^53; past that it is rounded, which keeps the order up to equals.
pub(super) fn packed(entry: &LeaderboardEntry) -> i128 {
    let (score, tiebreak) = (i128::from(entry.score), i128::from(entry.tiebreak));
    let left = i128::from(entry.timeframe.left(entry.window_start, entry.achieved_at));
    match entry.operator {
        Operator::Best if entry.score <= EXACT => (score * 100_000 + tiebreak) * 100_000 + left,
        Operator::Best => BEYOND + score,
        Operator::Total => score * 100_000 + left,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            LeaderboardUpdate, Timeframe,
            tests::{at, best, total},
        },
        *,
    };
    use crate::fold::{Hundredths, Time};

    fn of(update: LeaderboardUpdate, timeframe: Timeframe) -> LeaderboardEntry {
        LeaderboardEntry::of(&update, timeframe)
    }

    #[test]
    fn packs_score_tiebreak_and_the_time_left() {
        let update = LeaderboardUpdate { tiebreak: 9_731, ..best(1, 11_876) };
        for (timeframe, left) in [(Timeframe::Daily, 43_200), (Timeframe::Weekly, 9_360), (Timeframe::Monthly, 26_640), (Timeframe::All, 0)]
        {
            assert_eq!(packed(&of(update.clone(), timeframe)), 118_760_973_100_000 + left, "{timeframe:?}");
        }
        assert_eq!(packed(&of(total(1, 310), Timeframe::Daily)), 31_043_200);
    }

    #[test]
    fn a_best_past_900_000_packs_its_score_alone_and_still_stands_higher() {
        let early = LeaderboardUpdate { occurred_at: at("2024-05-13T00:00:00Z"), tiebreak: 99_999, ..best(1, 900_000) };
        assert_eq!(packed(&of(early, Timeframe::Daily)), 9_000_009_999_986_400);
        for score in [900_001, 1_000_000_000_000_000] {
            assert_eq!(
                packed(&of(LeaderboardUpdate { tiebreak: 5, ..best(1, score) }, Timeframe::Daily)),
                9_000_010_000_000_000 + i128::from(score)
            );
        }
    }

    #[test]
    fn a_total_as_large_as_a_column_holds_still_packs() {
        let entry = LeaderboardEntry { score: i64::MAX, ..of(total(1, 1), Timeframe::All) };
        assert_eq!(packed(&entry), i128::from(i64::MAX) * 100_000);
        assert_eq!(packed(&entry) as f64, 9.223_372_036_854_776e23);
    }

    #[test]
    fn an_entry_stands_under_the_public_key_of_its_board() {
        let update = LeaderboardUpdate { user_name: "ada".into(), ..best(1, 9_000) };
        let placing = place(&of(update.clone(), Timeframe::Weekly).to_values()).unwrap();
        assert_eq!(
            (placing.board.as_str(), placing.member.as_str(), placing.label.as_str()),
            ("leaderboard:time-60-english:weekly", "1", "ada")
        );
        assert_eq!((placing.window_start, placing.window_end), (at("2024-05-13T00:00:00Z"), Some(at("2024-05-20T00:00:00Z"))));
        assert_eq!(place(&of(update, Timeframe::All).to_values()).unwrap().window_end, None);
        assert_eq!(place(&[]), None);
    }

    #[test]
    fn a_rebuild_takes_one_time_and_gives_the_columns_of_the_table() {
        let Form::Board(board) = &BOARDS.form else { panic!("no board") };
        assert_eq!(board.rebuild.matches('?').count(), 1);
        let (_, given) = board.rebuild.split_once("SELECT top.").unwrap();
        let (given, _) = given.split_once("FROM boards").unwrap();
        let given: Vec<&str> = given.split(',').map(|it| it.trim().trim_start_matches("top.")).collect();
        let declared: Vec<&str> = LeaderboardEntry::TABLE.columns.iter().map(|it| it.name).collect();
        assert_eq!(given, declared);
    }

    #[test]
    fn daily_boards_give_the_published_scores() {
        let Some(text) = crate::real_data::text("published_vectors_monkeytype.json") else { return };
        let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
        let scores = vectors["kogascore"].as_array().unwrap();
        assert_eq!(scores.len(), 6);
        for score in scores {
            let hundredths = |field: &str| Hundredths::of(score[field].as_f64().unwrap()).0;
            let occurred_at = Time(score["timestamp_ms"].as_i64().unwrap());
            let update = LeaderboardUpdate { occurred_at, tiebreak: hundredths("acc"), ..best(1, hundredths("wpm")) };
            let published = i128::from(score["score"].as_i64().unwrap());
            assert_eq!(1_000_000_000_000_000 + packed(&of(update, Timeframe::Daily)), published);
        }
    }
}
