//! The newest customer-experience values as gauges, for alerts and for people who look at Prometheus only.
//!
//! Rolling up shows each newest window here as it sends it; whoever loses a partition shows nothing of it any more, and what has no
//! samples is absent, never zero; a regression is shown for as long as it lasts, and its end as zero for a while, so that its alert ends at once. Their number is bounded: beyond it only totals over all touchpoints, channels and devices are shown.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::{GaugeVec, IntCounter, Opts, Registry};
use touchstream_schemas::event::ALL;
use touchstream_schemas::panes::{metric, response};
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::windows::Window;

use crate::regressions::{Subject, Watch, WatchState};

/// Gauges of one process, totals not counted.
const MOST: usize = 5_000;
/// How long after its successor began a window is still shown: refreshes may take a few seconds.
const GRACE: Millis = Millis::MINUTE;
/// How long the end of a regression is shown: whoever looks every minute sees it several times.
const END_SHOWN: Millis = Millis::MINUTE.times(10);
const REGRESSION_LABELS: [&str; 6] = ["tenant", "rule", "touchpoint", "channel", "severity", "owner"];
const LABELS: [&str; 5] = ["tenant", "touchpoint", "channel", "device", "window"];

/// Which value of which series; the labels in the order of [`LABELS`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    value: usize,
    labels: [String; LABELS.len()],
}

#[derive(Clone, Copy, Debug)]
struct Shown {
    partition: i32,
    end: EventTime,
}

/// The gauges.
#[derive(Clone)]
pub(crate) struct CxGauges {
    /// Net promoter score, share of dropped checkouts, 95th percentile of first responses.
    gauges: [GaugeVec; 3],
    /// Whether there is one, its value, baseline and samples.
    regressions: [GaugeVec; 4],
    left_out: IntCounter,
    shown: Arc<Mutex<HashMap<Key, Shown>>>,
    regressions_shown: Arc<Mutex<HashMap<RegressionLabels, Shares>>>,
}

/// Partitions whose regression has the same labels (silence shows in several metrics), with the time of its end if it is over there.
type Shares = HashMap<i32, Option<EventTime>>;

/// The labels of a regression, in the order of [`REGRESSION_LABELS`].
type RegressionLabels = [String; REGRESSION_LABELS.len()];

impl fmt::Debug for CxGauges {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CxGauges").field("shown", &self.lock().len()).finish_non_exhaustive()
    }
}

impl CxGauges {
    pub(crate) fn register(registry: &Registry) -> Result<CxGauges, prometheus::Error> {
        let gauge = |name: &str, help: &str| {
            let gauge = GaugeVec::new(Opts::new(name, help), &LABELS)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let regression = |name: &str, help: &str| {
            let gauge = GaugeVec::new(Opts::new(name, help), &REGRESSION_LABELS)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let left_out = IntCounter::new(
            "touchstream_cx_left_out_total",
            "Values that were not shown as gauges because there are too many series; ClickHouse has all of them.",
        )?;
        registry.register(Box::new(left_out.clone()))?;
        Ok(CxGauges {
            gauges: [
                gauge("touchstream_cx_nps", "Net promoter score of the newest window.")?,
                gauge(
                    "touchstream_cx_drop_off_ratio",
                    "Abandoned checkouts among those with an outcome, in the newest window.",
                )?,
                gauge(
                    "touchstream_cx_response_p95_seconds",
                    "95th percentile of the first response by the customer's clock, in the newest window.",
                )?,
            ],
            regressions: [
                regression(
                    "touchstream_cx_regression_active",
                    "1 while a regression lasts, 0 for ten minutes after it.",
                )?,
                regression(
                    "touchstream_cx_regression_value",
                    "What is found: a share, seconds, points or events.",
                )?,
                regression("touchstream_cx_regression_baseline", "What is usual, in the same unit.")?,
                regression("touchstream_cx_regression_samples", "What the value rests on.")?,
            ],
            left_out,
            shown: Arc::default(),
            regressions_shown: Arc::default(),
        })
    }

    /// Shows the newest window of a series.
    pub(crate) fn show(&self, partition: i32, window: &Window<'_>) {
        if !window.dimension.is_empty() {
            return;
        }
        let Some((value, number)) = value_of(window) else { return };
        let Window { tenant, touchpoint, channel, device, window: size, .. } = *window;
        let labels = [tenant, touchpoint, channel, device, size].map(str::to_owned);
        let is_total = [touchpoint, channel, device] == [ALL; 3];
        let key = Key { value, labels };
        let mut shown = self.lock();
        let Some(number) = number else {
            if shown.remove(&key).is_some() {
                self.remove(&key);
            }
            return;
        };
        if !is_total && shown.len() >= MOST && !shown.contains_key(&key) {
            self.left_out.inc();
            return;
        }
        self.gauges[value].with_label_values(&key.labels).set(number);
        shown.insert(key, Shown { partition, end: window.window_end });
    }

    /// Shows the regressions of a partition that last; those that ended are shown as zero for a while and then taken away. Steps of a checkout share their labels: the one
    /// furthest from what is usual is shown.
    pub(crate) fn show_regressions<'w>(
        &self,
        partition: i32,
        now: EventTime,
        active: impl Iterator<Item = (&'w Watch, &'w WatchState)>,
    ) {
        let mut newest: HashMap<RegressionLabels, &WatchState> = HashMap::new();
        let distance = |state: &WatchState| (state.value - state.baseline).abs();
        for (Watch { subject, owner, .. }, state) in active {
            let severity = if state.is_page { "page" } else { "ticket" };
            let Subject { tenant, rule, touchpoint, channel, .. } = subject;
            let labels = [tenant, rule.name(), touchpoint, channel, severity, owner].map(str::to_owned);
            let known = newest.entry(labels).or_insert(state);
            if distance(state) > distance(known) {
                *known = state;
            }
        }
        let mut shown = self.regressions_shown.lock().unwrap_or_else(PoisonError::into_inner);
        for (labels, shares) in shown.iter_mut() {
            if newest.contains_key(labels) {
                continue;
            }
            if let Some(ended_at @ None) = shares.get_mut(&partition) {
                *ended_at = Some(now);
                if shares.values().all(Option::is_some) {
                    self.regressions[0].with_label_values(labels).set(0.0);
                }
            }
        }
        for (labels, state) in &newest {
            let numbers = [1.0, state.value, state.baseline, state.samples as f64];
            for (gauge, number) in self.regressions.iter().zip(numbers) {
                gauge.with_label_values(labels).set(number);
            }
        }
        for labels in newest.into_keys() {
            shown.entry(labels).or_default().insert(partition, None);
        }
    }

    /// Takes away regressions of a partition that ended a while ago, or all of them.
    fn forget_regressions(&self, is_gone: impl Fn(i32, Option<EventTime>) -> bool) {
        let mut shown = self.regressions_shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.retain(|labels, shares| {
            shares.retain(|partition, ended_at| !is_gone(*partition, *ended_at));
            if shares.is_empty() {
                // It may be gone already, which is what is wanted.
                self.regressions.iter().for_each(|gauge| drop(gauge.remove_label_values(labels)));
            }
            !shares.is_empty()
        });
    }

    /// Takes away what is not of the newest window any more: nothing happened in it since.
    pub(crate) fn forget_old(&self, now: EventTime, advance_of: impl Fn(&str) -> Option<Millis>) {
        self.forget(|key, shown| match advance_of(&key.labels[LABELS.len() - 1]) {
            Some(advance) => shown.end + advance + GRACE < now,
            None => true,
        });
        // A clock that was set back must not show an end for ever.
        let is_old = |ended_at: EventTime| now - ended_at > END_SHOWN || now < ended_at;
        self.forget_regressions(|_, ended_at| ended_at.is_some_and(is_old));
    }

    /// Takes away what a partition showed: it has another owner now.
    pub(crate) fn forget_partition(&self, partition: i32) {
        self.forget_regressions(|of, _| of == partition);
        self.forget(|_, shown| shown.partition == partition);
    }

    fn forget(&self, is_gone: impl Fn(&Key, &Shown) -> bool) {
        self.lock().retain(|key, shown| {
            let is_gone = is_gone(key, shown);
            if is_gone {
                self.remove(key);
            }
            !is_gone
        });
    }

    fn remove(&self, key: &Key) {
        // It may be gone already, which is what is wanted.
        drop(self.gauges[key.value].remove_label_values(&key.labels));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which gauge a window belongs to, and its number; none without samples.
#[expect(clippy::cast_precision_loss, reason = "counts of a window are far below 2^52")]
fn value_of(window: &Window<'_>) -> Option<(usize, Option<f64>)> {
    let ratio = |part: i64, of: i64| (of > 0).then(|| part as f64 / of as f64);
    match window.metric {
        metric::NPS => {
            let scores = window.scores?;
            Some((0, ratio(100 * (scores.top - scores.bottom), scores.answers)))
        }
        metric::CHECKOUT => {
            let steps = &window.checkout.as_ref()?.steps;
            // Every attempt with an outcome has reached the first step.
            let outcomes = steps.iter().map(|step| step.reached).max().unwrap_or_default();
            let dropped =
                steps.iter().filter(|step| step.step_index.is_some()).map(|step| step.dropped).sum();
            Some((1, ratio(dropped, outcomes)))
        }
        metric::RESPONSE_TIMES if window.detail == response::FIRST_RESPONSE_CUSTOMER => {
            let p95 = window.response?.durations.p95_ms;
            Some((2, p95.map(|milliseconds| milliseconds as f64 / 1_000.0)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use touchstream_schemas::panes::Scores;

    use crate::regressions::{Rule, Thresholds};

    use super::*;

    fn window<'a>(touchpoint: &'a str, answers: i64, end: EventTime) -> Window<'a> {
        Window {
            tenant: "shop",
            metric: metric::NPS,
            detail: "",
            touchpoint,
            channel: ALL,
            device: ALL,
            dimension: "",
            dimension_value: "",
            window: "5m",
            window_end: end,
            is_final: false,
            scores: Some(Scores { answers, top: answers, middle: 0, bottom: 0 }),
            checkout: None,
            response: None,
            service: None,
            app: None,
            revision: 1,
        }
    }

    fn shown(registry: &Registry) -> usize {
        registry
            .gather()
            .iter()
            .filter(|family| family.name() == "touchstream_cx_nps")
            .map(|f| f.get_metric().len())
            .sum()
    }

    #[test]
    fn values_without_samples_old_ones_and_those_of_lost_partitions_are_absent() {
        let registry = Registry::new();
        let gauges = CxGauges::register(&registry).expect("the registry is new");
        let end = EventTime(600_000);
        let advance = |_: &str| Some(Millis::MINUTE);
        gauges.show(0, &window("cart", 3, end));
        gauges.show(1, &window("checkout", 3, end));
        gauges.show(1, &Window { dimension: "persona", ..window("cart", 3, end) });
        assert_eq!(shown(&registry), 2);
        gauges.show(0, &window("cart", 0, end));
        assert_eq!(shown(&registry), 1, "nothing was answered in the newest window");
        gauges.show(0, &window("cart", 3, end));
        gauges.forget_partition(1);
        assert_eq!(shown(&registry), 1, "another process shows it now");
        gauges.forget_old(end + Millis::MINUTE, advance);
        assert_eq!(shown(&registry), 1);
        gauges.forget_old(end + Millis(120_001), advance);
        assert_eq!(shown(&registry), 0, "newer windows of it have nothing");
    }

    #[test]
    fn the_end_of_a_regression_is_shown_for_a_while_and_only_when_it_is_over_everywhere() {
        let registry = Registry::new();
        let gauges = CxGauges::register(&registry).expect("the registry is new");
        let watch = Watch {
            subject: Subject {
                tenant: "shop".into(),
                rule: Rule::TouchpointSilent,
                touchpoint: "checkout".into(),
                channel: ALL.into(),
                detail: "".into(),
            },
            handle: 0,
            thresholds: Thresholds::of(Rule::TouchpointSilent),
            owner: "somebody".to_owned(),
            runbook: None,
            time_zone: None,
        };
        let state = WatchState::default();
        let values = || -> Vec<f64> {
            let families = registry.gather();
            let active = families.iter().find(|family| family.name() == "touchstream_cx_regression_active");
            let metrics = active.map_or(&[][..], |family| family.get_metric());
            metrics.iter().map(|metric| metric.get_gauge().get_value()).collect()
        };
        let show = |partition, at, is_active: bool| {
            let active = is_active.then_some((&watch, &state));
            gauges.show_regressions(partition, EventTime(at), active.into_iter());
            gauges.forget_old(EventTime(at), |_| None);
            values()
        };
        assert_eq!(show(0, 0, true), [1.0]);
        assert_eq!(show(1, 0, true), [1.0], "silence shows in the metrics of two partitions");
        assert_eq!(show(0, 1, false), [1.0], "it lasts in the other");
        assert_eq!(show(1, 2, false), [0.0]);
        assert_eq!(show(1, 3, true), [1.0], "again");
        assert_eq!(show(1, 4, false), [0.0]);
        assert_eq!(show(1, 4 + END_SHOWN.0, false), [0.0]);
        assert_eq!(show(1, 5 + END_SHOWN.0, false), Vec::<f64>::new());
        assert_eq!(show(0, 0, true), [1.0]);
        gauges.forget_partition(0);
        assert_eq!(values(), Vec::<f64>::new(), "whoever owns it now shows it");
    }

    #[test]
    fn however_many_series_there_are_the_gauges_stay_bounded_and_show_the_totals() {
        let registry = Registry::new();
        let gauges = CxGauges::register(&registry).expect("the registry is new");
        for number in 0..MOST + 10 {
            gauges.show(0, &window(&number.to_string(), 1, EventTime(0)));
        }
        gauges.show(0, &window(ALL, 1, EventTime(0)));
        assert_eq!(shown(&registry), MOST + 1);
        assert_eq!(gauges.left_out.get(), 10);
    }
}
