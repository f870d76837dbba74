//! Brings a partition's state back: committed offset → changelog up to its end → the stretch of input that the duplicate window needs.
//!
//! The order matters. Stable offsets come first: while the old owner's transaction is in doubt, Kafka withholds them. Its commit
//! marker may still reach the offsets before the changelog (KAFKA-10167), so the changelog is read up to its read_uncommitted end.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use touchstream_runtime::kafka;
use touchstream_runtime::settings::Settings;
use touchstream_runtime::shutdown::Shutdown;
use touchstream_schemas::duplicates::DuplicateLimits;

use super::ANSWER_DEADLINE;
use super::rebalance::GroupContext;
use crate::error::ProcessorError;
use crate::stage::{Committed, InputPartition, Record, Stage};

/// Longest wait for transactions of a dead owner to end; the broker ends them after a minute.
const OPEN_TRANSACTIONS_DEADLINE: Duration = Duration::from_secs(120);
/// How often a long restore shows its progress and the group is told that this member lives.
const PULSE: Duration = Duration::from_secs(2);

/// Reads what assigned partitions need before their first record.
pub(super) struct Restorer<'w> {
    group: &'w BaseConsumer<GroupContext>,
    shutdown: &'w Shutdown,
    committed_reader: BaseConsumer,
    uncommitted_reader: BaseConsumer,
    last_pulse: Cell<Instant>,
    /// Topics that the reader knows.
    known: RefCell<HashSet<Arc<str>>>,
}

impl<'w> Restorer<'w> {
    pub(super) fn new(
        settings: &Settings,
        group: &'w BaseConsumer<GroupContext>,
        shutdown: &'w Shutdown,
    ) -> Result<Restorer<'w>, ProcessorError> {
        let config = kafka::consumer(&settings.kafka, "touchstream-restore", "touchstream-restore")?;
        let mut uncommitted = config.clone();
        uncommitted.set("isolation.level", "read_uncommitted");
        Ok(Restorer {
            group,
            shutdown,
            committed_reader: config.create()?,
            uncommitted_reader: uncommitted.create()?,
            last_pulse: Cell::new(Instant::now()),
            known: RefCell::default(),
        })
    }

    /// The stable committed offset and note of every partition.
    pub(super) fn committed(
        &self,
        partitions: &[InputPartition],
    ) -> Result<Vec<(InputPartition, Option<Committed>)>, ProcessorError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&partition.topic, partition.partition);
        }
        let found = self.group.committed_offsets(list, ANSWER_DEADLINE)?;
        let mut committed = Vec::new();
        for element in found.elements() {
            element.error()?;
            let partition = InputPartition { topic: element.topic().into(), partition: element.partition() };
            let at = match element.offset() {
                Offset::Offset(next_offset) => {
                    Some(Committed { next_offset, note: element.metadata().to_owned() })
                }
                _ => None,
            };
            committed.push((partition, at));
        }
        Ok(committed)
    }

    /// Restores one partition and returns its next offset; `None` when a rebalance or shutdown came in between.
    pub(super) fn restore(
        &self,
        stage: &mut dyn Stage,
        partition: &InputPartition,
        committed: Option<&Committed>,
    ) -> Result<Option<i64>, ProcessorError> {
        let mut restored = 0_u64;
        if let Some(changelog) = stage.changelog_of(&partition.topic) {
            let changelog =
                InputPartition { topic: changelog.as_str().into(), partition: partition.partition };
            let Some((start, end)) = self.settled_range(&changelog)? else { return Ok(None) };
            if start < end {
                let is_complete = self.read(&changelog, start, None, |record| {
                    restored += 1;
                    stage.restore(partition, record)
                })?;
                if !is_complete {
                    return Ok(None);
                }
            }
            // Records of aborted transactions alone are nothing: then this group never committed anything.
            if committed.is_none() && restored > 0 {
                return Err(ProcessorError::OffsetsLost { partition: partition.to_string() });
            }
        }
        let (first, _) =
            self.group.fetch_watermarks(&partition.topic, partition.partition, ANSWER_DEADLINE)?;
        let next_offset = committed.map_or(first, |committed| committed.next_offset);
        if let Some(limits) = stage.look_back()
            && next_offset > first
        {
            let start = self.look_back_start(partition, first, next_offset, limits)?;
            let is_complete = self
                .read(partition, start, Some(next_offset), |record| stage.look_back_at(partition, record))?;
            if !is_complete {
                return Ok(None);
            }
        }
        stage.restored(partition)?;
        tracing::info!(stage = stage.name(), %partition, next_offset, restored, "partition restored");
        Ok(Some(next_offset))
    }

    /// First offset and end of a changelog partition once no transaction is open in it.
    fn settled_range(&self, changelog: &InputPartition) -> Result<Option<(i64, i64)>, ProcessorError> {
        let InputPartition { topic, partition } = changelog;
        let (_, end) = self.uncommitted_reader.fetch_watermarks(topic, *partition, ANSWER_DEADLINE)?;
        let until = Instant::now() + OPEN_TRANSACTIONS_DEADLINE;
        loop {
            let (start, stable_end) =
                self.committed_reader.fetch_watermarks(topic, *partition, ANSWER_DEADLINE)?;
            if stable_end >= end {
                return Ok(Some((start, end)));
            }
            if Instant::now() > until {
                return Err(ProcessorError::TransactionStaysOpen { changelog: changelog.to_string() });
            }
            if !self.is_still_wanted(changelog, start, end) {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where the duplicate window of `next_offset` begins.
    fn look_back_start(
        &self,
        partition: &InputPartition,
        first: i64,
        next_offset: i64,
        limits: DuplicateLimits,
    ) -> Result<i64, ProcessorError> {
        let by_count = first.max(next_offset - limits.records);
        let mut appended_at = None;
        self.read(partition, next_offset - 1, Some(next_offset), |record| {
            appended_at = Some(record.appended_at);
            Ok(())
        })?;
        let Some(appended_at) = appended_at else { return Ok(by_count) };
        let mut times = TopicPartitionList::new();
        let since = Offset::Offset((appended_at - limits.age).0.max(0));
        times.add_partition_offset(&partition.topic, partition.partition, since)?;
        let found = self.committed_reader.offsets_for_times(times, ANSWER_DEADLINE)?;
        let by_age =
            found.elements().first().and_then(|element| element.offset().to_raw()).unwrap_or(by_count);
        Ok(by_count.max(by_age))
    }

    /// Hands out the records from `start` to before `end` (or the end of the log); false when it had to stop early.
    fn read(
        &self,
        partition: &InputPartition,
        start: i64,
        end: Option<i64>,
        mut take: impl FnMut(Record<'_>) -> Result<(), crate::stage::StageError>,
    ) -> Result<bool, ProcessorError> {
        let reader = &self.committed_reader;
        if self.known.borrow_mut().insert(partition.topic.clone()) {
            // librdkafka looks for a topic that is new to it once a second only; asked for by name it is there at once.
            reader.fetch_metadata(Some(&partition.topic), ANSWER_DEADLINE)?;
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(start))?;
        reader.assign(&list)?;
        let mut last_record = Instant::now();
        let mut next = start;
        let is_complete = loop {
            if end.is_some_and(|end| next >= end) {
                break true;
            }
            if self.last_pulse.get().elapsed() >= PULSE
                && !self.is_still_wanted(partition, next, end.unwrap_or(-1))
            {
                break false;
            }
            match reader.poll(Duration::from_millis(100)) {
                None if last_record.elapsed() > ANSWER_DEADLINE => {
                    return Err(ProcessorError::Stalled { partition: partition.to_string(), offset: next });
                }
                None => {}
                Some(Err(KafkaError::PartitionEOF(_))) => break true,
                Some(Err(source)) if super::is_passing(&source) => {}
                Some(Err(source)) => return Err(ProcessorError::Kafka(source)),
                Some(Ok(message)) => {
                    last_record = Instant::now();
                    next = message.offset() + 1;
                    if end.is_some_and(|end| message.offset() >= end) {
                        break true;
                    }
                    take(Record::from(&message))?;
                }
            }
        };
        reader.unassign()?;
        Ok(is_complete)
    }

    /// Shows progress, tells the group that this member lives, and looks whether the assignment still stands.
    fn is_still_wanted(&self, partition: &InputPartition, next: i64, end: i64) -> bool {
        if self.last_pulse.get().elapsed() >= PULSE {
            tracing::info!(%partition, next, end, "restoring");
            self.last_pulse.set(Instant::now());
        }
        // Nothing is assigned to the group's consumer yet, so this poll hands out no record.
        drop(self.group.poll(Duration::ZERO));
        !self.group.context().is_pending() && !self.shutdown.is_cancelled()
    }
}
