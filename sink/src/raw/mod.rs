//! Raw events, exactly once: consume → seal a range per partition → commit its intent → decode → insert → commit behind it.
//!
//! One thread owns all state. While inserts run in the background it keeps polling, so that the next range fills, heartbeats go
//! on and a rebalance is noticed; work of partitions that were taken away is dropped and its next owner replays it.

mod decode;
mod month;
mod partition;
pub(crate) mod range;
mod state;
mod store;

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use touchstream_schemas::topics::Topics;

use crate::error::SinkError;
use crate::follow::{Change, Follow};
use crate::ledger::Mark;
use crate::parts::Parts;
use crate::poll::{self, Brake, Polled};
use crate::quality::Quality;
use crate::reject::Rejecter;
use state::State;

pub(crate) use state::{table_of, written};

/// Longest pause between two ranges when inserts are slow.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long an unfinished insert is waited for at shutdown; its intent stands, so the next start replays it.
const DRAIN: Duration = Duration::from_secs(10);

/// The thread's state.
pub(crate) struct RawSink {
    parts: Parts,
    consumer: BaseConsumer<Follow>,
    state: State,
    rejecter: Rejecter,
    quality: Quality,
    brake: Brake,
    stopping_since: Option<Instant>,
}

impl RawSink {
    /// Joins the group.
    pub(crate) fn start(parts: Parts) -> Result<RawSink, SinkError> {
        let state = State::new(&parts)?;
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
            brake: Brake::default(),
            stopping_since: None,
        })
    }

    /// Works until shutdown.
    pub(crate) fn run(mut self) -> Result<(), SinkError> {
        let settings = self.parts.settings.sink.clone();
        let age = Duration::from_millis(settings.batch_age_ms);
        let mut earliest = Instant::now();
        while !self.parts.shutdown.is_cancelled() {
            self.pump(Duration::from_millis(20).min(age))?;
            let now = Instant::now();
            let full = self.state.ready() >= settings.batch_rows;
            let old = self.state.oldest_since().is_some_and(|since| now - since >= age) && now >= earliest;
            if full || old {
                let started = Instant::now();
                self.round()?;
                // When inserts are slow, fewer and larger ones are kinder to ClickHouse than a fixed rhythm.
                earliest = Instant::now() + (started.elapsed() * 2).min(LONGEST_PAUSE);
            }
            self.quality.write_when_due();
        }
        while self.state.ready() > 0 && !self.is_out_of_time() {
            self.round()?;
        }
        self.quality.finish();
        Ok(())
    }

    /// Takes what Kafka has for us, for at most `wait` when there is nothing.
    fn pump(&mut self, wait: Duration) -> Result<(), SinkError> {
        let mut wait = wait;
        for _ in 0..500 {
            let polled = self.consumer.poll(wait);
            for change in self.consumer.context().take_changes() {
                if let Change::Failed(error) = change {
                    return Err(error);
                }
                self.brake.release();
                self.parts.note_change("raw events", &change);
                self.state.apply(change);
            }
            match poll::sort(polled)? {
                Polled::Nothing => break,
                Polled::Again => {}
                Polled::Message(message) => self.state.accept(&message)?,
            }
            wait = Duration::ZERO;
        }
        self.bound_memory()
    }

    fn bound_memory(&mut self) -> Result<(), SinkError> {
        let (held, limit) = (self.state.held(), self.parts.settings.sink.memory_bytes / 2);
        self.parts
            .metrics
            .held_bytes
            .with_label_values(&["raw"])
            .set(i64::try_from(held).unwrap_or(i64::MAX));
        self.brake.bound(&self.consumer, held, limit, &self.state.unfinished_replays())
    }

    /// Stores one range of every partition that has one.
    fn round(&mut self) -> Result<(), SinkError> {
        let epoch = self.state.epoch();
        let sealed = self.state.seal(self.parts.settings.sink.batch_rows);
        if sealed.is_empty() {
            return Ok(());
        }
        let fresh = sealed.iter().filter(|range| !range.is_replay);
        let intents: Vec<(usize, i64, Mark)> = fresh
            .map(|range| {
                (range.partition, self.state.partition(range.partition).committed, range.intent_mark())
            })
            .collect();
        if !self.commit(&intents, epoch)? {
            return Ok(());
        }
        let mut inserts = Vec::new();
        let mut visible = Vec::new();
        for range in &sealed {
            let prepared = self.state.prepare(range)?;
            let partition = self.state.partition(range.partition);
            self.rejecter.write(&partition.topic, partition.number, &prepared.refused)?;
            self.parts.metrics.duplicates.inc_by(prepared.duplicates);
            visible.push((partition.family, prepared.oldest));
            let place = self.state.place(range);
            for (month, insert) in prepared.inserts {
                let question = store::stored_question(&self.parts.inserter, place, month);
                inserts.push(store::Planned { insert, question, is_replay: range.is_replay });
            }
        }
        self.parts.metrics.replays.inc_by(sealed.iter().filter(|range| range.is_replay).count() as u64);
        if !self.store(inserts, epoch)? {
            return Ok(());
        }
        let done: Vec<(usize, i64, Mark)> =
            sealed.iter().map(|range| (range.partition, range.intent.max + 1, range.done_mark())).collect();
        if !self.commit(&done, epoch)? {
            return Ok(());
        }
        for (partition, committed, _) in done {
            self.state.partition_mut(partition).committed = committed;
        }
        for (family, oldest) in visible {
            let (family, topic) = self.state.family(family);
            let lag = self.consumer.context().lag(topic);
            self.parts.note_freshness(family, &oldest);
            self.quality.note(family, oldest, lag);
        }
        Ok(())
    }

    /// Runs the inserts while polling; false when the partitions were taken away meanwhile or shutdown lasts too long.
    fn store(&mut self, inserts: Vec<store::Planned>, epoch: u64) -> Result<bool, SinkError> {
        let mut running = store::start(&self.parts, inserts);
        loop {
            match self.parts.runtime.block_on(store::next(&mut running, Duration::from_millis(5))) {
                store::Step::Done => return Ok(true),
                store::Step::Stored(result) => result?,
                store::Step::Waiting => {
                    self.pump(Duration::ZERO)?;
                    if self.state.epoch() != epoch || self.is_out_of_time() {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Commits positions with their marks; false when the partitions were taken away meanwhile.
    fn commit(&mut self, marks: &[(usize, i64, Mark)], epoch: u64) -> Result<bool, SinkError> {
        if marks.is_empty() {
            return Ok(true);
        }
        let mut offsets = TopicPartitionList::with_capacity(marks.len());
        for (index, offset, mark) in marks {
            let partition = self.state.partition(*index);
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
