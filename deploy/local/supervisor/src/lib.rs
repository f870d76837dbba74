//! Runs the services of one machine as child processes.
//!
//! `touchstream up` hands over a list of children; this crate starts them in order, watches them, restarts what dies, merges
//! their metrics behind one admin port, and stops them in reverse order. It knows nothing of what the children do.
//! The promise: no child outlives its parent, whatever kills the parent, and nothing that is not ours is ever killed.
//!
//! The flow: [`DataDirLock`] → [`Supervisor::start`] with [`ChildSpec`]s → [`Supervisor::ready`] →
//! [`Supervisor::stop_asked`] → [`Supervisor::stop`].

mod admin;
mod backoff;
mod board;
mod child_spec;
mod error;
mod http;
mod lock;
mod log_file;
mod merge;
mod port;
mod probe;
mod process;
mod service;
mod supervisor;

pub use board::{Phase, ServiceState};
pub use child_spec::{BoxError, ChildSpec, Readiness};
pub use error::SupervisorError;
pub use lock::DataDirLock;
pub use nix::sys::signal::Signal;
pub use port::{Holder, PortError, check_port_is_free, holder_of_port};
pub use process::{OwnedProcess, ProcessSpec};
pub use supervisor::{Supervisor, SupervisorOptions};
