//! Cells: what a series counted within some span of time, as numbers that add and subtract exactly.
//!
//! The same type is a delta on its way from measure to roll up, a minute, an hour, a day, and the sum of a window. `touched`
//! counts the minutes that hold an entry: a window's row exists exactly while one of its minutes was touched, even if a
//! correction brought its numbers back to zero, and a sum that loses a minute again forgets what came with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use touchstream_schemas::log_buckets;
use touchstream_schemas::minutes::Minute;
use touchstream_schemas::money::Money;
use touchstream_schemas::panes::{
    AppCounts, Bucket, CheckoutCounts, Pane, QualityCounts, ReasonCounts, ResponseCounts, Scores,
    ServiceCounts, StepCounts,
};
use touchstream_schemas::windows::Percentiles;

/// Counts of log buckets, in rising order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buckets(BTreeMap<i32, i64>);

impl Buckets {
    /// Counts `milliseconds` `times` over (negative takes back).
    pub fn count(&mut self, milliseconds: i64, times: i64) {
        self.add_at(log_buckets::index_of(milliseconds), times);
    }

    /// Number of values and the percentiles that windows show.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let buckets = self.to_list();
        let at = |percent| log_buckets::percentile(&buckets, percent);
        Percentiles {
            n: self.0.values().sum(),
            p50_ms: at(50),
            p75_ms: at(75),
            p95_ms: at(95),
            p99_ms: at(99),
        }
    }

    /// As they travel.
    #[must_use]
    pub fn to_list(&self) -> Vec<Bucket> {
        self.0.iter().map(|(index, count)| Bucket { index: *index, count: *count }).collect()
    }

    /// Bucket and count, in rising order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i32, i64)> {
        self.0.iter().map(|(index, count)| (*index, *count))
    }

    /// Number of values.
    pub(crate) fn total(&self) -> i64 {
        self.0.values().sum()
    }

    fn from_list(list: &[Bucket]) -> Buckets {
        let mut buckets = Buckets::default();
        for bucket in list {
            buckets.add_at(bucket.index, bucket.count);
        }
        buckets
    }

    fn add_at(&mut self, index: i32, count: i64) {
        let total = self.0.entry(index).or_insert(0);
        *total += count;
        if *total == 0 {
            self.0.remove(&index);
        }
    }

    fn merge(&mut self, other: &Buckets, sign: i64) {
        for (index, count) in &other.0 {
            self.add_at(*index, sign * count);
        }
    }
}

/// One step of the funnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepCell {
    /// Attempts with an outcome that reached the step.
    pub reached: i64,
    /// Abandoned attempts whose furthest step it is.
    pub dropped: i64,
    touched: i64,
}

/// One abandonment reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReasonCell {
    /// Abandoned attempts.
    pub attempts: i64,
    /// Sum of their values, in ten-thousandths; wide enough for any number of any values.
    pub value: i128,
    touched: i64,
}

/// A step by position and name, so that listing the steps puts them in order; steps without position come last.
pub type StepKey = (i32, Arc<str>);
/// Reason, its source, currency.
pub type ReasonKey = (Arc<str>, Arc<str>, Arc<str>);

/// Position in [`StepKey`] of a step that has none.
pub const NO_POSITION: i32 = i32::MAX;

/// Outcomes of checkout attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckoutCell {
    /// Funnel.
    pub steps: BTreeMap<StepKey, StepCell>,
    /// Reasons.
    pub reasons: BTreeMap<ReasonKey, ReasonCell>,
    /// Purchases within 3 minutes.
    pub within_3min: i64,
    /// Purchases within 15 minutes.
    pub within_15min: i64,
    /// Durations of purchases.
    pub durations: Buckets,
}

/// One response metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseCell {
    /// Waits that passed the service level.
    pub breached: i64,
    /// Answered waits.
    pub durations: Buckets,
}

/// Responses and tasks of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppCell {
    /// Responses that failed.
    pub errors: i64,
    /// Tasks.
    pub tasks: i64,
    /// Tasks that succeeded.
    pub successes: i64,
    /// Durations of responses.
    pub durations: Buckets,
}

/// The numbers of one kind of metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counts {
    /// A score metric.
    Scores(Scores),
    /// Checkout outcomes.
    Checkout(CheckoutCell),
    /// A response metric.
    Response(ResponseCell),
    /// Service quality.
    Service(ServiceCounts),
    /// Responses and tasks.
    App(AppCell),
    /// Data quality.
    Quality(QualityCounts),
}

/// Numbers of a series over some span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The numbers.
    pub counts: Counts,
    touched: i64,
}

impl Counts {
    fn zero_like(&self) -> Counts {
        match self {
            Counts::Scores(_) => Counts::Scores(Scores::default()),
            Counts::Checkout(_) => Counts::Checkout(CheckoutCell::default()),
            Counts::Response(_) => Counts::Response(ResponseCell::default()),
            Counts::Service(_) => Counts::Service(ServiceCounts::default()),
            Counts::App(_) => Counts::App(AppCell::default()),
            Counts::Quality(_) => Counts::Quality(QualityCounts::default()),
        }
    }
}

impl Cell {
    /// A delta or an absolute state; nothing is touched yet.
    #[must_use]
    pub fn new(counts: Counts) -> Cell {
        Cell { counts, touched: 0 }
    }

    /// The empty sum of cells of this kind.
    #[must_use]
    pub fn zero_like(&self) -> Cell {
        Cell::new(self.counts.zero_like())
    }

    /// Whether a minute that was counted in is part of this sum.
    #[must_use]
    pub fn is_touched(&self) -> bool {
        self.touched > 0
    }

    /// Marks as touched what `minute`, the cell that this delta is about to be added to, does not hold yet.
    pub fn touch_what_is_new_in(&mut self, minute: Option<&Cell>) {
        self.touched = i64::from(minute.is_none());
        let Counts::Checkout(delta) = &mut self.counts else { return };
        let held = match minute {
            Some(Cell { counts: Counts::Checkout(held), .. }) => Some(held),
            _ => None,
        };
        for (key, step) in &mut delta.steps {
            step.touched = i64::from(!held.is_some_and(|held| held.steps.contains_key(key)));
        }
        for (key, reason) in &mut delta.reasons {
            reason.touched = i64::from(!held.is_some_and(|held| held.reasons.contains_key(key)));
        }
    }

    /// Of a delta: forgets entries that were added and taken back.
    pub fn drop_what_cancelled_out(&mut self) {
        if let Counts::Checkout(cell) = &mut self.counts {
            cell.steps.retain(|_, step| step.reached != 0 || step.dropped != 0);
            cell.reasons.retain(|_, reason| reason.attempts != 0 || reason.value != 0);
        }
    }

    /// Adds another cell of the same kind.
    pub fn add(&mut self, other: &Cell) {
        self.merge(other, 1);
    }

    /// Takes another cell out again that was added before.
    pub fn subtract(&mut self, other: &Cell) {
        self.merge(other, -1);
    }

    fn merge(&mut self, other: &Cell, sign: i64) {
        self.touched += sign * other.touched;
        match (&mut self.counts, &other.counts) {
            (Counts::Scores(into), Counts::Scores(from)) => {
                into.answers += sign * from.answers;
                into.top += sign * from.top;
                into.middle += sign * from.middle;
                into.bottom += sign * from.bottom;
            }
            (Counts::Checkout(into), Counts::Checkout(from)) => into.merge(from, sign),
            (Counts::Response(into), Counts::Response(from)) => {
                into.breached += sign * from.breached;
                into.durations.merge(&from.durations, sign);
            }
            (Counts::Service(into), Counts::Service(from)) => merge_service(into, from, sign),
            (Counts::App(into), Counts::App(from)) => {
                into.errors += sign * from.errors;
                into.tasks += sign * from.tasks;
                into.successes += sign * from.successes;
                into.durations.merge(&from.durations, sign);
            }
            (Counts::Quality(into), Counts::Quality(from)) => {
                into.accepted += sign * from.accepted;
                into.late += sign * from.late;
                into.duplicates += sign * from.duplicates;
                into.non_human += sign * from.non_human;
                into.repeated_transactions += sign * from.repeated_transactions;
                into.without_attempt += sign * from.without_attempt;
            }
            (into, from) => unreachable!("one series holds one kind of metric, not {into:?} and {from:?}"),
        }
    }
}

fn merge_service(into: &mut ServiceCounts, from: &ServiceCounts, sign: i64) {
    into.conversations += sign * from.conversations;
    into.bot += sign * from.bot;
    into.contained += sign * from.contained;
    into.returned += sign * from.returned;
    into.handoffs += sign * from.handoffs;
    into.human_requests += sign * from.human_requests;
    into.human_reached += sign * from.human_reached;
    into.bot_loops += sign * from.bot_loops;
    into.reasked += sign * from.reasked;
    into.reopened += sign * from.reopened;
}

impl ResponseCell {
    /// As it travels.
    #[must_use]
    pub fn to_counts(&self) -> ResponseCounts {
        ResponseCounts { breached: self.breached, durations: self.durations.to_list() }
    }
}

impl AppCell {
    /// As it travels.
    #[must_use]
    pub fn to_counts(&self) -> AppCounts {
        let AppCell { errors, tasks, successes, durations } = self;
        let durations = durations.to_list();
        AppCounts { errors: *errors, tasks: *tasks, successes: *successes, durations }
    }
}

impl CheckoutCell {
    fn merge(&mut self, from: &CheckoutCell, sign: i64) {
        for (key, step) in &from.steps {
            let into = self.steps.entry(key.clone()).or_default();
            into.reached += sign * step.reached;
            into.dropped += sign * step.dropped;
            into.touched += sign * step.touched;
            if sign < 0 && into.touched == 0 && into.reached == 0 && into.dropped == 0 {
                self.steps.remove(key);
            }
        }
        for (key, reason) in &from.reasons {
            let into = self.reasons.entry(key.clone()).or_default();
            into.attempts += sign * reason.attempts;
            into.value += i128::from(sign) * reason.value;
            into.touched += sign * reason.touched;
            if sign < 0 && into.touched == 0 && into.attempts == 0 && into.value == 0 {
                self.reasons.remove(key);
            }
        }
        self.within_3min += sign * from.within_3min;
        self.within_15min += sign * from.within_15min;
        self.durations.merge(&from.durations, sign);
    }

    /// As it travels.
    #[must_use]
    pub fn to_counts(&self) -> CheckoutCounts<'_> {
        CheckoutCounts {
            steps: self
                .steps
                .iter()
                .map(|((position, name), step)| StepCounts {
                    step: name,
                    step_index: (*position != NO_POSITION).then_some(*position),
                    reached: step.reached,
                    dropped: step.dropped,
                })
                .collect(),
            reasons: self.reasons().collect(),
            within_3min: self.within_3min,
            within_15min: self.within_15min,
            durations: self.durations.to_list(),
        }
    }

    /// The reasons as they travel.
    pub fn reasons(&self) -> impl Iterator<Item = ReasonCounts<'_>> {
        self.reasons.iter().map(|((reason, source, currency), cell)| ReasonCounts {
            reason,
            reason_source: source,
            currency,
            attempts: cell.attempts,
            value: Money::clamped(cell.value),
        })
    }
}

/// The numbers of a pane or minute record, of which one kind is there, or none.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "documented in schemas/avro/pane.avsc")]
pub struct Recorded<'r, 'a> {
    pub scores: Option<Scores>,
    pub checkout: Option<&'r CheckoutCounts<'a>>,
    pub response: Option<&'r ResponseCounts>,
    pub service: Option<ServiceCounts>,
    pub app: Option<&'r AppCounts>,
    pub quality: Option<QualityCounts>,
}

impl<'r, 'a> From<&'r Pane<'a>> for Recorded<'r, 'a> {
    fn from(record: &'r Pane<'a>) -> Recorded<'r, 'a> {
        Recorded {
            scores: record.scores,
            checkout: record.checkout.as_ref(),
            response: record.response.as_ref(),
            service: record.service,
            app: record.app.as_ref(),
            quality: record.quality,
        }
    }
}

impl<'r, 'a> From<&'r Minute<'a>> for Recorded<'r, 'a> {
    fn from(record: &'r Minute<'a>) -> Recorded<'r, 'a> {
        Recorded {
            scores: record.scores,
            checkout: record.checkout.as_ref(),
            response: record.response.as_ref(),
            service: record.service,
            app: record.app.as_ref(),
            quality: record.quality,
        }
    }
}

/// The numbers of a cell as a pane or minute record has them: one kind is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written<'c> {
    pub(crate) scores: Option<Scores>,
    pub(crate) checkout: Option<CheckoutCounts<'c>>,
    pub(crate) response: Option<ResponseCounts>,
    pub(crate) service: Option<ServiceCounts>,
    pub(crate) app: Option<AppCounts>,
    pub(crate) quality: Option<QualityCounts>,
}

impl<'c> From<&'c Counts> for Written<'c> {
    fn from(counts: &'c Counts) -> Written<'c> {
        let mut written = Written::default();
        match counts {
            Counts::Scores(scores) => written.scores = Some(*scores),
            Counts::Checkout(checkout) => written.checkout = Some(checkout.to_counts()),
            Counts::Response(response) => written.response = Some(response.to_counts()),
            Counts::Service(service) => written.service = Some(*service),
            Counts::App(app) => written.app = Some(app.to_counts()),
            Counts::Quality(quality) => written.quality = Some(*quality),
        }
        written
    }
}

/// Reads the numbers of a pane or minute record; `None` when it holds none.
#[must_use]
pub fn counts_of(recorded: Recorded<'_, '_>, names: &mut Names) -> Option<Counts> {
    let Recorded { scores, checkout, response, service, app, quality } = recorded;
    if let Some(scores) = scores {
        return Some(Counts::Scores(scores));
    }
    if let Some(app) = app {
        let durations = Buckets::from_list(&app.durations);
        let AppCounts { errors, tasks, successes, .. } = *app;
        return Some(Counts::App(AppCell { errors, tasks, successes, durations }));
    }
    if let Some(response) = response {
        let durations = Buckets::from_list(&response.durations);
        return Some(Counts::Response(ResponseCell { breached: response.breached, durations }));
    }
    if let Some(service) = service {
        return Some(Counts::Service(service));
    }
    if let Some(quality) = quality {
        return Some(Counts::Quality(quality));
    }
    let checkout = checkout?;
    let mut cell = CheckoutCell {
        within_3min: checkout.within_3min,
        within_15min: checkout.within_15min,
        durations: Buckets::from_list(&checkout.durations),
        ..CheckoutCell::default()
    };
    for step in &checkout.steps {
        let key = (step.step_index.unwrap_or(NO_POSITION), names.get(step.step));
        cell.steps.insert(key, StepCell { reached: step.reached, dropped: step.dropped, touched: 0 });
    }
    for reason in &checkout.reasons {
        let key = (names.get(reason.reason), names.get(reason.reason_source), names.get(reason.currency));
        cell.reasons
            .insert(key, ReasonCell { attempts: reason.attempts, value: reason.value.0.into(), touched: 0 });
    }
    Some(Counts::Checkout(cell))
}

/// Names that are held once however often they occur.
#[derive(Debug, Default)]
pub struct Names(std::collections::HashSet<Arc<str>>);

impl Names {
    /// The shared copy of `name`.
    pub fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        let shared: Arc<str> = name.into();
        self.0.insert(shared.clone());
        shared
    }

    /// Forgets the names that nobody else holds.
    pub fn forget_unused(&mut self) {
        self.0.retain(|name| Arc::strong_count(name) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn funnel(step: &str, reached: i64) -> Cell {
        let mut cell = CheckoutCell::default();
        cell.steps.insert((1, step.into()), StepCell { reached, ..StepCell::default() });
        Cell::new(Counts::Checkout(cell))
    }

    /// A minute corrected to zero keeps its row; a minute that leaves the sum takes its row along.
    #[test]
    fn touched_entries_stay_at_zero_until_their_minute_leaves() {
        let mut minute: Option<Cell> = None;
        for mut delta in [funnel("cart", 1), funnel("cart", -1)] {
            delta.touch_what_is_new_in(minute.as_ref());
            match &mut minute {
                None => minute = Some(delta),
                Some(minute) => minute.add(&delta),
            }
        }
        let minute = minute.expect("two deltas were added");
        let mut sum = minute.zero_like();
        sum.add(&minute);
        assert!(sum.is_touched());
        let Counts::Checkout(checkout) = &sum.counts else { panic!("it is a funnel") };
        assert_eq!(checkout.steps.len(), 1, "the step's row stays, at zero");
        sum.subtract(&minute);
        assert!(!sum.is_touched());
        assert_eq!(sum, minute.zero_like());
    }
}
