//! The service: one thread per stage, and the admin port. While a replay rebuilds the results there are no such threads.

use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::sync::mpsc;
use touchstream_runtime::admin::{self, Readiness};
use touchstream_runtime::kafka;
use touchstream_runtime::replays::{Phase, Replays};
use touchstream_runtime::settings::Settings;
use touchstream_runtime::shutdown::Shutdown;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::event::Family;
use touchstream_schemas::topics::Topics;

use crate::contacts::Contacts;
use crate::error::ProcessorError;
use crate::marks;
use crate::measure::Measure;
use crate::metrics::Metrics;
use crate::roll_up::RollUp;
use crate::stage::{self, Stage};
use crate::worker::Worker;

/// Longest wait for Kafka at the start.
const CONNECT_DEADLINE: Duration = Duration::from_secs(30);
/// How long stages may take for their last commit; a call to Kafka can hang.
const STOP: Duration = Duration::from_secs(20);
/// How often it is looked whether a replay asks for the partitions.
const HOLD_POLL: Duration = Duration::from_millis(50);
/// Names of the stages.
const STAGES: [&str; 3] = ["measure", "roll_up", "contacts"];

/// Runs all stages until shutdown; `touchpoints` is what `processor.touchpoints_file` says.
///
/// # Errors
/// When the admin port, the topics or the threads are not to be had; later errors lead back to the last commit.
pub async fn serve(
    settings: &Settings,
    touchpoints: Touchpoints,
    shutdown: Shutdown,
) -> Result<(), ProcessorError> {
    let touchpoints = Arc::new(touchpoints);
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).expect("the registry is new");
    let readiness = Readiness::default();
    STAGES.into_iter().for_each(|stage| readiness.expect(stage));
    admin::serve(&settings.processor.admin, registry, readiness.clone(), shutdown.clone()).await?;

    let topics = Topics::new(&settings.kafka.topic_prefix);
    let mut names: Vec<String> = Family::ALL.into_iter().map(|family| topics.raw(family)).collect();
    let raw_topics = names.len();
    names.extend([topics.panes(), topics.contacts()]);
    let counts = {
        let settings = settings.clone();
        let count = tokio::task::spawn_blocking(move || partition_counts(&settings, &names));
        count.await.expect("counting does not panic")?
    };
    let (raw, panes) = (counts[..raw_topics].iter().sum(), counts[raw_topics]);
    let replays = {
        let (kafka, topic, shutdown) = (settings.kafka.clone(), topics.replays(), shutdown.clone());
        let follow = tokio::task::spawn_blocking(move || Replays::follow(&kafka, &topic, shutdown));
        follow.await.expect("following does not panic")?
    };
    let marks = {
        let (kafka, topic, shutdown) = (settings.kafka.clone(), topics.marks(), shutdown.clone());
        let follow = tokio::task::spawn_blocking(move || marks::follow(&kafka, &topic, shutdown));
        follow.await.expect("following does not panic")?
    };
    while !shutdown.is_cancelled() {
        if replays.is_held(Phase::Rebuilding) {
            for name in STAGES {
                readiness.not_ready(name, "a replay is taking over the results");
            }
            tokio::time::sleep(HOLD_POLL).await;
            continue;
        }
        stage::raise_epoch(replays.epoch());
        let stages: [Box<dyn Stage>; 3] = [
            Box::new(Measure::new(settings, touchpoints.clone(), panes, metrics.clone())),
            Box::new(
                RollUp::new(settings, touchpoints.clone(), raw, metrics.clone()).with_marks(marks.clone()),
            ),
            Box::new(Contacts::new(settings)),
        ];
        // Ends with the process, or when a replay asks for the partitions.
        let session = shutdown.child_token();
        let (running, mut ended) = mpsc::channel::<()>(1);
        for stage in stages {
            let name = stage.name();
            let worker = Worker {
                settings: settings.clone(),
                stage,
                metrics: metrics.clone(),
                readiness: readiness.clone(),
                shutdown: session.clone(),
            };
            let running = running.clone();
            let run = move || {
                worker.run();
                drop(running);
            };
            let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(run);
            spawned.map_err(|source| ProcessorError::Thread { stage: name, source })?;
        }
        drop(running);
        while !session.is_cancelled() {
            // Another replay may have ended while this process started.
            stage::raise_epoch(replays.epoch());
            if replays.is_held(Phase::Rebuilding) {
                tracing::info!("a replay takes over the results, waiting for its end");
                session.cancel();
            }
            tokio::select! {
                () = tokio::time::sleep(HOLD_POLL) => {}
                () = session.cancelled() => {}
            }
        }
        let is_late = async {
            shutdown.cancelled().await;
            tokio::time::sleep(STOP).await;
        };
        tokio::select! {
            // Nothing is sent: it ends when the last thread has.
            _ = ended.recv() => {}
            () = is_late => tracing::warn!("a stage did not end in time; Kafka aborts what it left open"),
        }
    }
    Ok(())
}

/// Number of partitions of each topic.
pub(crate) fn partition_counts(settings: &Settings, topics: &[String]) -> Result<Vec<i32>, ProcessorError> {
    kafka::connect(&settings.kafka, "touchstream-processor", CONNECT_DEADLINE)?;
    let consumer: BaseConsumer = kafka::client(&settings.kafka, "touchstream-processor")?.create()?;
    let mut counts = Vec::new();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), CONNECT_DEADLINE)?;
        let found =
            metadata.topics().iter().find(|found| found.name() == topic && !found.partitions().is_empty());
        let partitions = found.ok_or_else(|| ProcessorError::MissingTopic(topic.clone()))?.partitions().len();
        counts.push(i32::try_from(partitions).expect("partitions are numbered in 32 bits"));
    }
    Ok(counts)
}
