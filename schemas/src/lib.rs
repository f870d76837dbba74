//! What all stages agree on: the events, facts, panes and windows that travel on Kafka, how they are encoded, on which
//! topics, under which keys, and what counts as a duplicate.
//!
//! The flow, by type: an [`event`] is accepted by ingest → `measure` turns it into [`facts`] and [`panes`] → `roll up`
//! turns panes into [`minutes`] and [`windows`] → the sink writes events, facts, minutes and windows to ClickHouse. What
//! cannot be decoded on the way is [`rejected`] with its bytes unchanged.
//!
//! Promise kept here: nothing in this crate does I/O except [`registry`], and every schema stands in `schemas/avro` with a
//! doc on every field.

pub mod avro;
pub mod batch;
pub mod codec;
pub mod compatibility;
pub mod duplicates;
pub mod event;
pub mod facts;
pub mod keys;
pub mod log_buckets;
pub mod marks;
pub mod minutes;
pub mod money;
pub mod panes;
pub mod positional;
pub mod quality;
pub mod registry;
pub mod regressions;
pub mod rejected;
pub mod time;
pub mod topics;
pub mod windows;
