//! Why a session of the processor ended. Every one of these leads back to the last commit.

use rdkafka::error::KafkaError;
use touchstream_runtime::admin::AdminError;
use touchstream_runtime::compacted::CompactedError;
use touchstream_runtime::kafka::ConnectError;
use touchstream_runtime::replays::ReplaysError;
use touchstream_runtime::secret::SecretFileError;

use crate::stage::StageError;

/// Why a session ended or the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum ProcessorError {
    /// Kafka was not reached at the start.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Kafka refused or did not answer.
    #[error("failed to talk to Kafka: {0}")]
    Kafka(#[from] KafkaError),
    /// A stage could not go on.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A secret could not be read.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// What replays do cannot be followed.
    #[error(transparent)]
    Replays(#[from] ReplaysError),
    /// Marks cannot be followed.
    #[error(transparent)]
    Marks(#[from] CompactedError),
    /// The admin port could not be opened.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// A thread could not be started.
    #[error("failed to start the thread of {stage}: {source}")]
    Thread {
        /// Stage.
        stage: &'static str,
        /// Cause.
        source: std::io::Error,
    },
    /// A fault of this program.
    #[error("failed to process: the stage panicked, the log says where")]
    Panicked,
    /// A topic is missing.
    #[error("failed to find topic {0}: run `touchstream setup` first")]
    MissingTopic(String),
    /// The consumer is in no group although it has partitions.
    #[error("failed to commit: the consumer knows of no group")]
    NoGroup,
    /// State without a position: starting over would count everything twice.
    #[error(
        "failed to take over {partition}: it has state but no committed offset; restore the group's offsets, or delete the \
         changelog as well to count everything anew"
    )]
    OffsetsLost {
        /// Input partition.
        partition: String,
    },
    /// A transaction does not end.
    #[error("failed to restore from {changelog}: a transaction stays open in it")]
    TransactionStaysOpen {
        /// Changelog partition.
        changelog: String,
    },
    /// Kafka sends nothing although more is there.
    #[error("failed to read {partition} at offset {offset}: nothing came for 30 s")]
    Stalled {
        /// Partition.
        partition: String,
        /// Next offset.
        offset: i64,
    },
}
