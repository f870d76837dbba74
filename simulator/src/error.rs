//! What can go wrong while simulating.

use std::io;
use std::path::PathBuf;

/// Why a simulation ended early.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// An option is out of its range.
    #[error("failed to use {option} {value}: {expected}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// The file cannot be written.
    #[error("failed to write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The server refuses what no retry would change.
    #[error("failed to send events to {url}: HTTP {status}: {body}")]
    Refused {
        /// Where to.
        url: String,
        /// Status of the answer.
        status: u16,
        /// Start of the answer's body.
        body: String,
    },
    /// The server did not take anything for too long.
    #[error("failed to send events to {url} for {seconds} s: {problem}")]
    GaveUp {
        /// Where to.
        url: String,
        /// How long it was tried.
        seconds: u64,
        /// The last problem.
        problem: String,
    },
    /// A thread of the simulator ended by a panic.
    #[error("failed to run the {0} thread to its end")]
    Thread(&'static str),
}
