//! The rules of [`crate::regressions`] on what a partition holds: which series they watch, what they see there, and where what they
//! find goes.
//!
//! Promise: a check is made once, of a time before which everything was counted; its changes, what is remembered of it, and the offsets
//! it rests on are one transaction, so that a restart neither loses nor repeats one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use touchstream_runtime::touchpoints::{Tenant, Touchpoint};
use touchstream_schemas::event::ALL;
use touchstream_schemas::log_buckets;
use touchstream_schemas::panes::{Scores, metric, response};
use touchstream_schemas::time::{EventTime, Millis};

use super::emit::{Emitter, Sending};
use super::partition::{PanePartition, Series};
use super::tell::{log, record, unwatched};
use crate::cells::{Cell, CheckoutCell, Counts, StepKey};
use crate::regressions::statistics::Proportion;
use crate::regressions::{
    CHECK_INTERVAL, Handle, History, Marks, Monitor, Part, Phase, Rule, Span, Subject, Thresholds, Watch,
    WatchState,
};
use crate::series::SeriesKey;
use crate::stage::{Output, StageError, base_revision};

/// Checks that are made up for after a stop: what was wrong for a moment hours ago is no news.
const CATCH_UP: Millis = Millis::HOUR;
/// Who waits now is known for now alone.
const NOW: Millis = Millis::MINUTE.times(10);

/// What a watch looks at.
#[derive(Clone, Debug)]
enum Source {
    Step(usize, StepKey),
    Errors(usize),
    /// Waits, with the service level in milliseconds.
    Waits(usize, i64),
    Scores(usize),
    Events(Vec<usize>),
    /// Whatever was read of a tenant, by the time at which it came.
    Arrivals(Vec<usize>),
}

/// The series of a partition as the rules see them.
struct Seen<'p> {
    series: &'p [Series],
    sources: RefCell<Vec<Source>>,
    /// After so long without activity an attempt counts as abandoned.
    session_silence: Millis,
    /// What is open now is as of this time.
    now: EventTime,
}

impl PanePartition {
    /// Makes the checks that are due, and sends what they found.
    pub(super) fn check_rules(
        &mut self,
        marks: &Marks,
        now: EventTime,
        partition: i32,
        emitter: &mut Emitter,
        output: &mut dyn Output,
    ) -> Result<(), StageError> {
        let newest = self.note.event_time().floor_to(CHECK_INTERVAL);
        let is_due = newest > self.note.checked_at && newest > EventTime(0);
        // Whoever takes over shows at once what lasts: until the next check its alert would have ended.
        if !is_due && self.has_shown {
            return Ok(());
        }
        let mut seen = Seen {
            series: &self.series,
            sources: RefCell::default(),
            session_silence: emitter.session_silence,
            now: self.note.event_time(),
        };
        seen.watch_all(emitter, &mut self.monitor);
        if !std::mem::replace(&mut self.has_shown, true) {
            emitter.metrics.cx().show_regressions(partition, now, self.monitor.active());
        }
        if !is_due {
            return Ok(());
        }
        let mut at = (self.note.checked_at.max(newest - CATCH_UP)).floor_to(CHECK_INTERVAL) + CHECK_INTERVAL;
        let revision = base_revision(self.last_offset);
        let mut sending = Sending { emitter, output, partition, revision };
        for (subject, state) in self.monitor.take_unwatched() {
            if state.phase == Phase::Active {
                let change = unwatched(&subject, &state, newest);
                sending.regression(&record(&change, revision))?;
                log(&change);
            }
            sending.watch(&subject, &WatchState::default())?;
        }
        while at <= newest {
            let changes = if at < newest {
                self.monitor.check_missed(at, marks, &seen)
            } else {
                self.monitor.check(at, marks, &seen)
            };
            for change in changes {
                sending.regression(&record(&change, revision))?;
                log(&change);
            }
            at = at + CHECK_INTERVAL;
        }
        for (subject, state) in self.monitor.take_changed_states() {
            sending.watch(subject, state)?;
            if subject.rule == Rule::NothingArrives {
                sending.silence(&subject.tenant, state)?;
            }
        }
        sending.emitter.metrics.cx().show_regressions(partition, now, self.monitor.active());
        self.note.checked_at = newest;
        Ok(())
    }
}

/// Tenant, metric, touchpoint and channel.
type Place = (Arc<str>, Arc<str>, Arc<str>, Arc<str>);

/// A series of a monitored touchpoint.
struct Monitored<'t> {
    tenant: &'t Tenant,
    touchpoint: &'t Touchpoint,
}

impl Seen<'_> {
    /// Names every watch that the series of monitored touchpoints ask for: each channel, and all together; devices are parts.
    fn watch_all(&mut self, emitter: &Emitter, monitor: &mut Monitor) {
        let touchpoints = emitter.touchpoints.clone();
        let mut events: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
        let mut arrivals: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
        for (index, series) in self.series.iter().enumerate() {
            let key = &series.key;
            if &*key.metric == metric::QUALITY && series.ring.span().is_some() {
                arrivals.entry(key.tenant.clone()).or_default().push(index);
                continue;
            }
            let name = &*key.dimensions.touchpoint;
            let monitored = touchpoints.tenant(&key.tenant).and_then(|tenant| {
                let touchpoint = tenant.touchpoints.get(name).filter(|known| known.is_monitored)?;
                Some(Monitored { tenant, touchpoint })
            });
            let Some(monitored) = monitored else { continue };
            if key.further.is_some() || &*key.dimensions.device != ALL || series.ring.span().is_none() {
                continue;
            }
            for (rule, detail, source) in sources_of(index, series, emitter) {
                self.watch(rule, detail, source, key, &monitored, monitor);
            }
            // Everything that happens at a touchpoint, by metric: names of an app together.
            if [metric::CHECKOUT, metric::APP, metric::NPS, metric::CSAT, metric::RESPONSE_TIMES]
                .contains(&&*key.metric)
                && (&*key.metric != metric::RESPONSE_TIMES || &*key.detail == response::REPLY)
            {
                let place = (
                    key.tenant.clone(),
                    key.metric.clone(),
                    key.dimensions.touchpoint.clone(),
                    key.dimensions.channel.clone(),
                );
                events.entry(place).or_default().push(index);
            }
        }
        for indexes in events.into_values() {
            let key = &self.series[indexes[0]].key;
            let Some(tenant) = touchpoints.tenant(&key.tenant) else { continue };
            let Some(touchpoint) = tenant.touchpoints.get(&*key.dimensions.touchpoint) else { continue };
            let (detail, source) = (key.metric.clone(), Source::Events(indexes));
            self.watch(
                Rule::TouchpointSilent,
                detail,
                source,
                key,
                &Monitored { tenant, touchpoint },
                monitor,
            );
        }
        for (name, indexes) in arrivals {
            let Some(tenant) = touchpoints.tenant(&name) else { continue };
            // Whose touchpoints nobody watches does not want to be woken for all of them either.
            if !tenant.touchpoints.values().any(|touchpoint| touchpoint.is_monitored) {
                continue;
            }
            let (all, rule): (Arc<str>, Rule) = (ALL.into(), Rule::NothingArrives);
            monitor.watch(Watch {
                subject: Subject {
                    tenant: name,
                    rule,
                    touchpoint: all.clone(),
                    channel: all,
                    detail: metric::QUALITY.into(),
                },
                handle: self.add(Source::Arrivals(indexes)),
                thresholds: Thresholds::of(rule),
                owner: String::new(),
                runbook: None,
                time_zone: tenant.time_zone.clone(),
            });
        }
    }

    fn watch(
        &self,
        rule: Rule,
        detail: Arc<str>,
        source: Source,
        key: &SeriesKey,
        monitored: &Monitored<'_>,
        monitor: &mut Monitor,
    ) {
        let usual = Thresholds::of(rule);
        let thresholds = match monitored.touchpoint.rules.get(rule.name()) {
            Some(stated) if !stated.is_on => return,
            Some(stated) => usual.with(rule, stated),
            None => usual,
        };
        monitor.watch(Watch {
            subject: Subject {
                tenant: key.tenant.clone(),
                rule,
                touchpoint: key.dimensions.touchpoint.clone(),
                channel: key.dimensions.channel.clone(),
                detail,
            },
            handle: self.add(source),
            thresholds,
            owner: monitored.touchpoint.owner.clone().unwrap_or_default(),
            runbook: monitored.touchpoint.runbook.clone(),
            time_zone: monitored.tenant.time_zone.clone(),
        });
    }

    fn add(&self, source: Source) -> Handle {
        let mut sources = self.sources.borrow_mut();
        sources.push(source);
        Handle::try_from(sources.len() - 1).expect("far fewer series than that are held")
    }

    fn source(&self, handle: Handle) -> Source {
        self.sources.borrow()[handle as usize].clone()
    }

    fn cells(&self, index: usize, span: Span) -> impl Iterator<Item = &Cell> {
        self.series[index].ring.cells(span.from, span.to)
    }

    /// Counts of waits by bucket.
    fn waits(&self, handle: Handle, span: Span) -> impl Iterator<Item = (i32, i64)> {
        let index = match self.source(handle) {
            Source::Waits(index, _) => Some(index),
            _ => None,
        };
        let cells = index.into_iter().flat_map(move |index| self.cells(index, span));
        cells.flat_map(|cell| {
            match &cell.counts {
                Counts::Response(waits) => Some(waits.durations.iter()),
                _ => None,
            }
            .into_iter()
            .flatten()
        })
    }
}

/// Which rules watch a series, besides for silence.
fn sources_of(index: usize, series: &Series, emitter: &Emitter) -> Vec<(Rule, Arc<str>, Source)> {
    let key = &series.key;
    match &*key.metric {
        metric::NPS => vec![(Rule::NpsFell, key.detail.clone(), Source::Scores(index))],
        metric::APP => vec![(Rule::ErrorRateRose, key.detail.clone(), Source::Errors(index))],
        metric::RESPONSE_TIMES if &*key.detail == response::FIRST_RESPONSE_CUSTOMER => {
            let Some(slo) = emitter.slo_ms(key) else { return Vec::new() };
            let source = Source::Waits(index, slo);
            [Rule::ResponseP95Rose, Rule::ResponseSloBurn]
                .map(|rule| (rule, key.detail.clone(), source.clone()))
                .to_vec()
        }
        metric::CHECKOUT => {
            let mut steps: BTreeMap<&StepKey, ()> = BTreeMap::new();
            for cell in series.ring.days() {
                if let Counts::Checkout(checkout) = &cell.counts {
                    steps.extend(checkout.steps.keys().map(|step| (step, ())));
                }
            }
            let watched = steps.into_keys().filter(|step| &*step.1 != "completed");
            watched
                .map(|step| (Rule::DropOffRose, step.1.clone(), Source::Step(index, step.clone())))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn first_step(checkout: &CheckoutCell) -> i64 {
    checkout.steps.values().map(|step| step.reached).max().unwrap_or_default()
}

fn events_of(cell: &Cell) -> i64 {
    match &cell.counts {
        Counts::Scores(scores) => scores.answers,
        Counts::Checkout(checkout) => first_step(checkout),
        Counts::Response(waits) => waits.durations.total(),
        Counts::Service(service) => service.conversations,
        Counts::App(app) => app.durations.total() + app.tasks,
        Counts::Quality(_) => 0,
    }
}

fn arrivals_of(cell: &Cell) -> i64 {
    match &cell.counts {
        Counts::Quality(quality) => quality.accepted,
        _ => 0,
    }
}

impl History for Seen<'_> {
    fn begins(&self, handle: Handle) -> EventTime {
        let begins = |index: usize| self.series[index].ring.span().map_or(EventTime::MAX, |(first, _)| first);
        match self.source(handle) {
            Source::Step(index, _)
            | Source::Errors(index)
            | Source::Waits(index, _)
            | Source::Scores(index) => begins(index),
            Source::Events(indexes) | Source::Arrivals(indexes) => {
                indexes.into_iter().map(begins).min().unwrap_or(EventTime::MAX)
            }
        }
    }

    fn proportion(&self, handle: Handle, span: Span) -> Proportion {
        let mut sum = Proportion::default();
        match self.source(handle) {
            Source::Step(index, step) => {
                let of = |cell: &Cell| match &cell.counts {
                    Counts::Checkout(checkout) => checkout.steps.get(&step).copied().unwrap_or_default(),
                    _ => crate::cells::StepCell::default(),
                };
                // Of the attempts of one time those that went on are known sooner than those that did not.
                let went_on = self
                    .cells(index, span.earlier(self.session_silence))
                    .map(of)
                    .map(|step| step.reached - step.dropped);
                sum.hits = self.cells(index, span).map(of).map(|step| step.dropped).sum();
                sum.trials = sum.hits + went_on.sum::<i64>();
            }
            Source::Errors(index) => {
                for cell in self.cells(index, span) {
                    if let Counts::App(app) = &cell.counts {
                        sum.hits += app.errors;
                        sum.trials += app.durations.total();
                    }
                }
            }
            Source::Waits(index, slo) => {
                for cell in self.cells(index, span) {
                    if let Counts::Response(waits) = &cell.counts {
                        // A breach counts at its deadline, answered later or not; so of the answered only those in time count besides.
                        let in_time = waits
                            .durations
                            .iter()
                            .filter(|(bucket, _)| log_buckets::value_of(*bucket) <= slo);
                        sum.hits += waits.breached;
                        sum.trials += waits.breached + in_time.map(|(_, count)| count).sum::<i64>();
                    }
                }
            }
            Source::Scores(_) | Source::Events(_) | Source::Arrivals(_) => {}
        }
        sum
    }

    fn scores(&self, handle: Handle, span: Span) -> Scores {
        let mut sum = Scores::default();
        let Source::Scores(index) = self.source(handle) else { return sum };
        for cell in self.cells(index, span) {
            if let Counts::Scores(scores) = &cell.counts {
                sum.answers += scores.answers;
                sum.top += scores.top;
                sum.middle += scores.middle;
                sum.bottom += scores.bottom;
            }
        }
        sum
    }

    fn newest_answers(&self, handle: Handle, to: EventTime, answers: i64, longest: Millis) -> Span {
        let earliest = to - longest;
        let Source::Scores(index) = self.source(handle) else { return Span { from: earliest, to } };
        let mut found = 0;
        for (hour, cell) in self.series[index].ring.hours_before(to) {
            if hour < earliest {
                break;
            }
            found += events_of(cell);
            if found >= answers {
                return Span { from: hour, to };
            }
        }
        Span { from: earliest, to }
    }

    fn percentile(&self, handle: Handle, spans: &[Span], share: f64, unanswered: i64) -> (i64, Option<i64>) {
        let mut buckets: BTreeMap<i32, i64> = BTreeMap::new();
        for (bucket, count) in spans.iter().flat_map(|span| self.waits(handle, *span)) {
            *buckets.entry(bucket).or_default() += count;
        }
        let answered: i64 = buckets.values().sum();
        let rank = (share * (answered + unanswered) as f64).ceil().max(1.0) as i64;
        let mut seen = 0;
        let found = buckets.into_iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        (answered, found.map(|(bucket, _)| log_buckets::value_of(bucket)))
    }

    fn slower_than(&self, handle: Handle, span: Span, milliseconds: i64) -> Proportion {
        let mut sum = Proportion::default();
        for (bucket, count) in self.waits(handle, span) {
            sum.trials += count;
            if log_buckets::value_of(bucket) > milliseconds {
                sum.hits += count;
            }
        }
        sum
    }

    /// What is open now has no age: beyond the service level are those that breached it and were not answered late, as far as that shows
    /// within a day; beyond a longer time nobody can be counted.
    fn waiting_beyond(&self, handle: Handle, at: EventTime, milliseconds: i64) -> i64 {
        let Source::Waits(index, slo) = self.source(handle) else { return 0 };
        let waiting: i64 = self.series[index].now.values().sum();
        if self.now - at > NOW || milliseconds > slo {
            return 0;
        }
        if milliseconds <= 0 {
            return waiting.max(0);
        }
        let day = Span::before(at, Millis::DAY);
        let breached = self.proportion(handle, day).hits;
        let late = self.slower_than(handle, day, slo).hits;
        (breached - late).clamp(0, waiting.max(0))
    }

    fn events(&self, handle: Handle, span: Span) -> i64 {
        let (indexes, count): (Vec<usize>, fn(&Cell) -> i64) = match self.source(handle) {
            Source::Events(indexes) => (indexes, events_of),
            Source::Arrivals(indexes) => (indexes, arrivals_of),
            _ => return 0,
        };
        indexes.into_iter().flat_map(|index| self.cells(index, span)).map(count).sum()
    }

    /// Channels of a touchpoint that is looked at as a whole, and devices.
    fn parts(&self, handle: Handle) -> Vec<Part> {
        let source = self.source(handle);
        let (index, at): (usize, Box<dyn Fn(usize) -> Source>) = match source {
            Source::Step(index, step) => (index, Box::new(move |index| Source::Step(index, step.clone()))),
            Source::Errors(index) => (index, Box::new(Source::Errors)),
            Source::Waits(index, slo) => (index, Box::new(move |index| Source::Waits(index, slo))),
            Source::Scores(index) => (index, Box::new(Source::Scores)),
            Source::Events(_) | Source::Arrivals(_) => return Vec::new(),
        };
        let whole = &self.series[index].key;
        let mut parts = Vec::new();
        for (index, series) in self.series.iter().enumerate() {
            let (key, of) = (&series.key, &series.key.dimensions);
            let is_same = key.tenant == whole.tenant
                && key.metric == whole.metric
                && key.detail == whole.detail
                && key.further.is_none()
                && of.touchpoint == whole.dimensions.touchpoint;
            if !is_same {
                continue;
            }
            let name = match (&*of.channel, &*of.device) {
                (channel, ALL) if channel != ALL && &*whole.dimensions.channel == ALL => {
                    format!("channel={channel}")
                }
                (channel, device) if device != ALL && channel == &*whole.dimensions.channel => {
                    format!("device={device}")
                }
                _ => continue,
            };
            parts.push(Part { name, handle: self.add(at(index)) });
        }
        parts
    }
}
