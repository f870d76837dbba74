//! Group membership: what happens between two records. librdkafka tells of assignments and revocations inside `poll`; the context
//! here answers an assignment with explicit positions and leaves word for the loop, which owns all state.
//!
//! Eager protocol: every rebalance takes all partitions away first. Each assignment has an epoch; work of an older one is dropped.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientConfig, ClientContext, Message as _, Offset, Statistics, TopicPartitionList};
use touchstream_schemas::duplicates::DuplicateLimits;

use crate::error::SinkError;
use crate::ledger::{Found, Intent, LedgerError, Mark};
use crate::metrics::Metrics;

/// Longest wait for one answer of the broker.
const ANSWER: Duration = Duration::from_secs(10);
/// Tries to learn the positions of an assignment: brokers that just started answer late.
const TRIES: u32 = 6;

/// Where a partition goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Topic.
    pub(crate) topic: String,
    /// Partition.
    pub(crate) partition: i32,
    /// First offset that is not stored.
    pub(crate) next: i64,
    /// Range to replay first.
    pub(crate) replay: Option<Intent>,
    /// Append time of the record before `next`, where known.
    pub(crate) appended_at: Option<i64>,
}

/// What the loop must know.
#[derive(Debug)]
pub(crate) enum Change {
    /// New partitions.
    Assigned(Vec<Position>),
    /// All partitions are gone.
    Revoked,
    /// The positions cannot be continued.
    Failed(SinkError),
}

/// Context of a consumer.
pub(crate) struct Follow {
    group: String,
    /// Limits of the duplicate rule where the stretch before the position is read again.
    rebuild: Option<DuplicateLimits>,
    /// How to read the record that the ledger remembers; `None` where there is no ledger.
    check: Option<ClientConfig>,
    changes: Mutex<Vec<Change>>,
    lag: Mutex<Vec<(String, i64)>>,
    metrics: Metrics,
}

impl Follow {
    /// A context; with `rebuild`, reading starts that far before the position, and `check` makes a second reader where one is needed.
    pub(crate) fn new(
        group: String,
        rebuild: Option<DuplicateLimits>,
        check: ClientConfig,
        metrics: Metrics,
    ) -> Follow {
        let check = rebuild.is_some().then_some(check);
        Follow { group, rebuild, check, changes: Mutex::default(), lag: Mutex::default(), metrics }
    }

    /// Changes since the last call.
    pub(crate) fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut *lock(&self.changes))
    }

    /// Records of `topic` not yet read.
    pub(crate) fn lag(&self, topic: &str) -> i64 {
        lock(&self.lag).iter().find(|(name, _)| name == topic).map_or(0, |(_, lag)| *lag)
    }

    fn positions(
        &self,
        consumer: &BaseConsumer<Follow>,
        assigned: &TopicPartitionList,
    ) -> Result<(TopicPartitionList, Vec<Position>), SinkError> {
        let kafka = |action: &str| {
            let action = action.to_owned();
            move |source| SinkError::Kafka { action, source }
        };
        let mut question = TopicPartitionList::new();
        for element in assigned.elements() {
            question.add_partition(element.topic(), element.partition());
        }
        let committed =
            consumer.committed_offsets(question, ANSWER).map_err(kafka("read the committed offsets"))?;
        let mut start = TopicPartitionList::new();
        let mut positions = Vec::new();
        for element in committed.elements() {
            element.error().map_err(kafka("read a committed offset"))?;
            let (topic, partition) = (element.topic(), element.partition());
            let ledger = |source| SinkError::Ledger { topic: topic.to_owned(), partition, source };
            let offset = match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            let mark = if offset.is_some() {
                Mark::parse(element.metadata()).map_err(ledger)?
            } else {
                Mark::default()
            };
            let (low, high) = consumer
                .fetch_watermarks(topic, partition, ANSWER)
                .map_err(kafka("read the bounds of a partition"))?;
            let found = Found { committed: offset, mark, low, high };
            let plan = found.plan().map_err(ledger)?;
            if let Some(witness) = mark.witness(plan.next) {
                let renewed = self.renewed(consumer, (topic, partition), witness, low);
                if let Some(error) = renewed.map_err(kafka("look for a record that was read"))? {
                    return Err(ledger(error));
                }
            }
            let mut from = plan.next;
            if let Some(limits) = self.rebuild {
                let limits = plan.replay.map_or(limits, |intent| intent.limits);
                let by_age = match mark.appended_at {
                    Some(appended_at) => {
                        offset_at(consumer, topic, partition, appended_at.saturating_sub(limits.age.0))
                            .map_err(kafka("find an offset by its time"))?
                    }
                    None => None,
                };
                from = found.rebuild_from(plan.next, limits, by_age);
            }
            start
                .add_partition_offset(topic, partition, Offset::Offset(from))
                .map_err(kafka("set a position"))?;
            positions.push(Position {
                topic: topic.to_owned(),
                partition,
                next: plan.next,
                replay: plan.replay,
                appended_at: mark.appended_at,
            });
        }
        Ok((start, positions))
    }

    /// Whether another record stands where the ledger remembers one: then the topic was made anew, and going on behind the position would
    /// skip what lies before it. Append times rise, so one question mostly answers it; only where it does not the record is read.
    fn renewed(
        &self,
        consumer: &BaseConsumer<Follow>,
        (topic, partition): (&str, i32),
        (offset, expected): (i64, i64),
        low: i64,
    ) -> Result<Option<LedgerError>, KafkaError> {
        let Some(check) = self.check.as_ref().filter(|_| offset >= low) else { return Ok(None) };
        let later = offset_at(consumer, topic, partition, expected.saturating_add(1))?;
        let is_first = offset_at(consumer, topic, partition, expected)?.is_some_and(|first| first <= offset);
        if is_first && later.is_some_and(|later| later > offset) {
            return Ok(None);
        }
        let compared = |message: &BorrowedMessage<'_>| {
            let found = message.timestamp().to_millis().unwrap_or_default();
            // A record that is gone tells nothing.
            let is_another = message.offset() == offset && found != expected;
            Some(is_another.then_some(LedgerError::Renewed { offset, found, expected }))
        };
        read(check, (topic, partition), offset, compared)
    }

    /// The bytes of some records, by rising offset, read once more: what is refused late is rare, so nobody keeps them for that.
    pub(crate) fn read_again(
        &self,
        place: (&str, i32),
        offsets: &[i64],
    ) -> Result<HashMap<i64, Vec<u8>>, KafkaError> {
        let mut found = HashMap::new();
        let (Some(check), [first, ..], [.., last]) = (&self.check, offsets, offsets) else {
            return Ok(found);
        };
        let kept = |message: &BorrowedMessage<'_>| {
            let offset = message.offset();
            if let (Ok(_), Some(payload)) = (offsets.binary_search(&offset), message.payload()) {
                found.insert(offset, payload.to_vec());
            }
            (offset >= *last).then_some(())
        };
        read(check, place, *first, kept)?;
        Ok(found)
    }

    fn assign(
        &self,
        consumer: &BaseConsumer<Follow>,
        assigned: &TopicPartitionList,
    ) -> Result<Change, SinkError> {
        let mut tries = 1;
        let (start, positions) = loop {
            match self.positions(consumer, assigned) {
                Err(SinkError::Kafka { action, source }) if tries < TRIES => {
                    tracing::warn!(action, error = %source, "positions are not known yet, trying again");
                    std::thread::sleep(Duration::from_millis(500));
                    tries += 1;
                }
                other => break other?,
            }
        };
        consumer
            .assign(&start)
            .map_err(|source| SinkError::Kafka { action: "take the assignment".to_owned(), source })?;
        Ok(Change::Assigned(positions))
    }
}

/// Reads a partition from an offset on, as no member of a group, until `take` has found what it wants.
fn read<T>(
    config: &ClientConfig,
    (topic, partition): (&str, i32),
    offset: i64,
    mut take: impl FnMut(&BorrowedMessage<'_>) -> Option<T>,
) -> Result<T, KafkaError> {
    let reader: BaseConsumer = config.create()?;
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    reader.assign(&place)?;
    let mut answered = Instant::now();
    while answered.elapsed() < ANSWER {
        match reader.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                answered = Instant::now();
                if let Some(found) = take(&message) {
                    return Ok(found);
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) | None => {}
            Some(Err(error)) => return Err(error),
        }
    }
    Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut))
}

/// The first offset whose append time is not before `time`.
fn offset_at(
    consumer: &BaseConsumer<Follow>,
    topic: &str,
    partition: i32,
    time: i64,
) -> Result<Option<i64>, KafkaError> {
    let mut question = TopicPartitionList::new();
    question.add_partition_offset(topic, partition, Offset::Offset(time.max(0)))?;
    let answer = consumer.offsets_for_times(question, ANSWER)?;
    Ok(answer.elements().first().and_then(|element| match element.offset() {
        Offset::Offset(offset) => Some(offset),
        // Every record is older.
        Offset::End => Some(i64::MAX),
        _ => None,
    }))
}

impl ClientContext for Follow {
    /// librdkafka itself holds repetitions back; the end of a partition is no error, though it comes here as one.
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::warn!(group = self.group, %error, reason, "the consumer reports an error");
        }
    }

    fn stats(&self, statistics: Statistics) {
        let mut lags = Vec::new();
        for (topic, of_topic) in statistics.topics {
            let lag = of_topic.partitions.values().map(|partition| partition.consumer_lag.max(0)).sum();
            self.metrics.lag.with_label_values(&[self.group.as_str(), topic.as_str()]).set(lag);
            lags.push((topic, lag));
        }
        *lock(&self.lag) = lags;
    }
}

impl ConsumerContext for Follow {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Follow>,
        event: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let change = match RDKafkaErrorCode::from(event) {
            RDKafkaErrorCode::AssignPartitions => {
                self.assign(consumer, partitions).unwrap_or_else(Change::Failed)
            }
            code => {
                if code != RDKafkaErrorCode::RevokePartitions {
                    tracing::warn!(%code, "rebalance failed");
                }
                if let Err(error) = consumer.unassign() {
                    tracing::warn!(%error, "failed to give partitions back");
                }
                Change::Revoked
            }
        };
        lock(&self.changes).push(change);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
