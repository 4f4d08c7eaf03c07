//! Boards: any order of lanes ends in the same sets, windows turn forward only, names and lives are bounded.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use workers::fold::{Cached, Time};

use super::{model::*, server::Server};

const TUESDAY: Time = Time(MONDAY.0 + hours(24));

/// The best of a window by score, then by member, both falling: the order of a sorted set read from its end.
fn best(scores: &HashMap<i64, i64>, most: usize) -> Vec<(String, f64)> {
    let mut members: Vec<(i64, String)> = scores.iter().map(|(user, score)| (*score, user.to_string())).collect();
    members.sort_by_key(|it| Reverse(it.clone()));
    members.into_iter().take(most).map(|(score, user)| (user, score as f64)).collect()
}

/// Entries of one lane's users, each user's scores rising, over two days and all time.
fn of_lane(random: &mut StdRng, lane: i64) -> Vec<Vec<Cached>> {
    let mut scores: HashMap<(i64, Time), i64> = HashMap::new();
    let mut batches = Vec::new();
    for _ in 0..30 {
        let mut batch: BTreeMap<(i64, Time), Cached> = BTreeMap::new();
        for _ in 0..random.random_range(1..6) {
            let user = lane + 4 * random.random_range(0..6);
            let day = if random.random_bool(0.5) { MONDAY } else { TUESDAY };
            let points = random.random_range(1..9);
            for start in [day, Time(0)] {
                let score = scores.entry((user, start)).or_default();
                *score += points;
                let at = day.plus(random.random_range(1..hours(24)));
                batch.insert((user, start), seen_at(at, entry(if start == day { "day" } else { "all" }, start, user, *score)));
            }
        }
        batches.push(batch.into_values().collect());
    }
    batches
}

#[tokio::test]
async fn equal_the_rows_after_any_order_of_lanes() {
    let server = Server::start();
    for seed in 0..12 {
        println!("seed {seed}");
        server.ask::<()>(&["FLUSHALL"]);
        let mut random = StdRng::seed_from_u64(seed);
        let mut lanes: Vec<Vec<Vec<Cached>>> = (0..4).map(|lane| of_lane(&mut random, lane)).collect();
        let mut expected: HashMap<(String, Time), HashMap<i64, i64>> = HashMap::new();
        for entry in lanes.iter().flatten().flatten() {
            let [board, start, user, score, _] = &entry.row.as_ref().unwrap()[..] else { panic!() };
            let (board, start) = (workers::fold::key_text(board), Time(number(start)));
            let held = expected.entry((board, start)).or_default().entry(number(user)).or_default();
            *held = number(score).max(*held);
        }
        let mut turns: Vec<usize> = (0..4).flat_map(|lane| vec![lane; lanes[lane].len()]).collect();
        turns.shuffle(&mut random);
        let processes = [server.caches_alone(), server.caches_alone()];
        let mut sent: Vec<(usize, i64, Vec<Cached>)> = Vec::new();
        for (turn, lane) in turns.into_iter().enumerate() {
            sent.push((lane, turn as i64, lanes[lane].remove(0)));
            let mut now = vec![&sent[turn]];
            // A pipeline whose answer was lost is sent again, and one that a frozen process held back comes late.
            now.extend((0..2).filter(|_| random.random_bool(0.3)).map(|back| &sent[turn.saturating_sub(back * 20)]));
            for (lane, turn, batch) in now {
                processes[lane % 2].write(*lane as i32, version(*turn), batch).await.unwrap();
            }
        }
        assert_eq!(server.board("{board:day}:2024-05-13"), best(&expected[&("day".into(), MONDAY)], WINDOW_TOP));
        assert_eq!(server.board("{board:day}:2024-05-14"), best(&expected[&("day".into(), TUESDAY)], WINDOW_TOP));
        assert_eq!(server.board("board:day"), best(&expected[&("day".into(), TUESDAY)], TOP));
        assert_eq!(server.board("board:all"), best(&expected[&("all".into(), Time(0))], TOP));
        assert_eq!(server.ask::<String>(&["GET", "{board:day}:window"]), "2024-05-14");
        assert_eq!(server.ask::<String>(&["GET", "{board:all}:window"]), "1970-01-01");
    }
}

fn number(value: &workers::fold::Value) -> i64 {
    let workers::fold::Value::Long(long) = value else { panic!("not a number") };
    *long
}

#[tokio::test]
async fn turn_forward_only_and_not_before_the_window_has_begun() {
    let server = Server::start();
    let caches = server.caches_alone();
    let shows = || (server.members("board:day"), server.ask::<String>(&["GET", "{board:day}:window"]));
    let monday = |members: &[&str]| (members.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>(), "2024-05-13".to_owned());
    caches.write(0, version(1), &[entry("day", MONDAY, 1, 10)]).await.unwrap();
    assert_eq!(shows(), monday(&["1"]));

    // Of an event that happens five minutes after its record's timestamp.
    let early = seen_at(TUESDAY.plus(-300_000), entry("day", TUESDAY, 2, 99));
    caches.write(1, version(1), &[early]).await.unwrap();
    assert_eq!(shows(), monday(&["1"]));
    assert_eq!(server.members("{board:day}:2024-05-14"), ["2"]);

    caches.write(0, version(2), &[entry("day", TUESDAY, 1, 5)]).await.unwrap();
    assert_eq!(shows(), (vec!["2".to_owned(), "1".to_owned()], "2024-05-14".to_owned()));

    caches.write(2, version(1), &[entry("day", MONDAY, 3, 1000)]).await.unwrap();
    assert_eq!(shows(), (vec!["2".to_owned(), "1".to_owned()], "2024-05-14".to_owned()));
    assert_eq!(server.members("{board:day}:2024-05-13"), ["3", "1"]);
}

#[tokio::test]
async fn turn_when_kept_if_their_next_window_has_begun_elsewhere() {
    let server = Server::start();
    let caches = server.caches_alone();
    let early = seen_at(TUESDAY.plus(-300_000), entry("quiet", TUESDAY, 2, 9));
    caches.write(0, version(1), &[entry("quiet", MONDAY, 1, 10), early]).await.unwrap();
    assert_eq!(server.members("board:quiet"), ["1"]);
    caches.write(1, version(1), &[entry("day", TUESDAY, 1, 5)]).await.unwrap();
    assert_eq!(server.members("board:quiet"), ["1"]);
    caches.refresh().await.unwrap();
    assert_eq!(server.members("board:quiet"), ["2"]);
    assert_eq!(server.ask::<String>(&["GET", "{board:quiet}:window"]), "2024-05-14");
}

#[tokio::test]
async fn take_no_member_of_a_window_long_over() {
    let server = Server::start();
    let caches = server.caches_alone();
    let later = MONDAY.plus(hours(24 * 5));
    caches.write(0, version(1), &[entry("day", later, 1, 5)]).await.unwrap();
    caches.write(1, version(1), &[entry("day", MONDAY, 2, 9), entry("quiet", MONDAY, 2, 9)]).await.unwrap();
    assert_eq!(server.ask::<Vec<String>>(&["ZRANGE", "{board:day}:windows", "0", "-1"]), ["2024-05-18"]);
    // Where nothing newer is shown it is the newest there is.
    assert_eq!(server.members("board:quiet"), ["2"]);
}

#[tokio::test]
async fn forget_names_of_those_who_stand_nowhere() {
    let server = Server::start();
    let caches = server.caches_alone();
    for user in 1..=200 {
        caches.write(0, version(user), &[entry("day", MONDAY, user, user)]).await.unwrap();
        let names: usize = server.ask(&["HLEN", "{board:day}:names"]);
        assert!(names <= 2 * WINDOW_TOP, "{names} names");
    }
    for user in 196..=200 {
        let name: Option<String> = server.ask(&["HGET", "{board:day}:names", &user.to_string()]);
        assert_eq!(name.unwrap(), format!("user {user}"));
    }
    caches.write(0, version(201), &[named("day", TUESDAY, (200, 1), "new")]).await.unwrap();
    caches.write(0, version(202), &[named("day", MONDAY, (200, 300), "old"), named("day", MONDAY, (199, 300), "old")]).await.unwrap();
    assert_eq!(server.ask::<String>(&["HGET", "{board:day}:names", "200"]), "new");
    assert_eq!(server.ask::<String>(&["HGET", "{board:day}:names", "199"]), "user 199");
}

#[tokio::test]
async fn live_as_long_as_they_are_kept() {
    let server = Server::start();
    let caches = server.caches_alone();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let today = Time(now).day().start();
    caches.write(0, version(1), &[entry("day", today, 1, 1), entry("all", Time(0), 1, 1), entry("past", MONDAY, 1, 1)]).await.unwrap();
    let ttl = |key: &str| server.ask::<i64>(&["TTL", key]);
    let rest = (today.0 + hours(48) - now) / 1000;
    for key in ["{board:day}:names", "{board:day}:window", "{board:day}:windows", &format!("{{board:day}}:{}", today.day().date().unwrap())]
    {
        assert!((rest - 5..=rest + 5).contains(&ttl(key)), "{key}: {} of {rest}", ttl(key));
    }
    assert_eq!(ttl("{board:all}:1970-01-01"), -1);
    assert_eq!(ttl("{board:all}:names"), -1);
    for key in ["board:day", "board:all", "board:past", "{board:past}:2024-05-13", "{board:past}:names"] {
        assert!((295..=300).contains(&ttl(key)), "{key}: {}", ttl(key));
        server.ask::<()>(&["EXPIRE", key, "7"]);
    }
    server.ask::<()>(&["DEL", "board:all"]);
    caches.refresh().await.unwrap();
    for key in ["board:day", "board:all", "board:past", "{board:past}:2024-05-13", "{board:past}:names"] {
        assert!((295..=300).contains(&ttl(key)), "{key}: {}", ttl(key));
    }
    assert_eq!(server.members("board:all"), ["1"]);
    server.ask::<()>(&["EXPIRE", "board:day", "7"]);
    caches.refresh().await.unwrap();
    assert!(ttl("board:day") <= 7, "kept again within 30 s");
}

#[tokio::test]
async fn are_listed_while_they_have_windows() {
    let server = Server::start();
    let caches = server.caches_alone();
    let list = "fleet:{tester}:boards:boards";
    caches.write(0, version(1), &[entry("day", MONDAY, 1, 1), entry("gone", MONDAY, 1, 1)]).await.unwrap();
    server.ask::<()>(&["DEL", "{board:gone}:windows"]);
    caches.refresh().await.unwrap();
    assert_eq!(server.ask::<Vec<String>>(&["SMEMBERS", list]), ["board:day"]);
}
