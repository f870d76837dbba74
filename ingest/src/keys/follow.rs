//! Reads the topic of keys to its end at start and follows it live, on a thread of its own.
//!
//! Promise: ingest is not ready before every key was read, or was known when it last ran; a revoked key stops working within a second.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use touchstream_runtime::admin::Readiness;
use touchstream_runtime::secret::Secret;
use touchstream_runtime::shutdown::Shutdown;

use super::snapshot::{KnownKeys, Snapshot};
use super::{Keys, StoredKey, WriteKey, from_hex};

/// Readiness part of this thread.
pub(crate) const PART: &str = "keys";
/// Wait for the next record; bounds how late shutdown is seen.
const POLL: Duration = Duration::from_millis(200);

/// What the thread works with.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) keys: Arc<Keys>,
    pub(crate) topic: String,
    pub(crate) secret: Secret,
    pub(crate) readiness: Readiness,
    pub(crate) shutdown: Shutdown,
    /// Where the keys are noted for the next start.
    pub(crate) snapshot: Option<Snapshot>,
}

impl Follower {
    /// Begins with the keys that were known when ingest last ran, and notes them there from now on.
    pub(crate) fn start_from(&mut self, snapshot: Snapshot) {
        let known = snapshot.load();
        if !known.is_empty() {
            tracing::info!(
                keys = known.len(),
                "starting with the write keys of the last run until Kafka has told"
            );
            // A key that is not among them hears 503, not 401: it may have been made since.
            self.readiness.ready(PART);
        }
        for (hash, stored) in known {
            self.keys.put(hash, Some(WriteKey::new(stored, self.secret.expose())));
        }
        self.snapshot = Some(snapshot);
    }

    /// Runs until shutdown.
    pub(crate) fn run(&self, config: &ClientConfig) {
        while !self.shutdown.is_cancelled() {
            let result = self.follow(config);
            if let Err(error) = result {
                self.readiness.not_ready(PART, format!("{}: {error}", self.topic));
                tracing::warn!(topic = self.topic, %error, "reading write keys failed, starting again");
                std::thread::sleep(POLL * 5);
            }
        }
    }

    fn follow(&self, config: &ClientConfig) -> Result<(), KafkaError> {
        let consumer: BaseConsumer = config.create()?;
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(&self.topic, 0, Offset::Beginning)?;
        consumer.assign(&assignment)?;
        let mut known = KnownKeys::new();
        while !self.shutdown.is_cancelled() {
            match consumer.poll(POLL) {
                None => {}
                Some(Ok(record)) => self.take(&record, &mut known),
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    // What only the snapshot knows was revoked meanwhile.
                    self.keys.keep_only(|hash| known.contains_key(hash));
                    self.keys.set_complete();
                    self.readiness.ready(PART);
                    self.save(&known);
                }
                Some(Err(error)) if is_lasting(&error) => return Err(error),
                Some(Err(error)) => tracing::debug!(%error, "reading write keys met an error that passes"),
            }
        }
        Ok(())
    }

    fn save(&self, known: &KnownKeys) {
        let saved = self.snapshot.as_ref().map(|snapshot| snapshot.save(known));
        if let Some(Err(error)) = saved {
            tracing::warn!(%error, "write keys cannot be noted for the next start");
        }
    }

    fn take(&self, record: &BorrowedMessage<'_>, known: &mut KnownKeys) {
        let Some(hash) = record.key().and_then(from_hex) else {
            tracing::warn!(offset = record.offset(), "skipped a write key without a hash");
            return;
        };
        let key = match record.payload().map(serde_json::from_slice::<StoredKey>) {
            None => {
                known.remove(&hash);
                None
            }
            Some(Ok(stored)) => {
                known.insert(hash, stored.clone());
                Some(WriteKey::new(stored, self.secret.expose()))
            }
            Some(Err(error)) => {
                tracing::warn!(offset = record.offset(), %error, "skipped a write key that cannot be read");
                return;
            }
        };
        self.keys.put(hash, key);
    }
}

/// Errors that librdkafka does not overcome by itself.
fn is_lasting(error: &KafkaError) -> bool {
    let passing = [
        RDKafkaErrorCode::BrokerTransportFailure,
        RDKafkaErrorCode::AllBrokersDown,
        RDKafkaErrorCode::OperationTimedOut,
        RDKafkaErrorCode::Resolve,
    ];
    !error.rdkafka_error_code().is_some_and(|code| passing.contains(&code))
}
