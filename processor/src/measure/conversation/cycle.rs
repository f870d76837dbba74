//! One cycle: read event by event in order, it tells where it ends, who waited how long, and whether the service level was kept.

use std::collections::HashSet;

use touchstream_schemas::facts::{ConversationFact, Reply};
use touchstream_schemas::time::{EventTime, Millis};

use super::point::{ConversationPoint, Kind};

/// A cycle while its events are read in order.
#[derive(Debug, Default)]
pub(super) struct Cycle<'p> {
    points: Vec<&'p ConversationPoint>,
    /// Points up to and including the end: what comes later changes nothing.
    counted: usize,
    pub(super) end: Option<(&'static str, EventTime)>,
    started_by: Option<&'p str>,
    first_sender: Option<&'p str>,
    first_customer_at: Option<EventTime>,
    first_response_at: Option<EventTime>,
    team_clock_from: Option<EventTime>,
    last_handoff_or_reopen: Option<EventTime>,
    waiting_since: Option<EventTime>,
    replies: Vec<Reply>,
    handoffs: i32,
}

/// Cuts the events of a conversation into cycles; a message that is repeated under its message_id is in none.
pub(super) fn cycles(points: &[ConversationPoint]) -> Vec<Cycle<'_>> {
    let mut cycles: Vec<Cycle<'_>> = Vec::new();
    let mut messages = HashSet::new();
    for point in points {
        if point.kind == "chat.message"
            && let Some(message) = point.message_id.as_deref()
            && !messages.insert(message)
        {
            continue;
        }
        match cycles.last_mut() {
            Some(current) if !current.is_followed_by_next(point) => current.take(point),
            _ => {
                let mut next = Cycle::default();
                next.take(point);
                cycles.push(next);
            }
        }
    }
    cycles
}

impl<'p> Cycle<'p> {
    fn take(&mut self, point: &'p ConversationPoint) {
        self.points.push(point);
        if self.end.is_some() {
            return;
        }
        self.counted = self.points.len();
        let time = point.time;
        if point.kind == "chat.message" && self.first_sender.is_none() {
            let actor = point.actor.as_deref();
            self.first_sender = actor.filter(|actor| ["customer", "agent", "bot"].contains(actor));
        }
        match point.kind() {
            Kind::Started => self.started_by = self.started_by.or(point.actor.as_deref()),
            Kind::CustomerMessage => {
                self.first_customer_at = self.first_customer_at.or(Some(time));
                self.waiting_since = self.waiting_since.or(Some(time));
            }
            Kind::PublicAgentMessage => {
                if let Some(first_customer_at) = self.first_customer_at
                    && self.first_response_at.is_none()
                {
                    self.first_response_at = Some(time);
                    self.team_clock_from = Some(first_customer_at).max(self.last_handoff_or_reopen);
                }
                if let Some(since) = self.waiting_since.take() {
                    self.replies.push(Reply { at: time, waited_ms: (time - since).0 });
                }
            }
            Kind::PublicBotAnswer => self.waiting_since = None,
            Kind::Handoff => {
                self.handoffs += 1;
                self.last_handoff_or_reopen = Some(time);
                if self.first_customer_at.is_some() {
                    self.waiting_since = Some(time);
                }
            }
            Kind::Reopened => self.last_handoff_or_reopen = Some(time),
            Kind::Solved => self.finish("solved", time),
            Kind::Closed => self.finish("closed", time),
            Kind::OtherMessage | Kind::Other => {}
        }
    }

    fn finish(&mut self, state: &'static str, time: EventTime) {
        self.end = Some((state, time));
        self.waiting_since = None;
    }

    fn is_followed_by_next(&self, point: &ConversationPoint) -> bool {
        self.end.is_some() && matches!(point.kind(), Kind::Reopened | Kind::CustomerMessage)
    }

    /// The events that count, at least one.
    pub(super) fn counted(&self) -> &[&'p ConversationPoint] {
        &self.points[..self.counted]
    }

    pub(super) fn started_at(&self) -> EventTime {
        self.points[0].time
    }

    /// The side that began: as stated by `chat.started`, else the first to write; customers where nobody did.
    fn initiator(&self) -> &'p str {
        self.started_by.or(self.first_sender).unwrap_or("customer")
    }

    /// When the service level passed without a first response; `Err` with the watermark at which that will be known.
    pub(super) fn breach(&self, slo: Millis, watermark: EventTime) -> Result<Option<EventTime>, EventTime> {
        let Some(first_customer_at) = self.first_customer_at else { return Ok(None) };
        let deadline = first_customer_at + slo;
        let ended_in_time = |time: Option<EventTime>| time.is_some_and(|time| time <= deadline);
        if self.initiator() == "agent"
            || ended_in_time(self.first_response_at)
            || ended_in_time(self.end.map(|(_, time)| time))
        {
            return Ok(None);
        }
        if watermark > deadline || self.first_response_at.is_some() || self.end.is_some() {
            return Ok(Some(deadline));
        }
        Err(deadline + Millis(1))
    }

    /// The cycle as a fact, without what its conversation decides; `team_clock` measures service hours.
    pub(super) fn fact(
        &self,
        first: &ConversationPoint,
        breached_at: Option<EventTime>,
        team_clock: impl Fn(EventTime, EventTime) -> Millis,
    ) -> ConversationFact {
        let is_answerable = self.initiator() != "agent";
        let first_response_at = self.first_response_at.filter(|_| is_answerable);
        let since = |from: Option<EventTime>| Some((from?, first_response_at?));
        let latest = |field: fn(&ConversationPoint) -> &Option<String>| {
            self.points.iter().rev().find_map(|point| field(point).clone())
        };
        let solved_at = self.end.filter(|(state, _)| *state == "solved").map(|(_, time)| time);
        ConversationFact {
            tenant: String::new(),
            conversation_id: String::new(),
            cycle: 0,
            touchpoint: first.touchpoint.clone(),
            channel: first.channel.clone(),
            device: first.device.clone(),
            state: self.end.map_or("open", |(state, _)| state).to_owned(),
            started_at: self.started_at(),
            ended_at: self.end.map(|(_, time)| time),
            last_event_at: self.points[self.points.len() - 1].time,
            initiator: self.initiator().to_owned(),
            customer_id: latest(|point| &point.customer_id),
            session_id: latest(|point| &point.session_id),
            case_id: latest(|point| &point.case_id),
            topic: latest(|point| &point.topic),
            first_customer_at: self.first_customer_at,
            first_response_at,
            first_response_customer_ms: since(self.first_customer_at).map(|(from, to)| (to - from).0),
            first_response_team_ms: since(self.team_clock_from).map(|(from, to)| team_clock(from, to).0),
            breached_at,
            replies: self.replies.clone(),
            waiting_since: self.waiting_since,
            resolution_ms: solved_at.zip(self.first_customer_at).map(|(end, start)| (end - start).0),
            handoffs: self.handoffs,
            cycle_id: String::new(),
            further: first.further.clone(),
            is_deleted: false,
            revision: 0,
        }
    }
}
