//! Service conversations: cycles, first response on both clocks, replies, resolution, breaches of the service level. Contract,
//! section 5; every case is settled in `docs/metric-definitions.md`.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use touchstream_runtime::settings::MetricSettings;
use touchstream_schemas::event::ChatEvent;
use touchstream_schemas::facts::{ConversationFact, Reply};
use touchstream_schemas::panes::{metric, response};
use touchstream_schemas::time::{EventTime, Millis};

use super::deltas::{Deltas, Sign};
use super::journeys::{Evaluation, Rules};
use crate::cells::{Counts, ResponseCell};
use crate::series::SeriesKey;

/// What a conversation needs of an event (`ConversationPoint` in `schemas/avro/conversation_state.avsc`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/conversation_state.avsc")]
pub struct ConversationPoint {
    pub time: EventTime,
    pub id: String,
    pub kind: String,
    pub message_id: Option<String>,
    pub actor: Option<String>,
    pub public: bool,
    pub fallback: bool,
    pub state: Option<String>,
    pub case_id: Option<String>,
    pub topic: Option<String>,
    pub touchpoint: String,
    pub channel: String,
    pub device: String,
    pub customer_id: Option<String>,
    pub session_id: Option<String>,
}

/// What an event means for the cycle it falls into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Started,
    CustomerMessage,
    PublicAgentMessage,
    PublicBotAnswer,
    OtherMessage,
    Handoff,
    Solved,
    Closed,
    Reopened,
    Other,
}

impl ConversationPoint {
    /// The event's part in a conversation.
    #[must_use]
    pub fn of(event: &ChatEvent<'_>) -> ConversationPoint {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        ConversationPoint {
            time: event.time,
            id: event.id.to_owned(),
            kind: event.event_type.to_owned(),
            message_id: owned(event.message_id),
            actor: owned(event.sender.or(event.initiator).or(event.requested_by)),
            public: event.public.unwrap_or(true),
            fallback: event.fallback.unwrap_or(false),
            state: owned(event.state),
            case_id: owned(event.case_id),
            topic: owned(event.topic),
            touchpoint: event.touchpoint.to_owned(),
            channel: event.channel.to_owned(),
            device: event.device.to_owned(),
            customer_id: owned(event.customer_id),
            session_id: owned(event.session_id),
        }
    }

    fn kind(&self) -> Kind {
        match (self.kind.as_str(), self.actor.as_deref(), self.state.as_deref()) {
            ("chat.started", ..) => Kind::Started,
            ("chat.message", Some("customer"), _) => Kind::CustomerMessage,
            ("chat.message", Some("agent"), _) if self.public => Kind::PublicAgentMessage,
            ("chat.message", Some("bot"), _) if self.public && !self.fallback => Kind::PublicBotAnswer,
            ("chat.message", ..) => Kind::OtherMessage,
            ("chat.handoff", ..) => Kind::Handoff,
            ("chat.status", _, Some("solved")) => Kind::Solved,
            ("chat.status", _, Some("closed")) => Kind::Closed,
            ("chat.status", _, Some("reopened")) => Kind::Reopened,
            _ => Kind::Other,
        }
    }
}

/// The definition, with its configured constants.
#[derive(Clone, Copy, Debug)]
pub struct ConversationRules {
    /// Service level of the first response, on the customer's clock.
    pub first_response_slo: Millis,
}

impl ConversationRules {
    /// The configured definition.
    #[must_use]
    pub fn new(settings: &MetricSettings) -> ConversationRules {
        ConversationRules { first_response_slo: Millis(settings.slo_first_response_s * 1_000) }
    }
}

/// A cycle while its events are read in order.
#[derive(Debug, Default)]
struct Cycle<'p> {
    points: Vec<&'p ConversationPoint>,
    end: Option<(&'static str, EventTime)>,
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

impl<'p> Cycle<'p> {
    fn take(&mut self, point: &'p ConversationPoint) {
        self.points.push(point);
        if self.end.is_some() {
            return;
        }
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

    /// The side that began: as stated by `chat.started`, else the first to write; customers where nobody did.
    fn initiator(&self) -> &'p str {
        self.started_by.or(self.first_sender).unwrap_or("customer")
    }

    /// When the service level passed without a first response; `Err` with the watermark at which that will be known.
    fn breach(&self, slo: Millis, watermark: EventTime) -> Result<Option<EventTime>, EventTime> {
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
}

impl Rules for ConversationRules {
    type Point = ConversationPoint;
    type Fact = ConversationFact;

    fn position(point: &ConversationPoint) -> (EventTime, &str) {
        (point.time, &point.id)
    }

    fn evaluate(
        &self,
        tenant: &str,
        key: &str,
        points: &[ConversationPoint],
        watermark: EventTime,
    ) -> Evaluation<ConversationFact> {
        let mut cycles: Vec<Cycle<'_>> = vec![Cycle::default()];
        let mut messages = HashSet::new();
        for point in points {
            if point.kind == "chat.message"
                && let Some(message) = point.message_id.as_deref()
                && !messages.insert(message)
            {
                continue;
            }
            let current = cycles.last_mut().expect("there is always a cycle");
            if current.is_followed_by_next(point) {
                cycles.push(Cycle::default());
            }
            cycles.last_mut().expect("there is always a cycle").take(point);
        }
        let mut evaluation = Evaluation { facts: Vec::new(), deadline: None, repeated_transactions: 0 };
        let Some(first) = points.first() else { return evaluation };
        for (index, cycle) in cycles.iter().enumerate() {
            let (Some(begin), Some(last)) = (cycle.points.first(), cycle.points.last()) else { continue };
            let breached_at = cycle.breach(self.first_response_slo, watermark).unwrap_or_else(|deadline| {
                evaluation.wake_at(deadline);
                None
            });
            let is_answerable = cycle.initiator() != "agent";
            let first_response_at = cycle.first_response_at.filter(|_| is_answerable);
            let since = |from: Option<EventTime>| Some((first_response_at? - from?).0);
            let latest = |field: fn(&ConversationPoint) -> &Option<String>| {
                cycle.points.iter().rev().find_map(|point| field(point).clone())
            };
            let solved_at = cycle.end.filter(|(state, _)| *state == "solved").map(|(_, time)| time);
            evaluation.facts.push(ConversationFact {
                tenant: tenant.to_owned(),
                conversation_id: key.to_owned(),
                cycle: i32::try_from(index + 1).unwrap_or(i32::MAX),
                touchpoint: first.touchpoint.clone(),
                channel: first.channel.clone(),
                device: first.device.clone(),
                state: cycle.end.map_or("open", |(state, _)| state).to_owned(),
                started_at: begin.time,
                ended_at: cycle.end.map(|(_, time)| time),
                last_event_at: last.time,
                initiator: cycle.initiator().to_owned(),
                customer_id: latest(|point| &point.customer_id),
                session_id: latest(|point| &point.session_id),
                case_id: latest(|point| &point.case_id),
                topic: latest(|point| &point.topic),
                first_customer_at: cycle.first_customer_at,
                first_response_at,
                first_response_customer_ms: since(cycle.first_customer_at),
                first_response_team_ms: since(cycle.team_clock_from),
                breached_at,
                replies: cycle.replies.clone(),
                waiting_since: cycle.waiting_since,
                resolution_ms: solved_at.zip(cycle.first_customer_at).map(|(end, start)| (end - start).0),
                handoffs: cycle.handoffs,
                cycle_id: String::new(),
                is_deleted: false,
                revision: 0,
            });
        }
        evaluation
    }

    fn same(one: &ConversationFact, other: &ConversationFact) -> bool {
        one.cycle == other.cycle
    }

    fn stamp(fact: &mut ConversationFact, revision: i64, is_deleted: bool) {
        fact.revision = revision;
        fact.is_deleted = is_deleted;
    }

    fn revision(fact: &ConversationFact) -> i64 {
        fact.revision
    }

    fn contribute(fact: &ConversationFact, sign: Sign, deltas: &mut Deltas) {
        let mut wait = |detail: &str, at: Option<EventTime>, milliseconds: Option<i64>| {
            let (Some(at), Some(milliseconds)) = (at, milliseconds) else { return };
            let mut cell = ResponseCell::default();
            cell.durations.count(milliseconds, 1);
            deltas.count(&series(fact, detail), at, Counts::Response(cell), sign);
        };
        wait(response::FIRST_RESPONSE_CUSTOMER, fact.first_response_at, fact.first_response_customer_ms);
        wait(response::FIRST_RESPONSE_TEAM, fact.first_response_at, fact.first_response_team_ms);
        for reply in &fact.replies {
            wait(response::REPLY, Some(reply.at), Some(reply.waited_ms));
        }
        wait(response::RESOLUTION, fact.ended_at, fact.resolution_ms);
        if let Some(breached_at) = fact.breached_at {
            let cell = ResponseCell { breached: 1, ..ResponseCell::default() };
            let series = series(fact, response::FIRST_RESPONSE_CUSTOMER);
            deltas.count(&series, breached_at, Counts::Response(cell), sign);
        }
    }

    fn contribute_now(fact: &ConversationFact, sign: Sign, deltas: &mut Deltas) {
        if fact.ended_at.is_some() || fact.first_customer_at.is_none() {
            return;
        }
        let mut waiting = |detail: &str| deltas.open(&series(fact, detail), &"".into(), None, sign);
        waiting(response::RESOLUTION);
        if fact.waiting_since.is_some() {
            waiting(response::REPLY);
        }
        if fact.first_response_at.is_none() && fact.initiator != "agent" {
            waiting(response::FIRST_RESPONSE_CUSTOMER);
            waiting(response::FIRST_RESPONSE_TEAM);
        }
    }
}

fn series(fact: &ConversationFact, detail: &str) -> SeriesKey {
    let dimensions: [&str; 3] = [&fact.touchpoint, &fact.channel, &fact.device];
    SeriesKey::new(&fact.tenant, metric::RESPONSE_TIMES, detail, dimensions)
}
