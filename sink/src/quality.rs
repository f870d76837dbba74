//! What the sink itself knows of data quality: per tenant, family and minute of receipt, how long the slowest event took to become
//! visible and how many records waited. Kept as maxima, so writing a minute again does no harm.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use touchstream_schemas::event::Family;
use touchstream_schemas::time::EventTime;

use crate::derived::columns::Table as _;
use crate::derived::tables::{QualitySink, QualitySinkRow};
use crate::insert::{Insert, Inserter};
use crate::raw::range::Oldest;

/// Time between two writes.
const INTERVAL: Duration = Duration::from_secs(2);
/// Minutes held at most while ClickHouse cannot be reached; later ones are not noted then.
const MOST_MINUTES: usize = 100_000;

/// Gathers, and writes every few seconds in the background.
pub(crate) struct Quality {
    inserter: Inserter,
    runtime: Handle,
    /// Longest time to visible, and most records waiting.
    minutes: HashMap<(String, &'static str, EventTime), (i64, i64)>,
    writing: Option<JoinHandle<()>>,
    written_at: Instant,
}

impl Quality {
    /// Nothing gathered yet.
    pub(crate) fn new(inserter: Inserter, runtime: Handle) -> Quality {
        Quality { inserter, runtime, minutes: HashMap::new(), writing: None, written_at: Instant::now() }
    }

    /// Notes a batch that just became visible.
    pub(crate) fn note(&mut self, family: Family, oldest: Oldest, lag: i64) {
        let now = EventTime::now();
        for ((tenant, minute), received_at) in oldest {
            if self.minutes.len() >= MOST_MINUTES {
                return;
            }
            let freshness = (now - received_at).0.max(0);
            let entry = self.minutes.entry((tenant, family.name(), minute)).or_default();
            *entry = (entry.0.max(freshness), entry.1.max(lag));
        }
    }

    /// Writes what was gathered, when it is time and the last write is through.
    pub(crate) fn write_when_due(&mut self) {
        let idle = self.writing.as_ref().is_none_or(JoinHandle::is_finished);
        if idle && !self.minutes.is_empty() && self.written_at.elapsed() >= INTERVAL {
            self.write();
        }
    }

    /// Writes the rest; waits a moment for it.
    pub(crate) fn finish(&mut self) {
        if !self.minutes.is_empty() {
            self.write();
        }
        if let Some(writing) = self.writing.take() {
            let waited = self.runtime.block_on(async { tokio::time::timeout(INTERVAL, writing).await });
            if !matches!(waited, Ok(Ok(()))) {
                tracing::warn!("the last minutes of freshness and lag were not written");
            }
        }
    }

    fn write(&mut self) {
        self.written_at = Instant::now();
        let mut table = QualitySink::default();
        for ((tenant, family, minute), (freshness_ms, lag)) in self.minutes.drain() {
            table.push(QualitySinkRow { tenant: &tenant, family, minute, freshness_ms, lag });
        }
        let insert = match table.finish().map(|batch| Insert::new(QualitySink::NAME, &batch)) {
            Ok(Ok(insert)) => insert,
            Ok(Err(error)) => return tracing::warn!(%error, "freshness and lag cannot be written"),
            Err(error) => return tracing::warn!(%error, "freshness and lag cannot be written"),
        };
        let inserter = self.inserter.clone();
        self.writing = Some(self.runtime.spawn(async move {
            if let Err(error) = inserter.run(&insert).await {
                tracing::warn!(%error, "freshness and lag cannot be written");
            }
        }));
    }
}
