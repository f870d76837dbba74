//! What can go wrong with a Kafka on this machine.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use touchstream_local_supervisor::PortError;

/// Why Kafka does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaError {
    /// A port is taken.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A file operation failed.
    #[error("failed to {action} {}", path.display())]
    File {
        /// What was tried, as in "failed to …".
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// No Java on this machine.
    #[error(
        "failed to start Kafka: `java` is not installed; run: apt-get install -y --no-install-recommends openjdk-17-jre-headless"
    )]
    JavaMissing,
    /// Java could not be started.
    #[error("failed to start Kafka with {}", program.display())]
    Start {
        /// The Java that was tried.
        program: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The new data directory could not be formatted.
    #[error("failed to format {} for Kafka ({status}); its last lines:\n{output}", directory.display())]
    Format {
        /// Kafka's data directory.
        directory: PathBuf,
        /// How the formatting tool ended.
        status: String,
        /// What it said.
        output: String,
    },
    /// Kafka ended while it was being waited for.
    #[error("failed to start Kafka: it ended with {status}; its last lines:\n{output}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        output: String,
    },
    /// Kafka does not answer.
    #[error("failed to reach Kafka at {bootstrap} ({problem})")]
    Unreachable {
        /// The address that was asked.
        bootstrap: String,
        /// What happened.
        problem: String,
    },
    /// Kafka did not become ready in time.
    #[error("failed to start Kafka: not ready after {} s; its last lines:\n{output}", deadline.as_secs())]
    NotReady {
        /// How long it was given.
        deadline: Duration,
        /// What it said.
        output: String,
    },
}

impl KafkaError {
    /// Turns a file operation's error into one that names the path.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
