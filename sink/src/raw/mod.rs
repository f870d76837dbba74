//! Raw events, exactly once: consume → seal a range of a partition → prepare it (decode, drop copies, encode) on a thread of its own → commit
//! its intent → insert → commit behind it, together with the intent of the range after it.
//!
//! One thread owns all state. While ranges are prepared and stored in the background it keeps polling, so that the next ranges fill,
//! heartbeats go on and a rebalance is noticed; work of partitions that were taken away is dropped and its next owner replays it.

mod decode;
mod fields;
mod month;
pub(crate) mod native;
mod partition;
pub(crate) mod range;
mod state;
mod store;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::JoinSet;
use touchstream_schemas::topics::Topics;

use crate::error::SinkError;
use crate::follow::{Change, Follow};
use crate::ledger::Mark;
use crate::parts::Parts;
use crate::poll::{self, Brake, Polled};
use crate::quality::Quality;
use crate::reject::{Refused, Rejecter};
use partition::{Next, Preparer, Rules, Sealed, Work};
use range::{Place, Prepared};
use state::State;
use store::Ended;

pub(crate) use state::{table_of, written};

/// Longest pause between two ranges that are not full when inserts are slow: fewer and larger ones are kinder to ClickHouse.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How old a range may become that is not full while Kafka has more.
const BEHIND_AGE: Duration = Duration::from_secs(2);
/// Since Kafka had nothing more: after this long without such a moment, the sink is behind.
const BEHIND: Duration = Duration::from_millis(500);
/// How long an unfinished insert is waited for at shutdown; its intent stands, so the next start replays it.
const DRAIN: Duration = Duration::from_secs(10);
/// Waits for a record, while work is under way and while none is.
const TURN: (Duration, Duration) = (Duration::from_millis(3), Duration::from_millis(20));
/// Records taken in before the rest is looked after.
const PUMP: usize = 2_000;
/// Ranges that are being prepared at a time: one takes half the CPU that ClickHouse takes to store it, but must wait for a core as well.
const PREPARING: usize = 2;
/// Ranges that are being stored at a time.
const STORING: usize = 4;
/// More than this is never used, whatever the settings say.
const MOST_MEMORY: usize = 2 << 30;
/// However much the ids take, this part of the memory is left to records.
const LEAST: usize = 4;
/// How long too much may be held before partitions are paused: what librdkafka has fetched of a paused partition is fetched again.
const PATIENCE: Duration = Duration::from_secs(2);
/// A full range is this part of the memory that records may take: with the default some 40,000 events while ids are few, 9,000 when eight
/// partitions hold all they can. From 30,000 on larger inserts cost ClickHouse no less a row.
const RANGES: usize = 6;

/// What the background gives back.
enum Job {
    Prepared { index: usize, preparer: Box<Preparer>, sealed: Sealed, prepared: Result<Prepared, SinkError> },
    Stored { index: usize, ended: Result<Ended, SinkError> },
}

/// The thread's state.
pub(crate) struct RawSink {
    parts: Parts,
    consumer: BaseConsumer<Follow>,
    state: State,
    jobs: JoinSet<Job>,
    rejecter: Rejecter,
    quality: Quality,
    brake: Brake,
    full_since: Option<Instant>,
    /// When Kafka last had nothing more.
    drained_at: Instant,
    stopping_since: Option<Instant>,
}

impl RawSink {
    /// Joins the group.
    pub(crate) fn start(parts: Parts) -> Result<RawSink, SinkError> {
        let state = State::new(&parts);
        let topics = Topics::new(parts.settings.kafka.topic_prefix.as_str());
        let names: Vec<String> =
            touchstream_schemas::event::Family::ALL.iter().map(|family| topics.raw(*family)).collect();
        let consumer = poll::consumer(&parts, "raw", Some(state.limits()), &names)?;
        Ok(RawSink {
            rejecter: Rejecter::new(&parts.settings, parts.metrics.clone())?,
            quality: Quality::new(parts.inserter.clone(), parts.runtime.clone()),
            parts,
            consumer,
            state,
            jobs: JoinSet::new(),
            brake: Brake::default(),
            full_since: None,
            drained_at: Instant::now(),
            stopping_since: None,
        })
    }

    /// Works until shutdown.
    pub(crate) fn run(mut self) -> Result<(), SinkError> {
        while !self.parts.shutdown.is_cancelled() {
            if self.is_full() {
                self.wait_for_job(TURN.1)?;
            } else {
                self.pump(if self.jobs.is_empty() { TURN.1 } else { TURN.0 })?;
            }
            self.turn()?;
            self.quality.write_when_due();
        }
        while !self.state.is_idle() && !self.is_out_of_time() {
            self.wait_for_job(TURN.1)?;
            self.turn()?;
        }
        self.quality.finish();
        Ok(())
    }

    /// Looks after everything but reading.
    fn turn(&mut self) -> Result<(), SinkError> {
        while let Some(joined) = self.jobs.try_join_next() {
            let job = joined.map_err(|_| SinkError::Thread("background"))?;
            self.note(job)?;
        }
        self.prepare();
        self.advance()
    }

    /// Takes what Kafka has for us, for at most `wait` when there is nothing.
    fn pump(&mut self, wait: Duration) -> Result<(), SinkError> {
        let mut wait = wait;
        for _ in 0..PUMP {
            let polled = self.consumer.poll(wait);
            for change in self.consumer.context().take_changes() {
                if let Change::Failed(error) = change {
                    return Err(error);
                }
                self.brake.release();
                self.parts.note_change("raw events", &change);
                // What is under way belongs to the assignment that ended: nobody hears its end.
                self.jobs = JoinSet::new();
                self.state.apply(change)?;
            }
            match poll::sort(polled)? {
                Polled::Nothing => {
                    self.drained_at = Instant::now();
                    break;
                }
                Polled::Again => {}
                Polled::Message(message) => self.state.accept(&message)?,
            }
            wait = Duration::ZERO;
        }
        self.bound_memory()
    }

    /// Memory that the records of this part may take: of what the ids leave, half, as results take theirs, and librdkafka its own.
    fn memory(&self) -> usize {
        let all = self.parts.settings.sink.memory_bytes.min(MOST_MEMORY);
        all.saturating_sub(self.state.ids()).max(all / LEAST) / 2
    }

    /// Memory that records may take while they wait: the more can wait, the larger ranges are.
    fn waiting(&self) -> usize {
        self.memory() / 8 * 5
    }

    /// Whether reading has to wait until something is stored.
    fn is_full(&mut self) -> bool {
        let is_full = self.state.held() > self.waiting()
            && !self.jobs.is_empty()
            && self.state.unfinished_replays().is_empty();
        if !is_full {
            self.full_since = None;
            return false;
        }
        self.full_since.get_or_insert_with(Instant::now).elapsed() < PATIENCE
    }

    fn bound_memory(&mut self) -> Result<(), SinkError> {
        let (held, at_work) = (self.state.held(), self.state.at_work());
        let gauge = self.parts.metrics.held_bytes.with_label_values(&["raw"]);
        gauge.set(i64::try_from(held + at_work).unwrap_or(i64::MAX));
        let is_short =
            held > self.waiting() && self.full_since.is_none_or(|since| since.elapsed() < PATIENCE);
        let unfinished = self.state.unfinished_replays();
        if is_short && unfinished.is_empty() {
            return Ok(());
        }
        self.brake.bound(&self.consumer, held, self.waiting(), &unfinished)
    }

    fn wait_for_job(&mut self, wait: Duration) -> Result<(), SinkError> {
        let jobs = &mut self.jobs;
        // A timer must be made inside the runtime.
        let ended = self.parts.runtime.block_on(async { tokio::time::timeout(wait, jobs.join_next()).await });
        match ended {
            Ok(Some(joined)) => self.note(joined.map_err(|_| SinkError::Thread("background"))?),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Takes in what the background gives back.
    fn note(&mut self, job: Job) -> Result<(), SinkError> {
        match job {
            Job::Prepared { index, preparer, sealed, prepared } => {
                let Prepared { chunks, refused, duplicates, oldest } = prepared?;
                let work = Work {
                    sealed,
                    chunks: Arc::new(chunks),
                    refused,
                    duplicates,
                    oldest,
                    began: Instant::now(),
                    is_stored: false,
                };
                let partition = self.state.partition_mut(index);
                partition.give_back(preparer);
                partition.next = Next::Ready(Box::new(work));
            }
            Job::Stored { index, ended } => match ended? {
                Ended::Stored(refused) => {
                    let partition = self.state.partition_mut(index);
                    let Some(work) = &mut partition.storing else { return Ok(()) };
                    work.is_stored = true;
                    let mut offsets: Vec<i64> = refused.iter().map(|(offset, _)| *offset).collect();
                    offsets.sort_unstable();
                    let place = (partition.topic.as_str(), partition.number);
                    let mut payloads =
                        self.consumer.context().read_again(place, &offsets).map_err(|source| {
                            SinkError::Kafka { action: "read refused records again".to_owned(), source }
                        })?;
                    work.refused.extend(refused.into_iter().map(|(offset, detail)| Refused {
                        offset,
                        reason: "refused_by_clickhouse",
                        detail,
                        payload: payloads.remove(&offset),
                    }));
                }
                Ended::Refused => self.split(index)?,
            },
        }
        Ok(())
    }

    /// A chunk was refused: from now on, and for whoever replays it, the range is stored in halves.
    fn split(&mut self, index: usize) -> Result<(), SinkError> {
        let partition = self.state.partition_mut(index);
        let committed = partition.committed;
        let Some(work) = &mut partition.storing else { return Ok(()) };
        work.sealed.intent.is_split = true;
        let mark = work.sealed.intent_mark();
        if self.commit(&[(index, committed, mark)])? {
            self.store(index);
        }
        Ok(())
    }

    /// Starts preparing the ranges that are due, as far as there is memory for them.
    fn prepare(&mut self) {
        let is_behind = self.drained_at.elapsed() > BEHIND;
        let sink = &self.parts.settings.sink;
        let age = Duration::from_millis(sink.batch_age_ms);
        let rules = Rules {
            rows: sink.batch_rows,
            bytes: self.memory() / RANGES,
            age: if is_behind { age.max(BEHIND_AGE) } else { age },
            is_draining: self.parts.shutdown.is_cancelled(),
            // A little before reading stops, so that it goes on while the range is prepared.
            is_short: self.state.held() > self.waiting() * 3 / 4,
        };
        while self.state.preparing() < PREPARING && self.state.at_work() < self.memory() / 4 * 3 {
            let Some(index) = self.state.due(rules) else { return };
            let table = self.state.table(index);
            let partition = self.state.partition_mut(index);
            let Some((sealed, records, mut preparer)) = partition.seal(rules.rows) else { return };
            let (topic, number) = (partition.topic.clone(), partition.number);
            let work = move || {
                let place = Place { topic: &topic, partition: number, table, intent: sealed.intent };
                let Preparer { decoder, window } = &mut *preparer;
                let prepared = range::prepare(place, &records, window, decoder);
                Job::Prepared { index, preparer, sealed, prepared }
            };
            self.jobs.spawn_blocking_on(work, &self.parts.runtime);
        }
    }

    /// Commits behind what is stored and the intents of what comes next, all in one, and starts storing it.
    fn advance(&mut self) -> Result<(), SinkError> {
        let storing = self.state.partitions().iter().filter(|partition| is_storing(partition)).count();
        let mut free = STORING.saturating_sub(storing);
        let (mut marks, mut done, mut next) = (Vec::new(), Vec::new(), Vec::new());
        for (index, partition) in self.state.partitions().iter().enumerate() {
            let finished = partition.storing.as_ref().filter(|work| work.is_stored);
            let ready = match &partition.next {
                Next::Ready(work) if free > 0 && !is_storing(partition) => Some(work),
                _ => None,
            };
            if ready.is_some() {
                free -= 1;
                next.push(index);
            }
            if finished.is_some() {
                done.push(index);
            }
            let mark = match (finished, ready) {
                (Some(work), None) => (work.sealed.intent.max + 1, work.sealed.done_mark()),
                (Some(work), Some(ready)) => (work.sealed.intent.max + 1, ready.sealed.intent_mark()),
                // The intent of a replay stands in Kafka since an earlier life.
                (None, Some(ready)) if !ready.sealed.is_replay => {
                    (partition.committed, ready.sealed.intent_mark())
                }
                _ => continue,
            };
            marks.push((index, mark.0, mark.1));
        }
        for index in &done {
            let partition = &self.state.partitions()[*index];
            if let Some(work) = &partition.storing {
                self.rejecter.write(&partition.topic, partition.number, &work.refused)?;
            }
        }
        if !self.commit(&marks)? {
            return Ok(());
        }
        for index in done {
            self.finish(index);
        }
        for index in next {
            let partition = self.state.partition_mut(index);
            if let Next::Ready(work) = std::mem::replace(&mut partition.next, Next::Nothing) {
                partition.storing = Some(work);
                self.store(index);
            }
        }
        Ok(())
    }

    /// Notes that a range is stored and committed.
    fn finish(&mut self, index: usize) {
        let partition = self.state.partition_mut(index);
        let Some(work) = partition.storing.take() else { return };
        let took = work.began.elapsed();
        partition.committed = work.sealed.intent.max + 1;
        partition.earliest = Instant::now() + took.min(LONGEST_PAUSE);
        let family = partition.family;
        self.parts.metrics.duplicates.inc_by(work.duplicates);
        self.parts.metrics.replays.inc_by(u64::from(work.sealed.is_replay));
        let (family, topic) = self.state.family(family);
        let lag = self.consumer.context().lag(topic);
        self.parts.note_freshness(family, &work.oldest);
        self.quality.note(family, work.oldest, lag);
    }

    fn store(&mut self, index: usize) {
        let Some(work) = &mut self.state.partition_mut(index).storing else { return };
        work.began = Instant::now();
        let storing = store::store(self.parts.inserter.clone(), work.chunks.clone(), work.before());
        let job = async move { Job::Stored { index, ended: storing.await } };
        self.jobs.spawn_on(job, &self.parts.runtime);
    }

    /// Commits positions with their marks; false when the partitions were taken away meanwhile.
    fn commit(&mut self, marks: &[(usize, i64, Mark)]) -> Result<bool, SinkError> {
        if marks.is_empty() {
            return Ok(true);
        }
        let epoch = self.state.epoch();
        let mut offsets = TopicPartitionList::with_capacity(marks.len());
        for (index, offset, mark) in marks {
            let partition = &self.state.partitions()[*index];
            let mut element = offsets.add_partition(&partition.topic, partition.number);
            element
                .set_offset(Offset::Offset(*offset))
                .map_err(|source| SinkError::Kafka { action: format!("commit offset {offset}"), source })?;
            element.set_metadata(mark.to_string());
        }
        loop {
            match self.consumer.commit(&offsets, CommitMode::Sync) {
                Ok(()) => return Ok(true),
                Err(error) => tracing::warn!(%error, "commit failed, trying again"),
            }
            self.pump(Duration::from_millis(200))?;
            if self.state.epoch() != epoch || self.is_out_of_time() {
                return Ok(false);
            }
        }
    }

    fn is_out_of_time(&mut self) -> bool {
        if !self.parts.shutdown.is_cancelled() {
            return false;
        }
        self.stopping_since.get_or_insert_with(Instant::now).elapsed() > DRAIN
    }
}

fn is_storing(partition: &partition::Partition) -> bool {
    partition.storing.as_ref().is_some_and(|work| !work.is_stored)
}
