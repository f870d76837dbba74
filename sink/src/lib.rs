//! The sink: from Kafka to ClickHouse.
//!
//! Two threads, each a consumer group of its own. `raw` stores events exactly once: seal a range of offsets → commit its intent
//! ([`ledger`](mod@ledger)) → bring Avro into blocks → insert under a deduplication token → commit behind it. `derived` stores windows,
//! minutes, facts and quality counts, which are upserts. `follow` answers assignments, `insert` repeats identical bytes until
//! ClickHouse has them, `reject` keeps what cannot be decoded, `migrate` creates the objects that readers see, [`replay`] exchanges the
//! results of a period.
//!
//! Promise kept: an event that Kafka has is one row, whatever crashes in between; nothing is lost without being counted.

mod check_table;
mod client;
mod derived;
mod error;
mod follow;
mod insert;
mod inspect;
mod ledger;
mod metrics;
mod migrate;
mod parts;
mod poll;
mod quality;
mod raw;
mod reject;
pub mod replay;
mod serve;

pub use check_table::TableError;
pub use error::SinkError;
pub use inspect::{Disk, Inspection, inspect};
pub use ledger::LedgerError;
pub use migrate::{MigrateError, migrate};
pub use serve::serve;
