//! Metrics of the processor, registered in a passed registry.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, exponential_buckets,
};
use touchstream_schemas::event::Family;

use crate::cx_gauges::CxGauges;
use crate::stage::InputPartition;

/// Counters and gauges of both stages.
#[derive(Clone, Debug)]
pub struct Metrics {
    events: IntCounterVec,
    late: IntCounterVec,
    duplicates: IntCounterVec,
    left_out: IntCounterVec,
    journeys: IntGaugeVec,
    watermark_lag: IntGaugeVec,
    lag: IntGaugeVec,
    transactions: HistogramVec,
    failures: IntCounterVec,
    windows: IntCounterVec,
    others: IntCounterVec,
    too_old: IntCounterVec,
    series: IntGaugeVec,
    cx: CxGauges,
    /// The partitions of each group whose lag is shown.
    lags_shown: Arc<Mutex<HashMap<String, Vec<InputPartition>>>>,
}

impl Metrics {
    /// Registers all metrics.
    ///
    /// # Errors
    /// When a name is taken in this registry.
    pub fn register(registry: &Registry) -> Result<Metrics, prometheus::Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let seconds = HistogramOpts::new(
            "touchstream_processor_transaction_seconds",
            "Time from settling a transaction to its commit.",
        )
        .buckets(exponential_buckets(0.001, 2.0, 14)?);
        let transactions = HistogramVec::new(seconds, &["stage"])?;
        registry.register(Box::new(transactions.clone()))?;
        let of_family = ["family"];
        let metrics = Metrics {
            events: counter("touchstream_processor_events_total", "Raw events read.", &of_family)?,
            late: counter(
                "touchstream_processor_late_events_total",
                "Events beyond the lateness limit: in their raw table only.",
                &of_family,
            )?,
            duplicates: counter(
                "touchstream_processor_duplicate_events_total",
                "Copies recognised within the duplicate window.",
                &of_family,
            )?,
            left_out: counter(
                "touchstream_processor_left_out_records_total",
                "Records that no metric counts: not decodable, or of a journey that is too long.",
                &["family", "reason"],
            )?,
            journeys: gauge(
                "touchstream_processor_journeys",
                "Attempts, conversations and submissions held in memory.",
                &["family", "partition"],
            )?,
            watermark_lag: gauge(
                "touchstream_processor_watermark_lag_seconds",
                "Wall clock minus the watermark of a raw partition.",
                &["topic", "partition"],
            )?,
            lag: gauge(
                "touchstream_consumer_lag",
                "Records not read yet, by consumer group, topic and partition.",
                &["group", "topic", "partition"],
            )?,
            transactions,
            failures: counter(
                "touchstream_processor_sessions_failed_total",
                "Sessions that ended early and went back to the last commit.",
                &["stage"],
            )?,
            others: counter(
                "touchstream_processor_counted_as_other_total",
                "Changes of series that count as other because a tenant has too many names of a kind.",
                &["kind"],
            )?,
            too_old: counter(
                "touchstream_processor_dropped_changes_total",
                "Changes of minutes that are not kept any more (rules that were changed make some): dropped, as their windows could only become wrong.",
                &["metric"],
            )?,
            series: gauge(
                "touchstream_processor_series",
                "Held by a partition of the panes: series, those of them that panes name, and names.",
                &["partition", "kind"],
            )?,
            windows: counter("touchstream_processor_window_rows_total", "Window upserts sent.", &["metric"])?,
            cx: CxGauges::register(registry)?,
            lags_shown: Arc::default(),
        };
        // What has not happened yet is zero: an alert on its growth needs a beginning.
        for family in Family::ALL {
            for counter in [&metrics.events, &metrics.late, &metrics.duplicates] {
                counter.with_label_values(&[family.name()]).inc_by(0);
            }
        }
        Ok(metrics)
    }

    /// The newest customer-experience values.
    pub(crate) fn cx(&self) -> &CxGauges {
        &self.cx
    }

    /// A raw partition has another owner now.
    pub(crate) fn forget_raw(&self, family: Family, partition: &InputPartition) {
        let number = partition.partition.to_string();
        // It may never have been shown, or be gone already.
        drop(self.watermark_lag.remove_label_values(&[&*partition.topic, &number]));
        drop(self.journeys.remove_label_values(&[family.name(), &number]));
    }

    pub(crate) fn events(&self, family: Family, count: u64) {
        if count > 0 {
            self.events.with_label_values(&[family.name()]).inc_by(count);
        }
    }

    pub(crate) fn late(&self, family: Family) {
        self.late.with_label_values(&[family.name()]).inc();
    }

    pub(crate) fn duplicate(&self, family: Family) {
        self.duplicates.with_label_values(&[family.name()]).inc();
    }

    pub(crate) fn left_out(&self, family: Family, reason: &str) {
        self.left_out.with_label_values(&[family.name(), reason]).inc();
    }

    pub(crate) fn journeys(&self, family: Family, partition: i32, held: usize) {
        let held = i64::try_from(held).unwrap_or(i64::MAX);
        self.journeys.with_label_values(&[family.name(), &partition.to_string()]).set(held);
    }

    pub(crate) fn watermark_lag(&self, partition: &InputPartition, milliseconds: i64) {
        let labels = [&*partition.topic, &partition.partition.to_string()];
        self.watermark_lag.with_label_values(&labels).set(milliseconds / 1_000);
    }

    /// Unread records of all partitions that a group has here; what it had before and has no more is not shown any more.
    pub(crate) fn lag<'p>(&self, group: &str, records: impl Iterator<Item = (&'p InputPartition, i64)>) {
        let mut shown = self.lags_shown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = shown.remove(group).unwrap_or_default();
        let now: Vec<InputPartition> = records
            .map(|(partition, records)| {
                let number = partition.partition.to_string();
                self.lag.with_label_values(&[group, &*partition.topic, &number]).set(records);
                gone.retain(|known| known != partition);
                partition.clone()
            })
            .collect();
        for partition in gone {
            drop(self.lag.remove_label_values(&[group, &*partition.topic, &partition.partition.to_string()]));
        }
        shown.insert(group.to_owned(), now);
    }

    pub(crate) fn transaction(&self, stage: &str, seconds: f64) {
        let histogram: Histogram = self.transactions.with_label_values(&[stage]);
        histogram.observe(seconds);
    }

    pub(crate) fn session_failed(&self, stage: &str) {
        self.failures.with_label_values(&[stage]).inc();
    }

    pub(crate) fn others(&self, kind: &str, count: u64) {
        self.others.with_label_values(&[kind]).inc_by(count);
    }

    pub(crate) fn window(&self, metric: &str) {
        self.windows.with_label_values(&[metric]).inc();
    }

    pub(crate) fn too_old(&self, metric: &str, count: u64) {
        self.too_old.with_label_values(&[metric]).inc_by(count);
    }

    pub(crate) fn series(&self, partition: i32, kind: &str, held: usize) {
        let held = i64::try_from(held).unwrap_or(i64::MAX);
        self.series.with_label_values(&[&partition.to_string(), kind]).set(held);
    }
}
