//! Metrics of ingest (contract, section 7), registered in the registry of the admin port. Every label has bounded values.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::problem::Findings;

/// What became of an event.
pub(crate) mod outcome {
    pub(crate) const ACCEPTED: &str = "accepted";
    pub(crate) const DUPLICATE: &str = "duplicate";
    pub(crate) const NOT_STORED: &str = "not_stored";
    pub(crate) const REJECTED: &str = "rejected";
    pub(crate) const UNAVAILABLE: &str = "unavailable";
}

/// All metrics of ingest.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) requests: IntCounterVec,
    pub(crate) events: IntCounterVec,
    pub(crate) rejected: IntCounterVec,
    pub(crate) unknown: IntCounterVec,
    pub(crate) ack_seconds: Histogram,
    pub(crate) connections: IntGauge,
    pub(crate) connections_refused: IntCounter,
    pub(crate) limited: IntCounterVec,
    pub(crate) shed: IntCounterVec,
    pub(crate) bytes_in_flight: IntGauge,
    pub(crate) quality_dropped: IntCounter,
}

impl Metrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// When the registry has metrics of these names already.
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Metrics> {
        let metrics = Metrics {
            requests: IntCounterVec::new(
                Opts::new("touchstream_ingest_requests_total", "Requests by HTTP status code."),
                &["code"],
            )?,
            events: IntCounterVec::new(
                Opts::new(
                    "touchstream_ingest_events_total",
                    "Events by family and outcome: accepted, duplicate (a hint), rejected, unavailable (answered 503), \
                     not_stored (calls such as identify, which have no event).",
                ),
                &["family", "outcome"],
            )?,
            rejected: IntCounterVec::new(
                Opts::new(
                    "touchstream_ingest_rejected_total",
                    "Rejected events by the code of their first problem.",
                ),
                &["code"],
            )?,
            unknown: IntCounterVec::new(
                Opts::new(
                    "touchstream_ingest_unknown_total",
                    "What was kept though the catalogue does not know it, or (touchpoint) the touchpoints file: \
                     extra_field, channel, touchpoint.",
                ),
                &["what"],
            )?,
            ack_seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "touchstream_ingest_ack_seconds",
                    "Time from handing a request's events to the producer to the last acknowledgement.",
                )
                .buckets(vec![
                    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
                    5.0, 10.0,
                ]),
            )?,
            connections: IntGauge::new("touchstream_ingest_connections", "Open connections.")?,
            connections_refused: IntCounter::new(
                "touchstream_ingest_connections_refused_total",
                "Connections closed at once because the limit was reached.",
            )?,
            limited: IntCounterVec::new(
                Opts::new(
                    "touchstream_ingest_limited_total",
                    "Requests and connections refused by a limit: key_rate and auth_failures (429), busy (503), address_connections.",
                ),
                &["limit"],
            )?,
            shed: IntCounterVec::new(
                Opts::new(
                    "touchstream_ingest_shed_events_total",
                    "Valid events that were answered 503 in retry because more important ones needed the room, by family.",
                ),
                &["family"],
            )?,
            bytes_in_flight: IntGauge::new(
                "touchstream_ingest_in_flight_bytes",
                "Bytes of requests between their first byte and their answer; ingest.queue_bytes is the budget.",
            )?,
            quality_dropped: IntCounter::new(
                "touchstream_ingest_quality_dropped_total",
                "Data quality counts that were dropped because too many series were held.",
            )?,
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.events.clone()))?;
        registry.register(Box::new(metrics.rejected.clone()))?;
        registry.register(Box::new(metrics.unknown.clone()))?;
        registry.register(Box::new(metrics.ack_seconds.clone()))?;
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.connections_refused.clone()))?;
        registry.register(Box::new(metrics.limited.clone()))?;
        registry.register(Box::new(metrics.shed.clone()))?;
        registry.register(Box::new(metrics.bytes_in_flight.clone()))?;
        registry.register(Box::new(metrics.quality_dropped.clone()))?;
        Ok(metrics)
    }

    /// Counts what is kept though it is unknown.
    pub(crate) fn count_unknown(&self, findings: &Findings) {
        let counts = [
            ("extra_field", findings.extra_fields),
            ("channel", findings.unknown_channels),
            ("touchpoint", findings.unknown_touchpoints),
        ];
        for (what, count) in counts {
            if count > 0 {
                self.unknown.with_label_values(&[what]).inc_by(count);
            }
        }
    }

    /// Valid events that were made durable, and those that were answered 503, so far.
    pub(crate) fn answered(&self) -> (u64, u64) {
        let sum = |outcome: &str| -> u64 {
            let families = touchstream_schemas::event::Family::ALL;
            families.iter().map(|family| self.events.with_label_values(&[family.name(), outcome]).get()).sum()
        };
        (sum(outcome::ACCEPTED) + sum(outcome::DUPLICATE), sum(outcome::UNAVAILABLE))
    }

    /// Counts events of one family (or `unknown`) with one outcome.
    pub(crate) fn count_events(&self, family: &str, outcome: &str, count: u64) {
        if count > 0 {
            self.events.with_label_values(&[family, outcome]).inc_by(count);
        }
    }
}
