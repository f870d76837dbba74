//! The oracle: an independent batch recomputation of every number that the tests compare.
//!
//! It reads the public event format, knows docs/metric-definitions.md and nothing else: none of the product's code is used here, but for
//! the codec by which [`topics`] reads what came out. It
//! is written to be believed at reading: sort everything, walk over it, count. Golden cases in tests/golden hold it to the text.

mod answers;
mod apps;
mod checkouts;
mod compare;
mod contacts;
mod conversations;
mod event;
mod facts;
mod golden;
mod now;
mod outcomes;
mod topics;
mod touchpoints;
mod windows;

use std::collections::BTreeMap;

pub(crate) use answers::{Answer, Shown};
pub(crate) use apps::AppEvent;
pub(crate) use checkouts::Attempt;
pub(crate) use compare::Comparison;
pub(crate) use contacts::Contact;
pub(crate) use conversations::Cycle;
pub(crate) use event::{Dimensions, Event, rfc3339, time_of};
pub(crate) use topics::Results;
pub(crate) use touchpoints::Touchpoints;

pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Everything there is to know at one moment.
pub(crate) struct Truth {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) cycles: Vec<Cycle>,
    pub(crate) contacts: Vec<Contact>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) shown: Vec<Shown>,
    pub(crate) app_events: Vec<AppEvent>,
}

impl Truth {
    /// What follows from these events once the watermark stands at `as_of`. Copies of an event may be among them.
    pub(crate) fn of(events: &[Event], as_of: i64, touchpoints: &Touchpoints) -> Truth {
        let mut human: BTreeMap<&str, &Event> = BTreeMap::new();
        for event in events.iter().filter(|event| event.is_human()) {
            human.insert(&event.id, event);
        }
        let mut human: Vec<&Event> = human.into_values().collect();
        human.sort_by(|one, other| (one.time, &one.id).cmp(&(other.time, &other.id)));
        Truth {
            attempts: checkouts::attempts(&human, as_of),
            cycles: conversations::cycles(&human, as_of, touchpoints),
            contacts: contacts::contacts(&human, as_of),
            answers: answers::answers(&human),
            shown: answers::shown(&human),
            app_events: apps::app_events(&human),
        }
    }
}

/// Puts events that belong together into one list, in the order in which they come.
fn by_key<'a, Key: Ord>(
    events: &[&'a Event],
    key_of: impl Fn(&'a Event) -> Option<Key>,
) -> BTreeMap<Key, Vec<&'a Event>> {
    let mut groups: BTreeMap<Key, Vec<&Event>> = BTreeMap::new();
    for event in events {
        if let Some(key) = key_of(event) {
            groups.entry(key).or_default().push(event);
        }
    }
    groups
}
