//! One attempt: read event by event in order, it tells where it ends, how it ended, how far it came and why it was given up.

use std::collections::BTreeMap;

use touchstream_schemas::facts::{CheckoutFact, ReachedStep};
use touchstream_schemas::time::{EventTime, Millis};

use super::point::{CheckoutPoint, Kind};
use super::{CheckoutRules, STARTED, Steps};
use crate::cells::NO_POSITION;

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

/// An attempt while its events are read in order.
#[derive(Debug)]
pub(super) struct Attempt<'p> {
    points: Vec<&'p CheckoutPoint>,
    completion: Option<&'p CheckoutPoint>,
    last_activity: Option<EventTime>,
    /// The stated abandonment that no activity follows.
    stated: Option<&'p CheckoutPoint>,
    is_recovered: bool,
}

impl<'p> Attempt<'p> {
    pub(super) fn beginning_with(point: &'p CheckoutPoint, silence: Millis) -> Attempt<'p> {
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
    pub(super) fn ends_before(&self, point: &CheckoutPoint, rules: &CheckoutRules) -> bool {
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

    pub(super) fn take(&mut self, point: &'p CheckoutPoint, silence: Millis) {
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
    pub(super) fn outcome(
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
    fn reached(&self, steps: Steps<'_>) -> (Vec<ReachedStep>, ReachedStep) {
        let mut furthest = ReachedStep { step: STARTED.to_owned(), step_index: Some(0) };
        let mut seen: BTreeMap<(i32, &str), ()> = BTreeMap::from([((0, STARTED), ())]);
        // A step that is sent with several indexes has that of its first event.
        let mut position_of: BTreeMap<&str, Option<i32>> = BTreeMap::new();
        for point in self.counted() {
            let Some(step) = point.step.as_deref().filter(|_| point.kind() == Kind::Step) else { continue };
            let sent = steps.position_of(step, point.step_index);
            let position = *position_of.entry(step).or_insert(sent);
            seen.insert((position.unwrap_or(NO_POSITION), step), ());
            if position > furthest.step_index {
                furthest = ReachedStep { step: step.to_owned(), step_index: position };
            }
        }
        if self.completion.is_some() {
            furthest =
                ReachedStep { step: COMPLETED.to_owned(), step_index: Some(steps.completed_position()) };
            seen.insert((steps.completed_position(), COMPLETED), ());
        }
        for (place, step) in steps.0.iter().enumerate() {
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

    pub(super) fn started_at(&self) -> EventTime {
        self.first().time
    }

    /// The attempt as a fact, without its id.
    pub(super) fn fact(
        &self,
        rules: &CheckoutRules,
        tenant: &str,
        outcome: Option<(&str, EventTime)>,
    ) -> CheckoutFact {
        let first = self.first();
        let (reached, furthest) = self.reached(rules.steps_at(tenant, &first.touchpoint));
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
            attempt_id: String::new(),
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
            further: first.further.clone(),
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
