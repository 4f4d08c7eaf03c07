//! Whole sessions as text, and what makes two of them one.

use super::*;

#[test]
fn one_session_makes_these_changes() {
    let keys = json!([
        press("t", 0, Some(95)),
        press("h", 80, Some(170)),
        {"key": "r", "code": 82, "down_ms": 200, "up_ms": 260, "expected": "e", "correct": false},
        {"key": "BKSP", "code": 8, "down_ms": 1701, "up_ms": null, "expected": null, "correct": true},
        press("e", 1900, Some(1960)),
    ]);
    let event = with(session(0, &keys), &json!({"prompt": "the", "typed": "the"}));
    let expected = r#"lane 19
put keystroke_stats user_id=1 layout=qwerty sessions=1 key_stats=[["BKSP",[1,0,[0,0,0,null,null,""],[0,0,0,null,null,""]]],["e",[1,0,[1,199,39601,398,398,"Kc"],[1,60,3600,120,120,"U3"]]],["h",[1,0,[1,80,6400,160,160,"w5"],[1,90,8100,180,180,"Q5"]]],["r",[1,1,[1,120,14400,240,240,"M7"],[1,60,3600,120,120,"U3"]]],["t",[1,0,[0,0,0,null,null,""],[1,95,9025,190,190,"-5"]]]] digraph_stats=[[["BKSP","e"],[1,0,[1,199,39601,398,398,"Kc"]]],[["h","r"],[1,0,[1,120,14400,240,240,"M7"]]],[["r","BKSP"],[1,0,[0,0,0,null,null,""]]],[["t","h"],[1,1,[1,80,6400,160,160,"w5"]]]] key_confusions=[[["e","r"],1]] last_event_at=2024-05-13T12:00:00Z
put user_insights user_id=1 insights={"layout":"qwerty","slowest_keys":[],"slowest_digraphs":[],"most_missed":[{"key":"e","n":1}],"confidence":[{"key":"e","confidence":1.72},{"key":"h","confidence":4.29},{"key":"r","confidence":2.86}],"trend_wpm":null} layout=qwerty recent_sessions=[{"occurred_at":1715601600000,"event_id":"00000000-0000-0000-0000-000000000000","wpm":12.63}] last_event_at=2024-05-13T12:00:00Z
append keystroke_sessions user_id=1 occurred_at=2024-05-13T12:00:00Z event_id=00000000-0000-0000-0000-000000000000 session_id=s0 language=english layout=qwerty keys=5 wpm=12.63 error_percent=0.00 kspc=1.67 iki_mean=475.00 iki_sd=593.91 hold_mean=76.25 hold_sd=16.35 rollovers=1 rollover_ratio=0.25 corrections=1 duration_ms=1900 body_hash=0
cache insights user_id=1 held at=2024-05-13T12:00:00Z
"#;
    let changes = text::run(&ROLE, &lines(&[event]));
    let hash = changes.split("body_hash=").nth(1).unwrap().split('\n').next().unwrap();
    assert_eq!(changes.replace(hash, "0"), expected);
}

#[test]
fn the_same_session_again_changes_nothing_however_its_keys_lie() {
    let keys = [press("a", 0, Some(60)), press("b", 100, Some(160)), press("c", 200, Some(250))];
    let one = session(1, &json!(keys));
    let shuffled = session(1, &json!([keys[2], keys[0], keys[1], keys[0]]));
    let changes = text::run_cut(&ROLE, &lines(&[one.clone(), one, shuffled]), &[1, 2]);
    assert!(changes.ends_with("lane 19\nduplicates 1\nlane 19\nduplicates 1\n"), "{changes}");
}

#[test]
fn another_body_under_the_same_identity_is_a_reject() {
    let keys = presses(&[("a", 0), ("b", 100)]);
    let one = session(1, &keys);
    for other in [
        json!({"session_id": "x"}),
        json!({"language": "german"}),
        json!({"layout": "dvorak"}),
        json!({"prompt": "x"}),
        json!({"typed": "x"}),
        json!({"keys": presses(&[("a", 0), ("b", 101)])}),
        json!({"keys": [press("a", 0, Some(60)), press("b", 100, None)]}),
        json!({"keys": [press("a", 0, Some(60)), with(press("b", 100, Some(160)), &json!({"correct": false}))]}),
        json!({"keys": [press("a", 0, Some(60)), with(press("b", 100, Some(160)), &json!({"expected": null}))]}),
        json!({"keys": [press("a", 0, Some(60)), with(press("b", 100, Some(160)), &json!({"code": 1}))]}),
    ] {
        let changes = text::run_cut(&ROLE, &lines(&[one.clone(), with(one.clone(), &other)]), &[1]);
        assert!(changes.ends_with("lane 19\nreject 2 same identity as an earlier event, with another body\n"), "{other}");
    }
}

#[test]
fn another_time_under_the_same_id_is_another_session() {
    let one = session(1, &presses(&[("a", 0)]));
    let later = with(one.clone(), &json!({"occurred_at": NOON.0}));
    assert_eq!(rows::<Session>(&played(&records(&[one, later]))).len(), 2);
}

#[test]
fn layouts_have_statistics_of_their_own() {
    let one = session(1, &presses(&[("a", 0)]));
    let other = with(session(2, &presses(&[("a", 0)])), &json!({"layout": "dvorak"}));
    let all: Vec<Statistics> = rows(&played(&records(&[one, other])));
    assert_eq!(all.iter().map(|it| (&*it.layout, it.sessions)).collect::<Vec<_>>(), [("dvorak", 1), ("qwerty", 1)]);
}

#[test]
fn statistics_that_would_outgrow_their_row_refuse_the_session_whole() {
    let full = |minute: i64| {
        let keys: Vec<Json> = (0..5_000).map(|it| press(&format!("{:>16}", it + minute * 5_000), it * 2, Some(it * 2 + 1))).collect();
        session(minute, &json!(keys))
    };
    let sessions: Vec<Json> = (0..9).map(full).collect();
    let mut play = Play::new(&ROLE);
    let flushes = play.batch(&records(&sessions)).unwrap();
    let rejects = &flushes[0].changes.rejects;
    assert!(!rejects.is_empty() && rejects.iter().all(|(_, it)| it.reason.starts_with("the statistics of this user and layout would")));
    let kept: Vec<Session> = rows(&play);
    let statistics: Vec<Statistics> = rows(&play);
    assert_eq!(statistics[0].sessions, i64::try_from(kept.len()).unwrap());
    assert!(kept.len() >= 2 && kept.len() + rejects.len() == 9);
}

#[test]
fn a_damaged_row_is_not_written_over() {
    let before = Session::of(&KeystrokeSession { ..decoded(&session(1, &presses(&[("a", 0)]))) }, &[]);
    for damage in [
        |it: &mut Statistics| it.key_stats.0 = "{}".into(),
        |it| it.digraph_stats.0 = "[[1,2]]".into(),
        |it| it.key_confusions.0 = "".into(),
    ] as [fn(&mut Statistics); 3]
    {
        let mut row = Statistics::new(&before);
        damage(&mut row);
        assert_eq!(Open::of(&row).map(|_| ()).unwrap_err().reason, "a column of keystroke_stats is damaged");
    }
}

/// The event of a line of JSON.
fn decoded(event: &Json) -> KeystrokeSession {
    let record = records(std::slice::from_ref(event)).pop().unwrap();
    let (_, datum) = crate::fold::open_envelope(record.value.as_deref()).unwrap();
    serde_avro_fast::from_datum_slice(datum, TOPIC.codec().unwrap()).unwrap()
}
