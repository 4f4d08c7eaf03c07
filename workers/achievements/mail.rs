//! The mail that tells a user of a tier: one a tier, for good, whoever asks for it and however often.
//!
//! It knows neither address nor text: the template `achievement` and the user's contact do.

use std::sync::Arc;

use super::{AchievementFact, rows::Unlocked, rules::Rule};
use crate::{
    email::{self, Body, Category, EmailEvent, SendRequested},
    fold::{Stop, Tables, derived_id},
};

/// The list that users may leave.
const LIST: &str = "achievements";

/// Asks for the mail of a tier that a fact unlocked.
pub fn ask(rule: &Rule, fact: &AchievementFact, unlocked: &Unlocked, tables: &mut Tables<'_>) -> Result<(), Stop> {
    let name = format!("achievement:{}:{}", rule.id, unlocked.tier);
    tables.emit(&name, &email::TOPIC, |event_id| {
        let recipient = format!("user:{}", fact.user_id);
        let body = Body::SendRequested(request(rule, unlocked));
        (recipient.clone(), EmailEvent { event_id, occurred_at: fact.occurred_at, recipient: recipient.into(), body })
    })
}

fn request(rule: &Rule, unlocked: &Unlocked) -> SendRequested {
    let Unlocked { user_id, achievement_id, tier, points, .. } = unlocked;
    let params: [(&str, Arc<str>); 3] =
        [("title", Arc::clone(&rule.title)), ("description", Arc::clone(&rule.description)), ("points", points.to_string().into())];
    SendRequested {
        message_id: derived_id(&[&user_id.to_string(), achievement_id, &tier.to_string()]),
        template: "achievement".into(),
        locale: "".into(),
        params: params.map(|(name, value)| (name.into(), value)).into(),
        user_id: *user_id,
        category: Category::Bulk,
        list: Some(LIST.into()),
        not_after: None,
    }
}
