//! Derived results: windows, minutes, facts and quality counts, each an upsert. Consume → decode into columns → insert → commit. At
//! least once is enough: a repeated row has the same revision and changes nothing.

pub(crate) mod columns;
pub(crate) mod gather;
pub(crate) mod tables;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::JoinSet;
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::time::EventTime;
use touchstream_schemas::topics::Topics;

use crate::error::SinkError;
use crate::follow::{Change, Follow};
use crate::parts::Parts;
use crate::poll::{self, Brake, Polled};
use crate::reject::{Refused, Rejecter};
use columns::Table as _;
use gather::{Gathered, Source};

/// How long an unfinished insert is waited for at shutdown.
const DRAIN: Duration = Duration::from_secs(10);
/// Records may take this part of the memory; raw events and their ids take more.
const SHARE: usize = 6;
/// Rows that one turn of the loop takes in before it looks at the clock.
const TURN: usize = 500;

/// Tables and written columns of the derived results.
pub(crate) fn written() -> Vec<(&'static str, arrow_schema::Schema)> {
    let mut all = Gathered::written();
    all.push((tables::QualitySink::NAME, tables::QualitySink::schema()));
    all
}

struct Topic {
    name: String,
    source: Source,
    decoder: Decoder,
}

/// Positions behind the gathered records, by topic index and partition.
type Positions = HashMap<(usize, i32), i64>;

/// The thread's state.
pub(crate) struct DerivedSink {
    parts: Parts,
    consumer: BaseConsumer<Follow>,
    topics: Vec<Topic>,
    rejecter: Rejecter,
    gathered: Gathered,
    refused: Vec<(usize, i32, Refused)>,
    positions: Positions,
    held: usize,
    waiting_since: Option<Instant>,
    /// When Kafka got the oldest gathered record.
    oldest: Option<EventTime>,
    epoch: u64,
    brake: Brake,
    stopping_since: Option<Instant>,
}

impl DerivedSink {
    /// Joins the group.
    pub(crate) fn start(parts: Parts) -> Result<DerivedSink, SinkError> {
        let names = Topics::new(parts.settings.kafka.topic_prefix.as_str());
        let topics: Vec<Topic> = [
            (names.windows(), Source::Windows),
            (names.minutes(), Source::Minutes),
            (names.checkouts(), Source::Checkouts),
            (names.conversations(), Source::Conversations),
            (names.answers(), Source::Answers),
            (names.regressions(), Source::Regressions),
            (names.quality(), Source::Quality),
        ]
        .into_iter()
        .map(|(name, source)| Topic { name, source, decoder: source.decoder() })
        .collect();
        let subscribed: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
        Ok(DerivedSink {
            consumer: poll::consumer(&parts, "derived", None, &subscribed)?,
            rejecter: Rejecter::new(&parts.settings, parts.metrics.clone())?,
            parts,
            topics,
            gathered: Gathered::default(),
            refused: Vec::new(),
            positions: Positions::new(),
            held: 0,
            waiting_since: None,
            oldest: None,
            epoch: 0,
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
            let full = self.gathered.rows() >= settings.batch_rows;
            let old = self.waiting_since.is_some_and(|since| now - since >= age) && now >= earliest;
            if full || old {
                let started = Instant::now();
                self.round()?;
                earliest = Instant::now() + (started.elapsed() * 2).min(Duration::from_secs(1));
            }
        }
        self.round()
    }

    fn pump(&mut self, wait: Duration) -> Result<(), SinkError> {
        let mut wait = wait;
        for _ in 0..TURN {
            let polled = self.consumer.poll(wait);
            for change in self.consumer.context().take_changes() {
                if let Change::Failed(error) = change {
                    return Err(error);
                }
                self.parts.note_change("results", &change);
                self.epoch += 1;
                self.brake.release();
                // What waits belongs to partitions that are read again from their committed positions.
                self.gathered = Gathered::default();
                self.refused.clear();
                self.positions.clear();
                (self.held, self.waiting_since, self.oldest) = (0, None, None);
            }
            match poll::sort(polled)? {
                Polled::Nothing => break,
                Polled::Again => {}
                Polled::Message(message) => accept(
                    &message,
                    &self.topics,
                    &mut self.gathered,
                    &mut self.refused,
                    &mut self.positions,
                    &mut self.held,
                    &mut self.oldest,
                ),
            }
            wait = Duration::ZERO;
        }
        if self.waiting_since.is_none() && !self.positions.is_empty() {
            self.waiting_since = Some(Instant::now());
        }
        let (held, limit) = (self.held, self.parts.settings.sink.memory_bytes / SHARE);
        self.parts
            .metrics
            .held_bytes
            .with_label_values(&["derived"])
            .set(i64::try_from(held).unwrap_or(i64::MAX));
        self.brake.bound(&self.consumer, held, limit, &[])
    }

    /// Stores what was gathered.
    fn round(&mut self) -> Result<(), SinkError> {
        if self.positions.is_empty() {
            return Ok(());
        }
        let epoch = self.epoch;
        let (positions, refused) = (std::mem::take(&mut self.positions), std::mem::take(&mut self.refused));
        let oldest = self.oldest.take();
        let inserts = self.gathered.inserts()?;
        (self.held, self.waiting_since) = (0, None);
        for (topic, partition, record) in refused {
            self.rejecter.write(&self.topics[topic].name, partition, &[record])?;
        }
        let tables: Vec<&'static str> = inserts.iter().map(|insert| insert.table).collect();
        let mut running = JoinSet::new();
        for insert in inserts {
            let inserter = self.parts.inserter.clone();
            running.spawn_on(async move { inserter.run(&insert).await }, &self.parts.runtime);
        }
        loop {
            // A timer must be made inside the runtime.
            let next = async { tokio::time::timeout(Duration::from_millis(5), running.join_next()).await };
            match self.parts.runtime.block_on(next) {
                Ok(None) => break,
                Ok(Some(Ok(result))) => result?,
                Ok(Some(Err(_))) => return Err(SinkError::Thread("insert")),
                Err(_) => {
                    self.pump(Duration::ZERO)?;
                    if self.epoch != epoch || self.is_out_of_time() {
                        return Ok(());
                    }
                }
            }
        }
        for table in tables {
            if let Some(oldest) = oldest {
                self.parts.observe_freshness(table, oldest);
            }
        }
        self.commit(&positions, epoch)
    }

    fn commit(&mut self, positions: &Positions, epoch: u64) -> Result<(), SinkError> {
        let mut offsets = TopicPartitionList::with_capacity(positions.len());
        for ((topic, partition), offset) in positions {
            offsets
                .add_partition_offset(&self.topics[*topic].name, *partition, Offset::Offset(*offset))
                .map_err(|source| SinkError::Kafka { action: format!("commit offset {offset}"), source })?;
        }
        loop {
            match self.consumer.commit(&offsets, CommitMode::Sync) {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(%error, "commit failed, trying again"),
            }
            self.pump(Duration::from_millis(200))?;
            if self.epoch != epoch || self.is_out_of_time() {
                return Ok(());
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

/// Takes a record in; a compacted topic's tombstone only moves the position.
fn accept(
    message: &BorrowedMessage<'_>,
    topics: &[Topic],
    gathered: &mut Gathered,
    refused: &mut Vec<(usize, i32, Refused)>,
    positions: &mut Positions,
    held: &mut usize,
    oldest: &mut Option<EventTime>,
) {
    let Some(index) = topics.iter().position(|topic| topic.name == message.topic()) else { return };
    positions.insert((index, message.partition()), message.offset() + 1);
    let Some(payload) = message.payload() else { return };
    *held += payload.len();
    let appended_at = EventTime(poll::appended_at(message));
    *oldest = Some(oldest.map_or(appended_at, |oldest| oldest.min(appended_at)));
    let topic = &topics[index];
    if let Err(error) = gathered.add(topic.source, &topic.decoder, payload) {
        let record = Refused {
            offset: message.offset(),
            reason: error.reason(),
            detail: error.to_string(),
            payload: Some(payload.to_vec()),
        };
        refused.push((index, message.partition(), record));
    }
}
