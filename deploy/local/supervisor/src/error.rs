//! Why the services of this machine do not run.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::port::{Holder, PortError};

/// Why the supervisor cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisorError {
    /// Another `up` works in this directory.
    #[error("failed to take {}: another touchstream works there, {holder}; stop it or choose another --data-dir", directory.display())]
    DirectoryInUse {
        /// The data directory.
        directory: PathBuf,
        /// The process that holds it.
        holder: Holder,
    },
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
    /// The admin port is taken.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The admin port cannot be listened on, although it was free.
    #[error("failed to listen on {address} for the admin endpoint")]
    Admin {
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Signals cannot be handled.
    #[error("failed to install the signal handlers")]
    Signals(#[source] std::io::Error),
    /// The list of children makes no sense.
    #[error("failed to plan the services: {0}")]
    Plan(String),
    /// A service could not be brought up.
    #[error("failed to start {service}: {reason}")]
    StartFailed {
        /// The service's name.
        service: String,
        /// What happened, with the last lines of its output.
        reason: String,
    },
    /// Ctrl-C or SIGTERM came before everything was ready.
    #[error("stopped before everything was ready")]
    Interrupted,
}
