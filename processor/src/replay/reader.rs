//! Reads committed records of one partition after the other, up to an end that is settled: no transaction is open before it.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};
use touchstream_runtime::kafka;
use touchstream_runtime::settings::Settings;
use touchstream_runtime::shutdown::Shutdown;
use touchstream_schemas::time::EventTime;

use super::error::{ReplayError, kafka as failed};
use crate::stage::{Committed, InputPartition, Record};

/// Longest wait for one answer.
pub(super) const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
/// Longest wait for transactions of processors that died; the broker ends them.
const OPEN_TRANSACTIONS_DEADLINE: Duration = Duration::from_secs(150);

pub(super) struct Reader {
    settings: Settings,
    committed: BaseConsumer,
    uncommitted: BaseConsumer,
    shutdown: Shutdown,
}

impl Reader {
    pub(super) fn new(settings: &Settings, shutdown: &Shutdown) -> Result<Reader, ReplayError> {
        let config = kafka::consumer(&settings.kafka, "touchstream-replay", "touchstream-replay")?;
        let mut uncommitted = config.clone();
        uncommitted.set("isolation.level", "read_uncommitted");
        Ok(Reader {
            settings: settings.clone(),
            committed: config.create().map_err(failed("make a consumer"))?,
            uncommitted: uncommitted.create().map_err(failed("make a consumer"))?,
            shutdown: shutdown.clone(),
        })
    }

    /// Where a group stands in these partitions.
    pub(super) fn positions(
        &self,
        group: &str,
        partitions: &[InputPartition],
    ) -> Result<Vec<(InputPartition, Option<Committed>)>, ReplayError> {
        let config = kafka::consumer(&self.settings.kafka, "touchstream-replay", group)?;
        let consumer: BaseConsumer = config.create().map_err(failed("make a consumer"))?;
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&partition.topic, partition.partition);
        }
        let found = consumer.committed_offsets(list, ANSWER_DEADLINE).map_err(failed("read positions"))?;
        let position = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            let partition = InputPartition { topic: element.topic().into(), partition: element.partition() };
            let committed = match element.offset() {
                Offset::Offset(next_offset) => {
                    Some(Committed { next_offset, note: element.metadata().to_owned() })
                }
                _ => None,
            };
            (partition, committed)
        };
        Ok(found.elements().iter().map(position).collect())
    }

    /// First offset and end, as they are now.
    pub(super) fn range(&self, partition: &InputPartition) -> Result<(i64, i64), ReplayError> {
        self.uncommitted
            .fetch_watermarks(&partition.topic, partition.partition, ANSWER_DEADLINE)
            .map_err(failed("ask for the end of a partition"))
    }

    /// First offset and end, once no transaction is open before it.
    pub(super) fn settled_range(&self, partition: &InputPartition) -> Result<(i64, i64), ReplayError> {
        let (start, end) = self.range(partition)?;
        let until = Instant::now() + OPEN_TRANSACTIONS_DEADLINE;
        loop {
            let (_, stable) = self
                .committed
                .fetch_watermarks(&partition.topic, partition.partition, ANSWER_DEADLINE)
                .map_err(failed("ask for the end of a partition"))?;
            if stable >= end {
                return Ok((start, end));
            }
            if self.shutdown.is_cancelled() {
                return Err(ReplayError::Stopped);
            }
            if Instant::now() > until {
                return Err(ReplayError::Stalled { partition: partition.to_string(), offset: stable });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The first offset that was appended at `time` or later; `None` when there is none.
    pub(super) fn offset_at(
        &self,
        partition: &InputPartition,
        time: EventTime,
    ) -> Result<Option<i64>, ReplayError> {
        let mut times = TopicPartitionList::new();
        let since = Offset::Offset(time.0.max(0));
        times
            .add_partition_offset(&partition.topic, partition.partition, since)
            .map_err(failed("look for a time"))?;
        let found = self
            .committed
            .offsets_for_times(times, ANSWER_DEADLINE)
            .map_err(failed("look for a time in the log"))?;
        Ok(found.elements().first().and_then(|element| match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }))
    }

    /// Hands out the records from `start` to before `end`.
    pub(super) fn read(
        &self,
        partition: &InputPartition,
        (start, end): (i64, i64),
        mut take: impl FnMut(Record<'_>) -> Result<(), ReplayError>,
    ) -> Result<(), ReplayError> {
        if start >= end {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(start))
            .map_err(failed("read"))?;
        self.committed.assign(&list).map_err(failed("read"))?;
        let mut next = start;
        let mut last = Instant::now();
        while next < end {
            if self.shutdown.is_cancelled() {
                return Err(ReplayError::Stopped);
            }
            match self.committed.poll(Duration::from_millis(100)) {
                None if last.elapsed() > ANSWER_DEADLINE => {
                    return Err(ReplayError::Stalled { partition: partition.to_string(), offset: next });
                }
                None => {}
                // Markers of transactions may be all that is left.
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(error)) if crate::worker::is_passing(&error) => {}
                Some(Err(source)) => return Err(failed("read")(source)),
                Some(Ok(message)) => {
                    last = Instant::now();
                    next = message.offset() + 1;
                    if message.offset() >= end {
                        break;
                    }
                    take(Record::from(&message))?;
                }
            }
        }
        self.committed.unassign().map_err(failed("read"))
    }

    /// When Kafka appended the record at the beginning of a partition; `None` when it holds none.
    pub(super) fn first_appended_at(
        &self,
        partition: &InputPartition,
    ) -> Result<Option<EventTime>, ReplayError> {
        let (start, end) = self.range(partition)?;
        let mut first = None;
        // One record is enough; the rest of the fetched ones are dropped.
        let mut list = TopicPartitionList::new();
        if start >= end {
            return Ok(None);
        }
        list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(start))
            .map_err(failed("read"))?;
        self.uncommitted.assign(&list).map_err(failed("read"))?;
        let until = Instant::now() + ANSWER_DEADLINE;
        while first.is_none() && Instant::now() < until {
            match self.uncommitted.poll(Duration::from_millis(100)) {
                None => {}
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(error)) if crate::worker::is_passing(&error) => {}
                Some(Err(source)) => return Err(failed("read")(source)),
                Some(Ok(message)) => first = message.timestamp().to_millis().map(EventTime),
            }
        }
        self.uncommitted.unassign().map_err(failed("read"))?;
        Ok(first)
    }

    /// Members of a group.
    pub(super) fn members(&self, group: &str) -> Result<usize, ReplayError> {
        let groups = self
            .committed
            .fetch_group_list(Some(group), ANSWER_DEADLINE)
            .map_err(failed("ask for the members of a group"))?;
        Ok(groups
            .groups()
            .iter()
            .filter(|found| found.name() == group)
            .map(|found| found.members().len())
            .sum())
    }
}
