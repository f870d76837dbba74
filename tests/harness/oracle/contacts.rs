//! What became of service conversations, by docs/metric-definitions.md, "Service quality".

use std::collections::BTreeMap;

use super::conversations::{is_end, is_message_of, is_public, stretches};
use super::event::{Dimensions, Event};
use super::{DAY, HOUR, MINUTE, by_key};

/// One contact: a conversation, or a part of it that 7 days of silence cut off.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub(crate) conversation_id: String,
    pub(crate) customer_id: Option<String>,
    pub(crate) dimensions: Dimensions,
    pub(crate) started_at: i64,
    pub(crate) last_event_at: i64,
    pub(crate) outcome_at: Option<i64>,
    pub(crate) is_bot: bool,
    pub(crate) is_contained: bool,
    /// Whether the customer began another conversation soon after.
    pub(crate) is_returned: bool,
    pub(crate) handoffs: Vec<Handoff>,
    pub(crate) bot_loops: Vec<i64>,
    pub(crate) reasked_at: Option<i64>,
    pub(crate) reopened: Vec<i64>,
    /// Ids of its events, for people who look for a difference.
    pub(crate) event_ids: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Handoff {
    pub(crate) at: i64,
    pub(crate) is_requested: bool,
    pub(crate) decided_at: Option<i64>,
    pub(crate) is_reached: bool,
}

/// An event and the number of its cycle.
type Numbered<'a> = (usize, &'a Event);

pub(super) fn contacts(human: &[&Event], as_of: i64) -> Vec<Contact> {
    let events: Vec<&Event> = human.iter().copied().filter(|event| event.kind.starts_with("chat.")).collect();
    let mut contacts = Vec::new();
    for (id, events) in by_key(&events, |event| event.text("conversation_id")) {
        for cycles in stretches(&events) {
            let dimensions = cycles[0][0].dimensions();
            let numbered = cycles.iter().enumerate();
            let events: Vec<Numbered<'_>> = numbered
                .flat_map(|(cycle, events)| events.iter().map(move |event| (cycle, *event)))
                .collect();
            for events in events.chunk_by(|(_, one), (_, next)| next.time - one.time <= 7 * DAY) {
                contacts.push(judge(id, &dimensions, events, as_of));
            }
        }
    }
    mark_returned(&mut contacts);
    contacts
}

fn judge(id: &str, dimensions: &Dimensions, events: &[Numbered<'_>], as_of: i64) -> Contact {
    let (first, last) = (events[0].1, events[events.len() - 1].1);
    let outcome_at =
        if is_end(last) { Some(last.time) } else { Some(last.time + DAY).filter(|at| *at < as_of) };
    let any_message_of = |sender| events.iter().any(|(_, event)| is_message_of(event, sender));
    let handoffs = handoffs(events, as_of);
    let starts = events.windows(2).filter(|pair| pair[0].0 != pair[1].0);
    Contact {
        conversation_id: id.to_owned(),
        customer_id: events
            .iter()
            .rev()
            .find_map(|(_, event)| event.context("customer_id"))
            .map(str::to_owned),
        dimensions: dimensions.clone(),
        started_at: first.time,
        last_event_at: last.time,
        outcome_at,
        is_bot: any_message_of("bot"),
        is_contained: outcome_at.is_some()
            && any_message_of("bot")
            && !any_message_of("agent")
            && handoffs.is_empty(),
        is_returned: false,
        handoffs,
        bot_loops: bot_loops(events),
        reasked_at: events
            .iter()
            .find(|(_, event)| event.text("reasked_field").is_some())
            .map(|(_, event)| event.time),
        reopened: starts.map(|pair| pair[1].1.time).collect(),
        event_ids: events.iter().map(|(_, event)| event.id.clone()).collect(),
    }
}

fn handoffs(events: &[Numbered<'_>], as_of: i64) -> Vec<Handoff> {
    let mut handoffs = Vec::new();
    for (place, (cycle, handoff)) in events.iter().enumerate() {
        if handoff.kind != "chat.handoff" {
            continue;
        }
        let is_requested = handoff.text("requested_by") == Some("customer");
        let deadline = handoff.time + 15 * MINUTE;
        let answer = events[place..].iter().find(|(other, event)| {
            other == cycle && is_message_of(event, "agent") && is_public(event) && event.time <= deadline
        });
        let reached_at = answer.map(|(_, event)| event.time).filter(|_| is_requested);
        let over_at = Some(deadline).filter(|deadline| is_requested && *deadline < as_of);
        handoffs.push(Handoff {
            at: handoff.time,
            is_requested,
            decided_at: reached_at.or(over_at),
            is_reached: reached_at.is_some(),
        });
    }
    handoffs
}

/// Of every run of three or more messages of a bot with one answer_id, or that all are fallbacks, the time of the third.
fn bot_loops(events: &[Numbered<'_>]) -> Vec<i64> {
    let mut of_cycle: BTreeMap<usize, Vec<&Event>> = BTreeMap::new();
    for (cycle, event) in events.iter().filter(|(_, event)| is_message_of(event, "bot")) {
        of_cycle.entry(*cycle).or_default().push(event);
    }
    let mut loops = Vec::new();
    for messages in of_cycle.values() {
        let same = |one: &&Event, next: &&Event| {
            one.text("answer_id").is_some() && one.text("answer_id") == next.text("answer_id")
        };
        let lost = |one: &&Event, next: &&Event| {
            one.truth("fallback") == Some(true) && next.truth("fallback") == Some(true)
        };
        let mut thirds: Vec<&str> = Vec::new();
        let runs = messages.chunk_by(same).chain(messages.chunk_by(lost));
        for third in runs.filter_map(|run| run.get(2)) {
            if !thirds.contains(&third.id.as_str()) {
                thirds.push(&third.id);
                loops.push(third.time);
            }
        }
    }
    loops.sort_unstable();
    loops
}

fn mark_returned(contacts: &mut [Contact]) {
    let starts: Vec<(Option<String>, String, i64)> = contacts
        .iter()
        .map(|contact| (contact.customer_id.clone(), contact.conversation_id.clone(), contact.started_at))
        .collect();
    let mut of_customer: BTreeMap<&str, Vec<(&str, i64)>> = BTreeMap::new();
    for (customer, conversation, start) in &starts {
        if let Some(customer) = customer {
            of_customer.entry(customer).or_default().push((conversation, *start));
        }
    }
    for contact in contacts.iter_mut().filter(|contact| contact.is_contained) {
        let Some(customer) = contact.customer_id.as_deref() else { continue };
        contact.is_returned = of_customer[customer].iter().any(|(conversation, start)| {
            *conversation != contact.conversation_id
                && contact.last_event_at < *start
                && *start <= contact.last_event_at + 72 * HOUR
        });
    }
}
