//! Deltas: what one transaction changes, gathered per series and minute, so that a busy minute costs one pane.
//!
//! A pane that a transaction fills with more entries than [`MOST_ENTRIES`] goes out in pieces: a record that Kafka refuses for its size
//! would be refused again after every return to the last commit. Panes add up, so pieces are panes like any other.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use touchstream_schemas::duplicates::TakeHash;
use touchstream_schemas::facts::FurtherValue;
use touchstream_schemas::panes::{CheckoutCounts, NowCount, Pane};
use touchstream_schemas::time::EventTime;

use crate::cells::{Cell, Counts, NO_POSITION, StepKey, Written};
use crate::series::{SeriesKey, SeriesRef};

/// Steps, reasons, or things that are open now in one record, at most: a name is some hundred bytes at most, a record of Kafka 8 MiB.
const MOST_ENTRIES: usize = 1_000;

/// Names of what is open at a step that are looked through before one is copied.
const OPEN_TRIED: usize = 8;

/// Adds a fact's numbers or takes them back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The fact is valid now.
    Plus,
    /// The fact is no longer valid.
    Minus,
}

#[derive(Debug, Default)]
struct SeriesDelta {
    minutes: BTreeMap<EventTime, Cell>,
    now: BTreeMap<StepKey, i64>,
}

/// Changes that no pane carries yet.
#[derive(Debug, Default)]
pub struct Deltas {
    series: Vec<(SeriesKey, SeriesDelta)>,
    /// Places in `series` by hash; a hash that another series has is followed by the next.
    places: HashMap<u64, usize, BuildHasherDefault<TakeHash>>,
}

impl Deltas {
    /// `counts` happened, or did not happen after all, at `time`.
    pub fn count(&mut self, series: &SeriesKey, time: EventTime, counts: Counts, sign: Sign) {
        self.count_at(series.view(), time, &Cell::new(counts), sign);
    }

    /// The same, and once more for the value of each further dimension.
    pub fn count_by(
        &mut self,
        series: &SeriesKey,
        further: &[FurtherValue],
        time: EventTime,
        counts: Counts,
        sign: Sign,
    ) {
        self.count_in(series.view(), further, time, counts, sign);
    }

    /// The same, of a series whose texts lie elsewhere.
    pub(crate) fn count_in(
        &mut self,
        series: SeriesRef<'_>,
        further: &[FurtherValue],
        time: EventTime,
        counts: Counts,
        sign: Sign,
    ) {
        for FurtherValue { dimension, value } in further {
            self.count_at(series.split_by(dimension, value), time, &Cell::new(counts.clone()), sign);
        }
        self.count_at(series, time, &Cell::new(counts), sign);
    }

    fn count_at(&mut self, series: SeriesRef<'_>, time: EventTime, cell: &Cell, sign: Sign) {
        let minutes = &mut self.series(series).minutes;
        let sum = minutes.entry(time.minute()).or_insert_with(|| cell.zero_like());
        match sign {
            Sign::Plus => sum.add(cell),
            Sign::Minus => sum.subtract(cell),
        }
    }

    /// Something opened, or is no longer open; `position` is the step's.
    pub fn open(&mut self, series: &SeriesKey, name: &Arc<str>, position: Option<i32>, sign: Sign) {
        self.open_in(series.view(), &[], name, position, sign);
    }

    /// The same, and once more for the value of each further dimension; texts lie elsewhere.
    pub(crate) fn open_in(
        &mut self,
        series: SeriesRef<'_>,
        further: &[FurtherValue],
        name: &str,
        position: Option<i32>,
        sign: Sign,
    ) {
        for FurtherValue { dimension, value } in further {
            self.open_at(series.split_by(dimension, value), name, position, sign);
        }
        self.open_at(series, name, position, sign);
    }

    fn open_at(&mut self, series: SeriesRef<'_>, name: &str, position: Option<i32>, sign: Sign) {
        let position = position.unwrap_or(NO_POSITION);
        let change = if sign == Sign::Plus { 1 } else { -1 };
        let now = &mut self.series(series).now;
        // Few names are open in a series, so they are tried one by one before a name is copied.
        let known = now.range_mut((position, Arc::from(""))..).take(OPEN_TRIED);
        for ((known_position, known), count) in known {
            if *known_position == position && **known == *name {
                *count += change;
                return;
            }
        }
        *now.entry((position, name.into())).or_insert(0) += change;
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Hands out every change that did not cancel out, as panes, and forgets it. The minute is `None` for a change of what is open now.
    ///
    /// # Errors
    /// The first error of `emit`; the changes are forgotten all the same (the transaction is lost with them).
    pub fn drain<E>(
        &mut self,
        mut emit: impl FnMut(&SeriesKey, &Pane<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.places.clear();
        for (series, mut delta) in self.series.drain(..) {
            let mut pane = series.empty_pane(None);
            let now: Vec<NowCount<'_>> = delta
                .now
                .iter()
                .filter(|(_, change)| **change != 0)
                .map(|((position, name), change)| NowCount {
                    name,
                    step_index: (*position != NO_POSITION).then_some(*position),
                    count: *change,
                })
                .collect();
            for piece in now.chunks(MOST_ENTRIES) {
                pane.now = piece.to_vec();
                emit(&series, &pane)?;
            }
            pane.now = Vec::new();
            for (minute, cell) in &mut delta.minutes {
                cell.drop_what_cancelled_out();
                if *cell == cell.zero_like() {
                    continue;
                }
                let Written { scores, checkout, response, service, app, quality } =
                    Written::from(&cell.counts);
                pane =
                    Pane { minute: Some(*minute), scores, checkout, response, service, app, quality, ..pane };
                let further_steps = split_off(pane.checkout.as_mut().map(|checkout| &mut checkout.steps));
                let further_reasons = split_off(pane.checkout.as_mut().map(|checkout| &mut checkout.reasons));
                emit(&series, &pane)?;
                for steps in further_steps.chunks(MOST_ENTRIES) {
                    pane.checkout =
                        Some(CheckoutCounts { steps: steps.to_vec(), ..CheckoutCounts::default() });
                    emit(&series, &pane)?;
                }
                for reasons in further_reasons.chunks(MOST_ENTRIES) {
                    pane.checkout =
                        Some(CheckoutCounts { reasons: reasons.to_vec(), ..CheckoutCounts::default() });
                    emit(&series, &pane)?;
                }
            }
        }
        Ok(())
    }

    fn series(&mut self, series: SeriesRef<'_>) -> &mut SeriesDelta {
        let mut hash = series.hash();
        let place = loop {
            match self.places.get(&hash) {
                Some(place) if self.series[*place].0.view() == series => break *place,
                Some(_) => hash = hash.wrapping_add(1),
                None => {
                    self.places.insert(hash, self.series.len());
                    self.series.push((series.to_key(), SeriesDelta::default()));
                    break self.series.len() - 1;
                }
            }
        };
        &mut self.series[place].1
    }
}

/// Takes what is beyond one record's share out of a list.
fn split_off<T>(entries: Option<&mut Vec<T>>) -> Vec<T> {
    match entries {
        Some(entries) if entries.len() > MOST_ENTRIES => entries.split_off(MOST_ENTRIES),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::CheckoutCell;

    /// However much one transaction holds of one series, no record grows with it, and nothing is counted twice.
    #[test]
    fn a_pane_goes_out_in_pieces() {
        let series = SeriesKey::new("t", "checkout", "", ["checkout", "web", "mobile"]);
        let mut deltas = Deltas::default();
        for number in 0..2_500 {
            let name: Arc<str> = format!("step {number}").into();
            let mut cell = CheckoutCell { within_3min: 1, ..CheckoutCell::default() };
            cell.steps.entry((number, name.clone())).or_default().reached = 1;
            cell.reasons.entry((name.clone(), "stated".into(), "EUR".into())).or_default().attempts = 1;
            deltas.count(&series, EventTime(0), Counts::Checkout(cell), Sign::Plus);
            deltas.open(&series, &name, None, Sign::Plus);
        }
        let (mut largest, mut steps, mut reasons, mut within, mut open) = (0, 0, 0, 0, 0);
        deltas
            .drain::<()>(|_, pane| {
                let checkout = pane.checkout.clone().unwrap_or_default();
                let entries = [pane.now.len(), checkout.steps.len(), checkout.reasons.len()];
                largest = entries.into_iter().fold(largest, usize::max);
                steps += checkout.steps.iter().map(|step| step.reached).sum::<i64>();
                reasons += checkout.reasons.iter().map(|reason| reason.attempts).sum::<i64>();
                within += checkout.within_3min;
                open += pane.now.iter().map(|now| now.count).sum::<i64>();
                Ok(())
            })
            .expect("nothing fails here");
        assert_eq!((largest, steps, reasons, within, open), (MOST_ENTRIES, 2_500, 2_500, 2_500, 2_500));
    }
}
