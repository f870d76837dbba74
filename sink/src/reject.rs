//! Records that cannot be decoded go, bytes unchanged, to the rejected topic; one bad record never stops its neighbours.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use touchstream_runtime::kafka;
use touchstream_runtime::settings::Settings;
use touchstream_schemas::avro;
use touchstream_schemas::codec::Encoder;
use touchstream_schemas::rejected::{Rejected, fitting, framing};
use touchstream_schemas::time::EventTime;
use touchstream_schemas::topics::Topics;

use crate::error::SinkError;
use crate::metrics::Metrics;

/// Longest wait until Kafka has the rejected records of one batch.
const DEADLINE: Duration = Duration::from_secs(60);

/// A record that could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Its offset.
    pub(crate) offset: i64,
    /// Bounded reason code.
    pub(crate) reason: &'static str,
    /// Error text.
    pub(crate) detail: String,
    /// Its bytes; `None` for a record without a value.
    pub(crate) payload: Option<Vec<u8>>,
}

#[derive(Clone, Default)]
struct Failures(Arc<AtomicUsize>);

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes to the rejected topic.
pub(crate) struct Rejecter {
    producer: ThreadedProducer<Failures>,
    failures: Failures,
    topic: String,
    encoder: Encoder,
    metrics: Metrics,
}

impl Rejecter {
    /// A writer with a Kafka client of its own.
    pub(crate) fn new(settings: &Settings, metrics: Metrics) -> Result<Rejecter, SinkError> {
        let topic = Topics::new(settings.kafka.topic_prefix.as_str()).rejected();
        let framing = framing(&topic, &settings.schemas.registry_url)
            .map_err(|error| SinkError::Reject { message: error.to_string() })?;
        let failures = Failures::default();
        let producer = kafka::producer(&settings.kafka, "touchstream-sink-rejected")?
            .create_with_context(failures.clone())
            .map_err(|source| SinkError::Kafka {
                action: "make the producer of rejected records".to_owned(),
                source,
            })?;
        Ok(Rejecter { producer, failures, topic, encoder: Encoder::new(&avro::REJECTED, framing), metrics })
    }

    /// Writes records of one partition and waits until Kafka has them all.
    pub(crate) fn write(
        &mut self,
        topic: &str,
        partition: i32,
        refused: &[Refused],
    ) -> Result<(), SinkError> {
        if refused.is_empty() {
            return Ok(());
        }
        let deadline = Instant::now() + DEADLINE;
        self.failures.0.store(0, Ordering::Relaxed);
        for record in refused {
            tracing::warn!(
                topic,
                partition,
                offset = record.offset,
                reason = record.reason,
                "record is filed as rejected"
            );
            self.send(topic, partition, record, deadline)?;
            self.metrics.rejected.with_label_values(&[record.reason]).inc();
        }
        let flushed = self.producer.flush(deadline.saturating_duration_since(Instant::now()));
        let failed = self.failures.0.load(Ordering::Relaxed);
        match flushed {
            Ok(()) if failed == 0 => Ok(()),
            Ok(()) => Err(SinkError::Reject { message: format!("{failed} were not delivered") }),
            Err(error) => Err(SinkError::Reject { message: error.to_string() }),
        }
    }

    fn send(
        &mut self,
        topic: &str,
        partition: i32,
        record: &Refused,
        deadline: Instant,
    ) -> Result<(), SinkError> {
        let (payload, detail) =
            fitting(record.payload.as_deref(), &record.detail, kafka::MAX_MESSAGE_BYTES as usize);
        let why = Rejected {
            topic,
            partition,
            offset: record.offset,
            stage: "sink",
            reason: record.reason,
            detail: &detail,
            rejected_at: EventTime::now(),
        };
        let key =
            self.encoder.encode(&why).map_err(|error| SinkError::Reject { message: error.to_string() })?;
        let headers = why.headers().iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(value) })
        });
        let mut message: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(&self.topic).key(key.as_slice()).headers(headers);
        if let Some(payload) = payload {
            message = message.payload(payload);
        }
        loop {
            match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err((error, unsent)) if full(&error) && Instant::now() < deadline => {
                    message = unsent;
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err((error, _)) => return Err(SinkError::Reject { message: error.to_string() }),
            }
        }
    }
}

fn full(error: &rdkafka::error::KafkaError) -> bool {
    error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::QueueFull)
}
