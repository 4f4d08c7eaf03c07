//! The mail that tells a user of a tier: one a tier, for good, whoever asks for it and however often.
//!
//! It knows neither address nor language: the user's contact does when the mail is sent. So the rule's words go along in every language,
//! and the template `achievement` takes those of its own.

use super::{
    AchievementFact,
    rows::Unlocked,
    rules::{Rule, Tier},
};
use crate::{
    email::{self, Body, Category, EmailEvent, SendRequested},
    fold::{Stop, Tables, derived_id},
};

/// The list that users may leave.
const LIST: &str = "achievements";

/// Asks for the mail of a tier that a fact unlocked.
pub fn ask(rule: &Rule, tier: &Tier, fact: &AchievementFact, unlocked: &Unlocked, tables: &mut Tables<'_>) -> Result<(), Stop> {
    // An id is of one body for good: with other params comes another name, and the same mail all the same.
    let name = format!("achievement:{}:{}:words", rule.id, unlocked.tier);
    tables.emit(&name, &email::TOPIC, |event_id| {
        let recipient = format!("user:{}", fact.user_id);
        let body = Body::SendRequested(request(rule, tier, unlocked));
        (recipient.clone(), EmailEvent { event_id, occurred_at: fact.occurred_at, recipient: recipient.into(), body })
    })
}

fn request(rule: &Rule, tier: &Tier, unlocked: &Unlocked) -> SendRequested {
    let Unlocked { user_id, achievement_id, tier: number, points, .. } = unlocked;
    let (title, description) = (rule.title.clone(), rule.says(tier));
    let params = [
        ("title", title.en),
        ("title_de", title.de),
        ("description", description.en),
        ("description_de", description.de),
        ("points", points.to_string().into()),
    ];
    SendRequested {
        message_id: derived_id(&[&user_id.to_string(), achievement_id, &number.to_string()]),
        template: "achievement".into(),
        locale: "".into(),
        params: params.map(|(name, value)| (name.into(), value)).into(),
        user_id: *user_id,
        category: Category::Bulk,
        list: Some(LIST.into()),
        not_after: None,
    }
}
