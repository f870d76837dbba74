//! What could not be processed: its bytes unchanged as the value, this record as the key, and plain headers for people.

use serde::{Deserialize, Serialize};

use crate::avro;
use crate::codec::Framing;
use crate::registry::{RegistryError, SchemaRegistry};
use crate::time::EventTime;

/// Longest error text that is kept, in bytes.
const DETAIL: usize = 500;
/// Bytes that a filed record needs beside those of the record that it is about.
const ENVELOPE: usize = 64 << 10;

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

impl Rejected<'_> {
    /// Where the record stood and why it was refused, as headers: names and texts.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, String); 4] {
        [
            (header::TOPIC, self.topic.to_owned()),
            (header::PARTITION, self.partition.to_string()),
            (header::OFFSET, self.offset.to_string()),
            (header::REASON, self.reason.to_owned()),
        ]
    }
}

/// How the keys of the rejected topic are framed; with a registry (an address, or empty) their schema is registered there.
///
/// # Errors
/// When the registry does not answer.
pub fn framing(topic: &str, registry_url: &str) -> Result<Framing, RegistryError> {
    Ok(match SchemaRegistry::configured(registry_url) {
        None => Framing::SingleObject,
        Some(registry) => Framing::Confluent(registry.register(&format!("{topic}-key"), &avro::REJECTED)?),
    })
}

/// What is filed of a record: its bytes, unless Kafka, which takes `largest` bytes, would refuse them with what is said of them; and why it was
/// refused, in at most 500 bytes and some words.
#[must_use]
pub fn fitting<'v>(value: Option<&'v [u8]>, detail: &str, largest: usize) -> (Option<&'v [u8]>, String) {
    let detail = &detail[..detail.floor_char_boundary(DETAIL)];
    match value {
        // Half of it is not what was sent: where it stands is told.
        Some(value) if value.len() + ENVELOPE > largest => {
            (None, format!("too large to be filed, its bytes stand in its topic: {detail}"))
        }
        value => (value, detail.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kafka_would_refuse_is_told_instead_of_filed_and_texts_end_between_letters() {
        let record = vec![7; 100_000];
        assert_eq!(fitting(Some(&record), "why", 165_536), (Some(&*record), "why".to_owned()));
        let (value, detail) = fitting(Some(&record), "why", 165_535);
        assert_eq!(
            (value, detail.as_str()),
            (None, "too large to be filed, its bytes stand in its topic: why")
        );
        assert_eq!(fitting(None, &"ä".repeat(251), 0), (None, "ä".repeat(250)));
        assert_eq!(fitting(None, &format!("x{}", "ä".repeat(251)), 0).1.len(), 499);
    }
}
