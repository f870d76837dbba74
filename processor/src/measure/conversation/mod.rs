//! Service conversations: cycles with their waits on both clocks, replies, resolution and breaches, and contacts with what became of
//! them. Contract, section 5; every case is settled in `docs/metric-definitions.md`.
//!
//! The events of a conversation become [`ConversationPoint`]s; read in order they make [`cycle`]s, and these [`contact`]s; each is one
//! finding, each finding has its numbers.

mod contact;
mod cycle;
mod point;

use std::sync::Arc;

use serde::Serialize;
use touchstream_runtime::settings::MetricSettings;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::facts::{ContactFact, ConversationFact};
use touchstream_schemas::panes::{metric, response};
use touchstream_schemas::time::{EventTime, Millis};

use super::deltas::{Deltas, Sign};
use super::journeys::{Evaluation, Rules};
use super::packed::{Packer, Unpacker};
use super::service_hours::served;
use crate::cells::{Counts, ResponseCell};
use crate::series::SeriesRef;

pub use point::ConversationPoint;

/// After this silence a conversation begins anew, with cycle 1. Its state is kept that long beyond the lateness limit, so that being
/// forgotten changes nothing.
pub const ANEW_AFTER: Millis = Millis::DAY.times(16);

/// What the events of a conversation show.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Finding {
    /// A cycle.
    Cycle(ConversationFact),
    /// A contact.
    Contact(ContactFact),
}

/// The definition, with its configured constants.
#[derive(Clone, Debug)]
pub struct ConversationRules {
    /// Service level of the first response, on the customer's clock, where the touchpoint has none of its own.
    pub first_response_slo: Millis,
    /// A cycle that begins within this time of the last one's end was reopened.
    pub reopen_gap: Millis,
    /// A customer who asked for a person is to have an answer within this time.
    pub human_reached: Millis,
    touchpoints: Arc<Touchpoints>,
}

impl ConversationRules {
    /// The configured definition.
    #[must_use]
    pub fn new(settings: &MetricSettings, touchpoints: Arc<Touchpoints>) -> ConversationRules {
        ConversationRules {
            first_response_slo: Millis(settings.slo_first_response_s * 1_000),
            reopen_gap: Millis::DAY.times(settings.reopen_gap_days),
            human_reached: Millis(settings.human_reached_s * 1_000),
            touchpoints,
        }
    }

    fn slo(&self, tenant: &str, touchpoint: &str) -> Millis {
        let own = self.touchpoints.touchpoint(tenant, touchpoint);
        let own = own.and_then(|touchpoint| touchpoint.slo_first_response_s);
        own.map_or(self.first_response_slo, |seconds| Millis(seconds * 1_000))
    }

    /// Adds the findings of a stretch of events without a silence of [`ANEW_AFTER`].
    fn evaluate_stretch(
        &self,
        tenant: &str,
        key: &str,
        points: &[ConversationPoint],
        watermark: EventTime,
        evaluation: &mut Evaluation<Finding>,
    ) {
        let Some(first) = points.first() else { return };
        let cycles = cycle::cycles(points);
        let slo = self.slo(tenant, &first.touchpoint);
        let times = self.touchpoints.service_times(tenant, &first.touchpoint);
        for (index, cycle) in cycles.iter().enumerate() {
            let breached_at = cycle.breach(slo, watermark).unwrap_or_else(|deadline| {
                evaluation.wake_at(deadline);
                None
            });
            let start = cycle.started_at();
            let earlier = cycles[..index].iter().filter(|other| other.started_at() == start).count();
            evaluation.facts.push(Finding::Cycle(ConversationFact {
                tenant: tenant.to_owned(),
                conversation_id: key.to_owned(),
                cycle: i32::try_from(index + 1).unwrap_or(i32::MAX),
                cycle_id: match earlier {
                    0 => start.0.to_string(),
                    earlier => format!("{}.{}", start.0, earlier + 1),
                },
                ..cycle.fact(first, breached_at, |from, to| served(times, from, to))
            }));
        }
        for contact in contact::contacts(&cycles, self) {
            let (fact, deadlines) = contact.fact(first, self, watermark);
            deadlines.into_iter().for_each(|deadline| evaluation.wake_at(deadline));
            evaluation.facts.push(Finding::Contact(ContactFact {
                tenant: tenant.to_owned(),
                conversation_id: key.to_owned(),
                ..fact
            }));
        }
    }
}

impl Rules for ConversationRules {
    type Point = ConversationPoint;
    type Fact = Finding;

    fn position(point: &ConversationPoint) -> (EventTime, &str) {
        (point.time, &point.id)
    }

    fn evaluate(
        &self,
        tenant: &str,
        key: &str,
        points: &[ConversationPoint],
        watermark: EventTime,
    ) -> Evaluation<Finding> {
        let mut evaluation = Evaluation { facts: Vec::new(), deadline: None, repeated_transactions: 0 };
        for stretch in points.chunk_by(|one, next| next.time - one.time <= ANEW_AFTER) {
            self.evaluate_stretch(tenant, key, stretch, watermark, &mut evaluation);
        }
        evaluation
    }

    fn pack(point: &ConversationPoint, packer: &mut Packer) {
        packer.put(point);
    }

    fn unpack(unpacker: &mut Unpacker<'_>) -> ConversationPoint {
        unpacker.take()
    }

    fn pack_facts(facts: &[Finding], packer: &mut Packer) {
        for fact in facts {
            packer.put(&matches!(fact, Finding::Cycle(_)));
            packer.put(fact);
        }
    }

    fn unpack_facts(_points: &[ConversationPoint], unpacker: &mut Unpacker<'_>) -> Vec<Finding> {
        let mut facts = Vec::new();
        while unpacker.has_more() {
            facts.push(match unpacker.take() {
                true => Finding::Cycle(unpacker.take()),
                false => Finding::Contact(unpacker.take()),
            });
        }
        facts
    }

    fn same(one: &Finding, other: &Finding) -> bool {
        match (one, other) {
            (Finding::Cycle(one), Finding::Cycle(other)) => {
                one.cycle_id == other.cycle_id && one.cycle == other.cycle
            }
            (Finding::Contact(one), Finding::Contact(other)) => {
                one.started_at == other.started_at && one.customer_id == other.customer_id
            }
            _ => false,
        }
    }

    fn stamp(fact: &mut Finding, revision: i64, is_deleted: bool) {
        match fact {
            Finding::Cycle(fact) => (fact.revision, fact.is_deleted) = (revision, is_deleted),
            Finding::Contact(fact) => (fact.revision, fact.is_deleted) = (revision, is_deleted),
        }
    }

    fn revision(fact: &Finding) -> i64 {
        match fact {
            Finding::Cycle(fact) => fact.revision,
            Finding::Contact(fact) => fact.revision,
        }
    }

    fn contribute(fact: &Finding, sign: Sign, deltas: &mut Deltas) {
        match fact {
            Finding::Cycle(fact) => contribute_cycle(fact, sign, deltas),
            Finding::Contact(fact) => {
                let series = contact_series(fact);
                contact::counts(fact, |at, counts| {
                    deltas.count_in(series, &fact.further, at, Counts::Service(counts), sign);
                });
            }
        }
    }

    fn contribute_now(fact: &Finding, sign: Sign, deltas: &mut Deltas) {
        let Finding::Cycle(fact) = fact else { return };
        if fact.ended_at.is_some() || fact.first_customer_at.is_none() {
            return;
        }
        let mut waiting = |detail: &str| {
            deltas.open_in(series(fact, detail), &fact.further, "", None, sign);
        };
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

fn contribute_cycle(fact: &ConversationFact, sign: Sign, deltas: &mut Deltas) {
    let mut wait = |detail: &str, at: Option<EventTime>, milliseconds: Option<i64>| {
        let (Some(at), Some(milliseconds)) = (at, milliseconds) else { return };
        let mut cell = ResponseCell::default();
        cell.durations.count(milliseconds, 1);
        deltas.count_in(series(fact, detail), &fact.further, at, Counts::Response(cell), sign);
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
        deltas.count_in(series, &fact.further, breached_at, Counts::Response(cell), sign);
    }
}

fn series<'f>(fact: &'f ConversationFact, detail: &'f str) -> SeriesRef<'f> {
    let dimensions: [&str; 3] = [&fact.touchpoint, &fact.channel, &fact.device];
    SeriesRef::new(&fact.tenant, metric::RESPONSE_TIMES, detail, dimensions)
}

fn contact_series(fact: &ContactFact) -> SeriesRef<'_> {
    let dimensions: [&str; 3] = [&fact.touchpoint, &fact.channel, &fact.device];
    SeriesRef::new(&fact.tenant, metric::SERVICE_QUALITY, "", dimensions)
}
