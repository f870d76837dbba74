//! Metrics of the spool. Every label has bounded values, all of which are there from the start.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::ledger::NotAdmitted;
use super::store::Damage;
use crate::publish::Refused;

/// All metrics of the spool.
#[derive(Clone, Debug)]
pub(crate) struct SpoolMetrics {
    pub(crate) bytes: IntGauge,
    pub(crate) records: IntGauge,
    pub(crate) oldest_seconds: IntGauge,
    pub(crate) active: IntGauge,
    pub(crate) spooled: IntCounter,
    pub(crate) forwarded: IntCounter,
    pub(crate) damaged: IntCounterVec,
    pub(crate) refused: IntCounterVec,
    pub(crate) syncs: IntCounter,
    pub(crate) takeovers: IntCounter,
    pub(crate) recovered: IntCounter,
    pub(crate) quarantined: IntCounterVec,
    pub(crate) quarantine_bytes: IntGauge,
    pub(crate) alive: IntGauge,
}

impl SpoolMetrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// When the registry has metrics of these names already.
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<SpoolMetrics> {
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(format!("touchstream_ingest_spool_{name}"), help)?;
            registry.register(Box::new(gauge.clone())).map(|()| gauge)
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(format!("touchstream_ingest_{name}_total"), help)?;
            registry.register(Box::new(counter.clone())).map(|()| counter)
        };
        let reasons = |name: &str, help: &str, values: &[&str]| {
            let options = Opts::new(format!("touchstream_ingest_spool_{name}_total"), help);
            let counters = IntCounterVec::new(options, &["reason"])?;
            for value in values {
                counters.with_label_values(&[*value]).reset();
            }
            registry.register(Box::new(counters.clone())).map(|()| counters)
        };
        Ok(SpoolMetrics {
            bytes: gauge("bytes", "Bytes of the spool on disk.")?,
            records: gauge("records", "Events in the spool that Kafka does not have yet.")?,
            oldest_seconds: gauge("oldest_seconds", "Age of the oldest of them; 0 without any.")?,
            active: gauge("active", "1 while new events go through the spool, else 0.")?,
            spooled: counter("spooled_events", "Events that were synced to the spool.")?,
            forwarded: counter("forwarded_events", "Events of the spool that Kafka acknowledged.")?,
            damaged: reasons(
                "damaged",
                "Stretches of the spool that are no whole record: torn (end of the last write before a crash), corrupt.",
                &Damage::ALL.map(Damage::name),
            )?,
            refused: reasons(
                "refused",
                "Events that the spool did not take (answered 503): full, age, disk, busy.",
                &NotAdmitted::ALL.map(NotAdmitted::name),
            )?,
            syncs: counter("spool_syncs", "Syncs of the spool; each confirms many requests.")?,
            takeovers: counter("spool_takeovers", "Times that the spool took over from Kafka.")?,
            recovered: counter("spool_recovered_events", "Events that the last process left in the spool.")?,
            quarantined: reasons(
                "quarantined",
                "Events of the spool that Kafka refuses for themselves, by reason; they lie in the quarantine file.",
                &Refused::ALL.map(Refused::name),
            )?,
            quarantine_bytes: gauge("quarantine_bytes", "Bytes of the quarantine file; 0 without one.")?,
            alive: gauge("alive", "1 while the spool's thread does its work, 0 when it has ended or hangs.")?,
        })
    }
}
