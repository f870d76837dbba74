//! Follows the topic of marks on a thread of its own, and tells the rules what follows from it.
//!
//! `touchstream incident`, ingest, measure and roll up write → [`known`] → [`MarksSource`] → roll up's checks. Promise: who starts knows
//! every mark that was there before it judges anything; while Kafka is away what was known goes on to hold, and the clock goes on: ingest
//! that is not heard of counts as away.

mod known;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use touchstream_runtime::compacted::{self, CompactedError, Next, Reader};
use touchstream_runtime::settings::KafkaSettings;
use touchstream_runtime::shutdown::Shutdown;
use touchstream_schemas::time::EventTime;

use crate::error::ProcessorError;
use crate::regressions::MarksSource;

pub use known::Known;

/// Wait for the next record; bounds how late shutdown is seen.
const POLL: Duration = Duration::from_millis(100);
/// How often it is looked at the clock: ingest falls silent without a word.
const CLOCK: Duration = Duration::from_secs(5);
/// Longest wait for the topic's end at the start.
const START_DEADLINE: Duration = Duration::from_secs(30);
const CLIENT: &str = "touchstream-marks";

/// Reads the topic to its end and follows it until shutdown; blocks for the first part.
///
/// # Errors
/// When the topic is missing or cannot be read.
pub(crate) fn follow(
    settings: &KafkaSettings,
    topic: &str,
    shutdown: Shutdown,
) -> Result<MarksSource, ProcessorError> {
    let reader = Reader::open(settings, topic, CLIENT)?;
    let source = MarksSource::default();
    let (read, is_read) = mpsc::sync_channel(1);
    let (told, stop) = (source.clone(), shutdown.clone());
    std::thread::Builder::new()
        .name("marks".to_owned())
        .spawn(move || run(&reader, &told, &read, &shutdown))
        .map_err(|source| ProcessorError::Thread { stage: "marks", source })?;
    match is_read.recv_timeout(START_DEADLINE) {
        Ok(()) => Ok(source),
        // Told to end before it had begun.
        Err(_) if stop.is_cancelled() => Ok(source),
        Err(_) => Err(CompactedError::Unread(topic.to_owned()).into()),
    }
}

/// What is known of them now; blocks.
///
/// # Errors
/// When the topic is missing or cannot be read.
pub(crate) fn read(settings: &KafkaSettings, topic: &str) -> Result<MarksSource, ProcessorError> {
    let mut known = Known::default();
    for (key, value) in compacted::read_all(settings, topic, CLIENT)? {
        known.take(&key, value.as_deref());
    }
    let source = MarksSource::default();
    source.set(known.marks(EventTime::now()));
    Ok(source)
}

fn run(reader: &Reader, source: &MarksSource, read: &mpsc::SyncSender<()>, shutdown: &Shutdown) {
    let mut known = Known::default();
    let (mut has_changed, mut is_complete, mut told) = (true, false, Instant::now());
    while !shutdown.is_cancelled() {
        match reader.next(POLL) {
            Ok(Next::Record { key, value }) => {
                known.take(&key, value.as_deref());
                has_changed = true;
                if is_complete && told.elapsed() < CLOCK {
                    continue;
                }
            }
            Ok(Next::End) => is_complete = true,
            Ok(Next::Nothing) => {}
            // What is known goes on to hold; ingest that is not heard of any more counts as away.
            Err(error) => tracing::warn!(%error, "reading of marks failed, going on"),
        }
        if is_complete && (has_changed || told.elapsed() >= CLOCK) {
            source.set(known.marks(EventTime::now()));
            (has_changed, told) = (false, Instant::now());
            // Nobody waits for it any more after the first time.
            read.try_send(()).ok();
        }
    }
}
