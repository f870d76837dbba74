//! What ingest answered, per minute: the part of data quality that never reaches a raw topic.

use serde::{Deserialize, Serialize};

use crate::time::EventTime;

/// What one ingest instance answered within one minute (`schemas/avro/quality.avsc`); an upsert of an absolute count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/quality.avsc")]
pub struct Quality<'a> {
    pub tenant: &'a str,
    pub family: &'a str,
    pub minute: EventTime,
    pub instance: &'a str,
    pub code: &'a str,
    pub events: i64,
    pub revision: i64,
    #[serde(default)]
    pub last_at: Option<EventTime>,
    #[serde(default)]
    pub last_source: &'a str,
    #[serde(default)]
    pub last_type: &'a str,
    #[serde(default)]
    pub last_field: &'a str,
}
