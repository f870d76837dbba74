//! Apache Kafka on one machine: one node in KRaft mode (broker and controller in one process), its data in a directory.
//!
//! `touchstream up` runs it as one of its children; tests run it directly. The promises: a directory is formatted once and
//! keeps its cluster id; after `kill -9` of anything the next start works at once; a taken port is reported by name.

mod child_spec;
mod config;
mod error;
mod format;
mod prepare;
mod ready;
mod run;

pub use child_spec::child_spec;
pub use config::KafkaOptions;
pub use error::KafkaError;
pub use prepare::prepare;
pub use ready::check_ready;
pub use run::{RunningKafka, start};
