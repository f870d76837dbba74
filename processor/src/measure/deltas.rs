//! Deltas: what one transaction changes, gathered per series and minute, so that a busy minute costs one pane.
//!
//! A pane that a transaction fills with more entries than [`MOST_ENTRIES`] goes out in pieces: a record that Kafka refuses for its size
//! would be refused again after every return to the last commit. Panes add up, so pieces are panes like any other.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use touchstream_schemas::facts::FurtherValue;
use touchstream_schemas::panes::{CheckoutCounts, NowCount, Pane};
use touchstream_schemas::time::EventTime;

use crate::cells::{Cell, Counts, NO_POSITION, StepKey};
use crate::hash::Quick;
use crate::series::SeriesKey;

/// Steps, reasons, or things that are open now in one record, at most: a name is some hundred bytes at most, a record of Kafka 8 MiB.
const MOST_ENTRIES: usize = 1_000;

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
pub struct Deltas(HashMap<SeriesKey, SeriesDelta, Quick>);

impl Deltas {
    /// `counts` happened, or did not happen after all, at `time`.
    pub fn count(&mut self, series: &SeriesKey, time: EventTime, counts: Counts, sign: Sign) {
        let cell = Cell::new(counts);
        let sum = self.series(series).minutes.entry(time.minute()).or_insert_with(|| cell.zero_like());
        match sign {
            Sign::Plus => sum.add(&cell),
            Sign::Minus => sum.subtract(&cell),
        }
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
        for FurtherValue { dimension, value } in further {
            self.count(&series.split_by(dimension, value), time, counts.clone(), sign);
        }
        self.count(series, time, counts, sign);
    }

    /// Something opened, or is no longer open; `position` is the step's.
    pub fn open(&mut self, series: &SeriesKey, name: &Arc<str>, position: Option<i32>, sign: Sign) {
        let key = (position.unwrap_or(NO_POSITION), name.clone());
        let change = self.series(series).now.entry(key).or_insert(0);
        *change += if sign == Sign::Plus { 1 } else { -1 };
    }

    /// The same, and once more for the value of each further dimension.
    pub fn open_by(
        &mut self,
        series: &SeriesKey,
        further: &[FurtherValue],
        name: &Arc<str>,
        position: Option<i32>,
        sign: Sign,
    ) {
        for FurtherValue { dimension, value } in further {
            self.open(&series.split_by(dimension, value), name, position, sign);
        }
        self.open(series, name, position, sign);
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Hands out every change that did not cancel out, as panes, and forgets it. The minute is `None` for a change of what is open now.
    ///
    /// # Errors
    /// The first error of `emit`; the changes are forgotten all the same (the transaction is lost with them).
    pub fn drain<E>(
        &mut self,
        mut emit: impl FnMut(&SeriesKey, &Pane<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for (series, mut delta) in self.0.drain() {
            let mut pane = Pane {
                tenant: &series.tenant,
                metric: &series.metric,
                detail: &series.detail,
                touchpoint: &series.dimensions.touchpoint,
                channel: &series.dimensions.channel,
                device: &series.dimensions.device,
                dimension: series.further().0,
                dimension_value: series.further().1,
                minute: None,
                scores: None,
                checkout: None,
                response: None,
                service: None,
                app: None,
                quality: None,
                now: Vec::new(),
            };
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
                pane.minute = Some(*minute);
                (pane.scores, pane.checkout, pane.response) = (None, None, None);
                (pane.service, pane.app, pane.quality) = (None, None, None);
                match &cell.counts {
                    Counts::Scores(scores) => pane.scores = Some(*scores),
                    Counts::Checkout(checkout) => pane.checkout = Some(checkout.to_counts()),
                    Counts::Response(response) => pane.response = Some(response.to_counts()),
                    Counts::Service(service) => pane.service = Some(*service),
                    Counts::App(app) => pane.app = Some(app.to_counts()),
                    Counts::Quality(quality) => pane.quality = Some(*quality),
                }
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

    fn series(&mut self, series: &SeriesKey) -> &mut SeriesDelta {
        if !self.0.contains_key(series) {
            self.0.insert(series.clone(), SeriesDelta::default());
        }
        self.0.get_mut(series).expect("it was inserted a line ago")
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
