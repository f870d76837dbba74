//! What could not be processed: its bytes unchanged as the value, this record as the key, and plain headers for people.

use serde::{Deserialize, Serialize};

use crate::time::EventTime;

/// Names of the headers that a record in the rejected topic carries.
pub mod header {
    /// Topic that the record stood in.
    pub const TOPIC: &str = "topic";
    /// Its partition.
    pub const PARTITION: &str = "partition";
    /// Its offset.
    pub const OFFSET: &str = "offset";
    /// Bounded reason code.
    pub const REASON: &str = "reason";
}

/// Why a record could not be processed (`schemas/avro/rejected.avsc`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/rejected.avsc")]
pub struct Rejected<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub stage: &'a str,
    pub reason: &'a str,
    pub detail: &'a str,
    pub rejected_at: EventTime,
}
