//! Why a replay cannot be made. Until the last step nothing has changed then.

use rdkafka::error::KafkaError;
use touchstream_runtime::kafka::ConnectError;
use touchstream_runtime::replays::ReplaysError;
use touchstream_runtime::secret::SecretFileError;
use touchstream_schemas::codec::{DecodeError, EncodeError};

use crate::error::ProcessorError;
use crate::stage::StageError;

/// Why a replay ended without results.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Kafka was not reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Kafka refused or did not answer.
    #[error("failed to {action}: {source}")]
    Kafka {
        /// What was tried.
        action: &'static str,
        /// Cause.
        source: KafkaError,
    },
    /// A secret could not be read.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// What other replays do cannot be followed.
    #[error(transparent)]
    Replays(#[from] ReplaysError),
    /// Topics are missing.
    #[error(transparent)]
    Processor(#[from] ProcessorError),
    /// A stage could not go on.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A record could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// State in a changelog could not be read.
    #[error("failed to read the processor's state in {topic}: {source}")]
    State {
        /// Topic.
        topic: String,
        /// Cause.
        source: DecodeError,
    },
    /// The raw records are deleted.
    #[error(
        "failed to replay from {from}: raw records of the 7 days before it are deleted; possible from {earliest} on"
    )]
    Deleted {
        /// As asked for.
        from: String,
        /// What would be possible.
        earliest: String,
    },
    /// The period is too old.
    #[error(
        "failed to replay from {from}: the minutes before {earliest} are folded into hours; possible from {earliest} on"
    )]
    Folded {
        /// As asked for.
        from: String,
        /// What would be possible.
        earliest: String,
    },
    /// The processor never committed anything.
    #[error("failed to replay: the processor group {0} has not counted anything yet")]
    NothingCounted(String),
    /// Another replay is under way.
    #[error("failed to replay: another replay holds the processor back; wait for its end")]
    AnotherReplay,
    /// The processor does not give its partitions away.
    #[error(
        "failed to take over from the processor within {within_s} s: group {group} has other members; are all of this release?"
    )]
    NotAlone {
        /// Group.
        group: String,
        /// How long it was waited.
        within_s: u64,
    },
    /// Results cannot be brought to readers.
    #[error("failed to bring the results to readers: {0}")]
    Results(Box<dyn std::error::Error + Send + Sync>),
    /// Kafka partitions by another hash.
    #[error(
        "failed to find the state of {key}: it lies in partition {found}, not in {expected}; was another partitioner used?"
    )]
    Partitioner {
        /// Tenant and metric.
        key: String,
        /// Where it lies.
        found: i32,
        /// Where it should.
        expected: i32,
    },
    /// The log does not go on.
    #[error("failed to read {partition} at offset {offset}: nothing came for 60 s")]
    Stalled {
        /// Partition.
        partition: String,
        /// Next offset.
        offset: i64,
    },
    /// Records could not be kept on disk meanwhile.
    #[error("failed to keep results in a temporary file: {0}")]
    Spool(#[from] std::io::Error),
    /// The process was asked to stop.
    #[error("stopped before the end; nothing was changed")]
    Stopped,
}

impl ReplayError {
    /// Whether the command was used in a way that cannot work.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, ReplayError::Deleted { .. } | ReplayError::Folded { .. })
    }
}

/// Names what was tried with Kafka.
pub(super) fn kafka(action: &'static str) -> impl Fn(KafkaError) -> ReplayError {
    move |source| ReplayError::Kafka { action, source }
}
