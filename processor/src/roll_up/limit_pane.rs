//! A pane within the limits: names that are not kept count as `other`, their numbers with it.

use std::sync::Arc;

use touchstream_schemas::keys;
use touchstream_schemas::panes::{Pane, ReasonCounts, StepCounts, metric};

use super::limit::{Kind, Limits, OTHER, Scope};

/// Highest position at which a configured step is kept whatever else there is: positions are as sent, and made up they are without end.
const MOST_POSITION: i32 = 64;

impl Limits {
    /// The pane as it counts.
    pub(super) fn limit<'a>(&mut self, mut pane: Pane<'a>) -> Pane<'a> {
        if pane.metric == metric::QUALITY {
            return pane;
        }
        let (scope, minute): (Scope, _) = ((Arc::from(pane.tenant), Arc::from(pane.metric)), pane.minute);
        let mut limit = |kind: Kind, name: &mut &'a str| {
            if !self.keeps(&scope, kind, name, minute) {
                *name = OTHER;
            }
        };
        limit(Kind::Touchpoint, &mut pane.touchpoint);
        limit(Kind::Channel, &mut pane.channel);
        limit(Kind::Device, &mut pane.device);
        limit(Kind::Value, &mut pane.dimension_value);
        if [metric::CSAT, metric::CES, metric::APP].contains(&pane.metric) {
            limit(Kind::Name, &mut pane.detail);
        }
        if !self.keeps(&scope, Kind::Series, &series_of(&pane), minute) {
            (pane.touchpoint, pane.channel, pane.device) = (OTHER, OTHER, OTHER);
            if !pane.dimension.is_empty() {
                pane.dimension_value = OTHER;
            }
        }
        if let Some(checkout) = &mut pane.checkout {
            for step in &mut checkout.steps {
                if !self.keeps_step(&scope, step.step, step.step_index, minute) {
                    (step.step, step.step_index) = (OTHER, None);
                }
            }
            for reason in &mut checkout.reasons {
                if !self.keeps(&scope, Kind::Name, reason.currency, minute) {
                    reason.currency = OTHER;
                }
            }
            join_others(&mut checkout.steps, &mut checkout.reasons);
        }
        for now in &mut pane.now {
            if !self.keeps_step(&scope, now.name, now.step_index, minute) {
                (now.name, now.step_index) = (OTHER, None);
            }
        }
        pane
    }

    /// A step that is not configured is one with its position: positions are as sent.
    fn keeps_step(
        &mut self,
        scope: &Scope,
        step: &str,
        index: Option<i32>,
        minute: Option<touchstream_schemas::time::EventTime>,
    ) -> bool {
        let is_plausible = index.is_none_or(|index| (0..=MOST_POSITION).contains(&index));
        if is_plausible && self.is_exempt(scope, Kind::Name, step) {
            return true;
        }
        let index = index.map(|index| index.to_string()).unwrap_or_default();
        // Joined with its position the name of an exempt step is none, so that it is counted against the limit.
        self.keeps(scope, Kind::Name, &step_name(step, &index), minute)
    }
}

/// The name under which a step with its position is admitted.
pub(super) fn step_name(step: &str, index: &str) -> String {
    keys::join(&[step, index])
}

/// The name under which a series is admitted.
fn series_of(pane: &Pane<'_>) -> String {
    let Pane { detail, touchpoint, channel, device, dimension, dimension_value, .. } = *pane;
    keys::join(&[detail, touchpoint, channel, device, dimension, dimension_value])
}

/// Entries that have the same name now become one.
fn join_others<'a>(steps: &mut Vec<StepCounts<'a>>, reasons: &mut Vec<ReasonCounts<'a>>) {
    let mut joined: Vec<StepCounts<'a>> = Vec::with_capacity(steps.len());
    for step in steps.drain(..) {
        match joined
            .iter_mut()
            .find(|other| step.step == OTHER && other.step == OTHER && other.step_index == step.step_index)
        {
            Some(other) => {
                other.reached += step.reached;
                other.dropped += step.dropped;
            }
            None => joined.push(step),
        }
    }
    *steps = joined;
    let mut joined: Vec<ReasonCounts<'a>> = Vec::with_capacity(reasons.len());
    for reason in reasons.drain(..) {
        let is_same = |other: &&mut ReasonCounts<'a>| {
            reason.currency == OTHER
                && (other.currency, other.reason, other.reason_source)
                    == (reason.currency, reason.reason, reason.reason_source)
        };
        match joined.iter_mut().find(is_same) {
            Some(other) => {
                other.attempts += reason.attempts;
                // Each sum was bounded where it was made; joined they could pass the end of what travels.
                other.value.0 = other.value.0.saturating_add(reason.value.0);
            }
            None => joined.push(reason),
        }
    }
    *reasons = joined;
}
