//! Why the sink stops. Everything that can pass by itself is retried; what stands here needs a person.

use touchstream_runtime::clickhouse::ClickHouseClientError;
use touchstream_runtime::kafka::ConnectError;
use touchstream_runtime::secret::SecretFileError;

use crate::check_table::TableError;
use crate::ledger::LedgerError;
use crate::migrate::MigrateError;

/// Why the sink stopped.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A secret's file could not be read.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// The way to ClickHouse is configured wrongly.
    #[error(transparent)]
    Client(#[from] ClickHouseClientError),
    /// The schema registry does not answer.
    #[error(transparent)]
    Registry(#[from] touchstream_schemas::registry::RegistryError),
    /// The admin port could not be opened.
    #[error(transparent)]
    Admin(#[from] touchstream_runtime::admin::AdminError),
    /// The tables are not those that this sink writes.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Kafka refuses this client.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A Kafka client could not be made or used.
    #[error("failed to {action}: {source}")]
    Kafka {
        /// What was tried.
        action: String,
        /// What librdkafka says.
        source: rdkafka::error::KafkaError,
    },
    /// The committed position cannot be continued.
    #[error("failed to continue partition {partition} of {topic}: {source}")]
    Ledger {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Cause.
        source: LedgerError,
    },
    /// ClickHouse refuses rows for good.
    #[error("failed to insert into {table}: {message}")]
    Insert {
        /// Table.
        table: String,
        /// What ClickHouse says.
        message: String,
    },
    /// ClickHouse refuses a statement of a replay, or does not answer.
    #[error("failed to run {sql:?}: {message}")]
    Query {
        /// The statement, shortened.
        sql: String,
        /// What ClickHouse says.
        message: String,
    },
    /// What replays do cannot be followed.
    #[error(transparent)]
    Replays(#[from] touchstream_runtime::replays::ReplaysError),
    /// Rows could not be brought into Arrow form.
    #[error("failed to build a batch for {table}: {source}")]
    Arrow {
        /// Table.
        table: String,
        /// Cause.
        source: arrow_schema::ArrowError,
    },
    /// An undecodable record could not be recorded as rejected.
    #[error("failed to write rejected records: {message}")]
    Reject {
        /// Cause.
        message: String,
    },
    /// Metrics could not be registered.
    #[error("failed to register metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// Migration failed.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// A thread of the sink ended unexpectedly.
    #[error("failed to keep the {0} thread running: it panicked")]
    Thread(&'static str),
}
