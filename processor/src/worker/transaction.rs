//! One Kafka transaction after another: outputs, changelog and input offsets become visible together or not at all.

use std::fmt;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::util::Timeout;
use touchstream_runtime::kafka;
use touchstream_runtime::settings::Settings;

use crate::error::ProcessorError;
use crate::stage::{Outgoing, Output, StageError};

/// How long the last commit of a process that was asked to stop may take; without it the next owner repeats a few records.
const LAST_COMMIT_DEADLINE: Duration = Duration::from_secs(5);

/// A transactional producer and whether its transaction is open.
pub(super) struct Transaction {
    producer: ThreadedProducer<DefaultProducerContext>,
    is_open: bool,
    /// After this time without an end the broker aborts a transaction; what a dead owner left open delays readers that long.
    timeout: Duration,
}

impl fmt::Debug for Transaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Transaction").field("is_open", &self.is_open).finish_non_exhaustive()
    }
}

impl Transaction {
    /// A producer under `transactional_id`; whoever used the id before is fenced, what it left open is aborted.
    pub(super) fn connect(
        settings: &Settings,
        transactional_id: &str,
    ) -> Result<Transaction, ProcessorError> {
        let mut config = kafka::producer(&settings.kafka, transactional_id)?;
        let timeout_ms = settings.processor.transaction_timeout_ms;
        config
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", timeout_ms.to_string())
            .set("message.timeout.ms", timeout_ms.to_string())
            .set("linger.ms", "5")
            .set("batch.num.messages", "100000")
            .set("queue.buffering.max.kbytes", "262144");
        let producer: ThreadedProducer<DefaultProducerContext> = config.create()?;
        producer.init_transactions(Timeout::After(Duration::from_secs(60)))?;
        Ok(Transaction { producer, is_open: false, timeout: Duration::from_millis(timeout_ms) })
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    fn begin(&mut self) -> Result<(), KafkaError> {
        if !self.is_open {
            self.producer.begin_transaction()?;
            self.is_open = true;
        }
        Ok(())
    }

    /// Commits everything sent since the last commit together with the input offsets, as the member of `group` that read them.
    /// Only the last commit before the end of the process may give up waiting: any other doubt would have to be resolved.
    pub(super) fn commit(
        &mut self,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
        is_last: bool,
    ) -> Result<(), ProcessorError> {
        self.begin()?;
        let patience = if is_last { LAST_COMMIT_DEADLINE } else { self.timeout };
        self.producer.send_offsets_to_transaction(offsets, group, Timeout::After(patience))?;
        self.producer.commit_transaction(if is_last { Timeout::After(patience) } else { Timeout::Never })?;
        self.is_open = false;
        Ok(())
    }

    /// Takes back what was sent since the last commit.
    pub(super) fn abort(&mut self) -> Result<(), ProcessorError> {
        if self.is_open {
            self.producer.abort_transaction(Timeout::Never)?;
            self.is_open = false;
        }
        Ok(())
    }
}

impl Output for Transaction {
    fn send_with_headers(
        &mut self,
        record: Outgoing<'_>,
        headers: &[(&str, &str)],
    ) -> Result<(), StageError> {
        let error = |source| StageError::Send { topic: record.topic.to_owned(), source };
        self.begin().map_err(error)?;
        let mut message: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(record.topic).key(record.key);
        message.payload = record.value;
        message.partition = record.partition;
        if !headers.is_empty() {
            let add = |all: OwnedHeaders, (key, value): &(&str, &str)| {
                all.insert(Header { key, value: Some(*value) })
            };
            message.headers = Some(headers.iter().fold(OwnedHeaders::new(), add));
        }
        let until = Instant::now() + self.timeout;
        loop {
            match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                    if Instant::now() < until =>
                {
                    message = back;
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err((source, _)) => return Err(error(source)),
            }
        }
    }
}
