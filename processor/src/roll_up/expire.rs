//! Forgets, once an hour, what no event can change and no window needs any more: minutes, hours, what was open, series, names.
//!
//! Promise: what a partition holds, in memory and in the compacted changelog, is bounded by what was counted within the time that is
//! kept, however long it runs and however many names come and go.

use std::collections::HashSet;

use touchstream_schemas::keys;
use touchstream_schemas::minutes::span;
use touchstream_schemas::time::{EventTime, Millis};

use super::emit::{Emitter, Sending};
use super::limit::{Kind, Scope};
use super::limit_pane::step_name;
use super::partition::{Leaf, PanePartition, Series};
use super::sizes;
use crate::cells::{Counts, NO_POSITION, StepKey};
use crate::series::Dimensions;
use crate::stage::{Output, StageError, base_revision};

/// What was closed is listed, with zero, until every window that showed it open is final: none of these ends more than an advance later.
const LISTED_AFTER_CLOSING: Millis = Millis::HOUR.times(2);

impl PanePartition {
    /// Forgets, if an hour has passed since the last time.
    pub(super) fn expire(
        &mut self,
        now: EventTime,
        partition: i32,
        emitter: &mut Emitter,
        output: &mut dyn Output,
    ) -> Result<(), StageError> {
        if now - self.expired_at < Millis::HOUR {
            return Ok(());
        }
        self.expired_at = now;
        let minutes_before = self.forgotten_before();
        let hours_before = (self.note.event_time() - self.kept.hours).floor_to(Millis::DAY);
        let usual_before = (self.note.event_time() - self.kept.usual_hours).floor_to(Millis::DAY);
        let mut sending = Sending { emitter, output, partition, revision: base_revision(self.last_offset) };
        for series in &mut self.series {
            let sizes = sizes::of_metric(&series.key.metric).len();
            let keeps_hours = sizes > 0 && series.key.further.is_none();
            let hours_before = match (keeps_hours, sizes > 4) {
                (_, true) => hours_before,
                (true, false) => usual_before.min(minutes_before),
                (false, false) => minutes_before,
            };
            let keeps_hours = keeps_hours || sizes > 4;
            let (minutes, hours, forgotten_hours) = series.ring.expire(minutes_before, hours_before);
            let has_now_changed = series.forget_closed(now, self.note.event_time());
            if !self.leaves.contains_key(&series.key) {
                continue;
            }
            for (hour, cell) in hours.iter().filter(|_| keeps_hours) {
                sending.minute(&series.key, span::HOUR, *hour, cell)?;
            }
            for minute in minutes {
                sending.forget(&series.key, span::MINUTE, minute)?;
            }
            for hour in forgotten_hours.into_iter().filter(|_| keeps_hours) {
                sending.forget(&series.key, span::HOUR, hour)?;
            }
            if has_now_changed {
                sending.now(&series.key, &series.now)?;
            }
        }
        self.forget_empty_series();
        let held = self.held_names();
        self.limits.forget(minutes_before, |scope, kind, name| {
            held.contains(&(scope.clone(), kind, name.to_owned()))
        });
        Ok(())
    }

    /// Forgets the series that nothing is held of; those that remain move together.
    fn forget_empty_series(&mut self) {
        let series = &self.series;
        let before = self.leaves.len();
        self.leaves.retain(|_, leaf| !(leaf.is_settled() && series[leaf.series[0]].is_empty()));
        if self.leaves.len() == before {
            return;
        }
        let mut is_used = vec![false; self.series.len()];
        self.leaves.values().flat_map(|leaf| &leaf.series).for_each(|index| is_used[*index] = true);
        let mut place = 0;
        let places: Vec<usize> = is_used
            .iter()
            .map(|is_used| {
                place += usize::from(*is_used);
                place.saturating_sub(1)
            })
            .collect();
        let mut used = is_used.iter();
        self.series.retain(|_| used.next().copied().unwrap_or_default());
        self.series_of.retain(|_, index| {
            let stays = is_used[*index];
            *index = places[*index];
            stays
        });
        for index in self.leaves.values_mut().flat_map(|leaf| &mut leaf.series) {
            *index = places[*index];
        }
        self.series.shrink_to_fit();
        self.series_of.shrink_to_fit();
        self.leaves.shrink_to_fit();
        self.names.forget_unused();
    }

    /// Every name of which a minute, an hour, or something that is open now is held.
    fn held_names(&self) -> HashSet<(Scope, Kind, String)> {
        let mut held = HashSet::new();
        for (key, leaf) in &self.leaves {
            let series = &self.series[leaf.series[0]];
            if series.ring.span().is_none() && series.now.values().all(|count| *count == 0) {
                continue;
            }
            let scope: Scope = (key.tenant.clone(), key.metric.clone());
            let Dimensions { touchpoint, channel, device } = &key.dimensions;
            let (dimension, value) = key.further();
            let whole = keys::join(&[&key.detail, touchpoint, channel, device, dimension, value]);
            let mut add = |kind: Kind, name: String| held.insert((scope.clone(), kind, name));
            add(Kind::Touchpoint, touchpoint.to_string());
            add(Kind::Channel, channel.to_string());
            add(Kind::Device, device.to_string());
            if let Some(Kind::Value(dimension)) = Kind::of(dimension) {
                add(Kind::Value(dimension), value.to_owned());
            }
            add(Kind::Name, key.detail.to_string());
            for kind in [Kind::Series, Kind::WithoutDevice, Kind::WithoutChannel] {
                add(kind, whole.clone());
            }
            let of_checkout = series.ring.days().filter_map(|cell| match &cell.counts {
                Counts::Checkout(checkout) => Some(checkout),
                _ => None,
            });
            let mut add_step = |(position, step): &StepKey| {
                let index = if *position == NO_POSITION { String::new() } else { position.to_string() };
                add(Kind::Name, step_name(step, &index));
            };
            // What is open now counts also where nothing has an outcome yet.
            let open = series.now.iter().filter(|(_, count)| **count != 0);
            open.for_each(|(step, _)| add_step(step));
            for checkout in of_checkout.clone() {
                checkout.steps.keys().for_each(&mut add_step);
            }
            for (.., currency) in of_checkout.flat_map(|checkout| checkout.reasons.keys()) {
                add(Kind::Name, currency.to_string());
            }
        }
        held
    }
}

impl Leaf {
    fn is_settled(&self) -> bool {
        self.changed.is_empty() && !self.has_now_changed
    }
}

impl Series {
    /// Whether nothing is held that a window, now or later, could show.
    fn is_empty(&self) -> bool {
        self.ring.span().is_none() && self.now.is_empty() && self.changed.is_empty() && !self.has_now_changed
    }

    /// Forgets what was closed so long ago that no window lists it any more; true when there was some.
    fn forget_closed(&mut self, now: EventTime, event_time: EventTime) -> bool {
        let open = &self.now;
        self.closed.retain(|step, _| open.get(step) == Some(&0));
        for step in self.now.iter().filter(|(_, count)| **count == 0).map(|(step, _)| step) {
            self.closed.entry(step.clone()).or_insert(now);
        }
        let before = self.now.len();
        let gone = |since: EventTime| event_time >= since + LISTED_AFTER_CLOSING;
        self.now.retain(|step, _| !self.closed.get(step).is_some_and(|since| gone(*since)));
        self.closed.retain(|_, since| !gone(*since));
        self.now.len() < before
    }
}
