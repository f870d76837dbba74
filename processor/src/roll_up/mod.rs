//! Roll up, the second stage: deltas → absolute minutes → rolling windows.
//!
//! A pane's change is added to its series and to the seven series in which touchpoint, channel or device are `all`
//! ([`partition`]); each holds minutes, hours and days ([`ring`]). About once a second the windows ([`sizes`]) that changed, began or became
//! final go out as upserts ([`emit`]); changed minutes go to the compacted topic that restores this state, in the same transaction.

mod emit;
mod expire;
mod limit;
mod limit_pane;
mod partition;
mod ring;
mod sizes;
mod tell;
mod watch;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use touchstream_runtime::settings::Settings;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::avro;
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::duplicates::DuplicateLimits;
use touchstream_schemas::minutes::Minute;
use touchstream_schemas::panes::{Pane, Watermark};
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;

use crate::metrics::Metrics;
use crate::regressions::MarksSource;
use crate::stage::{Committed, InputPartition, Output, Record, Stage, StageError};

use emit::Emitter;
use limit::Limits;
use partition::{Kept, Note, PanePartition};

/// Window rows that may go out at each refresh; with more of them refreshes become rarer, up to [`SLOWEST_REFRESH`] times.
const ROWS_A_REFRESH: i64 = 20_000;
const SLOWEST_REFRESH: i64 = 5;

/// The second stage.
#[derive(Debug)]
pub struct RollUp {
    topics: Topics,
    decoder: Decoder,
    emitter: Emitter,
    refresh: Millis,
    kept: Kept,
    /// Window rows of the last refresh of each partition.
    last_rows: HashMap<InputPartition, i64>,
    /// Without anything admitted: what a partition begins with.
    limits: Limits,
    raw_partitions: usize,
    marks: MarksSource,
    partitions: BTreeMap<InputPartition, PanePartition>,
    /// How far each raw partition was read, by what each pane partition was told.
    watermarks: HashMap<InputPartition, HashMap<(Arc<str>, i32), EventTime>>,
    /// The newest version of each changelog record while a partition is restored.
    restoring: HashMap<InputPartition, HashMap<Vec<u8>, Vec<u8>>>,
}

impl RollUp {
    /// A rolling-up stage without partitions. `raw_partitions` is the number of partitions of all raw topics together.
    #[must_use]
    pub fn new(
        settings: &Settings,
        touchpoints: Arc<Touchpoints>,
        raw_partitions: i32,
        metrics: Metrics,
    ) -> RollUp {
        let topics = Topics::new(&settings.kafka.topic_prefix);
        let limits = Limits::new(&settings.processor, &settings.metrics, touchpoints.clone());
        RollUp {
            limits,
            emitter: Emitter::new(&topics, &settings.metrics, touchpoints, metrics),
            topics,
            decoder: Decoder::new(&[&avro::PANE, &avro::WATERMARK, &avro::MINUTE]),
            refresh: Millis(settings.processor.refresh_ms),
            kept: Kept::with_lateness(Millis::DAY.times(settings.processor.lateness_days)),
            last_rows: HashMap::new(),
            raw_partitions: usize::try_from(raw_partitions).unwrap_or_default(),
            marks: MarksSource::default(),
            partitions: BTreeMap::new(),
            watermarks: HashMap::new(),
            restoring: HashMap::new(),
        }
    }

    /// Tells it of incidents, lost events and changes, as they become known.
    #[must_use]
    pub fn with_marks(mut self, marks: MarksSource) -> RollUp {
        self.marks = marks;
        self
    }

    /// The time before which nothing is expected from any raw partition; `None` until each of them was heard of.
    fn watermark(&self, partition: &InputPartition) -> Option<EventTime> {
        let heard = self.watermarks.get(partition)?;
        if heard.len() < self.raw_partitions {
            return None;
        }
        heard.values().min().copied()
    }
}

impl Stage for RollUp {
    fn name(&self) -> &'static str {
        "roll_up"
    }

    fn inputs(&self) -> Vec<String> {
        vec![self.topics.panes()]
    }

    fn changelog_of(&self, _input: &str) -> Option<String> {
        Some(self.topics.minutes())
    }

    fn look_back(&self) -> Option<DuplicateLimits> {
        None
    }

    fn assigned(&mut self, partition: &InputPartition, committed: Option<&Committed>, now: EventTime) {
        let note = committed.and_then(|committed| Note::parse(&committed.note));
        self.partitions.insert(
            partition.clone(),
            PanePartition::new(note, committed, now, self.limits.clone(), self.kept),
        );
        self.restoring.insert(partition.clone(), HashMap::new());
    }

    fn restore(&mut self, partition: &InputPartition, record: Record<'_>) -> Result<(), StageError> {
        let Some(newest) = self.restoring.get_mut(partition) else { return Ok(()) };
        match record.value {
            Some(value) => newest.insert(record.key.to_vec(), value.to_vec()),
            None => newest.remove(record.key),
        };
        Ok(())
    }

    fn look_back_at(&mut self, _partition: &InputPartition, _record: Record<'_>) -> Result<(), StageError> {
        Ok(())
    }

    fn restored(&mut self, partition: &InputPartition) -> Result<(), StageError> {
        let newest = self.restoring.remove(partition).unwrap_or_default();
        let Some(panes) = self.partitions.get_mut(partition) else { return Ok(()) };
        for (offset, value) in (0..).zip(newest.into_values()) {
            let minute = self.decoder.decode::<Minute<'_>>(&value).map_err(|source| StageError::Restore {
                partition: partition.clone(),
                offset,
                source,
            })?;
            panes.restore(&minute);
        }
        panes.restored();
        Ok(())
    }

    fn clear(&mut self) {
        self.partitions.keys().for_each(|partition| self.emitter.forget_gauges(partition.partition));
        self.partitions.clear();
        self.watermarks.clear();
        self.last_rows.clear();
        self.restoring.clear();
    }

    fn process(&mut self, partition: &InputPartition, record: Record<'_>) -> Result<(), StageError> {
        let (Some(panes), Some(value)) = (self.partitions.get_mut(partition), record.value) else {
            return Ok(());
        };
        panes.last_offset = record.offset;
        let schema = self.decoder.split(value).map(|(schema, _)| schema == avro::WATERMARK.name);
        let counted = match schema {
            Ok(true) => self.decoder.decode::<Watermark<'_>>(value).map(|told| {
                let heard = self.watermarks.entry(partition.clone()).or_default();
                let known = heard.entry((told.topic.into(), told.partition)).or_insert(told.watermark);
                *known = told.watermark.max(*known);
            }),
            Ok(false) => self.decoder.decode::<Pane<'_>>(value).map(|pane| panes.apply(pane)),
            Err(error) => Err(error),
        };
        counted.map_err(|source| StageError::Delta {
            partition: partition.clone(),
            offset: record.offset,
            source,
        })
    }

    fn reached_end(&mut self, _partition: &InputPartition, _now: EventTime) {}

    fn settle(&mut self, now: EventTime, output: &mut dyn Output) -> Result<(), StageError> {
        let watermarks: Vec<_> = self.partitions.keys().map(|partition| self.watermark(partition)).collect();
        for ((partition, panes), watermark) in self.partitions.iter_mut().zip(watermarks) {
            panes.send_minutes(partition.partition, &mut self.emitter, output)?;
            let rows = self.last_rows.entry(partition.clone()).or_default();
            let refresh = self.refresh.times((*rows / ROWS_A_REFRESH).clamp(1, SLOWEST_REFRESH));
            // A clock that was set back must not keep windows waiting.
            if now - panes.note.flushed_at >= refresh || now < panes.note.flushed_at {
                let before = self.emitter.rows;
                panes.send_windows(now, watermark, partition.partition, &mut self.emitter, output)?;
                *rows = self.emitter.rows - before;
                panes.check_rules(&self.marks.now(), now, partition.partition, &mut self.emitter, output)?;
                panes.expire(now, partition.partition, &mut self.emitter, output)?;
                self.emitter.forget_old_gauges(now);
            }
        }
        Ok(())
    }

    fn note(&self, partition: &InputPartition) -> String {
        self.partitions.get(partition).map(|panes| panes.note.to_string()).unwrap_or_default()
    }
}
