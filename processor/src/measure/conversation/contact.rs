//! Contacts: a conversation as service quality sees it. A contact is a stretch of events without 7 days of silence, so cycles that
//! are reopened belong to one contact, and what a contact counted is never taken back later than that.

use touchstream_schemas::facts::{ContactFact, ContactHandoff};
use touchstream_schemas::panes::ServiceCounts;
use touchstream_schemas::time::{EventTime, Millis};

use super::ConversationRules;
use super::cycle::Cycle;
use super::point::{ConversationPoint, Kind};

/// After this silence a contact that nobody ended has its outcome.
const SILENT: Millis = Millis::DAY;
/// A bot that gives the same answer this often running is in a loop.
const LOOP: u32 = 3;

/// A contact while its events are read in order.
#[derive(Debug, Default)]
pub(super) struct Contact<'p> {
    points: Vec<&'p ConversationPoint>,
    handoffs: Vec<ContactHandoff>,
    /// Handoffs before this one can no longer be answered: their cycle has ended.
    answerable_from: usize,
    answers: Running<'p>,
    bot_loops: Vec<EventTime>,
    reopened: Vec<EventTime>,
}

/// How often a bot has given the same answer, and has not understood, in a row.
#[derive(Debug, Default)]
struct Running<'p> {
    answer: Option<&'p str>,
    same: u32,
    fallbacks: u32,
}

impl<'p> Running<'p> {
    /// Whether this message makes a run long enough.
    fn closes_loop(&mut self, message: &'p ConversationPoint) -> bool {
        let answer = message.answer_id.as_deref();
        self.same = if answer.is_some() && answer == self.answer { self.same + 1 } else { 1 };
        self.answer = answer;
        self.fallbacks = if message.fallback { self.fallbacks + 1 } else { 0 };
        (answer.is_some() && self.same == LOOP) || self.fallbacks == LOOP
    }
}

/// Cuts the counted events of a conversation's cycles into contacts.
pub(super) fn contacts<'p>(cycles: &[Cycle<'p>], rules: &ConversationRules) -> Vec<Contact<'p>> {
    let mut contacts: Vec<Contact<'p>> = Vec::new();
    for (number, cycle) in cycles.iter().enumerate() {
        for (place, point) in cycle.counted().iter().enumerate() {
            let contact = match contacts.last_mut() {
                Some(contact) if point.time - contact.last().time <= rules.reopen_gap => {
                    if place == 0 && number > 0 {
                        contact.reopened.push(point.time);
                    }
                    contact
                }
                _ => {
                    contacts.push(Contact::default());
                    contacts.last_mut().expect("it was pushed a line ago")
                }
            };
            if place == 0 {
                contact.answers = Running::default();
            }
            contact.take(point, rules);
        }
    }
    contacts
}

impl<'p> Contact<'p> {
    fn last(&self) -> &'p ConversationPoint {
        self.points[self.points.len() - 1]
    }

    fn take(&mut self, point: &'p ConversationPoint, rules: &ConversationRules) {
        self.points.push(point);
        let time = point.time;
        match point.kind() {
            Kind::Handoff => self.handoffs.push(ContactHandoff {
                at: time,
                is_requested: point.actor.as_deref() == Some("customer"),
                decided_at: None,
                is_reached: false,
            }),
            Kind::PublicAgentMessage => {
                for handoff in &mut self.handoffs[self.answerable_from..] {
                    let in_time = time - handoff.at <= rules.human_reached;
                    if handoff.is_requested && handoff.decided_at.is_none() && in_time {
                        (handoff.decided_at, handoff.is_reached) = (Some(time), true);
                    }
                }
            }
            Kind::Solved | Kind::Closed => self.answerable_from = self.handoffs.len(),
            _ => {}
        }
        if point.is_message_of("bot") && self.answers.closes_loop(point) {
            self.bot_loops.push(time);
        }
    }

    /// The contact as a fact, as far as the watermark lets it be known, and the next watermark at which it changes by itself.
    pub(super) fn fact(
        mut self,
        first: &ConversationPoint,
        rules: &ConversationRules,
        watermark: EventTime,
    ) -> (ContactFact, Vec<EventTime>) {
        let mut deadlines = Vec::new();
        let mut is_past = |time: EventTime| {
            if watermark <= time {
                deadlines.push(time + Millis(1));
            }
            watermark > time
        };
        for handoff in &mut self.handoffs {
            let deadline = handoff.at + rules.human_reached;
            if handoff.is_requested && handoff.decided_at.is_none() && is_past(deadline) {
                handoff.decided_at = Some(deadline);
            }
        }
        let last = self.last();
        let silent_at = last.time + SILENT;
        let outcome_at = match last.kind() {
            Kind::Solved | Kind::Closed => Some(last.time),
            _ => is_past(silent_at).then_some(silent_at),
        };
        let is_bot = self.points.iter().any(|point| point.is_message_of("bot"));
        let is_alone = !self.points.iter().any(|point| point.is_message_of("agent"));
        let fact = ContactFact {
            tenant: String::new(),
            conversation_id: String::new(),
            customer_id: self.points.iter().rev().find_map(|point| point.customer_id.clone()),
            touchpoint: first.touchpoint.clone(),
            channel: first.channel.clone(),
            device: first.device.clone(),
            started_at: self.points[0].time,
            last_event_at: last.time,
            outcome_at,
            is_bot,
            is_contained: outcome_at.is_some() && is_bot && is_alone && self.handoffs.is_empty(),
            handoffs: self.handoffs,
            bot_loops: self.bot_loops,
            reasked_at: self.points.iter().find(|point| point.is_reasked).map(|point| point.time),
            reopened: self.reopened,
            further: first.further.clone(),
            is_deleted: false,
            revision: 0,
        };
        (fact, deadlines)
    }
}

/// What a contact counts, and when. Whether its customer came back is another stage's matter.
pub(super) fn counts(fact: &ContactFact, mut count: impl FnMut(EventTime, ServiceCounts)) {
    let none = ServiceCounts::default();
    if let Some(outcome_at) = fact.outcome_at {
        let (bot, contained) = (i64::from(fact.is_bot), i64::from(fact.is_contained));
        count(outcome_at, ServiceCounts { conversations: 1, bot, contained, ..none });
    }
    for handoff in &fact.handoffs {
        count(handoff.at, ServiceCounts { handoffs: 1, ..none });
        if let Some(decided_at) = handoff.decided_at {
            let human_reached = i64::from(handoff.is_reached);
            count(decided_at, ServiceCounts { human_requests: 1, human_reached, ..none });
        }
    }
    for at in &fact.bot_loops {
        count(*at, ServiceCounts { bot_loops: 1, ..none });
    }
    if let Some(at) = fact.reasked_at {
        count(at, ServiceCounts { reasked: 1, ..none });
    }
    for at in &fact.reopened {
        count(*at, ServiceCounts { reopened: 1, ..none });
    }
}
