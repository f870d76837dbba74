//! Checkout attempts, by docs/metric-definitions.md, "Checkout attempts".

use std::collections::HashSet;

use super::event::{Dimensions, Event};
use super::{DAY, MINUTE, by_key};

const STEPS: [&str; 6] = ["cart", "account", "address", "shipping", "payment", "review"];
const COMPLETED: i64 = STEPS.len() as i64 + 1;
const SILENCE: i64 = 30 * MINUTE;
const ATTEMPT_GAP: i64 = 7 * DAY;
const KINDS: [&str; 12] = [
    "extra_cost",
    "account_required",
    "too_long",
    "total_hidden",
    "trust",
    "slow_delivery",
    "site_error",
    "returns_policy",
    "payment_methods",
    "declined",
    "popup",
    "other",
];

/// Name and index of a step.
pub(crate) type Step = (String, Option<i64>);

#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// Key and start, and a number where the key has an earlier attempt with the same start.
    pub(crate) id: String,
    /// Whether a session or visitor holds it together, whose ids are pseudonyms in the product.
    pub(crate) is_pseudonymous: bool,
    pub(crate) dimensions: Dimensions,
    pub(crate) state: &'static str,
    pub(crate) started_at: i64,
    pub(crate) ended_at: Option<i64>,
    pub(crate) last_event_at: i64,
    pub(crate) transaction_id: Option<String>,
    pub(crate) furthest_step: String,
    pub(crate) furthest_step_index: i64,
    /// Steps reached with their indexes, in order.
    pub(crate) reached: Vec<Step>,
    /// Reason and its source, of an abandoned attempt.
    pub(crate) reason: Option<(String, &'static str)>,
    pub(crate) value: Option<i64>,
    pub(crate) currency: Option<String>,
    pub(crate) items: Option<i64>,
    pub(crate) duration_ms: Option<i64>,
    /// Ids of its events, for people who look for a difference.
    pub(crate) event_ids: Vec<String>,
}

pub(super) fn attempts(human: &[&Event], as_of: i64) -> Vec<Attempt> {
    let checkout = |event: &&Event| event.kind.starts_with("checkout.") && event.kind != "checkout.refunded";
    let events: Vec<&Event> = human.iter().copied().filter(checkout).collect();
    let mut attempts = Vec::new();
    for (key, events) in by_key(&events, key_of) {
        let mut starts = Vec::new();
        for events in split(&events) {
            let start = events[0].time;
            starts.push(start);
            let number = starts.iter().filter(|other| **other == start).count();
            let suffix = if number > 1 { format!(".{number}") } else { String::new() };
            attempts.push(Attempt { id: format!("{key}@{start}{suffix}"), ..judge(&events, as_of) });
        }
    }
    attempts
}

/// The attempt's own id, if its events carry one.
fn own_key(event: &Event) -> Option<&str> {
    ["checkout_id", "cart_id", "order_id"].into_iter().find_map(|name| event.text(name))
}

fn key_of(event: &Event) -> Option<&str> {
    own_key(event).or_else(|| ["session_id", "anonymous_id"].into_iter().find_map(|name| event.context(name)))
}

fn is_activity(event: &Event) -> bool {
    ["checkout.started", "checkout.step", "checkout.friction"].contains(&event.kind.as_str())
}

fn is_completion(event: &Event) -> bool {
    event.kind == "checkout.completed"
}

fn is_abandonment(event: &Event) -> bool {
    event.kind == "checkout.abandoned"
}

/// The events of one key, cut into attempts. Repeated transactions are in none.
fn split<'a>(events: &[&'a Event]) -> Vec<Vec<&'a Event>> {
    let mut attempts: Vec<Vec<&Event>> = Vec::new();
    let mut transactions = HashSet::new();
    for event in events {
        if is_completion(event)
            && let Some(transaction) = event.text("transaction_id")
            && !transactions.insert(transaction)
        {
            continue;
        }
        match attempts.last_mut() {
            Some(attempt) if !begins_next(attempt, event) => attempt.push(event),
            _ => attempts.push(vec![event]),
        }
    }
    attempts
}

/// Whether `event` begins the attempt after this one.
fn begins_next(attempt: &[&Event], event: &Event) -> bool {
    let last_activity = attempt.iter().rev().find(|event| is_activity(event)).unwrap_or(&attempt[0]).time;
    if (is_activity(event) || is_completion(event)) && event.time > last_activity + ATTEMPT_GAP {
        return true;
    }
    let Some(completion) = attempt.iter().find(|event| is_completion(event)) else { return false };
    match event.kind.as_str() {
        "checkout.started" => true,
        "checkout.completed" => {
            event.text("transaction_id").is_some() && completion.text("transaction_id").is_some()
        }
        "checkout.step" | "checkout.friction" => event.time > completion.time + SILENCE,
        _ => false,
    }
}

fn judge(events: &[&Event], as_of: i64) -> Attempt {
    let (first, last) = (events[0], events[events.len() - 1]);
    let completion = events.iter().position(|event| is_completion(event));
    // What follows a completion changes nothing.
    let counted = &events[..completion.map_or(events.len(), |position| position + 1)];
    let last_activity = counted.iter().rposition(|event| is_activity(event));
    let stated = counted[last_activity.map_or(0, |position| position + 1)..]
        .iter()
        .find(|event| is_abandonment(event));
    let silent_until = last_activity.map_or(first.time, |position| counted[position].time) + SILENCE;

    let (state, ended_at) = if let Some(completion) = completion {
        let state = if came_back(counted) { "recovered" } else { "completed" };
        (state, Some(events[completion].time))
    } else if let Some(stated) = stated {
        ("abandoned", Some(stated.time))
    } else if silent_until <= as_of {
        ("abandoned", Some(silent_until))
    } else {
        ("open", None)
    };

    let completion = completion.map(|position| events[position]);
    let (reached, furthest) = steps(counted, completion.is_some());
    let abandonment = if completion.is_none() { stated.copied() } else { None };
    let valued = completion
        .filter(|event| event.money("value").is_some())
        .or_else(|| counted.iter().copied().rfind(|event| event.money("value").is_some()));
    Attempt {
        id: String::new(),
        is_pseudonymous: own_key(first).is_none(),
        dimensions: first.dimensions(),
        state,
        started_at: first.time,
        ended_at,
        last_event_at: last.time,
        transaction_id: completion.and_then(|event| event.text("transaction_id")).map(str::to_owned),
        furthest_step: furthest.0,
        furthest_step_index: furthest.1,
        reached,
        reason: (state == "abandoned").then(|| reason(counted, abandonment)),
        value: valued.and_then(|event| event.money("value")),
        currency: valued.and_then(|event| event.text("currency")).map(str::to_owned),
        items: valued.and_then(|event| event.integer("items")),
        duration_ms: completion.map(|event| event.time - first.time),
        event_ids: events.iter().map(|event| event.id.clone()).collect(),
    }
}

/// Whether a completed attempt had been given up, in words or by a long silence.
fn came_back(counted: &[&Event]) -> bool {
    let mut previous: Option<i64> = None;
    for event in counted {
        if is_abandonment(event) {
            return true;
        }
        if previous.is_some_and(|previous| event.time - previous > SILENCE) {
            return true;
        }
        previous = Some(event.time);
    }
    false
}

/// The steps reached in order of their index, those without one last, and the furthest.
fn steps(counted: &[&Event], completed: bool) -> (Vec<Step>, (String, i64)) {
    let mut seen: Vec<Step> = vec![("started".to_owned(), Some(0))];
    for event in counted.iter().filter(|event| event.kind == "checkout.step") {
        let Some(name) = event.text("step") else { continue };
        if !seen.iter().any(|(step, _)| step == name) {
            seen.push((name.to_owned(), index_of(name).or(event.integer("index"))));
        }
    }
    if completed && !seen.iter().any(|(step, _)| step == "completed") {
        seen.push(("completed".to_owned(), Some(COMPLETED)));
    }
    let mut furthest = seen[0].clone();
    for step in &seen {
        if step.1.is_some() && step.1 > furthest.1 {
            furthest = step.clone();
        }
    }
    if completed {
        furthest = ("completed".to_owned(), Some(COMPLETED));
    }
    for (position, name) in STEPS.iter().enumerate() {
        let index = Some(position as i64 + 1);
        if index < furthest.1 && !seen.iter().any(|(step, _)| step == name) {
            seen.push(((*name).to_owned(), index));
        }
    }
    seen.sort_by_key(|(_, index)| index.unwrap_or(i64::MAX));
    (seen, (furthest.0, furthest.1.expect("the furthest step has an index")))
}

fn index_of(step: &str) -> Option<i64> {
    match step {
        "started" => Some(0),
        "completed" => Some(COMPLETED),
        _ => STEPS.iter().position(|name| *name == step).map(|position| position as i64 + 1),
    }
}

fn reason(counted: &[&Event], stated: Option<&Event>) -> (String, &'static str) {
    let known = |word: &str| if KINDS.contains(&word) { word.to_owned() } else { "other".to_owned() };
    if let Some(word) = stated.and_then(|event| event.text("reason")) {
        return (known(word), "stated");
    }
    if let Some(word) = counted
        .iter()
        .rev()
        .find_map(|event| event.text("kind").filter(|_| event.kind == "checkout.friction"))
    {
        return (known(word), "inferred");
    }
    let failed = counted
        .iter()
        .rev()
        .find(|event| event.kind == "checkout.step" && event.text("action") == Some("failed"));
    if let Some(failed) = failed {
        let error = failed.text("error").unwrap_or("");
        let declined = ["declin", "insufficient", "card"].iter().any(|part| error.contains(part));
        return (if declined { "declined" } else { "site_error" }.to_owned(), "inferred");
    }
    ("unknown".to_owned(), "unknown")
}
