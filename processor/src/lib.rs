//! The processor: raw events → facts and rolling windows, exactly once.
//!
//! Two stages, each consume → process → produce in Kafka transactions: [`measure`] turns events into facts, deltas and watermarks;
//! [`roll_up`] adds the deltas up to minutes and rolling windows. A small third, [`contacts`], sends deltas for what only all
//! conversations of a customer together show. A [`stage`] is pure; the worker brings Kafka and the clock.
//! [`cells`] and [`series`] are what both count in.
//!
//! Promise: results depend on the set of events, never on how they arrived, nor on how often this process died.

pub mod cells;
pub mod contacts;
mod cx_gauges;
mod error;
mod hash;
pub mod marks;
pub mod measure;
mod metrics;
mod partitions;
pub mod regressions;
pub mod replay;
pub mod roll_up;
pub mod series;
mod serve;
pub mod stage;
mod worker;

pub use error::ProcessorError;
pub use metrics::Metrics;
pub use serve::serve;
