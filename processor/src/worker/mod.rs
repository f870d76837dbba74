//! The worker: brings Kafka, transactions and the clock to a [`Stage`], on a thread of its own.
//!
//! A session is: join the group ([`rebalance`]) → on assignment restore the partitions' state ([`restore`]) → gather records for one
//! transaction interval → settle → commit outputs, state and input offsets together ([`transaction`]) → again.
//!
//! Promise: whatever goes wrong, the session ends, the producer is dropped (librdkafka lacks KIP-890: after any doubt
//! about a transaction only a new producer with the same id is safe), all state is forgotten, and the next session starts from the
//! last commit. There is one way back, not one per error.

mod rebalance;
mod restore;
mod transaction;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use touchstream_runtime::admin::Readiness;
use touchstream_runtime::kafka;
use touchstream_runtime::settings::Settings;
use touchstream_runtime::shutdown::Shutdown;
use touchstream_schemas::time::{EventTime, Millis};

use crate::error::ProcessorError;
use crate::metrics::Metrics;
use crate::partitions::Partitions;
use crate::stage::{InputPartition, Record, Stage};

use rebalance::{GroupContext, GroupEvent};
use restore::Restorer;
use transaction::Transaction;

/// Longest wait for any answer of Kafka that is not a commit.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// How long a partition must be silent before Kafka is asked whether more is waiting; asked again as often.
const SILENCE: Duration = Duration::from_secs(1);
/// A record that Kafka appended this long ago shows that the worker is behind.
const BEHIND: Millis = Millis(2_000);
/// Records between two looks at what could be sent already.
const BETWEEN_FLUSHES: usize = 2_048;
/// Records that are taken and counted in a row, as what their look-ups need comes from memory together; 16 to 64 were alike.
const ROW: usize = 32;
/// How long nothing must have come until a worker that was behind has caught up.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a transaction gathers while the worker is behind, if that is longer than the configured interval.
const CATCH_UP_INTERVAL: Duration = Duration::from_secs(1);
/// How often the lag is measured.
const LAG_INTERVAL: Duration = Duration::from_secs(5);

/// Runs one stage until shutdown.
pub(crate) struct Worker {
    pub(crate) settings: Settings,
    pub(crate) stage: Box<dyn Stage>,
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Readiness,
    pub(crate) shutdown: Shutdown,
}

/// Where reading stands in one partition.
struct Position {
    next_offset: i64,
    /// The last record, or the last time that the partition's end was asked for.
    silent_since: Instant,
}

/// The partitions of one assignment and the group generation they belong to.
#[derive(Default)]
struct Assignment {
    positions: Partitions<Position>,
    group: Option<Arc<ConsumerGroupMetadata>>,
    /// Something was read since the last commit.
    has_progress: bool,
}

impl Worker {
    /// Runs sessions until shutdown; a session that fails is followed by another after a growing wait.
    pub(crate) fn run(mut self) {
        let name = self.stage.name();
        self.readiness.expect(name);
        let mut failures = 0_u32;
        let instance = match self.settings.processor.instance_id.as_str() {
            "" => kafka::unique_id(),
            given => given.to_owned(),
        };
        while !self.shutdown.is_cancelled() {
            let began = Instant::now();
            // A panic is a fault of this program; it must not end a stage silently while the other goes on.
            let session = catch_unwind(AssertUnwindSafe(|| self.session(&instance)));
            match session.unwrap_or_else(|_| Err(ProcessorError::Panicked)) {
                Ok(()) => break,
                Err(error) => {
                    self.stage.clear();
                    self.metrics.session_failed(name);
                    self.readiness.not_ready(name, error.to_string());
                    tracing::warn!(stage = name, %error, "session ended, going back to the last commit");
                    failures = if began.elapsed() > Duration::from_secs(60) { 0 } else { failures + 1 };
                    let wait = Duration::from_millis(100 << failures.min(6));
                    let until = Instant::now() + wait;
                    while Instant::now() < until && !self.shutdown.is_cancelled() {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            }
        }
        tracing::info!(stage = name, "stopped");
    }

    /// `instance` is the same in every session of this process: what a failed session left open is ended by the next.
    fn session(&mut self, instance: &str) -> Result<(), ProcessorError> {
        let name = self.stage.name();
        let processor = &self.settings.processor;
        let transactional_id = format!("{}-{name}-{instance}", processor.group);
        let mut transaction = Transaction::connect(&self.settings, &transactional_id, &self.shutdown)?;

        let group = format!("{}-{name}", processor.group);
        let mut config = kafka::consumer(
            &self.settings.kafka,
            &kafka::named_client(name, &processor.instance_id),
            &group,
        )?;
        if !processor.instance_id.is_empty() {
            config.set("group.instance.id", format!("{name}-{instance}"));
        }
        config.set("enable.partition.eof", "false");
        let consumer: BaseConsumer<GroupContext> =
            config.create_with_context(GroupContext::new(transaction.in_flight()))?;
        let inputs = self.stage.inputs();
        consumer.subscribe(&inputs.iter().map(String::as_str).collect::<Vec<_>>())?;

        let interval = Duration::from_millis(processor.transaction_interval_ms);
        let mut assignment = Assignment::default();
        let mut lag_measured = Instant::now();
        loop {
            let is_stopping = self.shutdown.is_cancelled();
            if !is_stopping {
                self.gather(&consumer, &mut assignment, &mut transaction, interval)?;
            }
            while let Some(event) = consumer.context().take() {
                self.wait_for(&mut transaction)?;
                transaction.abort()?;
                self.stage.clear();
                assignment = Assignment::default();
                match event {
                    GroupEvent::Revoked => tracing::info!(stage = name, "partitions revoked"),
                    GroupEvent::Assigned(partitions) => {
                        assignment = self.take_over(&consumer, &partitions)?;
                        self.readiness.ready(name);
                    }
                    GroupEvent::Failed(source) => return Err(ProcessorError::Kafka(source)),
                }
            }
            self.commit(&mut assignment, &mut transaction, is_stopping)?;
            if is_stopping {
                return self.wait_for(&mut transaction);
            }
            self.ask_silent_partitions(&consumer, &mut assignment);
            if lag_measured.elapsed() >= LAG_INTERVAL {
                self.measure_lag(&consumer, &assignment);
                lag_measured = Instant::now();
            }
        }
    }

    /// Reads and processes records until the interval is over or the transaction is full.
    fn gather(
        &mut self,
        consumer: &BaseConsumer<GroupContext>,
        assignment: &mut Assignment,
        transaction: &mut Transaction,
        interval: Duration,
    ) -> Result<(), ProcessorError> {
        let began = Instant::now();
        let (mut records, mut unflushed) = (0, 0);
        let mut is_behind = false;
        let mut row = Vec::with_capacity(ROW);
        while records < self.settings.processor.transaction_records {
            let most = ROW.min(self.settings.processor.transaction_records - records);
            let now = Instant::now();
            // Larger transactions cost less for each record; while readers wait for old records anyway, nobody waits longer.
            let until = began + if is_behind { interval.max(CATCH_UP_INTERVAL) } else { interval };
            let left = until.saturating_duration_since(now);
            if left.is_zero() {
                break;
            }
            let patience = if is_behind { left.min(PAUSE) } else { left };
            self.poll_row(consumer, patience, most, &mut row)?;
            if consumer.context().is_pending() {
                // What was read belongs to an assignment that has ended.
                break;
            }
            let Some(last) = row.last() else {
                // Nothing waits: whoever was behind has caught up, and readers need not wait for more.
                if is_behind {
                    break;
                }
                continue;
            };
            is_behind = EventTime::now() - Record::from(last).appended_at > BEHIND;
            if unflushed >= BETWEEN_FLUSHES && !transaction.is_committing() {
                self.wait_for(transaction)?;
                self.stage.flush(EventTime::now(), transaction)?;
                unflushed = 0;
            }
            records += row.len();
            unflushed += row.len();
            self.process_row(&row, now, assignment)?;
            row.clear();
            if self.stage.is_full() {
                break;
            }
        }
        Ok(())
    }

    /// Takes `most` of the records that wait, and waits up to `patience` for the first.
    fn poll_row<'c>(
        &self,
        consumer: &'c BaseConsumer<GroupContext>,
        mut patience: Duration,
        most: usize,
        row: &mut Vec<BorrowedMessage<'c>>,
    ) -> Result<(), ProcessorError> {
        while row.len() < most {
            match consumer.poll(patience) {
                None => break,
                Some(Ok(message)) => row.push(message),
                Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(source)) if is_passing(&source) => {
                    tracing::warn!(stage = self.stage.name(), error = %source, "Kafka is away, waiting");
                    break;
                }
                Some(Err(source)) => return Err(ProcessorError::Kafka(source)),
            }
            patience = Duration::ZERO;
        }
        Ok(())
    }

    /// Hands records to the stage, those of one partition together.
    fn process_row(
        &mut self,
        row: &[BorrowedMessage<'_>],
        now: Instant,
        assignment: &mut Assignment,
    ) -> Result<(), ProcessorError> {
        let is_together = |one: &BorrowedMessage<'_>, next: &BorrowedMessage<'_>| {
            one.partition() == next.partition() && one.topic() == next.topic()
        };
        for run in row.chunk_by(is_together) {
            let [.., last] = run else { continue };
            let found = assignment.positions.get_mut(last.topic(), last.partition());
            let Some((partition, position)) = found else { continue };
            let records: Vec<Record<'_>> = run.iter().map(Record::from).collect();
            self.stage.process_row(partition, &records)?;
            *position = Position { next_offset: last.offset() + 1, silent_since: now };
            assignment.has_progress = true;
        }
        Ok(())
    }

    /// Restores the state of newly assigned partitions and starts reading them.
    fn take_over(
        &mut self,
        consumer: &BaseConsumer<GroupContext>,
        partitions: &[InputPartition],
    ) -> Result<Assignment, ProcessorError> {
        let began = Instant::now();
        let group = consumer.group_metadata().map(Arc::new);
        let restorer = Restorer::new(&self.settings, consumer, &self.shutdown)?;
        let mut list = TopicPartitionList::new();
        let mut assignment = Assignment { group, ..Assignment::default() };
        for (partition, committed) in restorer.committed(partitions)? {
            self.stage.assigned(&partition, committed.as_ref(), EventTime::now());
            let Some(next_offset) = restorer.restore(self.stage.as_mut(), &partition, committed.as_ref())?
            else {
                // Another rebalance, or shutdown, came in between: this assignment is not valid any more.
                return Ok(Assignment::default());
            };
            list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(next_offset))?;
            let position = Position { next_offset, silent_since: Instant::now() };
            assignment.positions.insert(partition, position);
        }
        consumer.assign(&list)?;
        let seconds = began.elapsed().as_secs_f64();
        tracing::info!(
            stage = self.stage.name(),
            partitions = assignment.positions.len(),
            seconds,
            "partitions taken over"
        );
        Ok(assignment)
    }

    fn commit(
        &mut self,
        assignment: &mut Assignment,
        transaction: &mut Transaction,
        is_last: bool,
    ) -> Result<(), ProcessorError> {
        if assignment.positions.len() == 0 {
            return Ok(());
        }
        // The commit before this one ran while records were gathered; nothing may be sent before it has ended.
        self.wait_for(transaction)?;
        let began = Instant::now();
        self.stage.settle(EventTime::now(), transaction)?;
        if !assignment.has_progress && !transaction.is_open() {
            return Ok(());
        }
        let mut offsets = TopicPartitionList::new();
        for (partition, position) in assignment.positions.iter() {
            let mut element = offsets.add_partition(&partition.topic, partition.partition);
            element.set_offset(Offset::Offset(position.next_offset))?;
            element.set_metadata(self.stage.note(partition));
        }
        let group = assignment.group.clone().ok_or(ProcessorError::NoGroup)?;
        transaction.commit(offsets, group, began, is_last)?;
        assignment.has_progress = false;
        Ok(())
    }

    fn wait_for(&self, transaction: &mut Transaction) -> Result<(), ProcessorError> {
        if let Some(seconds) = transaction.wait()? {
            self.metrics.transaction(self.stage.name(), seconds);
        }
        Ok(())
    }

    /// Asks Kafka whether partitions that went silent hold more; only a partition that is read to its end may be called idle.
    fn ask_silent_partitions(&mut self, consumer: &BaseConsumer<GroupContext>, assignment: &mut Assignment) {
        let is_silent = |position: &Position| position.silent_since.elapsed() >= SILENCE;
        let mut asked = TopicPartitionList::new();
        for (partition, position) in assignment.positions.iter() {
            if is_silent(position) {
                let place = (&*partition.topic, partition.partition);
                // The end stands for a time, as Kafka's protocol has it: one question for all partitions.
                let added = asked.add_partition_offset(place.0, place.1, Offset::End);
                added.expect("the end is a valid offset");
            }
        }
        if asked.count() == 0 {
            return;
        }
        let Ok(ends) = consumer.offsets_for_times(asked, SILENCE) else { return };
        let now = EventTime::now();
        for element in ends.elements() {
            let found = assignment.positions.get_mut(element.topic(), element.partition());
            let Some((partition, position)) = found else { continue };
            if let (Ok(()), Some(end)) = (element.error(), element.offset().to_raw())
                && end >= 0
                && position.next_offset >= end
            {
                self.stage.reached_end(partition, now);
            }
            position.silent_since = Instant::now();
        }
    }

    fn measure_lag(&self, consumer: &BaseConsumer<GroupContext>, assignment: &Assignment) {
        let group = format!("{}-{}", self.settings.processor.group, self.stage.name());
        let lags = assignment.positions.iter().filter_map(|(partition, position)| {
            let ends = consumer.fetch_watermarks(&partition.topic, partition.partition, SILENCE);
            ends.ok().map(|(_, end)| (partition, end - position.next_offset))
        });
        self.metrics.lag(&group, lags);
    }
}

/// Errors that librdkafka mends by itself.
pub(crate) fn is_passing(error: &KafkaError) -> bool {
    use rdkafka::types::RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::OperationTimedOut
                | Code::Resolve
                | Code::NotCoordinator
                | Code::CoordinatorNotAvailable
                | Code::CoordinatorLoadInProgress
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
        )
    )
}
