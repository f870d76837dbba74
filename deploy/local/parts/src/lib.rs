//! The pinned parts that one machine needs: Apache Kafka's jars and the ClickHouse engine as a library.
//!
//! `touchstream up` and `touchstream clickhouse` call this before they start anything. A part is fetched once, with the
//! ordinary client of its registry, from manifests that are compiled into the binary; it is checked against pinned hashes
//! and then appears in the cache under its final name in one step. So a part that is there is whole, whoever was killed when.

mod cache;
mod clickhouse;
mod error;
mod hash;
mod kafka;
mod progress;
mod tool;

pub use clickhouse::clickhouse;
pub use error::PartsError;
pub use kafka::{KAFKA_VERSION, KafkaParts, kafka};
pub use progress::{Progress, Step};
