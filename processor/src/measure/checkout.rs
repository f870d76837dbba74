//! Checkout attempts: where one begins and ends, how it ended, how far it came and why it was given up. Contract, section 5;
//! every case is settled in `docs/metric-definitions.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use touchstream_runtime::settings::MetricSettings;
use touchstream_schemas::event::CheckoutEvent;
use touchstream_schemas::facts::{CheckoutFact, ReachedStep};
use touchstream_schemas::money::Money;
use touchstream_schemas::panes::metric;
use touchstream_schemas::time::{EventTime, Millis};

use super::deltas::{Deltas, Sign};
use super::journeys::{Evaluation, Rules};
use crate::cells::{CheckoutCell, Counts, NO_POSITION};
use crate::series::{Dimensions, SeriesKey};

/// Step 0, which every attempt reaches.
const STARTED: &str = "started";
/// The last step.
const COMPLETED: &str = "completed";

/// Reasons that are kept by name; every other word becomes `other`, so that their number stays bounded.
const REASONS: [&str; 11] = [
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
];

/// What an attempt needs of an event (`CheckoutPoint` in `schemas/avro/checkout_state.avsc`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/checkout_state.avsc")]
pub struct CheckoutPoint {
    pub time: EventTime,
    pub id: String,
    pub kind: String,
    pub step: Option<String>,
    pub step_index: Option<i32>,
    pub failed_error: Option<String>,
    pub reason: Option<String>,
    pub transaction_id: Option<String>,
    pub value: Option<Money>,
    pub currency: Option<String>,
    pub items: Option<i32>,
    pub touchpoint: String,
    pub channel: String,
    pub device: String,
    pub customer_id: Option<String>,
    pub anonymous_id: Option<String>,
    pub session_id: Option<String>,
    pub checkout_id: Option<String>,
    pub cart_id: Option<String>,
    pub order_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Started,
    Step,
    Friction,
    Abandoned,
    Completed,
}

impl Kind {
    fn of(name: &str) -> Option<Kind> {
        match name {
            "checkout.started" => Some(Kind::Started),
            "checkout.step" => Some(Kind::Step),
            "checkout.friction" => Some(Kind::Friction),
            "checkout.abandoned" => Some(Kind::Abandoned),
            "checkout.completed" => Some(Kind::Completed),
            _ => None,
        }
    }

    fn is_activity(self) -> bool {
        matches!(self, Kind::Started | Kind::Step | Kind::Friction)
    }
}

impl CheckoutPoint {
    /// The event's part in an attempt; `None` for types that have none (`checkout.refunded`).
    #[must_use]
    pub fn of(event: &CheckoutEvent<'_>) -> Option<CheckoutPoint> {
        Kind::of(event.event_type)?;
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let failed = event.action == Some("failed");
        Some(CheckoutPoint {
            time: event.time,
            id: event.id.to_owned(),
            kind: event.event_type.to_owned(),
            step: owned(event.step),
            step_index: event.step_index,
            failed_error: failed.then(|| event.error.unwrap_or_default().to_owned()),
            reason: owned(event.friction_kind.or(event.reason)),
            transaction_id: owned(event.transaction_id),
            value: event.value,
            currency: owned(event.currency),
            items: event.items,
            touchpoint: event.touchpoint.to_owned(),
            channel: event.channel.to_owned(),
            device: event.device.to_owned(),
            customer_id: owned(event.customer_id),
            anonymous_id: owned(event.anonymous_id),
            session_id: owned(event.session_id),
            checkout_id: owned(event.checkout_id),
            cart_id: owned(event.cart_id),
            order_id: owned(event.order_id),
        })
    }

    fn kind(&self) -> Kind {
        Kind::of(&self.kind).expect("only known types become points")
    }
}

/// The definition, with its configured constants.
#[derive(Clone, Debug)]
pub struct CheckoutRules {
    /// After this silence an attempt is abandoned.
    pub silence: Millis,
    /// After this gap the next attempt begins.
    pub gap: Millis,
    /// Steps between `started` and `completed`, in order.
    pub steps: Vec<String>,
}

impl CheckoutRules {
    /// The configured definition.
    #[must_use]
    pub fn new(settings: &MetricSettings) -> CheckoutRules {
        CheckoutRules {
            silence: Millis::MINUTE.times(settings.session_silence_min),
            gap: Millis::DAY.times(settings.attempt_gap_days),
            steps: settings.steps.clone(),
        }
    }

    fn completed_position(&self) -> i32 {
        i32::try_from(self.steps.len() + 1).expect("a checkout has a handful of steps")
    }

    fn position_of(&self, step: &str, sent: Option<i32>) -> Option<i32> {
        match self.steps.iter().position(|known| known == step) {
            Some(place) => i32::try_from(place + 1).ok(),
            None if step == STARTED => Some(0),
            None => sent,
        }
    }
}

/// An attempt while its events are read in order.
#[derive(Debug)]
struct Attempt<'p> {
    points: Vec<&'p CheckoutPoint>,
    completion: Option<&'p CheckoutPoint>,
    last_activity: Option<EventTime>,
    /// The stated abandonment that no activity follows.
    stated: Option<&'p CheckoutPoint>,
    is_recovered: bool,
}

impl<'p> Attempt<'p> {
    fn beginning_with(point: &'p CheckoutPoint, silence: Millis) -> Attempt<'p> {
        let mut attempt = Attempt {
            points: Vec::new(),
            completion: None,
            last_activity: None,
            stated: None,
            is_recovered: false,
        };
        attempt.take(point, silence);
        attempt
    }

    fn first(&self) -> &'p CheckoutPoint {
        self.points[0]
    }

    /// Whether `point` begins the next attempt.
    fn ends_before(&self, point: &CheckoutPoint, rules: &CheckoutRules) -> bool {
        let kind = point.kind();
        if let Some(completion) = self.completion {
            let begins = match kind {
                Kind::Started => true,
                Kind::Completed => completion.transaction_id.is_some() && point.transaction_id.is_some(),
                Kind::Step | Kind::Friction => point.time - completion.time > rules.silence,
                Kind::Abandoned => false,
            };
            if begins {
                return true;
            }
        }
        let last_activity = self.last_activity.unwrap_or(self.first().time);
        (kind.is_activity() || kind == Kind::Completed) && point.time - last_activity > rules.gap
    }

    fn take(&mut self, point: &'p CheckoutPoint, silence: Millis) {
        self.points.push(point);
        let kind = point.kind();
        if self.completion.is_none() {
            let is_silent = self.last_activity.is_some_and(|last| point.time - last > silence);
            match kind {
                Kind::Abandoned => {
                    self.stated = self.stated.or(Some(point));
                    self.is_recovered = true;
                }
                Kind::Completed => {
                    self.completion = Some(point);
                    self.is_recovered |= is_silent;
                }
                Kind::Started | Kind::Step | Kind::Friction => {
                    self.stated = None;
                    self.is_recovered |= is_silent;
                }
            }
        }
        if kind.is_activity() {
            self.last_activity = Some(point.time);
        }
    }

    /// Points up to and including the completion: what comes later changes nothing.
    fn counted(&self) -> impl DoubleEndedIterator<Item = &'p CheckoutPoint> + '_ {
        let end = self.completion.map_or(self.points.len(), |completion| {
            self.points.iter().position(|point| std::ptr::eq(*point, completion)).map_or(0, |place| place + 1)
        });
        self.points[..end].iter().copied()
    }

    /// State and time of the outcome; `Err` with the time at which silence will be one.
    fn outcome(
        &self,
        rules: &CheckoutRules,
        watermark: EventTime,
    ) -> Result<(&'static str, EventTime), EventTime> {
        if let Some(completion) = self.completion {
            return Ok((if self.is_recovered { "recovered" } else { "completed" }, completion.time));
        }
        if let Some(stated) = self.stated {
            return Ok(("abandoned", stated.time));
        }
        let silent_at = self.last_activity.unwrap_or(self.first().time) + rules.silence;
        if watermark > silent_at { Ok(("abandoned", silent_at)) } else { Err(silent_at + Millis(1)) }
    }

    fn reason(&self) -> (String, &'static str) {
        if let Some(stated) = self.stated.and_then(|point| point.reason.as_deref()) {
            return (known_reason(stated), "stated");
        }
        let mut backwards = self.points.iter().rev();
        if let Some(friction) = backwards.clone().find(|point| point.kind() == Kind::Friction) {
            return (known_reason(friction.reason.as_deref().unwrap_or_default()), "inferred");
        }
        match backwards.find_map(|point| point.failed_error.as_deref()) {
            Some(error) => (class_of_error(error).to_owned(), "inferred"),
            None => ("unknown".to_owned(), "unknown"),
        }
    }

    /// Every step reached with its position, and the furthest.
    fn reached(&self, rules: &CheckoutRules) -> (Vec<ReachedStep>, ReachedStep) {
        let mut furthest = ReachedStep { step: STARTED.to_owned(), step_index: Some(0) };
        let mut seen: BTreeMap<(i32, &str), ()> = BTreeMap::from([((0, STARTED), ())]);
        for point in self.counted() {
            let Some(step) = point.step.as_deref().filter(|_| point.kind() == Kind::Step) else { continue };
            let position = rules.position_of(step, point.step_index);
            seen.insert((position.unwrap_or(NO_POSITION), step), ());
            if position > furthest.step_index {
                furthest = ReachedStep { step: step.to_owned(), step_index: position };
            }
        }
        if self.completion.is_some() {
            furthest =
                ReachedStep { step: COMPLETED.to_owned(), step_index: Some(rules.completed_position()) };
            seen.insert((rules.completed_position(), COMPLETED), ());
        }
        for (place, step) in rules.steps.iter().enumerate() {
            let position = i32::try_from(place + 1).unwrap_or(NO_POSITION);
            if furthest.step_index > Some(position) {
                seen.insert((position, step), ());
            }
        }
        let reached = seen
            .into_keys()
            .map(|(position, step)| ReachedStep {
                step: step.to_owned(),
                step_index: (position != NO_POSITION).then_some(position),
            })
            .collect();
        (reached, furthest)
    }

    fn fact(
        &self,
        rules: &CheckoutRules,
        tenant: &str,
        key: &str,
        outcome: Option<(&str, EventTime)>,
    ) -> CheckoutFact {
        let first = self.first();
        let (reached, furthest) = self.reached(rules);
        let state = outcome.map_or("open", |(state, _)| state);
        let reason = (state == "abandoned").then(|| self.reason());
        let valued = match self.completion {
            Some(completion) if completion.value.is_some() => Some(completion),
            _ => self.counted().rev().find(|point| point.value.is_some()),
        };
        let latest = |field: fn(&CheckoutPoint) -> &Option<String>| {
            self.counted().rev().find_map(|point| field(point).clone())
        };
        CheckoutFact {
            tenant: tenant.to_owned(),
            attempt_id: format!("{key}@{}", first.time.0),
            touchpoint: first.touchpoint.clone(),
            channel: first.channel.clone(),
            device: first.device.clone(),
            state: state.to_owned(),
            started_at: first.time,
            ended_at: outcome.map(|(_, time)| time),
            last_event_at: self.points[self.points.len() - 1].time,
            customer_id: latest(|point| &point.customer_id),
            anonymous_id: latest(|point| &point.anonymous_id),
            session_id: latest(|point| &point.session_id),
            checkout_id: latest(|point| &point.checkout_id),
            cart_id: latest(|point| &point.cart_id),
            order_id: latest(|point| &point.order_id),
            transaction_id: self.completion.and_then(|point| point.transaction_id.clone()),
            furthest_step: furthest.step,
            furthest_step_index: furthest.step_index.unwrap_or_default(),
            reached,
            reason_source: reason.as_ref().map(|(_, source)| (*source).to_owned()),
            reason: reason.map(|(reason, _)| reason),
            value: valued.and_then(|point| point.value),
            currency: valued.and_then(|point| point.currency.clone()),
            items: valued.and_then(|point| point.items),
            duration_ms: self.completion.map(|completion| (completion.time - first.time).0),
            is_deleted: false,
            revision: 0,
        }
    }
}

fn known_reason(word: &str) -> String {
    if REASONS.contains(&word) { word.to_owned() } else { "other".to_owned() }
}

fn class_of_error(error: &str) -> &'static str {
    let error = error.to_lowercase();
    if ["declin", "insufficient", "card"].iter().any(|part| error.contains(part)) {
        "declined"
    } else {
        "site_error"
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
        for attempt in &attempts {
            let outcome = match attempt.outcome(self, watermark) {
                Ok(outcome) => Some(outcome),
                Err(deadline) => {
                    evaluation.deadline =
                        Some(evaluation.deadline.map_or(deadline, |other| other.min(deadline)));
                    None
                }
            };
            evaluation.facts.push(attempt.fact(self, tenant, key, outcome));
        }
        evaluation
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
            cell.value = fact.value.unwrap_or_default().0;
        }
        if let Some(duration) = fact.duration_ms {
            cell.within_3min = i64::from(duration <= Millis::MINUTE.times(3).0);
            cell.within_15min = i64::from(duration <= Millis::MINUTE.times(15).0);
            cell.durations.count(duration, 1);
        }
        deltas.count(&series(fact), ended_at, Counts::Checkout(cell), sign);
    }

    fn contribute_now(fact: &CheckoutFact, sign: Sign, deltas: &mut Deltas) {
        if fact.ended_at.is_none() {
            let step = fact.furthest_step.as_str().into();
            deltas.open(&series(fact), &step, Some(fact.furthest_step_index), sign);
        }
    }
}

fn series(fact: &CheckoutFact) -> SeriesKey {
    SeriesKey {
        tenant: fact.tenant.as_str().into(),
        metric: metric::CHECKOUT.into(),
        detail: "".into(),
        dimensions: Dimensions {
            touchpoint: fact.touchpoint.as_str().into(),
            channel: fact.channel.as_str().into(),
            device: fact.device.as_str().into(),
        },
    }
}
