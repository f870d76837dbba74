//! A pane within the limits: names that are not kept count as `other`, their numbers with it.

use std::collections::HashMap;
use std::sync::Arc;

use touchstream_runtime::touchpoints::FurtherDimension;
use touchstream_schemas::keys;
use touchstream_schemas::panes::{Pane, ReasonCounts, StepCounts, metric};
use touchstream_schemas::time::EventTime;

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
        match FurtherDimension::of_name(pane.dimension) {
            Some(dimension) => limit(Kind::Value(dimension), &mut pane.dimension_value),
            // Another release may know more dimensions than this one.
            None if !pane.dimension.is_empty() => pane.dimension_value = OTHER,
            None => {}
        }
        if [metric::CSAT, metric::CES, metric::APP].contains(&pane.metric) {
            limit(Kind::Name, &mut pane.detail);
        }
        self.give_way(&scope, &mut pane);
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

    /// A series for which there is no room loses its device, then its channel, then the rest: the rows in which these are `all` stay exact.
    fn give_way(&mut self, scope: &Scope, pane: &mut Pane<'_>) {
        for kind in [Kind::Series, Kind::WithoutDevice, Kind::WithoutChannel] {
            match kind {
                Kind::WithoutDevice => pane.device = OTHER,
                Kind::WithoutChannel => pane.channel = OTHER,
                _ => {}
            }
            if self.keeps(scope, kind, &series_of(pane), pane.minute) {
                return;
            }
        }
        pane.touchpoint = OTHER;
        if !pane.dimension.is_empty() {
            pane.dimension_value = OTHER;
        }
    }

    /// A step that is not configured is one with its position: positions are as sent.
    fn keeps_step(
        &mut self,
        scope: &Scope,
        step: &str,
        index: Option<i32>,
        minute: Option<EventTime>,
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
    let mut others: HashMap<Option<i32>, usize> = HashMap::new();
    for step in steps.drain(..) {
        let place = if step.step == OTHER {
            *others.entry(step.step_index).or_insert(joined.len())
        } else {
            joined.len()
        };
        match joined.get_mut(place) {
            Some(other) => {
                other.reached += step.reached;
                other.dropped += step.dropped;
            }
            None => joined.push(step),
        }
    }
    *steps = joined;
    let mut joined: Vec<ReasonCounts<'a>> = Vec::with_capacity(reasons.len());
    let mut others: HashMap<(&str, &str), usize> = HashMap::new();
    for reason in reasons.drain(..) {
        let name = (reason.reason, reason.reason_source);
        let place =
            if reason.currency == OTHER { *others.entry(name).or_insert(joined.len()) } else { joined.len() };
        match joined.get_mut(place) {
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
