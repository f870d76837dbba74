//! Records that Kafka refuses for themselves: why, and which are too large.
//!
//! Publish → respond or quarantine. Promise: what says something about Kafka, or about the other records of a batch, is not among them.

use std::sync::atomic::{AtomicUsize, Ordering};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use touchstream_schemas::event::Family;

/// Why Kafka refuses a record for good; bounded, as it is a label of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Larger than its topic or the producer allows; said by Kafka of a whole batch too.
    TooLarge,
    /// The broker's checks do not let it pass. Its neighbours in the batch get another error (`InvalidDifferentRecord`).
    Invalid,
    /// Its time is not what the topic allows.
    Timestamp,
    /// A policy of the brokers.
    Policy,
}

impl Refused {
    /// All reasons, for metrics.
    pub(crate) const ALL: [Refused; 4] =
        [Refused::TooLarge, Refused::Invalid, Refused::Timestamp, Refused::Policy];

    /// What an error says about the record; none when it says something about Kafka.
    pub(crate) fn of(error: &KafkaError) -> Option<Refused> {
        match error.rdkafka_error_code()? {
            RDKafkaErrorCode::MessageSizeTooLarge => Some(Refused::TooLarge),
            RDKafkaErrorCode::InvalidRecord => Some(Refused::Invalid),
            RDKafkaErrorCode::InvalidTimestamp => Some(Refused::Timestamp),
            RDKafkaErrorCode::PolicyViolation => Some(Refused::Policy),
            _ => None,
        }
    }

    /// As a label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Refused::TooLarge => "too_large",
            Refused::Invalid => "invalid_record",
            Refused::Timestamp => "invalid_timestamp",
            Refused::Policy => "policy",
        }
    }
}

/// The smallest record of each family that was too large although it was sent alone: one as large is not even tried.
///
/// Forgotten by a restart, so that a topic that was made to take more needs no more than that.
#[derive(Debug)]
pub(crate) struct SmallestRefused([AtomicUsize; 4]);

impl Default for SmallestRefused {
    fn default() -> Self {
        SmallestRefused(std::array::from_fn(|_| AtomicUsize::new(usize::MAX)))
    }
}

impl SmallestRefused {
    /// Whether a record of so many bytes is known to be too large.
    pub(crate) fn is(&self, family: Family, bytes: usize) -> bool {
        bytes >= self.0[family as usize].load(Ordering::Relaxed)
    }

    /// A record of so many bytes was refused when it was sent alone.
    pub(crate) fn note(&self, family: Family, bytes: usize) {
        self.0[family as usize].fetch_min(bytes, Ordering::Relaxed);
    }
}
