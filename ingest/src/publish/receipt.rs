//! The receipt of one request: a counter of open deliveries and a state per event, no future per message.
//!
//! [`super`] settles it as deliveries are reported; the request waits for it. Promise: it is complete when every event that was expected
//! was settled, and an event is durable in it only by [`Receipt::settle`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// States of an event: not durable yet or at all, durable, and one that Kafka never takes.
const OPEN: u8 = 0;
const DURABLE: u8 = 1;
const REFUSED: u8 = 2;

/// Fate of the events of one request.
#[derive(Debug)]
pub(crate) struct Receipt {
    /// Rises from request to request.
    number: u64,
    /// One state an entry of the body.
    states: Box<[AtomicU8]>,
    /// Open deliveries, and one for the sender as long as it sends.
    open: AtomicUsize,
    done: Notify,
}

impl Receipt {
    /// A receipt for a body of this many entries, held open until [`Receipt::close`].
    pub(crate) fn new(entries: usize) -> Arc<Receipt> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Receipt {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            states: (0..entries).map(|_| AtomicU8::new(OPEN)).collect(),
            open: AtomicUsize::new(1),
            done: Notify::new(),
        })
    }

    /// Order among requests.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether the body had more than one entry.
    pub(super) fn is_of_many(&self) -> bool {
        self.states.len() > 1
    }

    /// So many events more will be settled.
    pub(crate) fn expect(&self, events: usize) {
        self.open.fetch_add(events, Ordering::AcqRel);
    }

    /// Everything was sent: from now on the last event that is settled completes the receipt.
    pub(crate) fn close(&self) {
        self.one_less();
    }

    /// An event that was expected is durable, or will not be.
    pub(crate) fn settle(&self, entry: usize, is_durable: bool) {
        if is_durable {
            self.states[entry].store(DURABLE, Ordering::Release);
        }
        self.one_less();
    }

    /// Kafka will never take this event, which was expected.
    pub(crate) fn refuse(&self, entry: usize) {
        self.states[entry].store(REFUSED, Ordering::Release);
        self.one_less();
    }

    /// One that was expected is settled, or was not sent after all.
    pub(super) fn one_less(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }

    /// Waits until every event was settled, at most until the deadline; whether it was. One task may wait, again after a deadline.
    pub(crate) async fn wait(&self, deadline: tokio::time::Instant) -> bool {
        // Passing the deadline is no error here: what is not durable by then is asked for by the caller.
        tokio::time::timeout_at(deadline, self.done.notified()).await.is_ok()
    }

    /// Whether the entry's event is durable.
    pub(crate) fn is_durable(&self, entry: usize) -> bool {
        self.states[entry].load(Ordering::Acquire) == DURABLE
    }

    /// Whether Kafka refuses the entry's event for itself: sending it again is in vain.
    pub(crate) fn is_refused(&self, entry: usize) -> bool {
        self.states[entry].load(Ordering::Acquire) == REFUSED
    }
}
