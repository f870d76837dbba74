//! Kafka clients as this pipeline needs them: one place for addresses, TLS, SASL and the settings that `ARCHITECTURE.md` explains.

mod connect;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use uuid::Uuid;

use crate::secret::SecretFileError;
use crate::settings::KafkaSettings;

pub use connect::{ConnectError, Reasons, connect};

/// Largest record, and what topics are set up to take: a changelog record holds a whole journey, at most 500 events.
pub const MAX_MESSAGE_BYTES: u32 = 8 << 20;

/// Whether librdkafka overcomes an error by itself.
#[must_use]
pub fn is_passing(error: &KafkaError) -> bool {
    let passing = [
        RDKafkaErrorCode::BrokerTransportFailure,
        RDKafkaErrorCode::AllBrokersDown,
        RDKafkaErrorCode::OperationTimedOut,
        RDKafkaErrorCode::Resolve,
        RDKafkaErrorCode::UnknownTopicOrPartition,
        RDKafkaErrorCode::LeaderNotAvailable,
        RDKafkaErrorCode::NotLeaderForPartition,
    ];
    error.rdkafka_error_code().is_some_and(|code| passing.contains(&code))
}

/// What is common to every client.
///
/// # Errors
/// When the password's file cannot be read.
pub fn client(settings: &KafkaSettings, client_id: &str) -> Result<ClientConfig, SecretFileError> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("client.id", client_id)
        .set("security.protocol", &settings.security_protocol)
        .set("socket.keepalive.enable", "true")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "2000")
        .set("topic.metadata.refresh.interval.ms", "60000")
        .set("log_level", "4");
    if settings.security_protocol.starts_with("sasl") {
        let password = settings.sasl_password.or_file(&settings.sasl_password_file)?;
        config
            .set("sasl.mechanism", &settings.sasl_mechanism)
            .set("sasl.username", &settings.sasl_username)
            .set("sasl.password", password.expose());
    }
    for (name, file) in [
        ("ssl.ca.location", &settings.ssl_ca_file),
        ("ssl.certificate.location", &settings.ssl_certificate_file),
        ("ssl.key.location", &settings.ssl_key_file),
    ] {
        if !file.is_empty() {
            config.set(name, file);
        }
    }
    Ok(config)
}

/// A producer that waits for all in-sync replicas and never writes a message twice.
///
/// # Errors
/// When the password's file cannot be read.
pub fn producer(settings: &KafkaSettings, client_id: &str) -> Result<ClientConfig, SecretFileError> {
    let mut config = client(settings, client_id)?;
    config
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        // The partitioner of every other Kafka client: a key lies in the same partition whoever writes it.
        .set("partitioner", "murmur2_random")
        .set("queue.buffering.max.messages", "1000000")
        .set("message.max.bytes", MAX_MESSAGE_BYTES.to_string())
        // Retry delays: a transaction that meets the previous one's end waits this long (CONCURRENT_TRANSACTIONS).
        .set("retry.backoff.ms", "20");
    Ok(config)
}

/// A consumer that reads committed records only and commits nothing by itself. Without a committed offset it starts at the
/// beginning; an offset that the log no longer has is an error for a person to decide, never a silent jump.
///
/// # Errors
/// When the password's file cannot be read.
pub fn consumer(
    settings: &KafkaSettings,
    client_id: &str,
    group: &str,
) -> Result<ClientConfig, SecretFileError> {
    let mut config = client(settings, client_id)?;
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("partition.assignment.strategy", "range")
        .set("session.timeout.ms", settings.session_timeout_ms.to_string())
        .set("heartbeat.interval.ms", (settings.session_timeout_ms / 5).clamp(100, 2_000).to_string())
        .set("max.poll.interval.ms", "120000")
        .set("fetch.wait.max.ms", "50")
        // The default of 1000 ms stalls a fast consumer whose queue was full for an instant.
        .set("fetch.queue.backoff.ms", "20")
        .set("queued.max.messages.kbytes", "32768")
        .set("queued.min.messages", "50000");
    Ok(config)
}

/// A client's name that tells a person which process it is, as in `touchstream-measure-HOST-PID`; with an id of the instance it ends with
/// that instead, since Kafka goes on to name a restarted static member as it was named first.
#[must_use]
pub fn named_client(part: &str, instance_id: &str) -> String {
    if !instance_id.is_empty() {
        return format!("touchstream-{part}-{instance_id}");
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("touchstream-{part}-{}-{}", host.trim(), std::process::id())
}

/// An id that no other client has, on this machine or another: two processors with the same transactional id would fence each
/// other for ever, and in containers every process has the same process id.
#[must_use]
pub fn unique_id() -> String {
    static PROCESS: LazyLock<Uuid> = LazyLock::new(Uuid::new_v4);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", PROCESS.simple(), NEXT.fetch_add(1, Ordering::Relaxed))
}
