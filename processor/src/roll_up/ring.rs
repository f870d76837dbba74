//! A ring holds what a series counted by minute, and the same by hour and by day, so that any window is the sum of few cells.

use std::collections::BTreeMap;

use touchstream_schemas::time::{EventTime, Millis};

use super::sizes::WindowSize;
use crate::cells::Cell;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Add,
    Subtract,
}

/// Cells of one series; an hour is always the sum of its minutes, a day of its hours.
#[derive(Debug, Default)]
pub(super) struct Ring {
    minutes: BTreeMap<EventTime, Cell>,
    hours: BTreeMap<EventTime, Cell>,
    days: BTreeMap<EventTime, Cell>,
}

impl Ring {
    /// Adds a change of one minute.
    pub(super) fn apply(&mut self, minute: EventTime, mut delta: Cell) {
        delta.touch_what_is_new_in(self.minutes.get(&minute));
        add_to(&mut self.minutes, minute, &delta);
        add_to(&mut self.hours, minute.floor_to(Millis::HOUR), &delta);
        add_to(&mut self.days, minute.floor_to(Millis::DAY), &delta);
    }

    /// Adds a whole hour whose minutes are not held any more.
    pub(super) fn apply_hour(&mut self, hour: EventTime, mut cell: Cell) {
        cell.touch_what_is_new_in(self.hours.get(&hour));
        add_to(&mut self.hours, hour, &cell);
        add_to(&mut self.days, hour.floor_to(Millis::DAY), &cell);
    }

    /// All that was counted in a minute.
    pub(super) fn minute(&self, minute: EventTime) -> Option<&Cell> {
        self.minutes.get(&minute)
    }

    /// All that is held, by day.
    pub(super) fn days(&self) -> impl Iterator<Item = &Cell> + Clone {
        self.days.values()
    }

    /// First and last time that anything was counted at, by the hour.
    pub(super) fn span(&self) -> Option<(EventTime, EventTime)> {
        let first = *self.hours.first_key_value()?.0;
        let last = *self.hours.last_key_value()?.0 + Millis::HOUR;
        Some((first, last))
    }

    /// Forgets minutes before `minutes_before` (a day's start) and hours and days before `hours_before`; returns what was forgotten of
    /// the minutes, and the hours that now stand for them.
    pub(super) fn expire(
        &mut self,
        minutes_before: EventTime,
        hours_before: EventTime,
    ) -> (Vec<EventTime>, Vec<(EventTime, Cell)>, Vec<EventTime>) {
        let kept = self.minutes.split_off(&minutes_before);
        let forgotten: Vec<EventTime> = std::mem::replace(&mut self.minutes, kept).into_keys().collect();
        let kept = self.hours.split_off(&hours_before);
        let forgotten_hours = std::mem::replace(&mut self.hours, kept).into_keys().collect();
        self.days = self.days.split_off(&hours_before);
        let mut hours: Vec<EventTime> =
            forgotten.iter().map(|minute| minute.floor_to(Millis::HOUR)).collect();
        hours.dedup();
        let hours =
            hours.into_iter().filter_map(|hour| Some((hour, self.hours.get(&hour)?.clone()))).collect();
        (forgotten, hours, forgotten_hours)
    }

    /// The hours before `to`, the newest first.
    pub(super) fn hours_before(&self, to: EventTime) -> impl Iterator<Item = (EventTime, &Cell)> {
        self.hours.range(..to).rev().map(|(hour, cell)| (*hour, cell))
    }

    /// The fewest cells that together are this stretch of time.
    pub(super) fn cells(&self, from: EventTime, to: EventTime) -> impl Iterator<Item = &Cell> {
        let minutes_end = ceil_to(from, Millis::HOUR).min(to);
        let minutes_start = to.floor_to(Millis::HOUR).max(minutes_end);
        let hours_end = ceil_to(minutes_end, Millis::DAY).min(minutes_start);
        let hours_start = minutes_start.floor_to(Millis::DAY).max(hours_end);
        (self.minutes.range(from..minutes_end))
            .chain(self.hours.range(minutes_end..hours_end))
            .chain(self.days.range(hours_end..hours_start))
            .chain(self.hours.range(hours_start..minutes_start))
            .chain(self.minutes.range(minutes_start..to))
            .map(|(_, cell)| cell)
    }

    fn merge(&self, sum: &mut Cell, from: EventTime, to: EventTime, direction: Direction) {
        for cell in self.cells(from, to) {
            match direction {
                Direction::Add => sum.add(cell),
                Direction::Subtract => sum.subtract(cell),
            }
        }
    }
}

fn add_to(cells: &mut BTreeMap<EventTime, Cell>, at: EventTime, delta: &Cell) {
    cells.entry(at).or_insert_with(|| delta.zero_like()).add(delta);
}

fn ceil_to(time: EventTime, step: Millis) -> EventTime {
    let floor = time.floor_to(step);
    if floor == time { floor } else { floor + step }
}

/// The sum of a window that moves forward: adds what enters, subtracts what leaves.
#[derive(Debug)]
pub(super) struct RollingSum<'r> {
    ring: &'r Ring,
    size: WindowSize,
    sum: Cell,
    from: EventTime,
    to: EventTime,
}

impl<'r> RollingSum<'r> {
    /// Before any window; `None` when the ring is empty.
    pub(super) fn new(ring: &'r Ring, size: WindowSize) -> Option<RollingSum<'r>> {
        let (_, any) = ring.hours.first_key_value()?;
        Some(RollingSum { ring, size, sum: any.zero_like(), from: EventTime::MIN, to: EventTime::MIN })
    }

    /// The window that ends at `end`; ends must come in rising order.
    pub(super) fn at(&mut self, end: EventTime) -> &Cell {
        let from = end - self.size.size;
        if from >= self.to {
            self.sum = self.sum.zero_like();
            self.ring.merge(&mut self.sum, from, end, Direction::Add);
        } else {
            self.ring.merge(&mut self.sum, self.to, end, Direction::Add);
            self.ring.merge(&mut self.sum, self.from, from, Direction::Subtract);
        }
        (self.from, self.to) = (from, end);
        &self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::Counts;
    use crate::roll_up::sizes;
    use proptest::prelude::*;
    use touchstream_schemas::panes::{Scores, metric};

    fn answers(count: i64) -> Cell {
        Cell::new(Counts::Scores(Scores { answers: count, top: count, middle: 0, bottom: 0 }))
    }

    proptest! {
        /// However it is summed, a rolling window is the plain sum over its minutes, and touched exactly when one of them was.
        #[test]
        fn rolling_equals_adding_up(
            changes in prop::collection::vec((0_i64..60 * 24 * 9, -2_i64..3), 1..200),
            step in 1_i64..5,
        ) {
            let start = EventTime(1_700_006_400_000);
            let mut ring = Ring::default();
            for (minute, count) in &changes {
                ring.apply(start + Millis::MINUTE.times(*minute), answers(*count));
            }
            for size in sizes::of_metric(metric::NPS) {
                let mut rolling = RollingSum::new(&ring, *size).expect("something was counted");
                let mut end = size.end_after(start);
                while end < start + Millis::DAY.times(10) {
                    let inside = |minute: i64| {
                        let time = start + Millis::MINUTE.times(minute);
                        end - size.size <= time && time < end
                    };
                    let expected: i64 =
                        changes.iter().filter(|(minute, _)| inside(*minute)).map(|(_, count)| count).sum();
                    let is_touched = changes.iter().any(|(minute, _)| inside(*minute));
                    let sum = rolling.at(end);
                    prop_assert_eq!(sum.is_touched(), is_touched);
                    prop_assert_eq!(&sum.counts, &answers(expected).counts);
                    end = end + size.advance.times(step * 7);
                }
            }
        }
    }
}
