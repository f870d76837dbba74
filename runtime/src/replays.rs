//! What services must know of replays: whether one holds them back now, and the epoch of the last one that ended.
//!
//! Both stand in one small compacted topic. A hold is a record that is repeated while it lasts: a replay that dies holds nobody back for
//! long. The epoch is written inside the replay's own transaction, so that it becomes current together with what it is the epoch of.
//!
//! Promise: who follows the topic knows the current epoch before it starts to work, and never works while it is held back.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::kafka;
use crate::secret::SecretFileError;
use crate::settings::KafkaSettings;
use crate::shutdown::Shutdown;

/// The epoch before any replay.
pub const FIRST_EPOCH: i64 = 1;
/// Key of the hold.
pub const HOLD_KEY: &str = "hold";
/// Key of the epoch.
pub const EPOCH_KEY: &str = "epoch";
/// A hold that is not repeated for this long is over: its replay is dead.
pub const HOLD_LAPSES_AFTER: Duration = Duration::from_secs(10);
/// A hold that was written this long ago, by the clocks of two machines, is over for whoever starts now.
const STALE: Duration = Duration::from_secs(120);
/// How often a hold is repeated.
pub const HOLD_INTERVAL: Duration = Duration::from_secs(1);
/// Longest wait for the topic's end at the start.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// Wait for the next record; bounds how late shutdown is seen.
const POLL: Duration = Duration::from_millis(100);

/// Whom a replay holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The processor: its state is taken over.
    Rebuilding,
    /// The processor, and the sink's writing of results: they are exchanged for readers.
    Switching,
}

impl Phase {
    /// As in the topic.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Rebuilding => "rebuilding",
            Phase::Switching => "switching",
        }
    }

    fn of(name: &[u8]) -> Option<Phase> {
        [Phase::Rebuilding, Phase::Switching].into_iter().find(|phase| phase.name().as_bytes() == name)
    }
}

/// The topic cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum ReplaysError {
    /// A secret could not be read.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// Kafka refused.
    #[error("failed to follow replays in {topic}: {source}")]
    Kafka {
        /// Topic.
        topic: String,
        /// Cause.
        source: KafkaError,
    },
    /// The topic is not there.
    #[error("failed to follow replays: topic {0} is missing; run `touchstream setup` first")]
    Missing(String),
    /// The end of the topic was not reached.
    #[error("failed to follow replays in {0}: its end was not reached within 30 s")]
    Unread(String),
    /// The thread could not be started.
    #[error("failed to start the thread that follows replays: {0}")]
    Thread(std::io::Error),
}

#[derive(Debug)]
struct State {
    epoch: i64,
    hold: Option<(Phase, Instant)>,
    is_read: bool,
}

/// What is known of replays; cheap to clone.
#[derive(Clone, Debug)]
pub struct Replays(Arc<(Mutex<State>, Condvar)>);

impl Replays {
    /// Reads the topic to its end, and follows it on a thread of its own until shutdown; blocks for the first part.
    ///
    /// # Errors
    /// When the topic is missing or cannot be read.
    pub fn follow(
        settings: &KafkaSettings,
        topic: &str,
        shutdown: Shutdown,
    ) -> Result<Replays, ReplaysError> {
        let error = |source| ReplaysError::Kafka { topic: topic.to_owned(), source };
        let mut config = kafka::consumer(settings, "touchstream-replays", "touchstream-replays")?;
        config.set("queued.max.messages.kbytes", "1024");
        let consumer: BaseConsumer = config.create().map_err(error)?;
        wait_until_visible(&consumer, topic, &shutdown)?;
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, 0, Offset::Beginning).map_err(error)?;
        consumer.assign(&assignment).map_err(error)?;
        let state = State { epoch: FIRST_EPOCH, hold: None, is_read: false };
        let replays = Replays(Arc::new((Mutex::new(state), Condvar::new())));
        let followed = replays.clone();
        std::thread::Builder::new()
            .name("replays".to_owned())
            .spawn(move || followed.run(&consumer, &shutdown))
            .map_err(ReplaysError::Thread)?;
        let (state, _) = (replays.0.1)
            .wait_timeout_while(replays.lock(), START_DEADLINE, |state| !state.is_read)
            .unwrap_or_else(PoisonError::into_inner);
        let is_read = state.is_read;
        drop(state);
        if is_read { Ok(replays) } else { Err(ReplaysError::Unread(topic.to_owned())) }
    }

    /// The epoch of the last replay that ended.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.lock().epoch
    }

    /// Whether a replay lives that is in `phase` or beyond.
    #[must_use]
    pub fn is_held(&self, phase: Phase) -> bool {
        self.lock().hold.is_some_and(|(held, at)| held >= phase && at.elapsed() < HOLD_LAPSES_AFTER)
    }

    fn run(&self, consumer: &BaseConsumer, shutdown: &Shutdown) {
        while !shutdown.is_cancelled() {
            match consumer.poll(POLL) {
                None => {}
                Some(Ok(record)) => {
                    let age = SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| {
                        let written = u64::try_from(record.timestamp().to_millis()?).ok()?;
                        now.checked_sub(Duration::from_millis(written))
                    });
                    // What a replay that died left behind, read at a start long after.
                    let is_stale = age.is_some_and(|age| age > STALE);
                    self.take(record.key().unwrap_or_default(), record.payload(), is_stale);
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.lock().is_read = true;
                    self.0.1.notify_all();
                }
                // A follower that cannot read is as good as none: the hold it knows of lapses, and the broker refuses whoever works against
                // a replay.
                Some(Err(error)) if kafka::is_passing(&error) => {}
                Some(Err(error)) => tracing::warn!(%error, "reading of replays failed, going on"),
            }
        }
    }

    fn take(&self, key: &[u8], value: Option<&[u8]>, is_stale: bool) {
        let mut state = self.lock();
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        match (key, value) {
            (key, value) if key == HOLD_KEY.as_bytes() => {
                let phase = value.and_then(Phase::of).filter(|_| !is_stale);
                state.hold = phase.map(|phase| (phase, Instant::now()));
            }
            (key, Some(value)) if key == EPOCH_KEY.as_bytes() => match text(value).parse() {
                Ok(epoch) => state.epoch = state.epoch.max(epoch),
                Err(_) => tracing::warn!(value = text(value), "an epoch that is no number is ignored"),
            },
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A topic that was made a moment ago is not known to every broker at once.
fn wait_until_visible(consumer: &BaseConsumer, topic: &str, shutdown: &Shutdown) -> Result<(), ReplaysError> {
    let until = Instant::now() + START_DEADLINE;
    loop {
        let metadata = consumer.fetch_metadata(Some(topic), START_DEADLINE);
        let metadata = metadata.map_err(|source| ReplaysError::Kafka { topic: topic.to_owned(), source })?;
        let is_visible =
            metadata.topics().iter().any(|found| found.name() == topic && !found.partitions().is_empty());
        if is_visible {
            return Ok(());
        }
        if Instant::now() >= until || shutdown.is_cancelled() {
            return Err(ReplaysError::Missing(topic.to_owned()));
        }
        std::thread::sleep(POLL);
    }
}
