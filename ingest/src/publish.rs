//! Records → Kafka, and the receipt that tells when all in-sync replicas have them.
//!
//! Encode → **publish** → respond. One receipt a request: a counter of open deliveries and a flag per event, no future per message.
//! Promise: an event counts as durable only by its own delivery report; whatever is uncertain when the deadline passes is
//! reported for retry.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use tokio::sync::Notify;
use touchstream_runtime::kafka::Reasons;
use touchstream_schemas::event::Family;
use touchstream_schemas::time::EventTime;
use touchstream_schemas::topics::Topics;

/// Deliveries of one request.
#[derive(Debug)]
pub(crate) struct Receipt {
    /// One flag an entry of the body.
    delivered: Box<[AtomicBool]>,
    /// Open deliveries, and one for the sender as long as it sends.
    open: AtomicUsize,
    done: Notify,
}

impl Receipt {
    /// A receipt for a body of this many entries, held open until [`Receipt::close`].
    pub(crate) fn new(entries: usize) -> Arc<Receipt> {
        Arc::new(Receipt {
            delivered: (0..entries).map(|_| AtomicBool::new(false)).collect(),
            open: AtomicUsize::new(1),
            done: Notify::new(),
        })
    }

    /// Everything was sent: from now on the last delivery completes the receipt.
    pub(crate) fn close(&self) {
        self.settle();
    }

    fn settle(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }

    /// Waits until every delivery was reported, at most until the deadline; one task may wait.
    pub(crate) async fn wait(&self, deadline: tokio::time::Instant) {
        // Passing the deadline is no error here: what was not delivered by then is asked for by the caller.
        let _in_time: Result<(), _> = tokio::time::timeout_at(deadline, self.done.notified()).await;
    }

    /// Whether the entry's event is durable.
    pub(crate) fn is_delivered(&self, entry: usize) -> bool {
        self.delivered[entry].load(Ordering::Acquire)
    }
}

/// What a message on its way belongs to.
#[derive(Debug)]
pub(crate) enum Ticket {
    /// An event of a request.
    Event { receipt: Arc<Receipt>, entry: usize },
    /// A count of data quality; the flag asks for all counts again.
    Quality { failed: Arc<AtomicBool> },
}

/// Takes delivery reports and errors of the producer.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    last_logged: AtomicI64,
    reasons: Reasons,
}

/// Shortest time between two log lines about the producer.
const LOG_INTERVAL_MS: i64 = 10_000;

impl ClientContext for Deliveries {
    fn error(&self, error: KafkaError, reason: &str) {
        self.reasons.note(&error, reason);
        let now = EventTime::now().0;
        let last = self.last_logged.load(Ordering::Relaxed);
        if now - last >= LOG_INTERVAL_MS
            && self.last_logged.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            tracing::warn!(%error, reason, "the producer reports an error");
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        match *ticket {
            Ticket::Event { receipt, entry } => {
                if result.is_ok() {
                    receipt.delivered[entry].store(true, Ordering::Release);
                }
                receipt.settle();
            }
            Ticket::Quality { failed } => {
                if result.is_err() {
                    failed.store(true, Ordering::Release);
                }
            }
        }
    }
}

/// Sends to the raw topics and the topic of data quality.
pub(crate) struct Publisher {
    producer: ThreadedProducer<Deliveries>,
    raw: [String; 4],
    quality: String,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Publisher").field("raw", &self.raw).finish_non_exhaustive()
    }
}

/// The message could not be queued: the queue is full, or the producer is broken.
#[derive(Debug)]
pub(crate) struct NotQueued;

impl Publisher {
    /// Creates the producer; it connects on its own.
    pub(crate) fn new(config: &ClientConfig, topics: &Topics) -> Result<Publisher, KafkaError> {
        Ok(Publisher {
            producer: ThreadedProducer::from_config_and_context(config, Deliveries::default())?,
            raw: Family::ALL.map(|family| topics.raw(family)),
            quality: topics.quality(),
        })
    }

    /// Queues an event; the receipt hears of its delivery.
    pub(crate) fn send_event(
        &self,
        family: Family,
        key: &str,
        payload: &[u8],
        receipt: &Arc<Receipt>,
        entry: usize,
    ) -> Result<(), NotQueued> {
        receipt.open.fetch_add(1, Ordering::AcqRel);
        let ticket = Box::new(Ticket::Event { receipt: Arc::clone(receipt), entry });
        self.send(&self.raw[family as usize], key, payload, ticket).inspect_err(|NotQueued| receipt.settle())
    }

    /// Queues a count of data quality.
    pub(crate) fn send_quality(
        &self,
        key: &str,
        payload: &[u8],
        failed: &Arc<AtomicBool>,
    ) -> Result<(), NotQueued> {
        self.send(&self.quality, key, payload, Box::new(Ticket::Quality { failed: Arc::clone(failed) }))
    }

    fn send(&self, topic: &str, key: &str, payload: &[u8], ticket: Box<Ticket>) -> Result<(), NotQueued> {
        let record = BaseRecord::with_opaque_to(topic, ticket).key(key).payload(payload);
        self.producer.send(record).map_err(|_| NotQueued)
    }

    /// Waits until nothing is on its way, at most `timeout`; blocks.
    pub(crate) fn flush(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.producer.flush(timeout)
    }

    /// The first topic that Kafka does not have, if it answers within `timeout`, else why it does not; blocks.
    pub(crate) fn missing_topic(&self, timeout: Duration) -> Result<Option<&str>, String> {
        let (client, reasons) = (self.producer.client(), &self.producer.context().reasons);
        for topic in self.raw.iter().chain([&self.quality]) {
            let metadata =
                client.fetch_metadata(Some(topic), timeout).map_err(|error| reasons.explain(&error))?;
            reasons.forget();
            if metadata.topics().iter().all(|found| found.partitions().is_empty()) {
                return Ok(Some(topic));
            }
        }
        Ok(None)
    }
}
