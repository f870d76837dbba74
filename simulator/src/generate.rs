//! The stream of events in order of arrival: visitors come one after the other, their events wait in a queue until their time.
//!
//! The queue is bounded by what people do within hours (the longest gap within a journey), whatever the length of the stream.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::draft::{Draft, Fields};
use crate::options::{HOUR, MINUTE, Plan};
use crate::people::Visitor;
use crate::pick::chance;
use crate::regression::RegressionKind;
use crate::rhythm::Arrivals;
use crate::visit;

/// Events of an average visitor, those before the start or after the end of a history included. A test holds it to the truth.
const EVENTS_PER_VISITOR: f64 = 10.4;
const LATEST: i64 = 3 * HOUR;
const COPY_AFTER: i64 = MINUTE;
/// After an outage of ingest clients send what they kept within this time.
const CAUGHT_UP_WITHIN: i64 = 2 * MINUTE;

/// One event as a client sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedEvent {
    /// Event time, milliseconds since 1970.
    pub time: i64,
    /// When it reaches the server, milliseconds since 1970: later than `time` or, with disorder, a little earlier.
    pub arrival: i64,
    /// The event in the public JSON format, one line without its line end; `sent_at` is the sender's to add.
    pub json: String,
}

/// All events of a plan in order of arrival. The same plan gives the same events, byte for byte.
#[must_use]
pub fn generate(plan: &Plan) -> Events {
    let mut arrivals_random = ChaCha8Rng::seed_from_u64(plan.seed);
    let mut arrivals = Arrivals::new(plan, EVENTS_PER_VISITOR);
    let next_visitor_at = arrivals.next(&mut arrivals_random);
    let mut post_random = ChaCha8Rng::seed_from_u64(plan.seed);
    post_random.set_stream(u64::MAX);
    let mut events = Events {
        plan: plan.clone(),
        arrivals,
        arrivals_random,
        post_random,
        next_visitor_at,
        visitors: 0,
        sequence: 0,
        waiting: BinaryHeap::new(),
    };
    events.announce_releases();
    events
}

/// Iterator over the events of a plan, see [`generate`].
#[derive(Debug)]
pub struct Events {
    plan: Plan,
    arrivals: Arrivals,
    arrivals_random: ChaCha8Rng,
    post_random: ChaCha8Rng,
    next_visitor_at: i64,
    visitors: u64,
    sequence: u64,
    waiting: BinaryHeap<Reverse<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    sequence: u64,
    event: SimulatedEvent,
}

impl Iterator for Events {
    type Item = SimulatedEvent;

    fn next(&mut self) -> Option<SimulatedEvent> {
        loop {
            let no_one_comes = self.plan.until.is_some_and(|until| self.next_visitor_at >= until);
            // A visitor's events are never earlier than the visitor, and arrive at most the disorder before their time.
            let settled = self.next_visitor_at - self.plan.disorder;
            let next_is_settled = self.waiting.peek().is_some_and(|next| next.0.event.arrival < settled);
            if no_one_comes || next_is_settled {
                return self.waiting.pop().map(|next| next.0.event);
            }
            self.visit();
        }
    }
}

impl Events {
    /// The releases that people are less happy with.
    fn announce_releases(&mut self) {
        let plan = self.plan.clone();
        for (number, regression) in plan.regressions.iter().enumerate() {
            let is_shown =
                regression.from >= plan.from && plan.until.is_none_or(|until| regression.from < until);
            if regression.kind == RegressionKind::NpsFall && is_shown {
                let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
                random.set_stream(u64::MAX - 1 - number as u64);
                let mut visitor = Visitor::new(random, regression.from, plan.regressions.clone());
                let data = Fields::new().text("name", "release 5.3.0");
                let (at, context) = (regression.from, &mut visitor.context);
                let draft = Draft::new("app.change", at, context, data, &mut visitor.random);
                self.post(&draft);
            }
        }
    }

    fn visit(&mut self) {
        let mut random = ChaCha8Rng::seed_from_u64(self.plan.seed);
        self.visitors += 1;
        random.set_stream(self.visitors);
        let came_at = self.next_visitor_at;
        self.next_visitor_at = self.arrivals.next(&mut self.arrivals_random);
        for draft in visit::events(Visitor::new(random, came_at, self.plan.regressions.clone())) {
            let ended = self.plan.until.is_some_and(|until| draft.time >= until);
            if draft.time >= self.plan.from && !ended {
                self.post(&draft);
            }
        }
    }

    /// Decides when an event arrives, and whether a second time.
    fn post(&mut self, draft: &Draft) {
        let mut arrival = draft.time;
        if self.plan.disorder > 0 {
            arrival += self.post_random.random_range(-self.plan.disorder..=self.plan.disorder);
        }
        if chance(&mut self.post_random, self.plan.late_share) {
            arrival = draft.time + self.post_random.random_range(self.plan.disorder..LATEST);
        }
        if let Some(outage) = self.plan.regressions.at(RegressionKind::IngestOutage, arrival) {
            arrival = outage.until.saturating_add(self.post_random.random_range(0..CAUGHT_UP_WITHIN));
        }
        let event = SimulatedEvent { time: draft.time, arrival, json: draft.to_json() };
        if chance(&mut self.post_random, self.plan.duplicate_share) {
            let arrival = arrival + self.post_random.random_range(0..COPY_AFTER);
            self.wait(SimulatedEvent { arrival, ..event.clone() });
        }
        self.wait(event);
    }

    fn wait(&mut self, event: SimulatedEvent) {
        self.sequence += 1;
        self.waiting.push(Reverse(Waiting { sequence: self.sequence, event }));
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.event.arrival, self.sequence).cmp(&(other.event.arrival, other.sequence))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}
