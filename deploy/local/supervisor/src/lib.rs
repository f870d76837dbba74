//! Runs the services of one machine as child processes.
//!
//! `touchstream up` hands over a list of children; this crate starts them in order, watches them, restarts what dies, merges
//! their metrics behind one admin port, and stops them in reverse order. It knows nothing of what the children do.
//! The promise: no child outlives its parent, whatever kills the parent, and nothing that is not ours is ever killed.

mod log_file;
mod port;
mod process;

pub use nix::sys::signal::Signal;
pub use port::{Holder, PortError, check_port_is_free, holder_of_port};
pub use process::{OwnedProcess, ProcessSpec};
