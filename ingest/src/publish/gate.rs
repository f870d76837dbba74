//! Before the producer: while messages of a topic are on their way to Kafka, later ones wait here and go together when all of those were
//! reported.
//!
//! An idempotent producer of librdkafka has one request per partition in flight at most (its limit of five counts messages, not
//! requests). Messages that are due meanwhile make its broker thread ask poll() without pause until the answer comes: measured
//! 85,000 calls a second, a fifth to a half of the processor time of all of ingest. Held here they cost nothing, batches grow with the load by
//! themselves, and a message that meets no other goes at once.
//!
//! Messages of a body of many wait for the body's end, see [`Gate::uncork`]: they come one by one while the body is worked on, and the first
//! of them would go alone, with the rest waiting for the answer.
//!
//! Promises: the order of a topic's messages is that of [`Sending::send`]; nothing waits for more than about [`LONGEST_HOLD`] here, also
//! when one partition's broker hangs; what is held is bounded.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use touchstream_schemas::event::Family;

use super::{Deliveries, NotQueued, Refused, Ticket};

/// After this the producer gets what is held although earlier messages were not reported yet.
const LONGEST_HOLD: Duration = Duration::from_millis(100);
/// How often that is looked at.
const TICK: Duration = Duration::from_millis(20);
/// What a body of many leaves here at most until its end while nothing is on its way: enough for a request that is worth it.
const CORKED_BYTES: usize = 256 << 10;
/// Most bytes that are ever held for one topic, whatever may wait for Kafka by the settings.
const HELD_BYTES: usize = 8 << 20;

/// A producer with its gate, and the thread that takes its delivery reports.
pub(super) struct Sending {
    producer: Arc<BaseProducer<Deliveries>>,
    stop: Arc<AtomicBool>,
    poller: Option<JoinHandle<()>>,
}

/// What the producer carries for a message and gives back with its report.
pub(crate) struct Carried {
    pub(super) ticket: Ticket,
    /// The family whose gate it passed; none passed beside.
    pub(super) lane: Option<Family>,
}

/// A message that waits.
struct Held {
    /// Key and payload.
    bytes: Box<[u8]>,
    key_length: usize,
    ticket: Ticket,
}

#[derive(Default)]
struct Lane {
    /// Messages that the producer has.
    in_flight: usize,
    held: VecDeque<Held>,
    held_bytes: usize,
    /// Since when messages are in flight, or since the last release.
    closed_at: Option<Instant>,
    /// Messages are being released: nobody may overtake them.
    is_releasing: bool,
}

/// The gates of one producer, one for each topic of events.
#[derive(Default)]
pub(super) struct Gate {
    /// Otherwise every message passes at once.
    holds: bool,
    /// Most bytes that are held for one topic.
    held_bytes: usize,
    lanes: [Mutex<Lane>; 4],
    topics: [String; 4],
    producer: OnceLock<Weak<BaseProducer<Deliveries>>>,
}

impl Sending {
    /// Creates the producer; it connects on its own.
    pub(super) fn new(config: &ClientConfig, deliveries: Deliveries) -> Result<Sending, KafkaError> {
        let producer = Arc::new(BaseProducer::from_config_and_context(config, deliveries)?);
        let gate = &producer.context().gate;
        gate.producer.set(Arc::downgrade(&producer)).expect("the context is new");
        let stop = Arc::new(AtomicBool::new(false));
        let poller = {
            let (producer, stop) = (Arc::clone(&producer), Arc::clone(&stop));
            std::thread::Builder::new()
                .name("ingest-reports".to_owned())
                .spawn(move || take_reports(&producer, &stop))
                .map_err(|error| {
                    KafkaError::ClientCreation(format!("its thread cannot be started: {error}"))
                })?
        };
        Ok(Sending { producer, stop, poller: Some(poller) })
    }

    /// The producer itself.
    pub(super) fn producer(&self) -> &BaseProducer<Deliveries> {
        &self.producer
    }

    /// Queues an event of a family.
    pub(super) fn send(
        &self,
        family: Family,
        key: &[u8],
        payload: &[u8],
        ticket: Ticket,
    ) -> Result<(), NotQueued> {
        self.producer.context().gate.send(&self.producer, family, key, payload, ticket)
    }

    /// Queues a message of another topic, beside the gates.
    pub(super) fn send_beside(
        &self,
        topic: &str,
        key: &[u8],
        payload: &[u8],
        ticket: Ticket,
    ) -> Result<(), NotQueued> {
        let carried = Box::new(Carried { ticket, lane: None });
        let record = BaseRecord::with_opaque_to(topic, carried).key(key).payload(payload);
        self.producer.send(record).map_err(|(error, _record)| not_queued(&error))
    }

    /// Lets what a body left go, now that its end has come, unless earlier messages are on their way.
    pub(super) fn uncork(&self, family: Family) {
        self.producer.context().gate.uncork(&self.producer, family);
    }

    /// Gives the producer what is held, as far as it has room, whatever is in flight.
    pub(super) fn release_all(&self) {
        self.producer.context().gate.release_older_than(&self.producer, Duration::ZERO);
    }

    /// Messages that were not reported yet: held ones, and what another thread is releasing at this moment, among them.
    pub(super) fn unreported(&self) -> usize {
        let gate = &self.producer.context().gate;
        let of_family = |family| {
            let lane = gate.lane(family);
            lane.in_flight + lane.held.len()
        };
        let own = usize::try_from(self.producer.in_flight_count()).unwrap_or_default();
        Family::ALL.into_iter().map(of_family).sum::<usize>().max(own)
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.poller.take().is_some_and(|poller| poller.join().is_err()) {
            tracing::error!("the thread of delivery reports panicked");
        }
    }
}

fn take_reports(producer: &BaseProducer<Deliveries>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        producer.poll(TICK);
        producer.context().gate.release_older_than(producer, LONGEST_HOLD);
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gate").field("topics", &self.topics).finish_non_exhaustive()
    }
}

impl Gate {
    /// Gates for the topics of the families.
    ///
    /// `held_bytes`: hold messages, at most so many bytes of a topic and never more than [`HELD_BYTES`].
    pub(super) fn new(topics: [String; 4], held_bytes: Option<usize>) -> Gate {
        let (holds, held_bytes) = (held_bytes.is_some(), held_bytes.unwrap_or_default().min(HELD_BYTES));
        Gate { holds, held_bytes, topics, ..Gate::default() }
    }

    fn lane(&self, family: Family) -> MutexGuard<'_, Lane> {
        self.lanes[family as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(
        &self,
        producer: &BaseProducer<Deliveries>,
        family: Family,
        key: &[u8],
        payload: &[u8],
        ticket: Ticket,
    ) -> Result<(), NotQueued> {
        if !self.holds {
            let sent = self.produce(producer, family, key, payload, ticket);
            return sent.map_err(|(error, _ticket)| not_queued(&error));
        }
        let mut lane = self.lane(family);
        if lane.is_open() && !ticket.is_of_many() {
            lane.closed_at = Some(Instant::now());
            lane.in_flight += 1;
            return self.produce(producer, family, key, payload, ticket).map_err(|(error, _ticket)| {
                lane.in_flight -= 1;
                not_queued(&error)
            });
        }
        if lane.held_bytes + key.len() + payload.len() > self.held_bytes {
            return Err(NotQueued::Now);
        }
        let mut bytes = Vec::with_capacity(key.len() + payload.len());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(payload);
        lane.hold(Held { bytes: bytes.into_boxed_slice(), key_length: key.len(), ticket });
        if lane.in_flight == 0 && lane.held_bytes >= CORKED_BYTES.min(self.held_bytes / 2) {
            drop(lane);
            self.release(producer, family);
        }
        Ok(())
    }

    /// A body of many has ended: what is held goes, unless earlier messages are on their way.
    fn uncork(&self, producer: &BaseProducer<Deliveries>, family: Family) {
        let lane = self.lane(family);
        if lane.waits_for_nothing() {
            drop(lane);
            self.release(producer, family);
        }
    }

    fn produce(
        &self,
        producer: &BaseProducer<Deliveries>,
        family: Family,
        key: &[u8],
        payload: &[u8],
        ticket: Ticket,
    ) -> Result<(), (KafkaError, Ticket)> {
        let carried = Box::new(Carried { ticket, lane: self.holds.then_some(family) });
        let record =
            BaseRecord::with_opaque_to(&self.topics[family as usize], carried).key(key).payload(payload);
        producer.send(record).map_err(|(error, record)| (error, record.delivery_opaque.ticket))
    }

    /// A message was reported, delivered or not. Called by the thread that polls the producer.
    pub(super) fn reported(&self, lane: Option<Family>) {
        let Some(family) = lane else { return };
        let mut lane = self.lane(family);
        lane.in_flight -= 1;
        if lane.waits_for_nothing() {
            drop(lane);
            // Whoever polls holds the producer: it is never dropped by its own thread.
            if let Some(producer) = self.producer.get().and_then(Weak::upgrade) {
                self.release(&producer, family);
            }
        }
    }

    fn release_older_than(&self, producer: &BaseProducer<Deliveries>, age: Duration) {
        for family in Family::ALL {
            let lane = self.lane(family);
            let is_old = lane.in_flight == 0 || lane.closed_at.is_none_or(|since| since.elapsed() >= age);
            if is_old && !lane.held.is_empty() {
                drop(lane);
                self.release(producer, family);
            }
        }
    }

    /// Gives the producer what is held of a family, as much as it takes.
    fn release(&self, producer: &BaseProducer<Deliveries>, family: Family) {
        // Everything may have been reported while it still was being released; then nobody but this thread lets go what came meanwhile.
        while self.release_once(producer, family) {}
    }

    /// Whether there is more to release at once.
    fn release_once(&self, producer: &BaseProducer<Deliveries>, family: Family) -> bool {
        let mut lane = self.lane(family);
        if lane.is_releasing {
            return false;
        }
        let mut released = std::mem::take(&mut lane.held);
        lane.is_releasing = true;
        lane.in_flight += released.len();
        lane.closed_at = Some(Instant::now());
        drop(lane);
        let mut refused = 0;
        while let Some(Held { bytes, key_length, ticket }) = released.pop_front() {
            let (key, payload) = bytes.split_at(key_length);
            match self.produce(producer, family, key, payload, ticket) {
                Ok(()) => {}
                Err((error, ticket)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    released.push_front(Held { bytes, key_length, ticket });
                    break;
                }
                Err((error, ticket)) => {
                    refused += 1;
                    producer.context().refuse(ticket, &error);
                }
            }
        }
        let has_room = released.is_empty();
        let mut lane = self.lane(family);
        lane.is_releasing = false;
        lane.in_flight -= released.len() + refused;
        // The queue is full: the rest comes before what was held meanwhile, and is tried again at the next report or tick.
        released.append(&mut lane.held);
        lane.held_bytes = released.iter().map(|held| held.bytes.len()).sum();
        lane.held = released;
        has_room && lane.waits_for_nothing()
    }
}

fn not_queued(error: &KafkaError) -> NotQueued {
    Refused::of(error).map_or(NotQueued::Now, NotQueued::Ever)
}

impl Lane {
    /// Whether a message that is alone may go at once.
    fn is_open(&self) -> bool {
        self.in_flight == 0 && self.held.is_empty() && !self.is_releasing
    }

    /// Whether something is held although nothing is on its way.
    fn waits_for_nothing(&self) -> bool {
        self.in_flight == 0 && !self.held.is_empty()
    }

    fn hold(&mut self, held: Held) {
        self.held_bytes += held.bytes.len();
        self.held.push_back(held);
    }
}
