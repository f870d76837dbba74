//! The spool's thread: takes over from the producer, writes, sends on, and hands back.
//!
//! The only place that changes the [`Store`] or the way that events go. One round: hear what Kafka has → take over if asked → write what
//! waits → send on → hand back when all is sent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use touchstream_schemas::time::EventTime;

use super::disk::Disk;
use super::inbox::{Group, Shared};
use super::ledger::NotAdmitted;
use super::metrics::SpoolMetrics;
use super::store::{Bodies, Store};
use crate::publish::Publisher;

/// Longest wait for work; how often the disk is tidied and gauges are set.
const TICK: Duration = Duration::from_millis(200);
/// Wait for the last acknowledgements before handing back.
const SHORT_TICK: Duration = Duration::from_millis(2);
/// Bytes written by one sync, about.
const COMMIT_BYTES: u64 = 4 << 20;
/// Most records on their way to Kafka, and their bytes.
const WINDOW: usize = 10_000;
const WINDOW_BYTES: u64 = 8 << 20;
/// Records handed to the producer before requests are looked after again.
const FORWARD_BUDGET: usize = 2_000;
/// Longest time that new requests wait for the way back to be free, and the time until the next try.
const HAND_BACK: Duration = Duration::from_millis(250);
const HAND_BACK_AGAIN: Duration = Duration::from_secs(1);
/// Pause after Kafka refused something, or the disk failed.
const PAUSE: Duration = Duration::from_secs(1);
/// A producer that has records in hand and reports none for so long is replaced. When Kafka is away that changes nothing: a new one sends no
/// record before Kafka has given it an id. When it is not, this ends a wait for an answer that was lost.
const SILENCE: Duration = Duration::from_secs(15);
/// At shutdown: longest wait for acknowledgements, in all and without any coming.
const LAST_WAIT: Duration = Duration::from_secs(2);
const LAST_SILENCE: Duration = Duration::from_millis(500);

/// What the thread owns.
#[derive(Debug)]
pub(super) struct Spooler<D> {
    store: Store<D>,
    shared: Arc<Shared>,
    publisher: Arc<Publisher>,
    metrics: SpoolMetrics,
    status: Arc<Mutex<Result<(), NotAdmitted>>>,
    /// Records that may be on their way; starts small after a refusal, so that what follows is not sent in vain again and again.
    window: usize,
    paused_until: Option<Instant>,
    handing_back: Option<Instant>,
    hand_back_after: Instant,
    /// When Kafka last acknowledged something.
    delivered_at: Option<Instant>,
    /// Since when the producer has records in hand and reports none.
    silent_since: Option<Instant>,
    tidied: Instant,
}

impl<D: Disk> Spooler<D> {
    pub(super) fn new(
        store: Store<D>,
        shared: Arc<Shared>,
        publisher: Arc<Publisher>,
        metrics: SpoolMetrics,
        status: Arc<Mutex<Result<(), NotAdmitted>>>,
    ) -> Spooler<D> {
        let now = Instant::now();
        Spooler {
            store,
            shared,
            publisher,
            metrics,
            status,
            window: WINDOW,
            paused_until: None,
            handing_back: None,
            hand_back_after: now,
            delivered_at: None,
            silent_since: None,
            tidied: now,
        }
    }

    /// Runs until it is asked to stop.
    pub(super) fn run(mut self) {
        self.observe();
        loop {
            let is_busy = self.round();
            if self.shared.lock().stop {
                self.end();
                return;
            }
            if self.handing_back.is_some() {
                self.shared.wait_for_reports(SHORT_TICK);
            } else if !is_busy {
                self.shared.wait(TICK);
            }
        }
    }

    /// One round; whether there is more to do at once.
    fn round(&mut self) -> bool {
        let has_failed = self.hear();
        if has_failed {
            self.window = 1;
            self.paused_until = Some(Instant::now() + PAUSE);
        }
        if (has_failed || self.is_silent() || self.shared.lock().take_over) && !self.take_over() {
            std::thread::sleep(TICK);
            return true;
        }
        if !self.shared.is_diverted() {
            self.look_after_disk();
            return false;
        }
        let has_written = self.handing_back.is_none() && self.write();
        let has_sent = self.send_on();
        self.hand_back();
        self.look_after_disk();
        has_written || has_sent
    }

    /// Takes in what the producer says; whether Kafka refused something.
    fn hear(&mut self) -> bool {
        let reports = std::mem::take(&mut self.shared.lock().reports);
        let mut has_failed = false;
        let mut delivered = 0;
        for report in reports {
            if report.is_delivered {
                self.store.ledger.acknowledge(report.number);
                delivered += 1;
            } else {
                has_failed = true;
            }
        }
        if delivered > 0 {
            self.metrics.forwarded.inc_by(delivered);
            self.window = (self.window * 2).min(WINDOW);
            self.delivered_at = Some(Instant::now());
            self.silent_since = None;
        }
        has_failed
    }

    fn is_silent(&mut self) -> bool {
        if self.store.ledger.in_flight().0 == 0 {
            self.silent_since = None;
            return false;
        }
        let is_silent = self.silent_since.get_or_insert_with(Instant::now).elapsed() > SILENCE;
        if is_silent {
            tracing::info!("Kafka has not acknowledged anything of the spool; trying with a new producer");
        }
        is_silent
    }

    /// Diverts everything, takes from the producer what it has in hand, and begins again with a new one. Whether that was possible.
    fn take_over(&mut self) -> bool {
        let was_diverted = self.shared.is_diverted();
        let shared = &self.shared;
        let replaced = self.publisher.replace(|| shared.set_diverted(&mut shared.lock(), true));
        let old = match replaced {
            Ok(old) => old,
            Err(error) => {
                tracing::error!(%error, "a new producer cannot be made, trying again");
                return false;
            }
        };
        if !was_diverted {
            self.metrics.takeovers.inc();
            tracing::warn!("Kafka does not acknowledge in time; events go through the spool");
        }
        // After this no message of it is left anywhere in this process, so that nothing can overtake.
        old.empty();
        self.hear();
        {
            let mut inbox = self.shared.lock();
            inbox.put_returned_first();
            inbox.take_over = false;
        }
        self.store.ledger.rewind();
        self.handing_back = None;
        self.silent_since = None;
        self.hand_back_after = Instant::now();
        old.close_in_background();
        true
    }

    /// Writes what waits by one sync; whether there was something.
    fn write(&mut self) -> bool {
        let groups = self.shared.lock().take_pending(COMMIT_BYTES);
        if groups.is_empty() {
            return false;
        }
        let bodies: Vec<&Bodies> = groups.iter().map(|group| &group.bodies).collect();
        let answers = self.store.commit(&bodies, EventTime::now());
        if answers.contains(&Ok(())) {
            self.metrics.syncs.inc();
        }
        for (group, answer) in groups.iter().zip(answers) {
            let events = group.entries.len() as u64;
            match answer {
                Ok(()) => self.metrics.spooled.inc_by(events),
                Err(reason) => self.metrics.refused.with_label_values(&[reason.name()]).inc_by(events),
            }
            group.settle(answer.is_ok());
        }
        self.observe();
        true
    }

    /// Sends on as much as may be on its way; whether more can be sent at once.
    fn send_on(&mut self) -> bool {
        if self.paused_until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        let (in_flight, bytes) = self.store.ledger.in_flight();
        let budget = self.window.saturating_sub(in_flight).min(FORWARD_BUDGET);
        if budget == 0 || bytes >= WINDOW_BYTES {
            return false;
        }
        let sender = self.publisher.direct();
        match self.store.forward(budget, |record, number| sender.send_spooled(record, number).is_ok()) {
            Ok(forwarded) => {
                let damaged = forwarded.damaged as u64;
                self.metrics
                    .damaged
                    .with_label_values(&[super::store::Damage::Corrupt.name()])
                    .inc_by(damaged);
                forwarded.sent == budget && !forwarded.is_queue_full
            }
            Err(error) => {
                tracing::error!(%error, "the spool cannot be read, trying again");
                self.paused_until = Some(Instant::now() + PAUSE);
                false
            }
        }
    }

    /// Goes back to sending directly when Kafka has everything.
    fn hand_back(&mut self) {
        let now = Instant::now();
        if self.store.ledger.unread().is_some() {
            self.handing_back = None;
            return;
        }
        if self.store.ledger.is_drained() {
            self.handing_back = None;
            if self.finish() {
                tracing::info!("the spool is empty; events go to Kafka directly again");
            }
            return;
        }
        match self.handing_back {
            // While Kafka is silent nobody is made to wait for it.
            None if now >= self.hand_back_after
                && self.delivered_at.is_some_and(|at| at.elapsed() < HAND_BACK) =>
            {
                self.handing_back = Some(now);
            }
            Some(since) if now - since > HAND_BACK => {
                self.handing_back = None;
                self.hand_back_after = now + HAND_BACK_AGAIN;
            }
            _ => {}
        }
    }

    /// Sends what waits directly and lifts the diversion, while nobody else can send.
    fn finish(&mut self) -> bool {
        let shared = &self.shared;
        self.publisher.exclusively(|sender| {
            let mut inbox = shared.lock();
            while !inbox.take_over
                && let Some(group) = inbox.take_first()
            {
                let sent = sender.send_handed_in(&group);
                if sent < group.entries.len() {
                    // What was sent comes back by the takeover and is put before the rest.
                    inbox.put_back(group.rest(sent));
                    inbox.take_over = true;
                }
            }
            if inbox.take_over || inbox.stop {
                return false;
            }
            shared.set_diverted(&mut inbox, false);
            true
        })
    }

    fn look_after_disk(&mut self) {
        let is_drained = self.store.ledger.is_drained() && self.store.ledger.bytes() > 0;
        if self.tidied.elapsed() < TICK && !is_drained {
            return;
        }
        self.tidied = Instant::now();
        if let Err(error) = self.store.tidy() {
            tracing::warn!(%error, "the spool could not be tidied, trying again");
        }
        self.store.probe(EventTime::now());
        self.observe();
    }

    fn observe(&self) {
        let now = EventTime::now();
        let ledger = &self.store.ledger;
        let age = ledger.oldest().map_or(0, |oldest| ((now - oldest).0 / 1_000).max(0));
        self.metrics.bytes.set(i64::try_from(ledger.bytes()).unwrap_or(i64::MAX));
        self.metrics.records.set(i64::try_from(ledger.records()).unwrap_or(i64::MAX));
        self.metrics.oldest_seconds.set(age);
        self.metrics.active.set(i64::from(self.shared.is_diverted()));
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = self.store.is_accepting(now);
    }

    /// Writes the last groups, and waits a little for acknowledgements so that less is sent twice after the next start.
    fn end(mut self) {
        if self.shared.lock().take_over {
            self.take_over();
        }
        while self.write() {}
        let begun = Instant::now();
        let mut heard = begun;
        while self.store.ledger.in_flight().0 > 0
            && begun.elapsed() < LAST_WAIT
            && heard.elapsed() < LAST_SILENCE
        {
            self.shared.wait_for_reports(LAST_SILENCE);
            let before = self.store.ledger.in_flight().0;
            self.hear();
            if self.store.ledger.in_flight().0 < before {
                heard = Instant::now();
            }
        }
        if let Err(error) = self.store.tidy() {
            tracing::warn!(%error, "the spool could not be tidied");
        }
        self.observe();
        let left = self.store.ledger.records();
        if left > 0 {
            tracing::info!(events = left, "events stay in the spool for the next start");
        }
        let groups: Vec<Group> = self.shared.lock().pending.drain(..).collect();
        for group in groups {
            group.settle(false);
        }
    }
}
