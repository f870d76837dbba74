//! Membership in the processor's groups: the replay owns every partition, as a processor would. Kafka then refuses the replay's last
//! step if a processor came back meanwhile, and a processor's if it did not notice the replay.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use touchstream_runtime::kafka;
use touchstream_runtime::settings::Settings;
use touchstream_runtime::shutdown::Shutdown;

use super::error::{ReplayError, kafka as failed};

/// How long processors may take to notice the hold, commit and leave.
const JOINED_WITHIN: Duration = Duration::from_secs(90);

/// A member of one group that owns all its partitions.
pub(super) struct Membership {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    metadata: ConsumerGroupMetadata,
}

impl Membership {
    /// Joins `group` and waits until all `partitions` partitions of `topics` are its own.
    pub(super) fn join(
        settings: &Settings,
        group: &str,
        topics: &[String],
        partitions: usize,
        shutdown: &Shutdown,
    ) -> Result<Membership, ReplayError> {
        let mut config = kafka::consumer(&settings.kafka, "touchstream-replay", group)?;
        config.set("enable.partition.eof", "false").set("queued.max.messages.kbytes", "1024");
        let consumer: BaseConsumer = config.create().map_err(failed("make a consumer"))?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(failed("join the processor's group"))?;
        let until = Instant::now() + JOINED_WITHIN;
        let metadata = loop {
            // What is fetched before the pause is not wanted: it is read by other means.
            drop(consumer.poll(Duration::from_millis(50)));
            let assigned = consumer.assignment().map_err(failed("join the processor's group"))?;
            if assigned.count() == partitions
                && let Some(metadata) = consumer.group_metadata()
            {
                consumer.pause(&assigned).map_err(failed("join the processor's group"))?;
                break metadata;
            }
            if shutdown.is_cancelled() {
                return Err(ReplayError::Stopped);
            }
            if Instant::now() > until {
                let (group, within_s) = (group.to_owned(), JOINED_WITHIN.as_secs());
                return Err(ReplayError::NotAlone { group, within_s });
            }
        };
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        // A member must poll to stay one.
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                drop(consumer.poll(Duration::from_millis(100)));
            }
        });
        Ok(Membership { is_over, thread: Some(thread), metadata })
    }

    /// The group as it was when all partitions were the replay's own: of no use any more once another member joined.
    pub(super) fn metadata(&self) -> &ConsumerGroupMetadata {
        &self.metadata
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
