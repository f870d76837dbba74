//! Holding the services back: a record that is repeated while the replay works, and taken away when it ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use touchstream_runtime::kafka;
use touchstream_runtime::replays::{HOLD_INTERVAL, HOLD_KEY, Phase};
use touchstream_runtime::settings::Settings;

use super::error::{ReplayError, kafka as failed};

/// Longest wait for Kafka's confirmation.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(30);

/// Lasts until it is dropped.
pub(super) struct Hold {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    producer: BaseProducer,
    topic: String,
    phase: Mutex<Phase>,
    is_over: AtomicBool,
}

impl Hold {
    /// Holds the processor back from now on.
    pub(super) fn begin(settings: &Settings, topic: String) -> Result<Hold, ReplayError> {
        let producer: BaseProducer = kafka::producer(&settings.kafka, "touchstream-replay-hold")?
            .set("linger.ms", "0")
            .create()
            .map_err(failed("make a producer"))?;
        let shared = Arc::new(Shared {
            producer,
            topic,
            phase: Mutex::new(Phase::Rebuilding),
            is_over: AtomicBool::new(false),
        });
        shared.tell(Some(Phase::Rebuilding))?;
        let repeated = shared.clone();
        let thread = std::thread::spawn(move || {
            let mut told = Instant::now();
            while !repeated.is_over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
                if told.elapsed() >= HOLD_INTERVAL {
                    let phase = *repeated.phase.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Err(error) = repeated.tell(Some(phase)) {
                        tracing::warn!(%error, "the hold could not be repeated, trying again");
                    }
                    told = Instant::now();
                }
            }
        });
        Ok(Hold { shared, thread: Some(thread) })
    }

    /// Holds the sink's writing of results back, too.
    pub(super) fn switching(&self) -> Result<(), ReplayError> {
        *self.shared.phase.lock().unwrap_or_else(PoisonError::into_inner) = Phase::Switching;
        self.shared.tell(Some(Phase::Switching))
    }
}

impl Shared {
    fn tell(&self, phase: Option<Phase>) -> Result<(), ReplayError> {
        let mut record: BaseRecord<'_, str, str> = BaseRecord::to(&self.topic).key(HOLD_KEY).partition(0);
        record.payload = phase.map(Phase::name);
        self.producer.send(record).map_err(|(source, _)| failed("hold the services back")(source))?;
        self.producer.flush(CONFIRMED_WITHIN).map_err(failed("hold the services back"))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        if let Err(error) = self.shared.tell(None) {
            tracing::warn!(%error, "the services go on 10 s from now: the hold could not be ended");
        }
    }
}
