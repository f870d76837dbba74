//! Checkout attempts: where one begins and ends, how it ended, how far it came and why it was given up. Contract, section 5;
//! every case is settled in `docs/metric-definitions.md`.
//!
//! The events of a key become [`CheckoutPoint`]s; read in order they make attempts, each attempt one fact, each fact its numbers.

mod attempt;
mod point;

use std::sync::Arc;

use touchstream_runtime::settings::MetricSettings;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::facts::CheckoutFact;
use touchstream_schemas::panes::metric;
use touchstream_schemas::time::{EventTime, Millis};

use super::deltas::{Deltas, Sign};
use super::journeys::{Evaluation, Rules};
use super::packed::{Packer, Unpacker};
use crate::cells::{CheckoutCell, Counts, NO_POSITION};
use crate::series::SeriesRef;

use attempt::Attempt;
use point::Kind;

pub use point::CheckoutPoint;

/// Step 0, which every attempt reaches.
const STARTED: &str = "started";

/// The definition, with its configured constants.
#[derive(Clone, Debug)]
pub struct CheckoutRules {
    /// After this silence an attempt is abandoned.
    pub silence: Millis,
    /// After this gap the next attempt begins.
    pub gap: Millis,
    /// Steps between `started` and `completed`, in order, where the touchpoint has none of its own.
    pub steps: Vec<String>,
    touchpoints: Arc<Touchpoints>,
}

impl CheckoutRules {
    /// The configured definition.
    #[must_use]
    pub fn new(settings: &MetricSettings, touchpoints: Arc<Touchpoints>) -> CheckoutRules {
        CheckoutRules {
            silence: Millis::MINUTE.times(settings.session_silence_min),
            gap: Millis::DAY.times(settings.attempt_gap_days),
            steps: settings.steps.clone(),
            touchpoints,
        }
    }

    fn steps_at(&self, tenant: &str, touchpoint: &str) -> Steps<'_> {
        let own = self.touchpoints.touchpoint(tenant, touchpoint);
        Steps(own.and_then(|touchpoint| touchpoint.steps.as_deref()).unwrap_or(&self.steps))
    }
}

/// The order of steps of one touchpoint.
#[derive(Clone, Copy, Debug)]
struct Steps<'r>(&'r [String]);

impl Steps<'_> {
    fn completed_position(self) -> i32 {
        i32::try_from(self.0.len() + 1).expect("a checkout has a handful of steps")
    }

    fn position_of(self, step: &str, sent: Option<i32>) -> Option<i32> {
        match self.0.iter().position(|known| known == step) {
            Some(place) => i32::try_from(place + 1).ok(),
            None if step == STARTED => Some(0),
            None => sent,
        }
    }
}

impl Rules for CheckoutRules {
    type Point = CheckoutPoint;
    type Fact = CheckoutFact;

    fn position(point: &CheckoutPoint) -> (EventTime, &str) {
        (point.time, &point.id)
    }

    fn evaluate(
        &self,
        tenant: &str,
        key: &str,
        points: &[CheckoutPoint],
        watermark: EventTime,
    ) -> Evaluation<CheckoutFact> {
        let mut attempts: Vec<Attempt<'_>> = Vec::new();
        let mut transactions: Vec<&str> = Vec::new();
        let mut repeated_transactions = 0;
        for point in points {
            if point.kind() == Kind::Completed
                && let Some(transaction) = point.transaction_id.as_deref()
            {
                if transactions.contains(&transaction) {
                    repeated_transactions += 1;
                    continue;
                }
                transactions.push(transaction);
            }
            match attempts.last_mut() {
                Some(attempt) if !attempt.ends_before(point, self) => attempt.take(point, self.silence),
                _ => attempts.push(Attempt::beginning_with(point, self.silence)),
            }
        }
        let mut evaluation = Evaluation { facts: Vec::new(), deadline: None, repeated_transactions };
        for (place, attempt) in attempts.iter().enumerate() {
            let outcome = match attempt.outcome(self, watermark) {
                Ok(outcome) => Some(outcome),
                Err(deadline) => {
                    evaluation.wake_at(deadline);
                    None
                }
            };
            let attempt_id = attempt_id(key, &attempts[..place], attempt);
            evaluation.facts.push(CheckoutFact { attempt_id, ..attempt.fact(self, tenant, outcome) });
        }
        evaluation
    }

    fn pack(point: &CheckoutPoint, packer: &mut Packer) {
        packer.put(point);
    }

    fn unpack(unpacker: &mut Unpacker<'_>) -> CheckoutPoint {
        unpacker.take()
    }

    fn pack_facts(facts: &[CheckoutFact], packer: &mut Packer) {
        facts.iter().for_each(|fact| packer.put(fact));
    }

    fn unpack_facts(_points: &[CheckoutPoint], unpacker: &mut Unpacker<'_>) -> Vec<CheckoutFact> {
        std::iter::from_fn(|| unpacker.has_more().then(|| unpacker.take())).collect()
    }

    fn same(one: &CheckoutFact, other: &CheckoutFact) -> bool {
        one.attempt_id == other.attempt_id
    }

    fn stamp(fact: &mut CheckoutFact, revision: i64, is_deleted: bool) {
        fact.revision = revision;
        fact.is_deleted = is_deleted;
    }

    fn revision(fact: &CheckoutFact) -> i64 {
        fact.revision
    }

    fn contribute(fact: &CheckoutFact, sign: Sign, deltas: &mut Deltas) {
        let Some(ended_at) = fact.ended_at else { return };
        let mut cell = CheckoutCell::default();
        let is_abandoned = fact.state == "abandoned";
        for reached in &fact.reached {
            let key = (reached.step_index.unwrap_or(NO_POSITION), reached.step.as_str().into());
            let step = cell.steps.entry(key).or_default();
            step.reached = 1;
            step.dropped = i64::from(is_abandoned && reached.step == fact.furthest_step);
        }
        if let Some(reason) = &fact.reason {
            let name = |text: Option<&String>| -> Arc<str> { text.map_or("", String::as_str).into() };
            let key =
                (reason.as_str().into(), name(fact.reason_source.as_ref()), name(fact.currency.as_ref()));
            let cell = cell.reasons.entry(key).or_default();
            cell.attempts = 1;
            cell.value = fact.value.unwrap_or_default().0.into();
        }
        if let Some(duration) = fact.duration_ms {
            cell.within_3min = i64::from(duration <= Millis::MINUTE.times(3).0);
            cell.within_15min = i64::from(duration <= Millis::MINUTE.times(15).0);
            cell.durations.count(duration, 1);
        }
        deltas.count_in(series(fact), &fact.further, ended_at, Counts::Checkout(cell), sign);
    }

    fn contribute_now(fact: &CheckoutFact, sign: Sign, deltas: &mut Deltas) {
        if fact.ended_at.is_none() {
            let step = fact.furthest_step.as_str();
            deltas.open_in(series(fact), &fact.further, step, Some(fact.furthest_step_index), sign);
        }
    }
}

/// Key and start; an attempt that starts in the same millisecond as one before it is numbered.
fn attempt_id(key: &str, before: &[Attempt<'_>], attempt: &Attempt<'_>) -> String {
    let start = attempt.started_at();
    match before.iter().filter(|other| other.started_at() == start).count() {
        0 => format!("{key}@{}", start.0),
        earlier => format!("{key}@{}.{}", start.0, earlier + 1),
    }
}

fn series(fact: &CheckoutFact) -> SeriesRef<'_> {
    SeriesRef::new(&fact.tenant, metric::CHECKOUT, "", [&fact.touchpoint, &fact.channel, &fact.device])
}
