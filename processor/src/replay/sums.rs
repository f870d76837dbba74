//! Sums of series by minute, and what is open now: what was counted, what should have been, and the difference of both as panes.

use std::collections::BTreeMap;

use touchstream_schemas::minutes::{Minute, span};
use touchstream_schemas::panes::{NowCount, Pane, metric};
use touchstream_schemas::time::EventTime;

use super::period::Period;
use crate::cells::{Cell, Counts, NO_POSITION, Names, Recorded, StepKey, Written, counts_of};
use crate::measure::deltas::Deltas;
use crate::series::SeriesKey;

/// Of one series.
#[derive(Clone, Debug, Default)]
struct OfSeries {
    minutes: BTreeMap<EventTime, Cell>,
    now: BTreeMap<StepKey, i64>,
}

/// Sums by series.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums(BTreeMap<SeriesKey, OfSeries>);

impl Sums {
    /// Takes everything out of `deltas`.
    pub(super) fn take(deltas: &mut Deltas, names: &mut Names) -> Sums {
        let mut sums = Sums::default();
        let done = deltas.drain(|series, pane| {
            sums.add_pane(series, pane, names);
            Ok::<(), std::convert::Infallible>(())
        });
        done.expect("adding up never fails");
        sums
    }

    /// Adds a pane.
    pub(super) fn add_pane(&mut self, series: &SeriesKey, pane: &Pane<'_>, names: &mut Names) {
        let recorded = Recorded::from(pane);
        if let (Some(minute), Some(counts)) = (pane.minute, counts_of(recorded, names)) {
            self.add(series, minute, &Cell::new(counts));
        }
        self.add_now(series, &pane.now, names);
    }

    /// Adds a record of the roll-up's state; hours and names are none of a replay's business, and quality is counted once, on arrival.
    pub(super) fn add_minute(&mut self, minute: &Minute<'_>, names: &mut Names) {
        if minute.metric == metric::QUALITY {
            return;
        }
        let series = SeriesKey::of_minute(minute);
        let recorded = Recorded::from(minute);
        match (minute.span, counts_of(recorded, names)) {
            (span::NOW, _) => self.add_now(&series, &minute.now, names),
            (span::MINUTE, Some(counts)) => self.add(&series, minute.start, &Cell::new(counts)),
            _ => {}
        }
    }

    /// Adds other sums.
    pub(super) fn merge(&mut self, other: &Sums) {
        for (series, sums) in &other.0 {
            for (minute, cell) in &sums.minutes {
                self.add(series, *minute, cell);
            }
            let now = &mut self.0.entry(series.clone()).or_default().now;
            for (step, count) in &sums.now {
                *now.entry(step.clone()).or_insert(0) += count;
            }
        }
    }

    fn add(&mut self, series: &SeriesKey, minute: EventTime, cell: &Cell) {
        let minutes = &mut self.0.entry(series.clone()).or_default().minutes;
        minutes.entry(minute).or_insert_with(|| cell.zero_like()).add(cell);
    }

    fn add_now(&mut self, series: &SeriesKey, counts: &[NowCount<'_>], names: &mut Names) {
        if counts.is_empty() {
            return;
        }
        let now = &mut self.0.entry(series.clone()).or_default().now;
        for count in counts {
            let step = (count.step_index.unwrap_or(NO_POSITION), names.get(count.name));
            *now.entry(step).or_insert(0) += count.count;
        }
    }
}

/// Sums before and after.
#[derive(Debug)]
pub(super) struct Correction<'s> {
    pub(super) period: Period,
    /// What the roll-up holds now.
    pub(super) counted: &'s Sums,
    /// All that should be counted in the period, and what is open now.
    pub(super) should_be: &'s Sums,
    /// What journeys that live on counted so far, and what they count from now on, wherever.
    pub(super) sent_before: &'s Sums,
    pub(super) sent_now: &'s Sums,
}

impl Correction<'_> {
    /// Hands out the panes that bring the roll-up's state to what it should be. In the period that is one for each minute of a series that has
    /// or had anything, also when nothing changes: its minute and windows go out again all the same.
    pub(super) fn panes<E>(
        &self,
        mut emit: impl FnMut(&SeriesKey, &Pane<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let all = [self.counted, self.should_be, self.sent_before, self.sent_now];
        let mut series: Vec<&SeriesKey> = all.iter().flat_map(|sums| sums.0.keys()).collect();
        series.sort_unstable();
        series.dedup();
        for key in series {
            let nothing = OfSeries::default();
            let [counted, should_be, before, now] = all.map(|sums| sums.0.get(key).unwrap_or(&nothing));
            let inside = (self.period.from..self.period.to, [should_be, counted]);
            let earlier = (EventTime::MIN..self.period.from, [now, before]);
            let later = (self.period.to..EventTime::MAX, [now, before]);
            let inside_from = self.period.from;
            for (range, [after, before]) in [inside, earlier, later] {
                let is_inside = range.start == inside_from;
                let mut minutes: BTreeMap<EventTime, Cell> = BTreeMap::new();
                for (minute, cell) in after.minutes.range(range.clone()) {
                    minutes.insert(*minute, cell.clone());
                }
                for (minute, cell) in before.minutes.range(range) {
                    minutes.entry(*minute).or_insert_with(|| cell.zero_like()).subtract(cell);
                }
                for (minute, mut cell) in minutes {
                    cell.drop_what_cancelled_out();
                    if is_inside || cell != cell.zero_like() {
                        emit(key, &pane(key, Some(minute), Some(&cell.counts), Vec::new()))?;
                    }
                }
            }
            let mut open = should_be.now.clone();
            for (step, count) in &counted.now {
                *open.entry(step.clone()).or_insert(0) -= count;
            }
            open.retain(|_, count| *count != 0);
            if !open.is_empty() {
                let now = open.iter().map(|((position, name), count)| NowCount {
                    name,
                    step_index: (*position != NO_POSITION).then_some(*position),
                    count: *count,
                });
                emit(key, &pane(key, None, None, now.collect()))?;
            }
        }
        Ok(())
    }
}

fn pane<'p>(
    series: &'p SeriesKey,
    minute: Option<EventTime>,
    counts: Option<&'p Counts>,
    now: Vec<NowCount<'p>>,
) -> Pane<'p> {
    let written = counts.map(Written::from).unwrap_or_default();
    let Written { scores, checkout, response, service, app, quality: _ } = written;
    Pane { scores, checkout, response, service, app, now, ..series.empty_pane(minute) }
}
