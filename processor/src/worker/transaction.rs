//! One Kafka transaction after another: outputs, changelog and input offsets become visible together or not at all.

use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::util::Timeout;
use touchstream_runtime::kafka;
use touchstream_runtime::settings::Settings;
use touchstream_runtime::shutdown::Shutdown;

use crate::error::ProcessorError;
use crate::stage::{Outgoing, Output, StageError};

/// How long taking over a transactional id may take: Kafka first ends what its last owner left open.
const INITIALISED_WITHIN: Duration = Duration::from_secs(60);
/// How long the last commit of a process that was asked to stop may take; without it the next owner repeats a few records.
const LAST_COMMIT_DEADLINE: Duration = Duration::from_secs(5);

/// Whether a commit is on its way. A revocation waits for its end, so that the next owner begins where it ended.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<(Mutex<bool>, Condvar)>);

impl InFlight {
    fn set(&self, is_in_flight: bool) {
        let (state, changed) = &*self.0;
        *state.lock().unwrap_or_else(PoisonError::into_inner) = is_in_flight;
        changed.notify_all();
    }

    /// Waits for the end of the commit that is on its way; false when it took longer than `patience`.
    pub(super) fn wait(&self, patience: Duration) -> bool {
        let (state, changed) = &*self.0;
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(state, patience, |is_in_flight| *is_in_flight);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

/// What the committing thread is asked to do.
struct Commit {
    offsets: TopicPartitionList,
    group: Arc<ConsumerGroupMetadata>,
    began: Instant,
    is_last: bool,
}

/// Seconds from the stage's settling to the end of the commit.
type Committed = Result<f64, KafkaError>;

/// A transactional producer and whether its transaction is open. Commits run on a thread of their own, so that the next records are
/// counted meanwhile; nothing is sent before the commit has ended, and when it fails the session ends and forgets what it counted.
pub(super) struct Transaction {
    producer: ThreadedProducer<DefaultProducerContext>,
    is_open: bool,
    /// After this time without an end the broker aborts a transaction; what a dead owner left open delays readers that long.
    timeout: Duration,
    commits: SyncSender<Commit>,
    committed: Receiver<Committed>,
    is_committing: bool,
    in_flight: InFlight,
}

impl fmt::Debug for Transaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Transaction").field("is_open", &self.is_open).finish_non_exhaustive()
    }
}

/// Takes over the transactional id, within [`INITIALISED_WITHIN`]; in short steps, so that a service that is told to end does.
fn initialise(
    producer: &ThreadedProducer<DefaultProducerContext>,
    shutdown: &Shutdown,
) -> Result<(), ProcessorError> {
    let begun = Instant::now();
    loop {
        match producer.init_transactions(Timeout::After(Duration::from_secs(1))) {
            Ok(()) => return Ok(()),
            Err(KafkaError::Transaction(error))
                if error.is_retriable()
                    && begun.elapsed() < INITIALISED_WITHIN
                    && !shutdown.is_cancelled() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

impl Transaction {
    /// A producer under `transactional_id`; whoever used the id before is fenced, what it left open is aborted.
    pub(super) fn connect(
        settings: &Settings,
        transactional_id: &str,
        shutdown: &Shutdown,
    ) -> Result<Transaction, ProcessorError> {
        let mut config = kafka::producer(&settings.kafka, transactional_id)?;
        let timeout_ms = settings.processor.transaction_timeout_ms;
        config
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", timeout_ms.to_string())
            .set("message.timeout.ms", timeout_ms.to_string())
            .set("linger.ms", "5")
            .set("batch.num.messages", "100000")
            .set("queue.buffering.max.kbytes", "262144");
        let producer: ThreadedProducer<DefaultProducerContext> = config.create()?;
        initialise(&producer, shutdown)?;
        let timeout = Duration::from_millis(timeout_ms);
        let in_flight = InFlight::default();
        // One commit at a time.
        let (commits, asked) = sync_channel::<Commit>(1);
        let (done, committed) = sync_channel::<Committed>(1);
        {
            let (producer, in_flight) = (producer.clone(), in_flight.clone());
            let run = move || {
                for commit in asked {
                    let result = commit_now(&producer, &commit, timeout);
                    in_flight.set(false);
                    if done.send(result).is_err() {
                        break;
                    }
                }
            };
            let name = "commit".to_owned();
            std::thread::Builder::new()
                .name(name)
                .spawn(run)
                .map_err(|source| ProcessorError::Thread { stage: "commit", source })?;
        }
        Ok(Transaction {
            producer,
            is_open: false,
            timeout,
            commits,
            committed,
            is_committing: false,
            in_flight,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Tells whether a commit is on its way.
    pub(super) fn in_flight(&self) -> InFlight {
        self.in_flight.clone()
    }

    fn begin(&mut self) -> Result<(), KafkaError> {
        if !self.is_open {
            self.producer.begin_transaction()?;
            self.is_open = true;
        }
        Ok(())
    }

    /// Begins to commit everything sent since the last commit together with the input offsets, as the member of `group` that read them.
    /// Only the last commit before the end of the process may give up waiting: any other doubt would have to be resolved.
    pub(super) fn commit(
        &mut self,
        offsets: TopicPartitionList,
        group: Arc<ConsumerGroupMetadata>,
        began: Instant,
        is_last: bool,
    ) -> Result<(), ProcessorError> {
        self.begin()?;
        self.in_flight.set(true);
        self.commits.send(Commit { offsets, group, began, is_last }).map_err(|_| ProcessorError::Panicked)?;
        (self.is_committing, self.is_open) = (true, false);
        Ok(())
    }

    /// Whether a commit is on its way, so that nothing may be sent now.
    pub(super) fn is_committing(&self) -> bool {
        self.is_committing && !self.in_flight.wait(Duration::ZERO)
    }

    /// Waits for the end of the commit that is on its way, if one is; returns the seconds that it took since the stage settled.
    pub(super) fn wait(&mut self) -> Result<Option<f64>, ProcessorError> {
        if !std::mem::take(&mut self.is_committing) {
            return Ok(None);
        }
        let committed = self.committed.recv().map_err(|_| ProcessorError::Panicked)?;
        Ok(Some(committed?))
    }

    /// Takes back what was sent since the last commit.
    pub(super) fn abort(&mut self) -> Result<(), ProcessorError> {
        if self.is_open {
            self.producer.abort_transaction(Timeout::Never)?;
            self.is_open = false;
        }
        Ok(())
    }
}

impl Drop for Transaction {
    /// The next session begins when this one's last word is spoken.
    fn drop(&mut self) {
        let _nobody_asks_any_more = self.wait();
    }
}

fn commit_now(
    producer: &ThreadedProducer<DefaultProducerContext>,
    commit: &Commit,
    timeout: Duration,
) -> Committed {
    let patience = if commit.is_last { LAST_COMMIT_DEADLINE } else { timeout };
    producer.send_offsets_to_transaction(&commit.offsets, &commit.group, Timeout::After(patience))?;
    producer.commit_transaction(if commit.is_last { Timeout::After(patience) } else { Timeout::Never })?;
    Ok(commit.began.elapsed().as_secs_f64())
}

impl Output for Transaction {
    fn send_with_headers(
        &mut self,
        record: Outgoing<'_>,
        headers: &[(&str, &str)],
    ) -> Result<(), StageError> {
        let error = |source| StageError::Send { topic: record.topic.to_owned(), source };
        self.begin().map_err(error)?;
        let mut message: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(record.topic).key(record.key);
        message.payload = record.value;
        message.partition = record.partition;
        if !headers.is_empty() {
            let add = |all: OwnedHeaders, (key, value): &(&str, &str)| {
                all.insert(Header { key, value: Some(*value) })
            };
            message.headers = Some(headers.iter().fold(OwnedHeaders::new(), add));
        }
        let until = Instant::now() + self.timeout;
        loop {
            match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                    if Instant::now() < until =>
                {
                    message = back;
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err((source, _)) => return Err(error(source)),
            }
        }
    }
}
