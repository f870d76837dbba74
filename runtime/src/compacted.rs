//! Small compacted topics of one partition: reading one to its end and beyond, and writing a record so that it is there afterwards.
//!
//! For commands and followers. Promise: what was written is on all in-sync replicas when `write` returns; every wait has a deadline.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};

use crate::kafka::{self, ConnectError};
use crate::secret::SecretFileError;
use crate::settings::KafkaSettings;

/// Longest wait for Kafka.
const DEADLINE: Duration = Duration::from_secs(15);
/// Wait between two looks for a topic that was made a moment ago.
const LOOK: Duration = Duration::from_millis(100);
/// After a message's time-out its outcome is told within this.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The topic cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CompactedError {
    /// Kafka was not reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A secret could not be read.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// Kafka refused or did not answer.
    #[error("failed to use the Kafka topic {topic}: {source}")]
    Kafka {
        /// Topic.
        topic: String,
        /// Cause.
        source: KafkaError,
    },
    /// The topic is not there.
    #[error("failed to find topic {0}: run `touchstream setup` first")]
    Missing(String),
    /// The end of the topic was not reached.
    #[error("failed to read {0}: its end was not reached in time")]
    Unread(String),
}

/// What reading finds next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A record; without value its key is deleted.
    Record {
        /// Key.
        key: Vec<u8>,
        /// Value.
        value: Option<Vec<u8>>,
    },
    /// Everything that was there was read.
    End,
    /// Nothing came.
    Nothing,
}

/// Reads the topic from its beginning and goes on.
pub struct Reader {
    consumer: BaseConsumer,
    topic: String,
}

impl fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reader").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Reader {
    /// Begins at the beginning; `client` names the consumer. Blocks until the topic is seen, at most 15 s.
    ///
    /// # Errors
    /// When the topic is missing or Kafka does not answer.
    pub fn open(settings: &KafkaSettings, topic: &str, client: &str) -> Result<Reader, CompactedError> {
        let error = |source| CompactedError::Kafka { topic: topic.to_owned(), source };
        let mut config = kafka::consumer(settings, client, client)?;
        config.set("queued.max.messages.kbytes", "4096");
        let consumer: BaseConsumer = config.create().map_err(error)?;
        let until = Instant::now() + DEADLINE;
        loop {
            let metadata = consumer.fetch_metadata(Some(topic), DEADLINE).map_err(error)?;
            let is_there = |found: &rdkafka::metadata::MetadataTopic| {
                found.name() == topic && !found.partitions().is_empty()
            };
            if metadata.topics().iter().any(is_there) {
                break;
            }
            if Instant::now() >= until {
                return Err(CompactedError::Missing(topic.to_owned()));
            }
            std::thread::sleep(LOOK);
        }
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, 0, Offset::Beginning).map_err(error)?;
        consumer.assign(&assignment).map_err(error)?;
        Ok(Reader { consumer, topic: topic.to_owned() })
    }

    /// What comes next, waiting at most so long. What passes by itself (a broker that is away) is `Nothing`.
    ///
    /// # Errors
    /// When Kafka refuses for good.
    pub fn next(&self, wait: Duration) -> Result<Next, CompactedError> {
        match self.consumer.poll(wait) {
            None => Ok(Next::Nothing),
            Some(Ok(record)) => Ok(Next::Record {
                key: record.key().unwrap_or_default().to_vec(),
                value: record.payload().map(<[u8]>::to_vec),
            }),
            Some(Err(KafkaError::PartitionEOF(_))) => Ok(Next::End),
            Some(Err(source)) if kafka::is_passing(&source) => Ok(Next::Nothing),
            Some(Err(source)) => Err(CompactedError::Kafka { topic: self.topic.clone(), source }),
        }
    }
}

/// A key, and what it stands for now; without value the key is deleted.
pub type Entry = (Vec<u8>, Option<Vec<u8>>);

/// Every record of the topic in order, up to its present end; blocks, at most 15 s.
///
/// # Errors
/// When Kafka does not answer or the topic is missing.
pub fn read_all(settings: &KafkaSettings, topic: &str, client: &str) -> Result<Vec<Entry>, CompactedError> {
    kafka::connect(settings, client, DEADLINE)?;
    let reader = Reader::open(settings, topic, client)?;
    let until = Instant::now() + DEADLINE;
    let mut records = Vec::new();
    while Instant::now() < until {
        match reader.next(LOOK)? {
            Next::Record { key, value } => records.push((key, value)),
            Next::End => return Ok(records),
            Next::Nothing => {}
        }
    }
    Err(CompactedError::Unread(topic.to_owned()))
}

/// Writes records one by one, each confirmed before the next.
pub struct Writer {
    producer: BaseProducer<Outcome>,
    outcome: OutcomeCell,
    topic: String,
    deadline: Duration,
}

type OutcomeCell = Arc<Mutex<Option<Result<(), KafkaError>>>>;

impl fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Writer").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Writer {
    /// A writer that gives each record up after `deadline`; it connects on its own.
    ///
    /// # Errors
    /// When the settings allow no producer.
    pub fn open(
        settings: &KafkaSettings,
        topic: &str,
        client: &str,
        deadline: Duration,
    ) -> Result<Writer, CompactedError> {
        let mut config = kafka::producer(settings, client)?;
        config
            .set("message.timeout.ms", deadline.as_millis().max(1_000).to_string())
            .set("queue.buffering.max.kbytes", "1024");
        let outcome = OutcomeCell::default();
        let producer = BaseProducer::from_config_and_context(&config, Outcome(Arc::clone(&outcome)))
            .map_err(|source| CompactedError::Kafka { topic: topic.to_owned(), source })?;
        Ok(Writer { producer, outcome, topic: topic.to_owned(), deadline })
    }

    /// Writes one record; without value it deletes the key. Blocks until Kafka has confirmed it.
    ///
    /// # Errors
    /// When Kafka does not take it in time.
    pub fn write(&self, key: &str, value: Option<&[u8]>) -> Result<(), CompactedError> {
        let error = |source| CompactedError::Kafka { topic: self.topic.clone(), source };
        let record = BaseRecord::to(&self.topic).partition(0).key(key);
        let record = match value {
            Some(value) => record.payload(value),
            None => record,
        };
        self.producer.send(record).map_err(|(source, _)| error(source))?;
        // The message itself times out first, so that its outcome is known.
        self.producer.flush(self.deadline + LAST_WORD).map_err(error)?;
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        outcome.unwrap_or(Err(KafkaError::Canceled)).map_err(error)
    }
}

/// Keeps the outcome of the last message.
struct Outcome(OutcomeCell);

impl ClientContext for Outcome {}

impl ProducerContext for Outcome {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let outcome = match result {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error.clone()),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }
}

/// Writes one record with a producer of its own; without value it deletes the key. Blocks until Kafka has confirmed it, at most 15 s.
///
/// # Errors
/// When Kafka does not take it.
pub fn write(
    settings: &KafkaSettings,
    topic: &str,
    client: &str,
    key: &str,
    value: Option<&[u8]>,
) -> Result<(), CompactedError> {
    let writer = Writer::open(settings, topic, client, DEADLINE)?;
    // It says why, where the record's own outcome would be a time-out.
    kafka::connect(settings, client, DEADLINE)?;
    writer.write(key, value)
}
