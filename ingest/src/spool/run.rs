//! The spool's thread: takes over from the producer, writes, sends on, and hands back.
//!
//! The only place that changes the [`Store`] or the way that events go. One round: hear what Kafka has → take over if asked → write what
//! waits → send on → hand back when all is sent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use touchstream_schemas::time::EventTime;

use super::disk::Disk;
use super::inbox::{Fate, Group, Shared};
use super::ledger::NotAdmitted;
use super::metrics::SpoolMetrics;
use super::quarantine::Quarantine;
use super::store::{Bodies, Store};
use crate::publish::{NotQueued, Publisher, Refused};

/// Longest wait for work; how often the disk is tidied and gauges are set.
const TICK: Duration = Duration::from_millis(200);
/// Wait for the last acknowledgements before handing back.
const SHORT_TICK: Duration = Duration::from_millis(2);
/// Bytes written by one sync, about.
const COMMIT_BYTES: u64 = 4 << 20;
/// A larger record travels alone: Kafka may refuse it for its size, and with it the whole batch, while later batches arrive before their turn.
const ALONE_BYTES: usize = 16 << 10;
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

/// What the producer told, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Heard {
    Nothing,
    /// Kafka refused a record for itself, and it was put away.
    Refusal,
    Failure,
}

/// What the thread owns.
#[derive(Debug)]
pub(super) struct Spooler<D> {
    store: Store<D>,
    quarantine: Quarantine,
    shared: Arc<Shared>,
    publisher: Arc<Publisher>,
    metrics: SpoolMetrics,
    status: Arc<Mutex<Result<(), NotAdmitted>>>,
    /// Records that may be on their way; starts small after a refusal, so that what follows is not sent in vain again and again.
    window: usize,
    /// The record on its way is a large one, see [`ALONE_BYTES`].
    is_alone: bool,
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
        (store, quarantine): (Store<D>, Quarantine),
        shared: Arc<Shared>,
        publisher: Arc<Publisher>,
        metrics: SpoolMetrics,
        status: Arc<Mutex<Result<(), NotAdmitted>>>,
    ) -> Spooler<D> {
        let now = Instant::now();
        Spooler {
            store,
            quarantine,
            shared,
            publisher,
            metrics,
            status,
            window: WINDOW,
            is_alone: false,
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
            self.shared.beat();
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
        let heard = self.hear();
        if heard != Heard::Nothing {
            self.window = 1;
        }
        if heard == Heard::Failure {
            self.paused_until = Some(Instant::now() + PAUSE);
        }
        // A producer that was refused a message is not trusted with the next ones either.
        if (heard != Heard::Nothing || self.is_silent() || self.shared.lock().take_over) && !self.take_over()
        {
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

    /// Takes in what the producer says, and the worst of it.
    fn hear(&mut self) -> Heard {
        let reports = std::mem::take(&mut self.shared.lock().reports);
        let mut worst = Heard::Nothing;
        let mut delivered = 0;
        for report in reports {
            let heard = match report.fate {
                Fate::Delivered => {
                    self.store.ledger.acknowledge(report.number);
                    delivered += 1;
                    Heard::Nothing
                }
                // Alone in its batch: it is this record that Kafka does not want. Else the next round sends it alone.
                Fate::Refused(reason) if self.store.ledger.in_flight().0 == 1 => {
                    if self.put_away(report.number, reason) { Heard::Refusal } else { Heard::Failure }
                }
                Fate::Refused(_) | Fate::Failed => Heard::Failure,
            };
            worst = worst.max(heard);
        }
        if delivered > 0 {
            self.metrics.forwarded.inc_by(delivered);
            self.window = (self.window * 2).min(WINDOW);
            self.delivered_at = Some(Instant::now());
            self.silent_since = None;
        }
        worst
    }

    /// Puts a record that Kafka refuses for itself into quarantine, so that the others go on; whether it is there.
    fn put_away(&mut self, number: u64, reason: Refused) -> bool {
        let Spooler { store, quarantine, .. } = self;
        let put = store.read_sent(number, |record| {
            let mut body = Vec::new();
            record.write_body(&mut body);
            (quarantine.add(&body), record.family, record.key.len() + record.payload.len())
        });
        let (family, bytes) = match put {
            // It was given up meanwhile and comes again.
            Ok(None) => return true,
            Ok(Some((Ok(true), family, bytes))) => (family, bytes),
            Ok(Some((Ok(false), ..))) => {
                tracing::error!(
                    "the spool's quarantine is full: an event that Kafka refuses holds up all others"
                );
                return false;
            }
            Ok(Some((Err(error), ..))) | Err(error) => {
                tracing::error!(%error, "an event that Kafka refuses cannot be put into quarantine, trying again");
                return false;
            }
        };
        if reason == Refused::TooLarge {
            self.publisher.too_large.note(family, bytes);
        }
        self.store.ledger.acknowledge(number);
        self.metrics.quarantined.with_label_values(&[reason.name()]).inc();
        tracing::error!(
            family = family.name(),
            reason = reason.name(),
            bytes,
            "Kafka refuses an event of the spool; it was put into quarantine"
        );
        true
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
        self.is_alone &= in_flight > 0;
        if self.is_alone {
            return false;
        }
        let budget = self.window.saturating_sub(in_flight).min(FORWARD_BUDGET);
        if budget == 0 || bytes >= WINDOW_BYTES {
            return false;
        }
        let mut refused = Vec::new();
        let (mut on_their_way, mut is_alone) = (in_flight, false);
        let forwarded = {
            let sender = self.publisher.direct();
            self.store.forward(budget, |record, number| {
                let is_large = record.payload.len() > ALONE_BYTES;
                if is_alone || (is_large && on_their_way > 0) {
                    return false;
                }
                match sender.send_spooled(record, number) {
                    Ok(()) => {
                        on_their_way += 1;
                        is_alone = is_large;
                        true
                    }
                    Err(NotQueued::Now) => false,
                    Err(NotQueued::Ever(reason)) => {
                        refused.push((number, reason));
                        true
                    }
                }
            })
        };
        self.is_alone = is_alone;
        for (number, reason) in refused {
            if !self.put_away(number, reason) {
                // Read again, with what follows it.
                self.shared.lock().take_over = true;
                self.paused_until = Some(Instant::now() + PAUSE);
            }
        }
        match forwarded {
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
        self.metrics.quarantine_bytes.set(i64::try_from(self.quarantine.bytes()).unwrap_or(i64::MAX));
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
