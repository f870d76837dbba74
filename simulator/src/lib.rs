//! Simulated customers: believable touchpoint traffic, the same for the same seed, as history or live, over HTTP or to a file.
//!
//! [`generate`] is pure: it knows no clock and no network, so that the same plan gives the same bytes on every machine. [`run`]
//! sends what it makes like any client would: NDJSON batches, retries, a progress bar. Nothing here is known to the other
//! stages, and nothing of theirs is known here: only the public event format is spoken.

mod checkout;
mod conversation;
mod draft;
mod error;
mod generate;
mod options;
mod people;
mod pick;
mod progress;
mod regression;
mod rhythm;
mod run;
mod send;
mod survey;
mod visit;

pub use error::SimulateError;
pub use generate::{Events, SimulatedEvent, generate};
pub use options::{Destination, Plan, SimulateOptions, SimulateReport};
pub use regression::{Regression, RegressionKind, RegressionOrder, RegressionOrderError, Regressions};
pub use run::run;
