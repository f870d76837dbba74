//! Kafka keys: which events must meet in one partition.
//!
//! Every key starts with the tenant and the unit separator (0x1F), so that two tenants never share state.

use crate::event::{AppEvent, ChatEvent, CheckoutEvent, FeedbackEvent};

/// Separates the parts of a key.
pub const SEPARATOR: char = '\u{1f}';

/// Joins the parts of a key.
#[must_use]
pub fn join(parts: &[&str]) -> String {
    let mut key = String::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
    join_into(&mut key, parts);
    key
}

/// The same, in place of what `key` holds.
pub fn join_into(key: &mut String, parts: &[&str]) {
    key.clear();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            key.push(SEPARATOR);
        }
        key.push_str(part);
    }
}

/// What holds the events of one attempt together; `None` when nothing does (then the event makes no attempt).
#[must_use]
pub fn attempt<'a>(event: &CheckoutEvent<'a>) -> Option<&'a str> {
    event.checkout_id.or(event.cart_id).or(event.order_id).or(event.session_id).or(event.anonymous_id)
}

/// The part of a checkout event's key after the tenant.
#[must_use]
pub fn checkout<'a>(event: &CheckoutEvent<'a>) -> &'a str {
    attempt(event).unwrap_or(event.id)
}

/// The part of a chat event's key after the tenant.
#[must_use]
pub fn chat<'a>(event: &ChatEvent<'a>) -> &'a str {
    event.conversation_id
}

/// The part of a feedback event's key after the tenant.
#[must_use]
pub fn feedback<'a>(event: &FeedbackEvent<'a>) -> &'a str {
    event.submission_id.unwrap_or(event.id)
}

/// The part of an app event's key after the tenant.
#[must_use]
pub fn app<'a>(event: &AppEvent<'a>) -> &'a str {
    event.session_id.or(event.customer_id).or(event.anonymous_id).unwrap_or(event.id)
}
