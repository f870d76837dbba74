//! Starts ingest: clients, threads, admin port, listener; and ends it: no new requests, those in progress finished, the producer
//! flushed, each within its deadline.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prometheus::Registry;
use tokio::net::TcpListener;
use touchstream_runtime::admin::{self, Readiness};
use touchstream_runtime::compacted::Writer;
use touchstream_runtime::kafka;
use touchstream_runtime::settings::Settings;
use touchstream_runtime::shutdown::Shutdown;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Encoder, Framing};
use touchstream_schemas::event::Family;
use touchstream_schemas::registry::SchemaRegistry;
use touchstream_schemas::time::Millis;
use touchstream_schemas::topics::Topics;

use crate::accept::Workspaces;
use crate::dialect::alias::Aliases;
use crate::error::IngestError;
use crate::health::Health;
use crate::keys::follow::{self, Follower};
use crate::keys::snapshot::Snapshot;
use crate::keys::{Keys, WriteKey};
use crate::limit::Limits;
use crate::limit::connections::ConnectionCounts;
use crate::listen::{ConnectionLimits, LONGEST_LINGER, listen};
use crate::metrics::Metrics;
use crate::openapi::{self, DescribedLimits};
use crate::parse::ParseLimits;
use crate::privacy::Objections;
use crate::pseudonym::Pseudonyms;
use crate::publish::Publisher;
use crate::quality::QualityCounts;
use crate::read_body::BodyLimits;
use crate::recent::RecentIds;
use crate::route;
use crate::spool::{OpenSpool, Spool};
use crate::validate::Rules;

/// Readiness part of the producer.
const KAFKA: &str = "kafka";
/// Shortest secret for pseudonyms.
const SECRET_BYTES: usize = 16;
/// How often counts of data quality are sent.
const QUALITY_INTERVAL: Duration = Duration::from_secs(1);
/// Longest wait until Kafka has a mark of health.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);
/// How often Kafka is asked whether it is there.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);
/// Longest wait for its answer.
const WATCH_TIMEOUT: Duration = Duration::from_secs(2);

/// Everything that requests share.
#[derive(Debug)]
pub(crate) struct Ingest {
    pub(crate) rules: Rules,
    pub(crate) aliases: Aliases,
    pub(crate) touchpoints: Touchpoints,
    pub(crate) openapi: Bytes,
    pub(crate) parse_limits: ParseLimits,
    pub(crate) body_limits: BodyLimits,
    pub(crate) limits: Limits,
    pub(crate) objections: Objections,
    pub(crate) ack_timeout: Duration,
    pub(crate) keys: Arc<Keys>,
    pub(crate) nobody: Arc<WriteKey>,
    pub(crate) readiness: Readiness,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) spool: Option<Spool>,
    /// For dry runs: with the tenant's own, anybody who has a browser key could look up whose pseudonym one in the tables is.
    pub(crate) trial_pseudonyms: Pseudonyms,
    pub(crate) recent: RecentIds,
    pub(crate) metrics: Metrics,
    pub(crate) quality: QualityCounts,
    pub(crate) workspaces: Workspaces,
}

/// Serves until shutdown: the admin port and the public listener of the settings. Returns when everything was drained.
///
/// # Errors
/// When it cannot start; each error says what to change.
pub async fn serve(settings: &Settings, shutdown: Shutdown) -> Result<(), IngestError> {
    let options = &settings.ingest;
    let secret = options.pseudonym_secret.or_file(&options.pseudonym_secret_file)?;
    if secret.expose().len() < SECRET_BYTES {
        return Err(IngestError::NoPseudonymSecret);
    }
    let registry = Registry::new();
    let readiness = Readiness::default();
    readiness.expect(follow::PART);
    readiness.expect(KAFKA);
    let mut keys = Keys::configured(&options.static_keys, secret.expose())?;
    if options.local_pages {
        keys.open_to_local_pages();
    }
    let keys = Arc::new(keys);
    let topics = Topics::new(&settings.kafka.topic_prefix);
    let framings = framings(settings, &topics).await?;
    let open_spool = OpenSpool::open(options, &registry)?;
    let publisher = Arc::new(publisher(settings, &topics, open_spool.as_ref())?);
    let spool = open_spool.map(|spool| spool.start(Arc::clone(&publisher))).transpose()?;
    let instance = uuid::Uuid::now_v7().simple().to_string();
    let ingest = Arc::new(Ingest {
        rules: Rules {
            max_event_bytes: options.max_event_bytes,
            skew_tolerance: Millis(options.skew_tolerance_s.saturating_mul(1_000)),
            future_tolerance: Millis(options.future_tolerance_s.saturating_mul(1_000)),
            keep_agent_ids: options.agent_ids,
        },
        aliases: Aliases::load(&options.alias_file)?,
        touchpoints: Touchpoints::load(&settings.processor.touchpoints_file)?,
        openapi: openapi::document(DescribedLimits {
            body_bytes: options.max_body_bytes,
            event_bytes: options.max_event_bytes,
            parse: ParseLimits { events: options.max_events, depth: options.max_json_depth },
        }),
        parse_limits: ParseLimits { events: options.max_events, depth: options.max_json_depth },
        body_limits: BodyLimits::new(options.max_body_bytes, Duration::from_millis(options.body_timeout_ms)),
        limits: Limits::new(options)?,
        objections: Objections { sec_gpc: options.honour_sec_gpc, dnt: options.honour_dnt },
        ack_timeout: Duration::from_millis(options.ack_timeout_ms),
        keys: Arc::clone(&keys),
        nobody: Arc::new(WriteKey::nobody()),
        readiness: readiness.clone(),
        publisher,
        spool,
        trial_pseudonyms: Pseudonyms::new(&format!("{}{}", uuid::Uuid::now_v7(), uuid::Uuid::now_v7()), ""),
        recent: RecentIds::default(),
        metrics: Metrics::new(&registry)?,
        quality: QualityCounts::new(instance.clone()),
        workspaces: Workspaces::new(framings.raw),
    });
    let listener = TcpListener::bind(&options.listen)
        .await
        .map_err(|source| IngestError::Listen { address: options.listen.clone(), source })?;
    admin::serve(&options.admin, registry, readiness.clone(), shutdown.clone()).await?;

    let group = format!("{}-keys-{}", settings.kafka.topic_prefix, kafka::unique_id());
    let consumer = kafka::consumer(&settings.kafka, "touchstream-ingest-keys", &group)?;
    let shutdown_too = shutdown.clone();
    let mut follower =
        Follower { keys, topic: topics.keys(), secret, readiness, shutdown: shutdown_too, snapshot: None };
    if !options.spool_dir.is_empty() {
        follower.start_from(Snapshot::beside(Path::new(&options.spool_dir)));
    }
    let follower = spawn_thread("ingest-keys", move || follower.run(&consumer))?;
    let watcher = {
        let (ingest, shutdown) = (Arc::clone(&ingest), shutdown.clone());
        spawn_thread("ingest-kafka-watch", move || watch_kafka(&ingest, &shutdown))?
    };
    let health = {
        let client = format!("touchstream-ingest-health-{}", kafka::unique_id());
        let writer = Writer::open(&settings.kafka, &topics.marks(), &client, HEALTH_TIMEOUT)?;
        let health = Health::new(instance, &options.spool_dir);
        let (ingest, shutdown) = (Arc::clone(&ingest), shutdown.clone());
        let look = move || {
            (ingest.readiness.missing().is_empty(), ingest.spool.as_ref().and_then(Spool::waits_since))
        };
        spawn_thread("ingest-health", move || health.run(&writer, &shutdown, look))?
    };
    let quality = tokio::spawn(send_quality(Arc::clone(&ingest), framings.quality, shutdown.clone()));

    let limits = ConnectionLimits {
        connections: options.max_connections,
        by_address: ConnectionCounts::new(options.max_connections_per_address),
        proxies: ingest.limits.proxies.clone(),
        header_bytes: options.max_header_bytes,
        header_timeout: Duration::from_millis(options.header_timeout_ms),
        idle_timeout: Duration::from_millis(options.idle_timeout_ms),
        linger: LONGEST_LINGER.min(ingest.body_limits.timeout),
        drain: route::longest_request(&ingest),
    };
    tracing::info!(listen = %options.listen, admin = %options.admin, "ingest serves");
    let router = route::router(Arc::clone(&ingest));
    listen(listener, router, limits, ingest.metrics.clone(), shutdown).await;

    let encoder = quality
        .await
        .map_err(|error| IngestError::Thread { what: "data quality", reason: error.to_string() })?;
    drain(ingest, encoder, [follower, watcher, health]).await
}

/// Sends what is left and waits for the threads.
async fn drain(
    ingest: Arc<Ingest>,
    mut encoder: Encoder,
    threads: [std::thread::JoinHandle<()>; 3],
) -> Result<(), IngestError> {
    tokio::task::spawn_blocking(move || {
        if let Some(spool) = &ingest.spool {
            spool.stop();
        }
        ingest.quality.send(&ingest.publisher, &mut encoder);
        if let Err(error) = ingest.publisher.flush(last_wait(&ingest)) {
            tracing::warn!(%error, "messages were left unsent at shutdown; none of them was acknowledged to a client");
        }
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of ingest panicked");
            }
        }
        tracing::info!("ingest has stopped");
    })
    .await
    .map_err(|error| IngestError::Thread { what: "the final flush", reason: error.to_string() })
}

fn spawn_thread(
    name: &'static str,
    work: impl FnOnce() + Send + 'static,
) -> Result<std::thread::JoinHandle<()>, IngestError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| IngestError::Thread { what: name, reason: error.to_string() })
}

/// What a full spool's process still has in hand stays on disk; only what no disk has is worth waiting for.
fn last_wait(ingest: &Ingest) -> Duration {
    let is_diverted = ingest.spool.as_ref().is_some_and(Spool::is_diverted);
    if is_diverted { Duration::ZERO } else { ingest.ack_timeout }
}

fn publisher(
    settings: &Settings,
    topics: &Topics,
    spool: Option<&OpenSpool>,
) -> Result<Publisher, IngestError> {
    let options = &settings.ingest;
    let client_id = format!("touchstream-ingest-{}", kafka::unique_id());
    let mut config = kafka::producer(&settings.kafka, &client_id)?;
    // Kafka gives a message up shortly before the client is told to send it again, so that an outage cannot fill the queue with
    // messages that nobody waits for. Longer would only make more duplicates.
    let message_timeout = (options.ack_timeout_ms.saturating_sub(500)).max(options.ack_timeout_ms / 2).max(1);
    // With a spool nothing times out one by one: what is given up is given up as a whole, so that nothing is overtaken.
    let linger = Duration::try_from_secs_f64(options.linger_ms / 1e3).unwrap_or_default();
    let message_timeout =
        if spool.is_some() { 0 } else { u128::from(message_timeout).max(linger.as_millis() + 1) };
    config
        .set("linger.ms", options.linger_ms.to_string())
        .set("message.timeout.ms", message_timeout.to_string())
        .set("queue.buffering.max.kbytes", (options.queue_bytes / 1_024).max(1).to_string());
    let held_bytes = options.hold_while_sending.then_some(options.queue_bytes);
    Ok(Publisher::new(config, topics, held_bytes, spool.map(OpenSpool::shared))?)
}

struct Framings {
    raw: [Framing; 4],
    quality: Framing,
}

/// Registers the schemas where a registry is configured.
async fn framings(settings: &Settings, topics: &Topics) -> Result<Framings, IngestError> {
    if settings.schemas.registry_url.is_empty() {
        return Ok(Framings { raw: [Framing::SingleObject; 4], quality: Framing::SingleObject });
    }
    let (url, topics) = (settings.schemas.registry_url.clone(), topics.clone());
    let register = move || -> Result<Framings, IngestError> {
        let registry = SchemaRegistry::new(&url);
        let mut raw = [Framing::SingleObject; 4];
        for family in Family::ALL {
            let id = registry.register(&topics.raw(family), avro::of_family(family))?;
            raw[family as usize] = Framing::Confluent(id);
        }
        let quality = Framing::Confluent(registry.register(&topics.quality(), &avro::QUALITY)?);
        Ok(Framings { raw, quality })
    };
    tokio::task::spawn_blocking(register)
        .await
        .map_err(|error| IngestError::Thread { what: "registering schemas", reason: error.to_string() })?
}

/// Sends counts of data quality until shutdown and gives the encoder back for the last time.
async fn send_quality(ingest: Arc<Ingest>, framing: Framing, shutdown: Shutdown) -> Encoder {
    let mut encoder = Encoder::new(&avro::QUALITY, framing);
    let mut ticks = tokio::time::interval(QUALITY_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return encoder,
            _ = ticks.tick() => {
                let in_flight = ingest.limits.admission.bytes_in_flight();
                ingest.metrics.bytes_in_flight.set(i64::try_from(in_flight).unwrap_or(i64::MAX));
                ingest.quality.send(&ingest.publisher, &mut encoder);
            }
        }
    }
}

/// Asks Kafka for its topics from time to time; blocks, so it has a thread.
fn watch_kafka(ingest: &Ingest, shutdown: &Shutdown) {
    let mut answers = ingest.metrics.answered();
    while !shutdown.is_cancelled() {
        let topics = ingest.publisher.missing_topic(WATCH_TIMEOUT);
        let spool = ingest.spool.as_ref().map(|spool| SpoolState {
            is_alive: spool.is_alive(),
            is_diverted: spool.is_diverted(),
            refusal: spool.refusal(),
        });
        let now = ingest.metrics.answered();
        // All that was valid since the last look was answered with 503, and there was something.
        let takes_nothing = now.0 == answers.0 && now.1 > answers.1;
        answers = now;
        match readiness_of(topics, spool, takes_nothing) {
            Ok(()) => ingest.readiness.ready(KAFKA),
            Err(why) => ingest.readiness.not_ready(KAFKA, why),
        }
        let until = std::time::Instant::now() + WATCH_INTERVAL;
        while !shutdown.is_cancelled() && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// What matters of the spool for readiness.
#[derive(Clone, Copy, Debug)]
struct SpoolState {
    is_alive: bool,
    is_diverted: bool,
    refusal: Option<&'static str>,
}

/// Whether events can be made durable, else why not. A Kafka that answers is not yet one that takes something (too few replicas, a full disk,
/// no permission), so what became of events counts too.
fn readiness_of(
    topics: Result<Option<&str>, String>,
    spool: Option<SpoolState>,
    takes_nothing: bool,
) -> Result<(), String> {
    if let Ok(Some(topic)) = topics {
        return Err(format!("topic {topic} does not exist; run touchstream setup"));
    }
    let kafka = topics.err();
    match spool {
        None if takes_nothing && kafka.is_none() => Err("Kafka answers and takes no event".to_owned()),
        None => kafka.map_or(Ok(()), Err),
        Some(SpoolState { is_alive, is_diverted, refusal: Some(refusal) })
            if !is_alive || is_diverted || kafka.is_some() =>
        {
            let kafka = kafka.unwrap_or_else(|| match (is_alive, is_diverted) {
                (true, true) => "Kafka answers and takes no event in time".to_owned(),
                _ => "Kafka answers".to_owned(),
            });
            Err(format!("{kafka}; {refusal}"))
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_who_can_make_events_durable() {
        let state = |is_alive, is_diverted, refusal| Some(SpoolState { is_alive, is_diverted, refusal });
        let (fine, full) = (None, Some("the spool is full"));
        let away = || Err("no broker answers".to_owned());
        let cases = [
            (Ok(None), None, false, None),
            (Ok(None), None, true, Some("takes no event")),
            (away(), None, false, Some("no broker answers")),
            (Ok(Some("cx.app")), state(true, false, fine), false, Some("touchstream setup")),
            (Ok(None), state(true, false, fine), false, None),
            (away(), state(true, true, fine), false, None),
            (away(), state(true, true, full), false, Some("no broker answers; the spool is full")),
            // Kafka answers questions and takes nothing.
            (Ok(None), state(true, true, full), false, Some("the spool is full")),
            // It takes events directly; a full disk does not matter then.
            (Ok(None), state(true, false, full), false, None),
            // Whose thread is dead settles nothing that Kafka does not take at once.
            (Ok(None), state(false, false, Some("restart")), false, Some("restart")),
            (away(), state(false, true, Some("restart")), false, Some("restart")),
        ];
        for (number, (topics, spool, takes_nothing, expected)) in cases.into_iter().enumerate() {
            let found = readiness_of(topics, spool, takes_nothing);
            let is_right = match expected {
                None => found.is_ok(),
                Some(words) => found.as_ref().is_err_and(|why| why.contains(words)),
            };
            assert!(is_right, "case {number}: {found:?}");
        }
    }
}
