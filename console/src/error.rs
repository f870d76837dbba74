//! What can keep the console from starting, and why a question has no answer.

use touchstream_runtime::admin::AdminError;
use touchstream_runtime::clickhouse::ClickHouseClientError;
use touchstream_runtime::secret::SecretFileError;

/// The console cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The password's file.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// The way to ClickHouse is configured wrongly.
    #[error(transparent)]
    Client(#[from] ClickHouseClientError),
    /// The admin port.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The page's port.
    #[error("failed to listen on console.listen = {address}: {source}")]
    Listen {
        /// As configured.
        address: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QuestionError {
    /// ClickHouse is away, or refuses the question.
    #[error("failed to ask ClickHouse: {0}")]
    ClickHouse(#[from] clickhouse::error::Error),
    /// It took too long.
    #[error("failed to hear from ClickHouse within {0} s")]
    TooSlow(u64),
    /// More than a page can show.
    #[error("failed to take an answer of more than {0} bytes")]
    TooLarge(usize),
    /// Not what was asked for: another release of the views.
    #[error("failed to read an answer of ClickHouse: {0}")]
    Unreadable(serde_json::Error),
}
