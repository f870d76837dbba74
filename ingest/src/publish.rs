//! Records → Kafka, and the receipt that tells when all in-sync replicas have them.
//!
//! Encode → **publish** → respond. One [`Receipt`] a request.
//! Promise: an event counts as durable only by its own delivery report, or by the sync of the [`crate::spool`]; whatever is uncertain
//! when the deadline passes is reported for retry.

mod gate;
mod receipt;
mod refused;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{Producer, ProducerContext, PurgeConfig};
use rdkafka::{ClientConfig, ClientContext};
use touchstream_runtime::kafka::Reasons;
use touchstream_schemas::event::Family;
use touchstream_schemas::time::EventTime;
use touchstream_schemas::topics::Topics;

use self::gate::{Carried, Gate, Sending};
pub(crate) use self::receipt::Receipt;
pub(crate) use self::refused::{Refused, SmallestRefused};
use crate::spool::{Fate, Group, Record, Report, Shared};

/// What a message on its way belongs to.
#[derive(Debug)]
pub(crate) enum Ticket {
    /// An event of a request.
    Event { receipt: Arc<Receipt>, entry: usize, family: Family },
    /// An event of the spool.
    Spooled { number: u64 },
    /// A count of data quality; the flag asks for all counts again.
    Quality { failed: Arc<AtomicBool> },
}

impl Ticket {
    /// Whether the message came with others in one body.
    fn is_of_many(&self) -> bool {
        matches!(self, Ticket::Event { receipt, .. } if receipt.is_of_many())
    }
}

/// Takes delivery reports and errors of the producer.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    spool: Option<Arc<Shared>>,
    gate: Gate,
    last_logged: AtomicI64,
    reasons: Reasons,
}

/// Shortest time between two log lines about the producer.
const LOG_INTERVAL_MS: i64 = 10_000;

impl Deliveries {
    /// Whether it is time for a line about errors again.
    fn may_log(&self) -> bool {
        let now = EventTime::now().0;
        let last = self.last_logged.load(Ordering::Relaxed);
        now - last >= LOG_INTERVAL_MS
            && self.last_logged.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// What Kafka did not take goes to the spool, unless Kafka refuses this very event: then it would refuse it again.
    fn give_back(
        &self,
        receipt: Arc<Receipt>,
        entry: usize,
        family: Family,
        error: &KafkaError,
        message: &impl Message,
    ) {
        let refused = Refused::of(error);
        // Too large may be the batch that it was in. The spool sends what was refused one by one.
        if refused.is_some_and(|refused| refused != Refused::TooLarge || self.spool.is_none()) {
            return receipt.refuse(entry);
        }
        let Some(spool) = &self.spool else {
            receipt.settle(entry, false);
            return;
        };
        let mut group = Group::new(receipt);
        group.entries.push(entry);
        group.bodies.push(&Record {
            spooled_at: EventTime::now(),
            family,
            key: message.key().unwrap_or_default(),
            payload: message.payload().unwrap_or_default(),
        });
        spool.give_back(group);
    }
}

impl ClientContext for Deliveries {
    fn error(&self, error: KafkaError, reason: &str) {
        self.reasons.note(&error, reason);
        if self.may_log() {
            tracing::warn!(%error, reason, "the producer reports an error");
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Carried>;

    fn delivery(&self, result: &DeliveryResult<'_>, carried: Box<Carried>) {
        let lane = carried.lane;
        self.tell(result, carried.ticket);
        self.gate.reported(lane);
    }
}

impl Deliveries {
    fn tell(&self, result: &DeliveryResult<'_>, ticket: Ticket) {
        match ticket {
            Ticket::Event { receipt, entry, family } => match result {
                Ok(_) => receipt.settle(entry, true),
                Err((error, message)) => self.give_back(receipt, entry, family, error, message),
            },
            Ticket::Spooled { number } => {
                if let Err((error, _)) = result
                    && !is_purge(error)
                    && self.may_log()
                {
                    tracing::error!(%error, "Kafka does not take an event of the spool; it is tried again");
                }
                if let Some(spool) = &self.spool {
                    spool.report(Report { number, fate: Fate::of(result) });
                }
            }
            Ticket::Quality { failed } => {
                if result.is_err() {
                    failed.store(true, Ordering::Release);
                }
            }
        }
    }
}

impl Deliveries {
    /// The producer did not take this message, for another reason than a full queue.
    fn refuse(&self, ticket: Ticket, error: &KafkaError) {
        let refused = Refused::of(error);
        match ticket {
            Ticket::Event { receipt, entry, .. } if refused.is_some() => receipt.refuse(entry),
            Ticket::Event { receipt, entry, .. } => receipt.settle(entry, false),
            Ticket::Spooled { number } => {
                if let Some(spool) = &self.spool {
                    spool.report(Report { number, fate: refused.map_or(Fate::Failed, Fate::Refused) });
                }
            }
            Ticket::Quality { failed } => failed.store(true, Ordering::Release),
        }
    }
}

fn is_purge(error: &KafkaError) -> bool {
    let codes = [RDKafkaErrorCode::PurgeQueue, RDKafkaErrorCode::PurgeInflight];
    error.rdkafka_error_code().is_some_and(|code| codes.contains(&code))
}

/// Sends to the raw topics and the topic of data quality.
pub(crate) struct Publisher {
    /// Replaced when the spool takes over. Reading is shared and lasts as long as one request sends.
    producer: RwLock<Arc<Sending>>,
    config: ClientConfig,
    held_bytes: Option<usize>,
    spool: Option<Arc<Shared>>,
    raw: [String; 4],
    quality: String,
    pub(crate) too_large: SmallestRefused,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Publisher").field("raw", &self.raw).finish_non_exhaustive()
    }
}

/// The message could not be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotQueued {
    /// The queue is full, or the producer is broken.
    Now,
    /// Kafka never takes it.
    Ever(Refused),
}

/// Sends events; while it is held, the producer stays and nothing is diverted. Its end is the end of a body.
pub(crate) struct DirectSender<'p> {
    producer: RwLockReadGuard<'p, Arc<Sending>>,
    /// Families of which events of a body of many were sent.
    corked: Cell<[bool; 4]>,
}

impl Drop for DirectSender<'_> {
    fn drop(&mut self) {
        for family in Family::ALL {
            if self.corked.get()[family as usize] {
                self.producer.uncork(family);
            }
        }
    }
}

impl std::fmt::Debug for DirectSender<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("DirectSender").finish_non_exhaustive()
    }
}

impl DirectSender<'_> {
    /// Queues an event; the receipt hears of its delivery, or that Kafka never takes it.
    pub(crate) fn send(
        &self,
        family: Family,
        key: &[u8],
        payload: &[u8],
        receipt: &Arc<Receipt>,
        entry: usize,
    ) -> Result<(), NotQueued> {
        receipt.expect(1);
        let ticket = Ticket::Event { receipt: Arc::clone(receipt), entry, family };
        if ticket.is_of_many() {
            let mut corked = self.corked.get();
            corked[family as usize] = true;
            self.corked.set(corked);
        }
        match self.producer.send(family, key, payload, ticket) {
            Err(NotQueued::Ever(_)) => receipt.refuse(entry),
            Err(NotQueued::Now) => {
                receipt.one_less();
                return Err(NotQueued::Now);
            }
            Ok(()) => {}
        }
        Ok(())
    }

    /// Queues events of a group in order, as many as there is room for; how many.
    pub(crate) fn send_group(&self, group: &Group) -> usize {
        group.receipt.expect(group.entries.len());
        let sent = Publisher::send_handed_in(&self.producer, group);
        for _ in sent..group.entries.len() {
            group.receipt.one_less();
        }
        sent
    }

    /// Queues an event of the spool.
    pub(crate) fn send_spooled(&self, record: &Record<'_>, number: u64) -> Result<(), NotQueued> {
        self.producer.send(record.family, record.key, record.payload, Ticket::Spooled { number })
    }
}

/// A producer that nobody sends with any more.
pub(crate) struct ReplacedProducer(Arc<Sending>);

impl ReplacedProducer {
    /// Takes everything out of it; blocks until each message was reported.
    pub(crate) fn empty(&self) {
        let (sending, producer) = (&self.0, self.0.producer());
        let begun = Instant::now();
        let mut warned = false;
        loop {
            sending.release_all();
            producer.purge(PurgeConfig::default().queue().inflight());
            let until = Instant::now() + Duration::from_millis(500);
            while sending.unreported() > 0 && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
            let left = sending.unreported();
            if left == 0 {
                return;
            }
            if begun.elapsed() > Duration::from_secs(5) && !warned {
                warned = true;
                tracing::warn!(messages = left, "the producer is slow to give back what it cannot deliver");
            }
        }
    }

    /// Closing can hang: nobody waits for it.
    pub(crate) fn close_in_background(self) {
        let close = std::thread::Builder::new().name("ingest-close".to_owned()).spawn(move || drop(self.0));
        if let Err(error) = close {
            tracing::warn!(%error, "a producer was closed without a thread of its own");
        }
    }
}

/// Sends while nobody else can.
pub(crate) struct ExclusiveSender<'p> {
    producer: &'p Sending,
}

impl ExclusiveSender<'_> {
    /// Queues events of a group that was handed in, as many as there is room for; how many.
    pub(crate) fn send_handed_in(&self, group: &Group) -> usize {
        Publisher::send_handed_in(self.producer, group)
    }
}

impl Publisher {
    /// Creates the producer; it connects on its own. What it cannot deliver goes to the spool, where there is one.
    pub(crate) fn new(
        config: ClientConfig,
        topics: &Topics,
        held_bytes: Option<usize>,
        spool: Option<Arc<Shared>>,
    ) -> Result<Publisher, KafkaError> {
        let raw = Family::ALL.map(|family| topics.raw(family));
        Ok(Publisher {
            producer: RwLock::new(Arc::new(new_producer(&config, &raw, held_bytes, spool.as_ref())?)),
            config,
            held_bytes,
            spool,
            raw,
            quality: topics.quality(),
            too_large: SmallestRefused::default(),
        })
    }

    /// The way to the producer for one request.
    pub(crate) fn direct(&self) -> DirectSender<'_> {
        let producer = self.producer.read().unwrap_or_else(PoisonError::into_inner);
        DirectSender { producer, corked: Cell::default() }
    }

    /// Puts a new producer in the place of the old one; `meanwhile` runs while nobody can send.
    pub(crate) fn replace(&self, meanwhile: impl FnOnce()) -> Result<ReplacedProducer, KafkaError> {
        let new = Arc::new(new_producer(&self.config, &self.raw, self.held_bytes, self.spool.as_ref())?);
        let mut producer = self.producer.write().unwrap_or_else(PoisonError::into_inner);
        meanwhile();
        Ok(ReplacedProducer(std::mem::replace(&mut *producer, new)))
    }

    /// Does something while nobody else can send.
    pub(crate) fn exclusively<T>(&self, act: impl FnOnce(&ExclusiveSender<'_>) -> T) -> T {
        let producer = self.producer.write().unwrap_or_else(PoisonError::into_inner);
        act(&ExclusiveSender { producer: &producer })
    }

    fn send_handed_in(producer: &Sending, group: &Group) -> usize {
        let records = group.entries.iter().zip(group.bodies.iter());
        let mut sent = 0;
        for (entry, body) in records {
            let record = Record::parse_body(body).expect("it was written by this process");
            let ticket =
                Ticket::Event { receipt: Arc::clone(&group.receipt), entry: *entry, family: record.family };
            match producer.send(record.family, record.key, record.payload, ticket) {
                Ok(()) => {}
                Err(NotQueued::Ever(_)) => group.receipt.refuse(*entry),
                Err(NotQueued::Now) => break,
            }
            sent += 1;
        }
        Family::ALL.into_iter().for_each(|family| producer.uncork(family));
        sent
    }

    /// Queues a count of data quality, unless Kafka is away.
    pub(crate) fn send_quality(
        &self,
        key: &str,
        payload: &[u8],
        failed: &Arc<AtomicBool>,
    ) -> Result<(), NotQueued> {
        let sender = self.direct();
        if self.spool.as_ref().is_some_and(|spool| spool.is_diverted()) {
            return Err(NotQueued::Now);
        }
        let ticket = Ticket::Quality { failed: Arc::clone(failed) };
        sender.producer.send_beside(&self.quality, key.as_bytes(), payload, ticket)
    }

    fn current(&self) -> Arc<Sending> {
        Arc::clone(&self.producer.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until nothing is on its way, at most `timeout`; blocks.
    pub(crate) fn flush(&self, timeout: Duration) -> Result<(), KafkaError> {
        let sending = self.current();
        let begun = Instant::now();
        loop {
            sending.release_all();
            sending.producer().flush(timeout.saturating_sub(begun.elapsed()))?;
            if sending.unreported() == 0 {
                return Ok(());
            }
            if begun.elapsed() >= timeout {
                return Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The first topic that Kafka does not have, if it answers within `timeout`, else why it does not; blocks.
    pub(crate) fn missing_topic(&self, timeout: Duration) -> Result<Option<&str>, String> {
        let producer = self.current();
        let (client, reasons) = (producer.producer().client(), &producer.producer().context().reasons);
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

fn new_producer(
    config: &ClientConfig,
    raw: &[String; 4],
    held_bytes: Option<usize>,
    spool: Option<&Arc<Shared>>,
) -> Result<Sending, KafkaError> {
    let deliveries = Deliveries {
        spool: spool.cloned(),
        gate: Gate::new(raw.clone(), held_bytes),
        ..Deliveries::default()
    };
    Sending::new(config, deliveries)
}
