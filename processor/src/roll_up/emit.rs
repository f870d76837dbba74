//! Sends what rolling up found: minutes to the changelog, windows to their readers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use touchstream_runtime::settings::MetricSettings;
use touchstream_runtime::touchpoints::{Touchpoint, Touchpoints};
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Encoder, Framing};
use touchstream_schemas::event::ALL;
use touchstream_schemas::keys;
use touchstream_schemas::marks::{Mark, MarkedSpan, SilenceMark};
use touchstream_schemas::minutes::{Minute, span};
use touchstream_schemas::panes::{NowCount, ServiceCounts, response};
use touchstream_schemas::regressions::Regression;
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;
use touchstream_schemas::windows::{AppWindow, CheckoutWindow, ResponseWindow, Window, WindowStep};

use super::limit::{Admission, Kind, OTHER};
use super::sizes;
use crate::cells::{
    AppCell, Cell, CheckoutCell, Counts, NO_POSITION, ResponseCell, StepCell, StepKey, Written,
};
use crate::metrics::Metrics;
use crate::regressions::{Phase, Subject, WatchState};
use crate::series::SeriesKey;
use crate::stage::{Outgoing, Output, StageError};

/// What is open now, by step.
type Open = BTreeMap<StepKey, i64>;

/// Encoders and the topics they write to.
pub(super) struct Emitter {
    minutes_topic: String,
    windows_topic: String,
    regressions_topic: String,
    marks_topic: String,
    minute: Encoder,
    window: Encoder,
    regression: Encoder,
    buffer: Vec<u8>,
    first_response_slo_ms: i64,
    /// After so long without activity an attempt counts as abandoned.
    pub(super) session_silence: Millis,
    pub(super) touchpoints: Arc<Touchpoints>,
    pub(super) metrics: Metrics,
    /// Window rows sent so far.
    pub(super) rows: i64,
}

impl fmt::Debug for Emitter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Emitter").finish_non_exhaustive()
    }
}

/// Which window of a series.
#[derive(Clone, Copy, Debug)]
pub(super) struct WindowAt {
    pub(super) size: &'static str,
    pub(super) end: EventTime,
    pub(super) is_final: bool,
}

/// What is open now, and whether the window shows it: the newest does, until it is final.
#[derive(Clone, Copy, Debug)]
pub(super) struct NowIn<'s> {
    pub(super) steps: &'s Open,
    pub(super) is_shown: bool,
}

/// The emitter at work: where records go, and with which revision.
pub(super) struct Sending<'a> {
    pub(super) emitter: &'a mut Emitter,
    pub(super) output: &'a mut dyn Output,
    pub(super) partition: i32,
    pub(super) revision: i64,
}

impl Emitter {
    pub(super) fn new(
        topics: &Topics,
        settings: &MetricSettings,
        touchpoints: Arc<Touchpoints>,
        metrics: Metrics,
    ) -> Emitter {
        Emitter {
            minutes_topic: topics.minutes(),
            windows_topic: topics.windows(),
            regressions_topic: topics.regressions(),
            marks_topic: topics.marks(),
            minute: Encoder::new(&avro::MINUTE, Framing::SingleObject),
            window: Encoder::new(&avro::WINDOW, Framing::SingleObject),
            regression: Encoder::new(&avro::REGRESSION, Framing::SingleObject),
            buffer: Vec::new(),
            first_response_slo_ms: settings.slo_first_response_s * 1_000,
            session_silence: Millis::MINUTE.times(settings.session_silence_min),
            touchpoints,
            metrics,
            rows: 0,
        }
    }

    /// Counts what counts as other.
    pub(super) fn count_others(&self, others: impl Iterator<Item = (Kind, u64)>) {
        others.for_each(|(kind, count)| self.metrics.others(kind.label(), count));
    }

    /// Counts changes of minutes that are not kept any more, by metric.
    pub(super) fn count_too_old(&self, changes: impl Iterator<Item = (Arc<str>, u64)>) {
        changes.for_each(|(metric, count)| self.metrics.too_old(&metric, count));
    }

    /// Shows how much a partition holds.
    pub(super) fn show_held(&self, partition: i32, held: [(&str, usize); 3]) {
        held.into_iter().for_each(|(kind, count)| self.metrics.series(partition, kind, count));
    }

    /// The service level of a series; `None` where several may apply.
    pub(super) fn slo_ms(&self, key: &SeriesKey) -> Option<i64> {
        let tenant = self.touchpoints.tenant(&key.tenant);
        let own = |touchpoint: &Touchpoint| {
            touchpoint.slo_first_response_s.map_or(self.first_response_slo_ms, |seconds| seconds * 1_000)
        };
        let listed = tenant.map(|tenant| &tenant.touchpoints);
        if [ALL, OTHER].contains(&&*key.dimensions.touchpoint) {
            let is_one = listed.is_none_or(|listed| {
                listed.values().all(|touchpoint| own(touchpoint) == self.first_response_slo_ms)
            });
            return is_one.then_some(self.first_response_slo_ms);
        }
        let touchpoint = listed.and_then(|listed| listed.get(&*key.dimensions.touchpoint));
        Some(touchpoint.map_or(self.first_response_slo_ms, own))
    }

    /// Takes away gauges of windows that are not the newest any more.
    pub(super) fn forget_old_gauges(&self, now: EventTime) {
        self.metrics.cx().forget_old(now, sizes::advance_of);
    }

    /// Takes away the gauges of a partition.
    pub(super) fn forget_gauges(&self, partition: i32) {
        self.metrics.cx().forget_partition(partition);
    }

    fn response(&self, key: &SeriesKey, cell: &ResponseCell, now: NowIn<'_>) -> ResponseWindow {
        let has_slo = &*key.detail == response::FIRST_RESPONSE_CUSTOMER;
        ResponseWindow {
            durations: cell.durations.percentiles(),
            slo_ms: if has_slo { self.slo_ms(key) } else { None },
            breached: has_slo.then_some(cell.breached),
            waiting: now.is_shown.then(|| now.steps.values().sum()),
        }
    }
}

impl Sending<'_> {
    /// Sends the absolute state of a minute or hour.
    pub(super) fn minute(
        &mut self,
        key: &SeriesKey,
        span: &str,
        start: EventTime,
        cell: &Cell,
    ) -> Result<(), StageError> {
        let Written { scores, checkout, response, service, app, quality } = Written::from(&cell.counts);
        let empty = key.empty_minute(span, start, self.revision);
        let record = Minute { scores, checkout, response, service, app, quality, ..empty };
        self.send_minute(key, &record)
    }

    /// Sends what is open now; without anything known to be open there is no record.
    pub(super) fn now(&mut self, key: &SeriesKey, open: &Open) -> Result<(), StageError> {
        if open.is_empty() {
            return self.forget(key, span::NOW, EventTime(0));
        }
        let mut record = key.empty_minute(span::NOW, EventTime(0), self.revision);
        record.now = open
            .iter()
            .map(|((position, name), count)| NowCount {
                name,
                step_index: index_of(*position),
                count: *count,
            })
            .collect();
        self.send_minute(key, &record)
    }

    /// Deletes a minute, an hour, or what is open now from the changelog.
    pub(super) fn forget(&mut self, key: &SeriesKey, span: &str, start: EventTime) -> Result<(), StageError> {
        let key = key.record_key(&[span, &start.0.to_string()]);
        let partition = Some(self.partition);
        self.output.send(Outgoing {
            topic: &self.emitter.minutes_topic,
            partition,
            key: key.as_bytes(),
            value: None,
        })
    }

    /// Sends from when on a name counts as itself.
    pub(super) fn admission(&mut self, admission: &Admission) -> Result<(), StageError> {
        let ((tenant, metric), kind) = (&admission.scope, admission.kind.name());
        let key = keys::join(&[tenant, metric, span::NAME, kind, &admission.name]);
        let emitter = &mut *self.emitter;
        if let Some(from) = admission.from {
            let series = SeriesKey::new(tenant, metric, kind, [&admission.name, "", ""]);
            let record = series.empty_minute(span::NAME, from, self.revision);
            emitter.minute.encode_into(&record, &mut emitter.buffer)?;
        }
        let (partition, value) = (Some(self.partition), admission.from.map(|_| emitter.buffer.as_slice()));
        self.output.send(Outgoing { topic: &emitter.minutes_topic, partition, key: key.as_bytes(), value })
    }

    fn send_minute(&mut self, key: &SeriesKey, record: &Minute<'_>) -> Result<(), StageError> {
        let emitter = &mut *self.emitter;
        emitter.minute.encode_into(record, &mut emitter.buffer)?;
        let key = key.record_key(&[record.span, &record.start.0.to_string()]);
        let (partition, value) = (Some(self.partition), Some(emitter.buffer.as_slice()));
        self.output.send(Outgoing { topic: &emitter.minutes_topic, partition, key: key.as_bytes(), value })
    }

    /// Sends what is remembered of a rule to the changelog.
    pub(super) fn watch(&mut self, subject: &Subject, state: &WatchState) -> Result<(), StageError> {
        let Subject { tenant, rule, touchpoint, channel, detail } = subject;
        let key = SeriesKey::new(tenant, rule.name(), detail, [touchpoint, channel, ""]);
        if *state == WatchState::default() {
            return self.forget(&key, span::WATCH, EventTime(0));
        }
        let empty = key.empty_minute(span::WATCH, EventTime(0), self.revision);
        self.send_minute(&key, &Minute { watch: Some(state.to_record()), ..empty })
    }

    /// Tells all partitions since when nothing comes of a tenant, and when that was so before.
    pub(super) fn silence(&mut self, tenant: &str, state: &WatchState) -> Result<(), StageError> {
        let earlier = state.spans().map(|span| MarkedSpan { from: span.from, to: span.to }).collect();
        let since = (state.phase != Phase::Quiet).then_some(state.since);
        let mark = Mark::Silence(SilenceMark { tenant: tenant.to_owned(), since, earlier }).to_json();
        let (topic, key) = (&self.emitter.marks_topic, SilenceMark::key(tenant));
        self.output.send(Outgoing { topic, partition: Some(0), key: key.as_bytes(), value: Some(&mark) })
    }

    /// Sends a change of state of a rule.
    pub(super) fn regression(&mut self, record: &Regression<'_>) -> Result<(), StageError> {
        let emitter = &mut *self.emitter;
        emitter.regression.encode_into(record, &mut emitter.buffer)?;
        let Regression { tenant, rule, touchpoint, channel, detail, .. } = *record;
        let key = keys::join(&[tenant, rule, touchpoint, channel, detail]);
        let value = Some(emitter.buffer.as_slice());
        self.output.send(Outgoing {
            topic: &emitter.regressions_topic,
            partition: None,
            key: key.as_bytes(),
            value,
        })
    }

    /// Sends one window.
    pub(super) fn window(
        &mut self,
        key: &SeriesKey,
        at: WindowAt,
        sum: &Cell,
        now: NowIn<'_>,
    ) -> Result<(), StageError> {
        let mut window = Window {
            tenant: &key.tenant,
            metric: &key.metric,
            detail: &key.detail,
            touchpoint: &key.dimensions.touchpoint,
            channel: &key.dimensions.channel,
            device: &key.dimensions.device,
            dimension: key.further().0,
            dimension_value: key.further().1,
            window: at.size,
            window_end: at.end,
            is_final: at.is_final,
            scores: None,
            checkout: None,
            response: None,
            service: None,
            app: None,
            revision: self.revision + i64::from(at.is_final),
        };
        match &sum.counts {
            Counts::Scores(scores) => window.scores = Some(*scores),
            Counts::Checkout(cell) => window.checkout = Some(funnel(cell, now)),
            Counts::Response(cell) => window.response = Some(self.emitter.response(key, cell, now)),
            Counts::Service(service) => window.service = Some(with_possible_returns(*service)),
            Counts::App(cell) => window.app = Some(responses_and_tasks(cell)),
            Counts::Quality(_) => return Ok(()),
        }
        let emitter = &mut *self.emitter;
        emitter.window.encode_into(&window, &mut emitter.buffer)?;
        emitter.metrics.window(&key.metric);
        if now.is_shown {
            emitter.metrics.cx().show(self.partition, &window);
        }
        emitter.rows += 1;
        let key = key.record_key(&[at.size, &at.end.0.to_string()]);
        let value = Some(emitter.buffer.as_slice());
        self.output.send(Outgoing {
            topic: &emitter.windows_topic,
            partition: None,
            key: key.as_bytes(),
            value,
        })
    }
}

/// Containment is taken back by measure at once, and the customer's return by the stage of contacts a transaction later: between the two
/// nobody shall see more returns than contained conversations.
fn with_possible_returns(counts: ServiceCounts) -> ServiceCounts {
    ServiceCounts { returned: counts.returned.min(counts.contained), ..counts }
}

fn responses_and_tasks(cell: &AppCell) -> AppWindow {
    AppWindow {
        durations: cell.durations.percentiles(),
        errors: cell.errors,
        tasks: cell.tasks,
        successes: cell.successes,
    }
}

/// Every window lists every step that the series knows, so that a step's row is never left behind when its window changes.
fn funnel<'c>(cell: &'c CheckoutCell, now: NowIn<'c>) -> CheckoutWindow<'c> {
    let mut steps: BTreeMap<&StepKey, StepCell> =
        now.steps.keys().map(|key| (key, StepCell::default())).collect();
    steps.extend(cell.steps.iter().map(|(key, counts)| (key, *counts)));
    let row = |(key, counts): (&'c StepKey, StepCell)| WindowStep {
        step: &key.1,
        step_index: index_of(key.0),
        reached: counts.reached,
        dropped: counts.dropped,
        open: now.is_shown.then(|| now.steps.get(key).copied().unwrap_or_default()),
    };
    CheckoutWindow {
        steps: steps.into_iter().map(row).collect(),
        reasons: cell.reasons().collect(),
        within_3min: cell.within_3min,
        within_15min: cell.within_15min,
        durations: cell.durations.percentiles(),
    }
}

fn index_of(position: i32) -> Option<i32> {
    (position != NO_POSITION).then_some(position)
}
