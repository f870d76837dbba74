//! What both threads of the sink share.

use std::sync::Arc;

use tokio::runtime::Handle;
use touchstream_runtime::admin::Readiness;
use touchstream_runtime::settings::Settings;
use touchstream_runtime::shutdown::Shutdown;
use touchstream_schemas::event::Family;
use touchstream_schemas::time::EventTime;

use crate::follow::Change;
use crate::insert::Inserter;
use crate::metrics::Metrics;
use crate::raw::range::Oldest;
use crate::raw::table_of;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Parts {
    /// Settings in force.
    pub(crate) settings: Arc<Settings>,
    /// Where inserts run.
    pub(crate) runtime: Handle,
    /// Inserts.
    pub(crate) inserter: Inserter,
    /// Metrics.
    pub(crate) metrics: Metrics,
    /// Health.
    pub(crate) readiness: Readiness,
    /// Asks the threads to drain.
    pub(crate) shutdown: Shutdown,
}

impl Parts {
    /// Notes an assignment in log and health.
    pub(crate) fn note_change(&self, part: &'static str, change: &Change) {
        match change {
            Change::Assigned(positions) => {
                let replays = positions.iter().filter(|position| position.replay.is_some()).count();
                tracing::info!(part, partitions = positions.len(), replays, "partitions assigned");
                self.readiness.ready(part);
            }
            Change::Revoked => tracing::info!(part, "partitions revoked"),
            Change::Failed(_) => {}
        }
    }

    /// Notes how long the oldest event of a batch took to become visible.
    pub(crate) fn note_freshness(&self, family: Family, oldest: &Oldest) {
        let Some(first) = oldest.values().min() else { return };
        self.observe_freshness(table_of(family), *first);
    }

    /// Notes how long something took to become visible.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a few days are exact")]
    pub(crate) fn observe_freshness(&self, table: &str, since: EventTime) {
        let seconds = (EventTime::now() - since).0.max(0) as f64 / 1_000.0;
        self.metrics.freshness.with_label_values(&[table]).observe(seconds);
    }
}
