//! The spool: while Kafka is away, events are synced to a bounded folder on this machine, and sent on in order afterwards.
//!
//! Publish → **spool** → publish. One thread ([`run`]) owns everything; requests and the producer leave work in its [`inbox`], and the
//! [`ledger`] decides by itself. Promise: an event counts as durable only after a sync that succeeded; it leaves the spool only when
//! all in-sync replicas have it.
//!
//! **Order.** First occurrences under one key reach Kafka in the order in which they were handed in:
//! 1. Normally requests send to the producer directly and look at nothing but one flag.
//! 2. When an event is not acknowledged in time, cannot be queued, or comes back, the spool takes over. From then on every new event
//!    goes through the spool. The producer is emptied and *thrown away*, for two reasons: an idempotent producer of
//!    librdkafka whose queue is purged is left with a gap in its sequence numbers, which the broker answers with a fatal error; and a
//!    later event must not get through while an earlier one of its key is on its way to the disk.
//!    What it had in hand is spooled first, by order of sending, then what came since.
//! 3. A request that Kafka had received but not acknowledged may still be appended (a paused broker reads its sockets when it
//!    wakes). It holds the beginning of what was given back, in the same order, so the order of *first* occurrences
//!    does not change; the copies are dropped downstream.
//! 4. The spool is sent on by a new producer whose messages never time out one by one: what is given up is given up as a whole, and then sent
//!    again from the first event that was not acknowledged.
//! 5. When Kafka has everything, the flag goes back while nobody sends: new requests wait in memory for that moment, for a quarter of a
//!    second at most, and are then the first to go directly.

mod disk;
mod format;
mod inbox;
mod ledger;
mod metrics;
mod outlet;
mod quarantine;
mod run;
mod store;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use prometheus::Registry;
use tokio::time::Instant;
use touchstream_runtime::settings::IngestSettings;
use touchstream_schemas::time::{EventTime, Millis};

use crate::error::IngestError;
use crate::publish::{Publisher, Receipt};

pub use disk::SpoolError;
pub(crate) use format::Record;
pub(crate) use inbox::{Fate, Group, Report, Shared};
pub(crate) use outlet::Outlet;

use disk::Folder;
use ledger::{Limits, NotAdmitted};
use metrics::SpoolMetrics;
use quarantine::Quarantine;
use run::Spooler;
use store::Store;

/// Smallest size of a segment.
const LEAST_SEGMENT_BYTES: u64 = 64 * 1024;

/// Bounds of the quarantine file: a sixteenth of the spool, within these.
const QUARANTINE_BYTES: (u64, u64) = (64 * 1024, 64 << 20);
/// A thread that has not begun a round for so long hangs: its longest wait is a fifth of a second, a slow disk takes some.
const LONGEST_ROUND: Duration = Duration::from_secs(30);

/// A spool that was opened and does not run yet.
#[derive(Debug)]
pub(crate) struct OpenSpool {
    store: Store<Folder>,
    quarantine: Quarantine,
    shared: Arc<Shared>,
    metrics: SpoolMetrics,
    after: Duration,
}

/// The spool as the rest of ingest sees it.
#[derive(Debug)]
pub(crate) struct Spool {
    shared: Arc<Shared>,
    metrics: SpoolMetrics,
    status: Arc<Mutex<Result<(), NotAdmitted>>>,
    after: Duration,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl OpenSpool {
    /// Takes over the folder of the settings and what the last process left in it; none when the spool is off.
    ///
    /// # Errors
    /// When the folder cannot be used or belongs to another process.
    pub(crate) fn open(
        options: &IngestSettings,
        registry: &Registry,
    ) -> Result<Option<OpenSpool>, IngestError> {
        if options.spool_dir.is_empty() {
            return Ok(None);
        }
        let segment_bytes = options.spool_segment_bytes.clamp(LEAST_SEGMENT_BYTES, 1 << 30);
        let limits = Limits {
            bytes: options.spool_bytes,
            age: Millis(options.spool_age_s.saturating_mul(1_000)),
            segment_bytes: segment_bytes.min((options.spool_bytes / 4).max(LEAST_SEGMENT_BYTES)),
        };
        let metrics = SpoolMetrics::new(registry)?;
        let folder = Folder::open(Path::new(&options.spool_dir))?;
        let (least, most) = QUARANTINE_BYTES;
        let quarantine = Quarantine::open(folder.path(), (options.spool_bytes / 16).clamp(least, most))?;
        let store = Store::recover(folder, limits, |damage| {
            metrics.damaged.with_label_values(&[damage.name()]).inc();
        })?;
        let left = store.ledger.records();
        metrics.recovered.inc_by(left);
        if left > 0 {
            tracing::info!(events = left, "the spool holds events of the last run, which are sent on first");
        }
        let shared = Arc::new(Shared::new(options.queue_bytes as u64, !store.ledger.is_drained()));
        let after = Duration::from_millis(options.spool_after_ms.min(options.ack_timeout_ms / 2));
        Ok(Some(OpenSpool { store, quarantine, shared, metrics, after }))
    }

    /// Where the producer gives back what it cannot deliver.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(crate) fn start(self, publisher: Arc<Publisher>) -> Result<Spool, IngestError> {
        let OpenSpool { store, quarantine, shared, metrics, after } = self;
        let status = Arc::new(Mutex::new(Ok(())));
        let (files, inbox) = ((store, quarantine), Arc::clone(&shared));
        let spooler = Spooler::new(files, inbox, publisher, metrics.clone(), Arc::clone(&status));
        let thread = std::thread::Builder::new()
            .name("ingest-spool".to_owned())
            .spawn(move || spooler.run())
            .map_err(|error| IngestError::Thread { what: "the spool", reason: error.to_string() })?;
        Ok(Spool { shared, metrics, status, after, thread: Mutex::new(Some(thread)) })
    }
}

impl Spool {
    /// Waits until every event of a request is durable, at most until `deadline`; has the spool take over when Kafka takes too long.
    pub(crate) async fn wait(&self, receipt: &Receipt, begun: Instant, deadline: Instant) {
        if !receipt.wait((begun + self.after).min(deadline)).await {
            if !self.shared.is_diverted() {
                self.shared.ask_take_over();
            }
            receipt.wait(deadline).await;
        }
    }

    /// Whether events go through the spool now.
    pub(crate) fn is_diverted(&self) -> bool {
        self.shared.is_diverted()
    }

    /// Since when the oldest event waits that Kafka does not have; none when nothing waits.
    pub(crate) fn waits_since(&self) -> Option<EventTime> {
        let seconds = self.metrics.oldest_seconds.get();
        // What was given to it in the last moment shows a little later.
        (self.is_diverted() || seconds > 0).then(|| EventTime::now() - Millis(1_000).times(seconds + 1))
    }

    /// Whether its thread does its work. Without it nothing that Kafka does not take at once is ever settled.
    pub(crate) fn is_alive(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        // None: it was asked to stop, and is waited for.
        let has_ended = thread.as_ref().is_some_and(JoinHandle::is_finished);
        let is_alive = !has_ended && (thread.is_none() || self.shared.since_beat() < LONGEST_ROUND);
        self.metrics.alive.set(i64::from(is_alive));
        is_alive
    }

    /// Why it would not take an event now.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        if !self.is_alive() {
            return Some("the spool's thread has ended or hangs; restart ingest");
        }
        let status = *self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.err().map(|refusal| match refusal {
            NotAdmitted::Full => "the spool is full",
            NotAdmitted::Age => "the spool's oldest event is older than ingest.spool_age_s",
            NotAdmitted::Disk => "the spool cannot be written",
            NotAdmitted::Busy => "too much waits for the spool",
        })
    }

    /// Writes what waits, waits a little for acknowledgements, and ends the thread; what is left stays for the next start. Blocks.
    pub(crate) fn stop(&self) {
        self.shared.ask_stop();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the spool's thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_has_ended_or_hangs_is_seen() {
        let spool = |thread: JoinHandle<()>| Spool {
            shared: Arc::new(Shared::new(1_000, false)),
            metrics: SpoolMetrics::new(&Registry::new()).expect("a registry of its own"),
            status: Arc::new(Mutex::new(Ok(()))),
            after: Duration::ZERO,
            thread: Mutex::new(Some(thread)),
        };
        let (end, ended) = std::sync::mpsc::sync_channel::<()>(1);
        let working = spool(std::thread::spawn(move || {
            let _ended: Result<(), _> = ended.recv();
        }));
        assert!(working.is_alive() && working.refusal().is_none());
        *working.status.lock().expect("no thread has panicked with it") = Err(NotAdmitted::Full);
        assert_eq!(working.refusal(), Some("the spool is full"));
        assert_eq!(working.metrics.alive.get(), 1);
        let panicked = spool(std::thread::spawn(|| panic!("as a test wants it")));
        while panicked.is_alive() {
            std::thread::yield_now();
        }
        assert!(panicked.refusal().is_some_and(|refusal| refusal.contains("restart")));
        assert_eq!(panicked.metrics.alive.get(), 0);
        drop(end);
    }
}
