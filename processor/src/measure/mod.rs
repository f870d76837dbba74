//! Measure, the first stage: raw events → facts, deltas ([`deltas`]) and watermarks ([`watermark`]).
//!
//! Each raw partition is measured by itself ([`partition`]): decode → drop duplicates, late and non-human events, counted →
//! add to its journey ([`journeys`]) by the rules of its family ([`checkout`], [`conversation`], [`feedback`]) → send out the difference.
//! Promise: what is sent depends on the set of events, never on their order of arrival.

pub mod app;
pub mod checkout;
pub mod conversation;
pub mod deltas;
pub(crate) mod emit;
pub mod feedback;
pub mod further;
pub mod journeys;
mod measured;
pub mod packed;
mod partition;
mod refuse;
pub mod score;
pub mod service_hours;
pub mod watermark;

use std::sync::Arc;

use touchstream_runtime::settings::Settings;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::duplicates::DuplicateLimits;
use touchstream_schemas::event::Family;
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;

use crate::metrics::Metrics;
use crate::partitions::Partitions;
use crate::stage::{Committed, InputPartition, Output, Record, Stage, StageError};

use emit::Emitter;
use partition::{RawPartition, Shared};
use refuse::{Refusal, Refusals};

/// The first stage.
#[derive(Debug)]
pub struct Measure {
    topics: Topics,
    shared: Shared,
    emitter: Emitter,
    partitions: Partitions<RawPartition>,
    refusals: Refusals,
    /// Watermarks are sent at least this often while nothing else is.
    idle_interval: Millis,
}

impl Measure {
    /// A measuring stage without partitions. `pane_partitions` is the number of partitions of the panes topic.
    #[must_use]
    pub fn new(
        settings: &Settings,
        touchpoints: Arc<Touchpoints>,
        pane_partitions: i32,
        metrics: Metrics,
    ) -> Measure {
        let topics = Topics::new(&settings.kafka.topic_prefix);
        Measure {
            shared: Shared::new(settings, touchpoints, metrics),
            emitter: Emitter::new(topics.clone(), pane_partitions),
            refusals: Refusals::new(&topics, &settings.schemas.registry_url),
            topics,
            partitions: Partitions::default(),
            idle_interval: Millis(1_000),
        }
    }

    /// The same, but of each partition at most so many journeys change before they settle within a transaction.
    #[must_use]
    pub fn settling_from(mut self, changing: usize) -> Measure {
        self.shared.most_changing = changing;
        self
    }
}

impl Stage for Measure {
    fn name(&self) -> &'static str {
        "measure"
    }

    fn inputs(&self) -> Vec<String> {
        Family::ALL.into_iter().map(|family| self.topics.raw(family)).collect()
    }

    fn changelog_of(&self, input: &str) -> Option<String> {
        self.topics.family_of(input).map(|family| self.topics.measure_changelog(family))
    }

    fn look_back(&self) -> Option<DuplicateLimits> {
        Some(self.shared.duplicate_limits)
    }

    fn assigned(&mut self, partition: &InputPartition, committed: Option<&Committed>, _now: EventTime) {
        let Some(family) = self.topics.family_of(&partition.topic) else { return };
        self.partitions.insert(partition.clone(), RawPartition::new(&self.shared, family, committed));
    }

    fn restore(&mut self, partition: &InputPartition, record: Record<'_>) -> Result<(), StageError> {
        let Some((_, raw)) = self.partitions.get_mut(&partition.topic, partition.partition) else {
            return Ok(());
        };
        raw.restore(&self.shared, record).map_err(|source| StageError::Restore {
            partition: partition.clone(),
            offset: record.offset,
            source,
        })
    }

    fn look_back_at(&mut self, partition: &InputPartition, record: Record<'_>) -> Result<(), StageError> {
        match self.partitions.get_mut(&partition.topic, partition.partition) {
            Some((_, raw)) => raw.look_back_at(&self.shared, record),
            None => Ok(()),
        }
    }

    fn restored(&mut self, partition: &InputPartition) -> Result<(), StageError> {
        let Some((_, raw)) = self.partitions.get_mut(&partition.topic, partition.partition) else {
            return Ok(());
        };
        let restore = |source| StageError::Restore { partition: partition.clone(), offset: -1, source };
        raw.restored().map_err(restore)
    }

    fn clear(&mut self) {
        for (partition, raw) in self.partitions.iter() {
            self.shared.metrics.forget_raw(raw.family(), partition);
        }
        self.partitions.clear();
        self.emitter.deltas = deltas::Deltas::default();
        self.refusals.clear();
    }

    fn process(&mut self, partition: &InputPartition, record: Record<'_>) -> Result<(), StageError> {
        self.process_row(partition, &[record])
    }

    fn process_row(&mut self, partition: &InputPartition, records: &[Record<'_>]) -> Result<(), StageError> {
        let Some((_, raw)) = self.partitions.get_mut(&partition.topic, partition.partition) else {
            return Ok(());
        };
        let refusals = &mut self.refusals;
        let mut refuse = |record: Record<'_>, refusal: &Refusal| refusals.add(partition, record, refusal);
        raw.process_row(&self.shared, records, &mut self.emitter.deltas, &mut refuse)
    }

    fn is_full(&self) -> bool {
        self.refusals.is_full()
    }

    fn reached_end(&mut self, partition: &InputPartition, now: EventTime) {
        if let Some((_, raw)) = self.partitions.get_mut(&partition.topic, partition.partition) {
            raw.watermark.reached_end(now);
        }
    }

    fn flush(&mut self, now: EventTime, output: &mut dyn Output) -> Result<(), StageError> {
        for (partition, raw) in self.partitions.iter_mut() {
            raw.flush(&self.shared, partition, now, &mut self.emitter, output)?;
        }
        Ok(())
    }

    fn settle(&mut self, now: EventTime, output: &mut dyn Output) -> Result<(), StageError> {
        self.refusals.send(now, output)?;
        for (partition, raw) in self.partitions.iter_mut() {
            raw.settle(&self.shared, partition, now, &mut self.emitter, output)?;
        }
        let has_panes = !self.emitter.deltas.is_empty();
        self.emitter.send_panes(output)?;
        for (partition, raw) in self.partitions.iter_mut() {
            let watermark = raw.watermark.value();
            self.shared.metrics.watermark_lag(partition, (now - watermark).0);
            let progress = watermark - raw.sent_watermark;
            if progress > Millis(0) && (has_panes || progress >= self.idle_interval) {
                self.emitter.send_watermark(partition, watermark, output)?;
                raw.sent_watermark = watermark;
            }
        }
        Ok(())
    }

    fn note(&self, partition: &InputPartition) -> String {
        self.partitions.get(partition).map(|raw| raw.watermark.value().0.to_string()).unwrap_or_default()
    }
}
