//! A stage: consume → process → produce, with state that lives and dies with the transaction. The stage itself is pure; the
//! [`crate::worker`] brings Kafka and the clock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rdkafka::message::{BorrowedMessage, Message as _};
use touchstream_runtime::replays::FIRST_EPOCH;
use touchstream_schemas::codec::{DecodeError, EncodeError};
use touchstream_schemas::duplicates::DuplicateLimits;
use touchstream_schemas::registry::RegistryError;
use touchstream_schemas::time::EventTime;

/// A partition of an input topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InputPartition {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
}

impl fmt::Display for InputPartition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.topic, self.partition)
    }
}

/// A record of an input or changelog partition.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Offset within its partition.
    pub offset: i64,
    /// When Kafka appended it.
    pub appended_at: EventTime,
    /// Key.
    pub key: &'a [u8],
    /// Value; `None` deletes the key in a compacted topic.
    pub value: Option<&'a [u8]>,
}

impl<'a> From<&'a BorrowedMessage<'_>> for Record<'a> {
    fn from(message: &'a BorrowedMessage<'_>) -> Record<'a> {
        Record {
            offset: message.offset(),
            appended_at: EventTime(message.timestamp().to_millis().unwrap_or_default()),
            key: message.key().unwrap_or_default(),
            value: message.payload(),
        }
    }
}

/// A record to send.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition; `None` lets the key decide.
    pub partition: Option<i32>,
    /// Key.
    pub key: &'a [u8],
    /// Value; `None` deletes the key in a compacted topic.
    pub value: Option<&'a [u8]>,
}

/// Where a stage's records go: the current transaction, or a list in tests.
pub trait Output {
    /// Sends one record.
    ///
    /// # Errors
    /// When the transaction is lost; the stage's state is then restored from the last commit.
    fn send(&mut self, record: Outgoing<'_>) -> Result<(), StageError> {
        self.send_with_headers(record, &[])
    }

    /// Sends one record with headers.
    ///
    /// # Errors
    /// As [`Output::send`].
    fn send_with_headers(&mut self, record: Outgoing<'_>, headers: &[(&str, &str)])
    -> Result<(), StageError>;
}

/// Why a stage cannot go on from here; the worker goes back to the last commit.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A record could not be sent.
    #[error("failed to send to {topic}: {source}")]
    Send {
        /// Topic.
        topic: String,
        /// Cause.
        source: rdkafka::error::KafkaError,
    },
    /// A record could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The schema registry did not answer.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A delta could not be decoded; going on without it would make every later number wrong.
    #[error("failed to count the delta at offset {offset} of {partition}: {source}")]
    Delta {
        /// Input partition.
        partition: InputPartition,
        /// Its offset.
        offset: i64,
        /// Cause.
        source: DecodeError,
    },
    /// A changelog record could not be decoded.
    #[error("failed to restore {partition} from its changelog, record {offset}: {source}")]
    Restore {
        /// Input partition.
        partition: InputPartition,
        /// Offset in the changelog.
        offset: i64,
        /// Cause.
        source: DecodeError,
    },
}

/// What a stage had committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub next_offset: i64,
    /// The stage's own note, see [`Stage::note`].
    pub note: String,
}

/// One stage of the processor.
pub trait Stage: Send + fmt::Debug {
    /// Name in logs, metrics and ids.
    fn name(&self) -> &'static str;
    /// Topics it reads.
    fn inputs(&self) -> Vec<String>;
    /// The changelog of an input topic; it has the same partitions.
    fn changelog_of(&self, input: &str) -> Option<String>;
    /// How much of a partition before its committed offset the stage wants to see again on assignment.
    fn look_back(&self) -> Option<DuplicateLimits>;
    /// A partition was assigned; `committed` is where its last transaction ended.
    fn assigned(&mut self, partition: &InputPartition, committed: Option<&Committed>, now: EventTime);
    /// One changelog record of an assigned partition, in order.
    ///
    /// # Errors
    /// When the record cannot be decoded.
    fn restore(&mut self, partition: &InputPartition, record: Record<'_>) -> Result<(), StageError>;
    /// One input record before the committed offset.
    ///
    /// # Errors
    /// When it cannot be told for now what the record is.
    fn look_back_at(&mut self, partition: &InputPartition, record: Record<'_>) -> Result<(), StageError>;
    /// The changelog was read to its end.
    ///
    /// # Errors
    /// When what was read makes no state.
    fn restored(&mut self, partition: &InputPartition) -> Result<(), StageError>;
    /// All partitions are gone, and all state with them.
    fn clear(&mut self);
    /// Counts the next input record; what follows from it is sent when the stage settles.
    ///
    /// # Errors
    /// When it cannot be counted now, and nothing may be counted after it.
    fn process(&mut self, partition: &InputPartition, record: Record<'_>) -> Result<(), StageError>;
    /// Counts a row of input records, one after the other. A stage that can do better with many at hand says how.
    ///
    /// # Errors
    /// As [`Stage::process`].
    fn process_row(&mut self, partition: &InputPartition, records: &[Record<'_>]) -> Result<(), StageError> {
        records.iter().try_for_each(|record| self.process(partition, *record))
    }
    /// The stage holds so much for the end of the transaction that it should end now.
    fn is_full(&self) -> bool {
        false
    }
    /// Kafka confirmed at `now` that the partition has no further record.
    fn reached_end(&mut self, partition: &InputPartition, now: EventTime);
    /// Called now and then before the stage settles: sends what is ready, so that less is left to be sent then.
    ///
    /// # Errors
    /// When an output cannot be sent.
    fn flush(&mut self, _now: EventTime, _output: &mut dyn Output) -> Result<(), StageError> {
        Ok(())
    }
    /// Called before every commit, and at least every transaction interval: sends what is due.
    ///
    /// # Errors
    /// When an output cannot be sent.
    fn settle(&mut self, now: EventTime, output: &mut dyn Output) -> Result<(), StageError>;
    /// What to commit along with a partition's offset, at most 4 KiB.
    fn note(&self, partition: &InputPartition) -> String;
}

/// Epoch of this process: that of the last replay that ended, or the one that this process is making.
static EPOCH: AtomicI64 = AtomicI64::new(FIRST_EPOCH);

/// From now on revisions are of this epoch; an epoch never goes back.
pub(crate) fn raise_epoch(epoch: i64) {
    EPOCH.fetch_max(epoch, Ordering::Relaxed);
}

/// Revisions grow strictly: the epoch (raised by a replay) above the offset of the last counted input record above
/// whether a window is final.
#[must_use]
pub fn base_revision(offset: i64) -> i64 {
    (EPOCH.load(Ordering::Relaxed) << 48) + 2 * offset
}
