//! Where requests and the producer leave work for the spool's thread.
//!
//! Promise: bounded; a group that is taken in is answered through its receipt, whatever happens.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::message::DeliveryResult;

use super::ledger::NotAdmitted;
use super::store::Bodies;
use crate::publish::{Receipt, Refused};

/// Events of one request, in order.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) receipt: Arc<Receipt>,
    /// Index in the body of each record.
    pub(crate) entries: Vec<usize>,
    pub(crate) bodies: Bodies,
}

impl Group {
    pub(crate) fn new(receipt: Arc<Receipt>) -> Group {
        Group { receipt, entries: Vec::new(), bodies: Bodies::default() }
    }

    /// What follows the first `count` events.
    pub(crate) fn rest(&self, count: usize) -> Group {
        let mut rest = Group::new(Arc::clone(&self.receipt));
        rest.entries.extend_from_slice(&self.entries[count..]);
        for body in self.bodies.iter().skip(count) {
            rest.bodies.push_body(body);
        }
        rest
    }

    /// Tells the receipt what became of all of it.
    pub(crate) fn settle(&self, is_durable: bool) {
        for entry in &self.entries {
            self.receipt.settle(*entry, is_durable);
        }
    }
}

/// What the producer says about a record of the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) number: u64,
    pub(crate) fate: Fate,
}

/// What became of a record that was handed to the producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// All in-sync replicas have it.
    Delivered,
    /// Kafka did not take it; it may take it later.
    Failed,
    /// Kafka refuses it, or the batch that it was in.
    Refused(Refused),
}

impl Fate {
    /// As a delivery report tells it.
    pub(crate) fn of(result: &DeliveryResult<'_>) -> Fate {
        match result {
            Ok(_) => Fate::Delivered,
            Err((error, _)) => Refused::of(error).map_or(Fate::Failed, Fate::Refused),
        }
    }
}

/// What waits for the spool's thread.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// Groups in the order in which they are to be written.
    pub(crate) pending: VecDeque<Group>,
    pending_bytes: u64,
    /// Events that the producer gave back.
    pub(crate) returned: Vec<Group>,
    pub(crate) reports: Vec<Report>,
    /// Somebody waits in vain: Kafka's part is to be taken over.
    pub(crate) take_over: bool,
    /// Everything goes through the spool. Changes only while nobody sends directly.
    pub(crate) is_diverted: bool,
    pub(crate) stop: bool,
}

impl Inbox {
    /// Puts what the producer gave back before everything that came later, in the order in which it was sent.
    pub(crate) fn put_returned_first(&mut self) {
        let mut returned = std::mem::take(&mut self.returned);
        returned.sort_by_key(|group| (group.receipt.number(), group.entries.first().copied()));
        for group in returned.into_iter().rev() {
            self.pending_bytes += group.bodies.framed_bytes();
            self.pending.push_front(group);
        }
    }

    /// Takes groups from the front, about `bytes` of them.
    pub(crate) fn take_pending(&mut self, bytes: u64) -> Vec<Group> {
        let (mut taken, mut size) = (Vec::new(), 0);
        while size < bytes
            && let Some(group) = self.pending.pop_front()
        {
            size += group.bodies.framed_bytes();
            taken.push(group);
        }
        self.pending_bytes -= size;
        taken
    }

    /// Takes the first group out; see [`Inbox::put_back`].
    pub(crate) fn take_first(&mut self) -> Option<Group> {
        self.take_pending(1).pop()
    }

    /// Puts a group back to the front.
    pub(crate) fn put_back(&mut self, group: Group) {
        self.pending_bytes += group.bodies.framed_bytes();
        self.pending.push_front(group);
    }

    fn has_work(&self) -> bool {
        !(self.pending.is_empty() && self.returned.is_empty() && self.reports.is_empty())
            || self.take_over
            || self.stop
    }
}

/// What became of a group that was handed in.
#[derive(Debug)]
pub(crate) enum Handed {
    /// Its receipt will tell.
    In,
    /// Nothing is diverted any more: it may go directly.
    Direct(Group),
    /// It was not taken; nothing of it is durable.
    Refused(NotAdmitted),
}

/// The inbox, shared.
#[derive(Debug)]
pub(crate) struct Shared {
    inbox: Mutex<Inbox>,
    wake: Condvar,
    /// Same as in the inbox, for a look without the lock.
    diverted: AtomicBool,
    /// Bytes that may wait to be written.
    waiting_bytes: u64,
    begun: Instant,
    /// When the thread began its last round, in milliseconds since then.
    beaten: AtomicU64,
}

impl Shared {
    pub(crate) fn new(waiting_bytes: u64, is_diverted: bool) -> Shared {
        Shared {
            inbox: Mutex::new(Inbox { is_diverted, ..Inbox::default() }),
            wake: Condvar::new(),
            diverted: AtomicBool::new(is_diverted),
            waiting_bytes,
            begun: Instant::now(),
            beaten: AtomicU64::new(0),
        }
    }

    /// The thread begins a round.
    pub(crate) fn beat(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.beaten.store(now, Ordering::Relaxed);
    }

    /// How long ago that was.
    pub(crate) fn since_beat(&self) -> Duration {
        self.begun.elapsed().saturating_sub(Duration::from_millis(self.beaten.load(Ordering::Relaxed)))
    }

    /// Whether everything goes through the spool.
    pub(crate) fn is_diverted(&self) -> bool {
        self.diverted.load(Ordering::Acquire)
    }

    /// Changes whether everything goes through the spool; the caller sees to it that nobody sends directly meanwhile.
    pub(crate) fn set_diverted(&self, inbox: &mut Inbox, is_diverted: bool) {
        inbox.is_diverted = is_diverted;
        self.diverted.store(is_diverted, Ordering::Release);
    }

    /// Hands in events of a request, which go behind everything that was handed in before.
    pub(crate) fn hand_in(&self, group: Group) -> Handed {
        let mut inbox = self.lock();
        if !(inbox.is_diverted || inbox.take_over) {
            return Handed::Direct(group);
        }
        if inbox.stop || inbox.pending_bytes + group.bodies.framed_bytes() > self.waiting_bytes {
            return Handed::Refused(NotAdmitted::Busy);
        }
        group.receipt.expect(group.entries.len());
        inbox.pending_bytes += group.bodies.framed_bytes();
        inbox.pending.push_back(group);
        drop(inbox);
        self.wake.notify_one();
        Handed::In
    }

    /// The producer gives an event up.
    pub(crate) fn give_back(&self, group: Group) {
        let mut inbox = self.lock();
        inbox.returned.push(group);
        inbox.take_over = true;
        drop(inbox);
        self.wake.notify_one();
    }

    /// The producer tells about a record of the spool.
    pub(crate) fn report(&self, report: Report) {
        self.lock().reports.push(report);
        self.wake.notify_one();
    }

    /// Asks for Kafka's part to be taken over.
    pub(crate) fn ask_take_over(&self) {
        self.lock().take_over = true;
        self.wake.notify_one();
    }

    /// Asks the thread to end.
    pub(crate) fn ask_stop(&self) {
        self.lock().stop = true;
        self.wake.notify_one();
    }

    /// Waits for work, at most `patience`.
    pub(crate) fn wait(&self, patience: Duration) {
        let inbox = self.lock();
        let _ready = self
            .wake
            .wait_timeout_while(inbox, patience, |inbox| !inbox.has_work())
            .unwrap_or_else(PoisonError::into_inner);
    }

    /// Waits for the producer to tell something, at most `patience`.
    pub(crate) fn wait_for_reports(&self, patience: Duration) {
        let inbox = self.lock();
        let _ready = self
            .wake
            .wait_timeout_while(inbox, patience, |inbox| inbox.reports.is_empty() && !inbox.take_over)
            .unwrap_or_else(PoisonError::into_inner);
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
