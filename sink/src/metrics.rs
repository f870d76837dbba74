//! Metrics of the sink.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
};

/// All of them; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// Rows stored, by table.
    pub(crate) rows: IntCounterVec,
    /// Time of one insert, retries included.
    pub(crate) insert_seconds: Histogram,
    /// Failed tries of an insert that were repeated.
    pub(crate) insert_retries: IntCounter,
    /// 1 while a person is waited for, by table.
    pub(crate) blocked: IntGaugeVec,
    /// Records that could not be stored, by reason.
    pub(crate) rejected: IntCounterVec,
    /// Copies dropped.
    pub(crate) duplicates: IntCounter,
    /// Ranges replayed from an intent.
    pub(crate) replays: IntCounter,
    /// From receipt (or production) to visible.
    pub(crate) freshness: HistogramVec,
    /// Records not yet read, by topic.
    pub(crate) lag: IntGaugeVec,
    /// Bytes of records held.
    pub(crate) held_bytes: IntGaugeVec,
}

impl Metrics {
    /// Registers them.
    pub(crate) fn new(registry: &Registry) -> Result<Metrics, prometheus::Error> {
        let seconds = vec![0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0];
        let metrics = Metrics {
            rows: IntCounterVec::new(
                Opts::new("touchstream_sink_rows_total", "Rows stored in ClickHouse, by table."),
                &["table"],
            )?,
            insert_seconds: Histogram::with_opts(
                HistogramOpts::new("touchstream_sink_insert_seconds", "Time of one insert, retries included.")
                    .buckets(seconds.clone()),
            )?,
            insert_retries: IntCounter::new(
                "touchstream_sink_insert_retries_total",
                "Failed tries of an insert that were repeated.",
            )?,
            blocked: IntGaugeVec::new(
                Opts::new(
                    "touchstream_sink_blocked",
                    "1 while ClickHouse refuses a table's rows until a person mends it; the log and /readyz say why.",
                ),
                &["table"],
            )?,
            rejected: IntCounterVec::new(
                Opts::new("touchstream_sink_rejected_total", "Records that could not be stored, by reason."),
                &["reason"],
            )?,
            duplicates: IntCounter::new("touchstream_sink_duplicates_total", "Copies of events dropped.")?,
            replays: IntCounter::new(
                "touchstream_sink_replays_total",
                "Ranges of offsets replayed after a crash or a rebalance.",
            )?,
            freshness: HistogramVec::new(
                HistogramOpts::new(
                    "touchstream_freshness_seconds",
                    "Time from receipt of the oldest event of a batch (for results: from their production) to visible, by table.",
                )
                .buckets(seconds),
                &["table"],
            )?,
            lag: IntGaugeVec::new(
                Opts::new("touchstream_consumer_lag", "Records not yet read, by consumer group and topic."),
                &["group", "topic"],
            )?,
            held_bytes: IntGaugeVec::new(
                Opts::new("touchstream_sink_held_bytes", "Bytes of records held, by part of the sink."),
                &["part"],
            )?,
        };
        registry.register(Box::new(metrics.rows.clone()))?;
        registry.register(Box::new(metrics.insert_seconds.clone()))?;
        registry.register(Box::new(metrics.insert_retries.clone()))?;
        registry.register(Box::new(metrics.blocked.clone()))?;
        registry.register(Box::new(metrics.rejected.clone()))?;
        registry.register(Box::new(metrics.duplicates.clone()))?;
        registry.register(Box::new(metrics.replays.clone()))?;
        registry.register(Box::new(metrics.freshness.clone()))?;
        registry.register(Box::new(metrics.lag.clone()))?;
        registry.register(Box::new(metrics.held_bytes.clone()))?;
        Ok(metrics)
    }
}
