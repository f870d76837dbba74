//! What the server counts: queries by role and outcome, their time, how many run and wait, rows written.

use crate::authenticate::Role;
use hyper::StatusCode;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

/// All metrics of the embedded server.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    queries: IntCounterVec,
    seconds: HistogramVec,
    pub(crate) connections: IntGauge,
    pub(crate) running: IntGauge,
    pub(crate) rows_written: IntCounter,
}

impl Metrics {
    /// Registers the metrics.
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            queries: IntCounterVec::new(
                Opts::new(
                    "touchstream_clickhouse_queries_total",
                    "Queries by role and outcome: ok, refused (the client's fault), failed, overloaded.",
                ),
                &["role", "outcome"],
            )?,
            seconds: HistogramVec::new(
                HistogramOpts::new(
                    "touchstream_clickhouse_query_seconds",
                    "Time from a request's head to the first byte of its answer.",
                )
                .buckets(vec![
                    0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
                ]),
                &["role"],
            )?,
            connections: IntGauge::new("touchstream_clickhouse_connections", "Open connections.")?,
            running: IntGauge::new(
                "touchstream_clickhouse_running_queries",
                "Queries running in the engine.",
            )?,
            rows_written: IntCounter::new(
                "touchstream_clickhouse_rows_written_total",
                "Rows written by inserts.",
            )?,
        };
        registry.register(Box::new(metrics.queries.clone()))?;
        registry.register(Box::new(metrics.seconds.clone()))?;
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.running.clone()))?;
        registry.register(Box::new(metrics.rows_written.clone()))?;
        Ok(metrics)
    }

    /// Counts an answered query.
    pub(crate) fn answered(&self, role: Role, status: StatusCode, code: Option<&[u8]>, seconds: f64) {
        let outcome = match code {
            None => "ok",
            Some(b"202") => "overloaded",
            Some(_) if status.is_client_error() => "refused",
            Some(_) => "failed",
        };
        let role = match role {
            Role::Reader => "reader",
            Role::Writer => "writer",
        };
        self.queries.with_label_values(&[role, outcome]).inc();
        let time: Histogram = self.seconds.with_label_values(&[role]);
        time.observe(seconds);
    }
}

/// Counts up now and down when dropped.
#[derive(Debug)]
pub(crate) struct Counted(IntGauge);

impl Counted {
    pub(crate) fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
