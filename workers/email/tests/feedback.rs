//! What feedback makes of a mail, and whom it keeps from further ones.

use super::*;

/// How a mail stands after its request and these, in this order.
fn state(bodies: &[Json]) -> String {
    let lines: Vec<String> =
        std::iter::once(welcome(1)).chain(bodies.iter().cloned()).zip(0..).map(|(it, n)| line(n, n as i64, "user:42", &it)).collect();
    let row = row("email_messages", &lines);
    row.split(" state=").nth(1).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn the_highest_that_was_said_of_a_mail_stays() {
    let bounce = |kind| json!({"Bounced": {"message_id": mail(1), "kind": kind}});
    let rising = [
        (attempted(1, 1, "retry"), "retry"),
        (attempted(1, 2, "in_doubt"), "in_doubt"),
        (attempted(1, 3, "suppressed"), "suppressed"),
        (attempted(1, 4, "expired"), "expired"),
        (attempted(1, 5, "failed"), "failed"),
        (attempted(1, 6, "sent"), "sent"),
        (bounce("soft"), "bounced_soft"),
        (told("Delivered", 1), "delivered"),
        (bounce("hard"), "bounced_hard"),
    ];
    assert_eq!(state(&[]), "queued");
    for (low, (body, name)) in rising.iter().enumerate() {
        assert_eq!(state(std::slice::from_ref(body)), *name);
        for (lower, _) in &rising[..low] {
            assert_eq!(state(&[lower.clone(), body.clone()]), *name);
            assert_eq!(state(&[body.clone(), lower.clone()]), *name);
        }
    }
    assert_eq!(state(&[attempted(1, 1, "bounced")]), "bounced_hard");
    for stamp in ["Opened", "Clicked", "Complained"] {
        assert_eq!(state(&[told(stamp, 1)]), "queued", "{stamp} says nothing of how far it came");
    }
}

#[test]
fn a_mail_knows_its_last_attempt_and_the_first_of_all_else() {
    let lines = [
        line(1, 0, "user:42", &welcome(1)),
        line(2, 9, "user:42", &attempted(1, 2, "sent")),
        line(3, 5, "user:42", &attempted(1, 1, "retry")),
        line(4, 20, "user:42", &told("Opened", 1)),
        line(5, 15, "user:42", &told("Opened", 1)),
    ];
    let row = row("email_messages", &lines);
    for part in [
        "template=welcome category=transactional list=null user_id=42 requested_at=2024-05-13T09:30:00Z",
        "not_after=2024-05-14T09:30:00Z state=sent state_at=2024-05-13T09:30:09Z attempts=2 last_attempt_at=2024-05-13T09:30:09Z last_reply=\"reply 2\"",
        "sent_at=2024-05-13T09:30:09Z delivered_at=null",
        "opened_at=2024-05-13T09:30:15Z clicked_at=null last_event_at=2024-05-13T09:30:20Z",
    ] {
        assert!(row.contains(part), "{part}\n{row}");
    }
}

#[test]
fn a_hard_bounce_or_a_complaint_ends_all_mail_and_a_soft_bounce_none() {
    let bounced = |kind| json!({"Bounced": {"message_id": mail(1), "kind": kind}});
    for (body, reason) in
        [(bounced("hard"), "hard_bounce"), (attempted(1, 1, "bounced"), "hard_bounce"), (told("Complained", 1), "complaint")]
    {
        let row = row("email_suppressions", &[line(1, 0, "a@b.c", &body)]);
        assert!(row.starts_with(&format!("email_suppressions recipient=a@b.c scope=all reason={reason} ")), "{row}");
    }
    for body in [bounced("soft"), attempted(1, 1, "failed"), told("Opened", 1)] {
        let rows = rows(&[line(1, 0, "a@b.c", &body)]);
        assert!(!rows.contains("email_suppressions"), "{rows}");
    }
}

#[test]
fn an_unsubscription_ends_one_list_and_the_first_reason_stays() {
    let leave = json!({"Unsubscribed": {"list": "weekly-summary"}});
    let row = row("email_suppressions", &[line(2, 5, "a@b.c", &leave), line(1, 0, "a@b.c", &leave)]);
    let first = "recipient=a@b.c scope=weekly-summary reason=unsubscribed suppressed_at=2024-05-13T09:30:00Z \
                 event_id=018f3c5a-0000-7000-8000-000000000001 last_event_at=2024-05-13T09:30:05Z";
    assert_eq!(row, format!("email_suppressions {first}"));
}

#[test]
fn the_newest_contact_holds() {
    let set = |address: &str| json!({"ContactSet": {"user_id": 42, "address": address, "locale": "de"}});
    let row = row(
        "email_contacts",
        &[line(1, 0, "user:42", &set("old@b.c")), line(3, 9, "user:42", &set("new@b.c")), line(2, 5, "user:42", &set("mid@b.c"))],
    );
    assert!(row.contains("user_id=42 address=new@b.c locale=de last_event_at=2024-05-13T09:30:09Z"), "{row}");
}

#[test]
fn days_count_each_mail_once_an_outcome_however_it_went() {
    let days = |lines: &[String]| {
        let rows = rows(lines);
        let counted = rows.lines().filter_map(|it| it.strip_prefix("email_days day=2024-05-13 template=welcome outcome="));
        counted.map(|it| format!("{}={}", it.split(' ').next().unwrap(), it.rsplit('=').next().unwrap())).collect::<Vec<_>>().join(" ")
    };
    let request = line(1, 0, "user:42", &welcome(1));
    let failed = line(2, 1, "user:42", &attempted(1, 1, "failed"));
    let delivered = line(3, 2, "user:42", &told("Delivered", 1));
    let soft = line(4, 3, "user:42", &json!({"Bounced": {"message_id": mail(1), "kind": "soft"}}));
    let hard = line(5, 4, "user:42", &json!({"Bounced": {"message_id": mail(1), "kind": "hard"}}));
    assert_eq!(days(std::slice::from_ref(&failed)), "", "whose template is not known");
    assert_eq!(days(&[failed.clone(), request.clone()]), "failed=1 requested=1");
    assert_eq!(days(&[request.clone(), failed.clone(), delivered.clone()]), "delivered=1 requested=1", "it did not fail after all");
    assert_eq!(days(&[request.clone(), soft.clone()]), "bounced_soft=1 requested=1");
    assert_eq!(days(&[request.clone(), soft, hard]), "bounced_hard=1 requested=1");
    assert_eq!(days(&[request.clone(), request, line(6, 7, "user:42", &told("Opened", 1))]), "opened=1 requested=1");
}

#[test]
fn a_mail_is_queued_once_whoever_asks_for_it_and_when() {
    let mut again = welcome(1);
    again["SendRequested"]["params"]["name"] = "Ada".into();
    let row = row("email_outbox", &[line(2, 5, "user:42", &welcome(1)), line(1, 0, "user:42", &again), line(3, 9, "user:42", &again)]);
    assert_eq!(
        row,
        "email_outbox recipient=user:42 message_id=5b0f8a70-1111-5222-8333-000000000001 template=welcome locale=\"\" \
         params={\"name\":\"Zoë\"} user_id=42 list=null not_after=2024-05-14T09:30:05Z lane=5 bulk=false queued_at=2024-05-13T09:30:05Z \
         state=queued attempts=0 due_at=2024-05-13T09:30:05Z lease=null smtp_reply=null settled_at=null reported=true"
    );
}

#[test]
fn a_queued_mail_holds_only_what_its_template_asks_for_and_bulk_has_a_list() {
    let mut request = welcome(1);
    request["SendRequested"]["params"]["secret"] = "1".into();
    request["SendRequested"]["category"] = "bulk".into();
    let queued = row("email_outbox", &[line(1, 0, "user:42", &request)]);
    assert!(queued.contains("params={\"name\":\"Zoë\"}") && queued.contains(" list=welcome ") && queued.contains("bulk=true"), "{queued}");
}
