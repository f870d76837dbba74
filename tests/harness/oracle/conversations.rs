//! Conversation cycles, by docs/metric-definitions.md, "Conversations".

use std::collections::HashSet;

use super::event::{Dimensions, Event};
use super::{DAY, Touchpoints, by_key};

#[derive(Clone, Debug)]
pub(crate) struct Cycle {
    pub(crate) conversation_id: String,
    /// Number within the conversation, from 1.
    pub(crate) cycle: i64,
    /// Its start, and a number where an earlier cycle starts at the same time.
    pub(crate) cycle_id: String,
    pub(crate) dimensions: Dimensions,
    pub(crate) state: String,
    pub(crate) started_at: i64,
    pub(crate) ended_at: Option<i64>,
    pub(crate) first_customer_at: Option<i64>,
    pub(crate) first_response_at: Option<i64>,
    pub(crate) first_response_customer_ms: Option<i64>,
    pub(crate) first_response_team_ms: Option<i64>,
    pub(crate) breached_at: Option<i64>,
    /// Time of each reply and how long the customer had waited.
    pub(crate) replies: Vec<(i64, i64)>,
    pub(crate) waiting_since: Option<i64>,
    pub(crate) resolution_ms: Option<i64>,
    pub(crate) handoffs: i64,
    pub(crate) is_agent_initiated: bool,
    /// Ids of its events, for people who look for a difference.
    pub(crate) event_ids: Vec<String>,
}

pub(super) fn cycles(human: &[&Event], as_of: i64, touchpoints: &Touchpoints) -> Vec<Cycle> {
    let events: Vec<&Event> = human.iter().copied().filter(|event| event.kind.starts_with("chat.")).collect();
    let mut cycles = Vec::new();
    for (id, events) in by_key(&events, |event| event.text("conversation_id")) {
        for stretch in stretches(&events) {
            let dimensions = stretch[0][0].dimensions();
            let mut starts: Vec<i64> = Vec::new();
            for (number, events) in stretch.into_iter().enumerate() {
                let mut cycle = judge(&events, as_of, touchpoints, &dimensions.0[0]);
                cycle.conversation_id = id.to_owned();
                cycle.cycle = number as i64 + 1;
                cycle.dimensions = dimensions.clone();
                let earlier = starts.iter().filter(|start| **start == cycle.started_at).count();
                starts.push(cycle.started_at);
                cycle.cycle_id = cycle.started_at.to_string();
                if earlier > 0 {
                    cycle.cycle_id = format!("{}.{}", cycle.started_at, earlier + 1);
                }
                cycles.push(cycle);
            }
        }
    }
    cycles
}

/// A conversation that is silent for more than 16 days begins anew: the cycles of each part.
pub(super) fn stretches<'a>(events: &[&'a Event]) -> Vec<Vec<Vec<&'a Event>>> {
    events.chunk_by(|one, next| next.time - one.time <= 16 * DAY).map(split).collect()
}

pub(super) fn is_message_of(event: &Event, sender: &str) -> bool {
    event.kind == "chat.message" && event.text("sender") == Some(sender)
}

pub(super) fn is_public(event: &Event) -> bool {
    event.truth("public") != Some(false)
}

fn is_state(event: &Event, state: &str) -> bool {
    event.kind == "chat.status" && event.text("state") == Some(state)
}

pub(super) fn is_end(event: &Event) -> bool {
    is_state(event, "solved") || is_state(event, "closed")
}

/// The events of one conversation, cut into cycles; repeated messages are in none.
fn split<'a>(events: &[&'a Event]) -> Vec<Vec<&'a Event>> {
    let mut cycles: Vec<Vec<&Event>> = vec![Vec::new()];
    let mut messages = HashSet::new();
    let mut ended = false;
    for event in events {
        if event.kind == "chat.message"
            && let Some(message) = event.text("message_id")
            && !messages.insert(message)
        {
            continue;
        }
        if ended && (is_state(event, "reopened") || is_message_of(event, "customer")) {
            cycles.push(Vec::new());
            ended = false;
        }
        // After its end nothing changes a cycle.
        if !ended {
            cycles.last_mut().expect("there is one").push(event);
            ended = is_end(event);
        }
    }
    cycles
}

fn judge(events: &[&Event], as_of: i64, touchpoints: &Touchpoints, touchpoint: &str) -> Cycle {
    let first = events[0];
    let end = events.iter().copied().find(|event| is_end(event));
    let by_agent = is_agent_initiated(events);
    let first_customer = events.iter().position(|event| is_message_of(event, "customer"));
    let response = first_customer.filter(|_| !by_agent).and_then(|asked| {
        (asked + 1..events.len()).find(|at| is_message_of(events[*at], "agent") && is_public(events[*at]))
    });
    let asked_at = first_customer.map(|position| events[position].time);
    let answered_at = response.map(|position| events[position].time);
    let team_from = response.map(|response| {
        let restarts = |event: &&&Event| event.kind == "chat.handoff" || is_state(event, "reopened");
        let restarted = events[..response].iter().filter(restarts).map(|event| event.time).max();
        restarted.max(asked_at).expect("what is answered was asked")
    });
    let deadline = asked_at.filter(|_| !by_agent).map(|asked| asked + touchpoints.slo(touchpoint));
    let breached_at = deadline.filter(|deadline| {
        let in_time = |time: Option<i64>| time.is_some_and(|time| time <= *deadline);
        *deadline <= as_of && !in_time(answered_at) && !in_time(end.map(|end| end.time))
    });
    let (replies, waiting_since) = replies(events);
    Cycle {
        conversation_id: String::new(),
        cycle: 0,
        cycle_id: String::new(),
        dimensions: first.dimensions(),
        state: end.and_then(|end| end.text("state")).unwrap_or("open").to_owned(),
        started_at: first.time,
        ended_at: end.map(|end| end.time),
        first_customer_at: asked_at,
        first_response_at: answered_at,
        first_response_customer_ms: answered_at.zip(asked_at).map(|(answered, asked)| answered - asked),
        first_response_team_ms: answered_at
            .zip(team_from)
            .map(|(answered, from)| touchpoints.served(touchpoint, from, answered)),
        breached_at,
        replies,
        waiting_since,
        resolution_ms: end
            .filter(|end| is_state(end, "solved"))
            .and_then(|end| asked_at.map(|asked| end.time - asked)),
        handoffs: events.iter().filter(|event| event.kind == "chat.handoff").count() as i64,
        is_agent_initiated: by_agent,
        event_ids: events.iter().map(|event| event.id.clone()).collect(),
    }
}

fn is_agent_initiated(events: &[&Event]) -> bool {
    let started = events.iter().find(|event| event.kind == "chat.started");
    if let Some(initiator) = started.and_then(|event| event.text("initiator")) {
        return initiator == "agent";
    }
    let speaks =
        |event: &&&Event| ["customer", "agent", "bot"].iter().any(|sender| is_message_of(event, sender));
    events.iter().find(speaks).is_some_and(|event| is_message_of(event, "agent"))
}

/// Replies, and since when a customer waits at the end of what is known.
fn replies(events: &[&Event]) -> (Vec<(i64, i64)>, Option<i64>) {
    let (mut replies, mut waiting_since, mut customer_spoke) = (Vec::new(), None, false);
    for event in events {
        if is_message_of(event, "customer") {
            customer_spoke = true;
            waiting_since = waiting_since.or(Some(event.time));
        } else if is_message_of(event, "agent") && is_public(event) {
            if let Some(since) = waiting_since.take() {
                replies.push((event.time, event.time - since));
            }
        } else if is_message_of(event, "bot") && is_public(event) && event.truth("fallback") != Some(true) {
            waiting_since = None;
        } else if event.kind == "chat.handoff" && customer_spoke {
            waiting_since = Some(event.time);
        } else if is_end(event) {
            waiting_since = None;
        }
    }
    (replies, waiting_since)
}
