//! Data quality: what was answered, counted by tenant, family, minute of receipt and code, and sent on about once a second.
//!
//! Beside the flow. Counts are absolute, per instance, and travel with a rising revision: a lost or repeated message does no harm, the
//! newest wins. Bounded: a minute is forgotten some minutes later, and beyond `MAX_SERIES` new series are dropped and counted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use touchstream_schemas::codec::Encoder;
use touchstream_schemas::keys;
use touchstream_schemas::quality::Quality;
use touchstream_schemas::time::{EventTime, Millis};

use crate::metrics::Metrics;
use crate::publish::Publisher;
use crate::refused::Refused;

/// Family of events whose type says none.
pub(crate) const UNKNOWN_FAMILY: &str = "unknown";
/// Most series held.
const MAX_SERIES: usize = 20_000;
/// How long a minute's counts are held, for sending them again when that failed.
const KEEP: Millis = Millis(10 * 60_000);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Series {
    tenant: Arc<str>,
    family: &'static str,
    minute: EventTime,
    code: &'static str,
}

#[derive(Clone, Debug, Default)]
struct Count {
    events: i64,
    changed: bool,
    /// The newest one, where they were refused.
    last: Option<Refused>,
}

#[derive(Debug, Default)]
struct Held {
    counts: HashMap<Series, Count>,
    revision: i64,
}

/// The counts of this instance.
#[derive(Debug)]
pub(crate) struct QualityCounts {
    held: Mutex<Held>,
    send_failed: Arc<AtomicBool>,
    instance: String,
}

impl QualityCounts {
    /// No counts yet; `instance` is new at every start.
    pub(crate) fn new(instance: String) -> QualityCounts {
        QualityCounts { held: Mutex::default(), send_failed: Arc::default(), instance }
    }

    /// Counts events received at `received_at`.
    pub(crate) fn add(
        &self,
        tenant: &Arc<str>,
        family: &'static str,
        code: &'static str,
        received_at: EventTime,
        events: u64,
        metrics: &Metrics,
    ) {
        let Ok(events) = i64::try_from(events) else { return };
        if events > 0 {
            let series = Series { tenant: Arc::clone(tenant), family, minute: received_at.minute(), code };
            self.count(series, events, None, metrics);
        }
    }

    /// Counts a refused event, and remembers what is told of it in the place of the one before.
    pub(crate) fn add_refused(
        &self,
        tenant: &Arc<str>,
        family: &'static str,
        code: &'static str,
        refused: Refused,
        metrics: &Metrics,
    ) {
        let series = Series { tenant: Arc::clone(tenant), family, minute: refused.at.minute(), code };
        self.count(series, 1, Some(refused), metrics);
    }

    fn count(&self, series: Series, events: i64, refused: Option<Refused>, metrics: &Metrics) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let full = held.counts.len() >= MAX_SERIES;
        match held.counts.entry(series) {
            std::collections::hash_map::Entry::Vacant(_) if full => metrics.quality_dropped.inc(),
            entry => {
                let count = entry.or_default();
                count.events += events;
                count.changed = true;
                if refused.is_some() {
                    count.last = refused;
                }
            }
        }
    }

    /// Sends what changed since the last time and forgets old minutes.
    pub(crate) fn send(&self, publisher: &Publisher, encoder: &mut Encoder) {
        let now = EventTime::now();
        let send_all = self.send_failed.swap(false, Ordering::AcqRel);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.revision = now.0.max(held.revision + 1);
        let revision = held.revision;
        let mut buffer = Vec::new();
        for (series, count) in &mut held.counts {
            if !(count.changed || send_all) {
                continue;
            }
            let record = Quality {
                tenant: &series.tenant,
                family: series.family,
                minute: series.minute,
                instance: &self.instance,
                code: series.code,
                events: count.events,
                revision,
                last_at: count.last.as_ref().map(|last| last.at),
                last_source: count.last.as_ref().map_or("", |last| &last.source),
                last_type: count.last.as_ref().map_or("", |last| last.event_type),
                last_field: count.last.as_ref().map_or("", |last| &last.field),
            };
            if let Err(error) = encoder.encode_into(&record, &mut buffer) {
                tracing::error!(%error, "a count of data quality is lost");
                continue;
            }
            let minute = series.minute.0.to_string();
            let key = keys::join(&[&series.tenant, series.family, &minute, &self.instance, series.code]);
            count.changed = publisher.send_quality(&key, &buffer, &self.send_failed).is_err();
        }
        held.counts.retain(|series, count| count.changed || now - series.minute <= KEEP);
    }
}
