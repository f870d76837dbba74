//! The service: checks the tables, then runs both threads until shutdown or until one of them needs a person.

use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use touchstream_runtime::admin::{self, Readiness};
use touchstream_runtime::kafka::{self, ConnectError};
use touchstream_runtime::replays::{FIRST_EPOCH, Phase, Replays};
use touchstream_runtime::settings::Settings;
use touchstream_runtime::shutdown::Shutdown;
use touchstream_schemas::topics::Topics;

use crate::check_table::{self, TableError};
use crate::client::{self, Class};
use crate::derived::{self, DerivedSink};
use crate::error::SinkError;
use crate::insert::Inserter;
use crate::metrics::Metrics;
use crate::parts::Parts;
use crate::raw::{self, RawSink};
use crate::replay;

/// How long the threads may take to drain and leave their groups; closing a Kafka client can hang.
const STOP: Duration = Duration::from_secs(20);

/// How often it is looked whether a replay exchanges the results.
const HOLD_POLL: Duration = Duration::from_millis(50);

/// How long one attempt to reach Kafka may take; shutdown waits for its end.
const CONNECT_ATTEMPT: Duration = Duration::from_secs(5);

/// Runs the sink until `shutdown`; ends earlier only with an error that a person must look at.
///
/// # Errors
/// When settings, tables, committed positions or ClickHouse's refusals need a person.
pub async fn serve(settings: &Settings, shutdown: Shutdown) -> Result<(), SinkError> {
    let registry = Registry::new();
    let metrics = Metrics::new(&registry)?;
    let readiness = Readiness::default();
    for part in ["clickhouse", "raw events", "results"] {
        readiness.expect(part);
    }
    admin::serve(&settings.sink.admin, registry, readiness.clone(), shutdown.clone()).await?;
    let client = client::client(&settings.clickhouse)?;
    let database = settings.clickhouse.database.clone();
    tokio::select! {
        checked = check_tables(&client, &database, &readiness) => checked?,
        () = shutdown.cancelled() => return Ok(()),
    }
    readiness.ready("clickhouse");
    tokio::select! {
        connected = connect_kafka(settings, &readiness) => connected?,
        () = shutdown.cancelled() => return Ok(()),
    }

    // A child, so that a thread that fails stops the other without stopping the whole process's token.
    let stop = shutdown.child_token();
    let deadline = Duration::from_secs(settings.sink.insert_timeout_s);
    let parts = Parts {
        settings: Arc::new(settings.clone()),
        runtime: Handle::current(),
        inserter: Inserter::new(client, &database, deadline, metrics.clone()).waiting(readiness.clone()),
        metrics,
        readiness,
        shutdown: stop.clone(),
    };
    let (sender, mut ended) = mpsc::channel(2);
    start("raw events", parts.clone(), &sender, |parts| RawSink::start(parts)?.run());
    let replays = {
        let (kafka, topic) = (settings.kafka.clone(), Topics::new(&settings.kafka.topic_prefix).replays());
        let stop = stop.clone();
        let follow = tokio::task::spawn_blocking(move || Replays::follow(&kafka, &topic, stop));
        follow.await.map_err(|_| SinkError::Thread("replays"))??
    };
    start("results", parts, &sender, move |parts| write_results(&parts, &replays));
    drop(sender);
    let first = tokio::select! {
        first = ended.recv() => first.unwrap_or(Err(SinkError::Thread("sink"))),
        () = stop.cancelled() => Ok(()),
    };
    stop.cancel();
    let rest = async {
        let mut rest = Ok(());
        while let Some(result) = ended.recv().await {
            rest = rest.and(result);
        }
        rest
    };
    match tokio::time::timeout(STOP, rest).await {
        Ok(rest) => first.and(rest),
        Err(_) => {
            tracing::warn!("the sink did not drain in time; its intents are replayed at the next start");
            first
        }
    }
}

/// Writes results until shutdown, except while a replay exchanges them.
fn write_results(parts: &Parts, replays: &Replays) -> Result<(), SinkError> {
    while !parts.shutdown.is_cancelled() {
        if replays.is_held(Phase::Switching) {
            parts.readiness.not_ready("results", "a replay exchanges the results");
            std::thread::sleep(HOLD_POLL);
            continue;
        }
        let epoch = replays.epoch();
        if epoch > FIRST_EPOCH {
            let inserter = &parts.inserter;
            let made = replay::make_visible(inserter.client(), inserter.database(), epoch);
            if let Err(error) = parts.runtime.block_on(made) {
                tracing::warn!(%error, "results of a replay cannot be made visible, trying again");
                parts.readiness.not_ready("results", error.to_string());
                std::thread::sleep(Duration::from_secs(1));
                continue;
            }
            let started = replay::start_merges(inserter.client(), inserter.database());
            if let Err(error) = parts.runtime.block_on(started) {
                tracing::warn!(%error, "merges that a replay may have stopped cannot be started");
            }
        }
        let session = parts.shutdown.child_token();
        let watched = (session.clone(), replays.clone());
        parts.runtime.spawn(async move {
            let (session, replays) = watched;
            while !session.is_cancelled() {
                if replays.is_held(Phase::Switching) {
                    session.cancel();
                }
                tokio::time::sleep(HOLD_POLL).await;
            }
        });
        let ended = DerivedSink::start(Parts { shutdown: session.clone(), ..parts.clone() })?.run();
        session.cancel();
        ended?;
    }
    Ok(())
}

/// Runs `work` on a thread of its own; its result goes to `ended`, a panic included.
fn start(
    name: &'static str,
    parts: Parts,
    ended: &mpsc::Sender<Result<(), SinkError>>,
    work: impl FnOnce(Parts) -> Result<(), SinkError> + Send + 'static,
) {
    let report = ended.clone();
    let spawned = std::thread::Builder::new().name(format!("sink {name}")).spawn(move || {
        let readiness = parts.readiness.clone();
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(parts)));
        let result = worked.unwrap_or(Err(SinkError::Thread(name)));
        if let Err(error) = &result {
            tracing::error!(part = name, %error, "stopped");
            readiness.not_ready(name, error.to_string());
        }
        // Nobody listens any more when the time to stop has passed.
        drop(report.blocking_send(result));
    });
    if let Err(error) = spawned {
        tracing::error!(part = name, %error, "thread cannot be started");
        drop(ended.try_send(Err(SinkError::Thread(name))));
    }
}

/// Waits for Kafka as long as waiting can help.
async fn connect_kafka(settings: &Settings, readiness: &Readiness) -> Result<(), SinkError> {
    loop {
        let kafka_settings = settings.kafka.clone();
        let connecting = tokio::task::spawn_blocking(move || {
            kafka::connect(&kafka_settings, "touchstream-sink", CONNECT_ATTEMPT)
        });
        match connecting.await.map_err(|_| SinkError::Thread("connecting"))? {
            Err(error @ ConnectError::Unreachable { .. }) => {
                tracing::warn!(%error, "Kafka cannot be reached, trying again");
                for part in ["raw events", "results"] {
                    readiness.not_ready(part, error.to_string());
                }
            }
            connected => return Ok(connected?),
        }
    }
}

async fn check_tables(
    client: &clickhouse::Client,
    database: &str,
    readiness: &Readiness,
) -> Result<(), SinkError> {
    let mut written = raw::written()?;
    written.extend(derived::written());
    let mut pause = Duration::from_millis(200);
    for (table, columns) in written {
        loop {
            match check_table::check(client, database, table, &columns).await {
                Ok(()) => break,
                Err(TableError::Query { source, .. }) if client::classify(&source) == Class::Retry => {
                    tracing::warn!(error = %source, "ClickHouse cannot be reached, trying again");
                    readiness.not_ready("clickhouse", source.to_string());
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
