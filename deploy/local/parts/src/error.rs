//! What can go wrong while a part is fetched, said so that the reader knows which command to run next.

use std::path::PathBuf;
use std::time::Duration;

/// Why a part could not be provided.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartsError {
    /// Neither `TOUCHSTREAM_CACHE` nor `XDG_CACHE_HOME` nor `HOME` is set.
    #[error("failed to choose a cache directory: set TOUCHSTREAM_CACHE, XDG_CACHE_HOME or HOME")]
    NoCacheDirectory,
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
    /// A program that fetches the part is not installed.
    #[error("failed to fetch {part}: `{tool}` is not installed; run: {hint}")]
    ToolMissing {
        /// The part that was asked for.
        part: &'static str,
        /// The missing program.
        tool: &'static str,
        /// The command that installs it.
        hint: &'static str,
    },
    /// A program that fetches the part could not be started or waited for.
    #[error("failed to run `{command}`")]
    ToolStart {
        /// The command line.
        command: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A program that fetches the part ended with a failure.
    #[error("failed to fetch {part}: `{command}` ended with {status}; its last lines:\n{output}")]
    ToolFailed {
        /// The part that was asked for.
        part: &'static str,
        /// The command line.
        command: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// A program that fetches the part did not end in time and was killed.
    #[error("failed to fetch {part}: `{command}` did not end within {} s; is the registry reachable?", deadline.as_secs())]
    ToolTimedOut {
        /// The part that was asked for.
        part: &'static str,
        /// The command line.
        command: String,
        /// How long it was given.
        deadline: Duration,
    },
    /// A fetched file is not the pinned one.
    #[error(
        "failed to verify {file} of {part}: SHA-256 is {found}, pinned is {pinned}; nothing was installed"
    )]
    HashDiffers {
        /// The part that was asked for.
        part: &'static str,
        /// The file's name.
        file: String,
        /// The hash that was computed.
        found: String,
        /// The hash that was expected.
        pinned: String,
    },
    /// The set of fetched files is not the pinned one.
    #[error("failed to verify {part}: {file} is {problem}; nothing was installed")]
    FileSetDiffers {
        /// The part that was asked for.
        part: &'static str,
        /// The file's name.
        file: String,
        /// "missing" or "not in the pinned list".
        problem: &'static str,
    },
    /// No package is pinned for this machine.
    #[error("failed to fetch {part}: no package is pinned for {os} on {architecture}; {alternative}")]
    UnsupportedPlatform {
        /// The part that was asked for.
        part: &'static str,
        /// As Rust names it.
        os: &'static str,
        /// As Rust names it.
        architecture: &'static str,
        /// What the user can do instead.
        alternative: &'static str,
    },
}

impl PartsError {
    /// Turns a file operation's error into one that names the path.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
