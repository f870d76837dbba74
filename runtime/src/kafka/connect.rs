//! The first word with Kafka: whether it lets this client in, and if not, why.
//!
//! librdkafka tries for ever, and answers a question that it cannot ask with a time-out alone: a wrong password looks like a broker
//! that is away. The reason comes as an event of the client, which [`Reasons`] keeps. Promise: what waiting does not cure
//! ends the wait at once, and the error names the settings to look at.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

use super::client;
use crate::secret::SecretFileError;
use crate::settings::KafkaSettings;

/// Longest wait for one answer; reasons are looked at in between.
const ATTEMPT: Duration = Duration::from_millis(250);
/// A refusal counts only after this time: the first broker of several may be the only one that is wrong, and a broker that just
/// started may not know its users yet.
const CERTAIN: Duration = Duration::from_secs(2);

/// Why Kafka cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The password's file cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// librdkafka cannot use the settings: an unknown mechanism, a file that is not there.
    #[error("failed to make a Kafka client from the settings in [kafka]: {0}")]
    Settings(#[source] KafkaError),
    /// Kafka does not trust this client, or this client does not trust Kafka: waiting cures neither.
    #[error("failed to log in to Kafka at {brokers}: {reason}; check {check}")]
    Refused {
        /// As configured.
        brokers: String,
        /// What librdkafka says.
        reason: String,
        /// The settings that decide it.
        check: &'static str,
    },
    /// No broker answers.
    #[error("failed to reach Kafka at {brokers} within {} s: {reason}", patience.as_secs())]
    Unreachable {
        /// As configured.
        brokers: String,
        /// How long it was tried.
        patience: Duration,
        /// What librdkafka says.
        reason: String,
    },
}

/// The newest reason that a client gave for not reaching Kafka.
#[derive(Debug, Default)]
pub struct Reasons(Mutex<Option<(RDKafkaErrorCode, String)>>);

impl Reasons {
    /// Takes what librdkafka hands to [`ClientContext::error`].
    pub fn note(&self, error: &KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            // Follows each reason of the last broker, and says less.
            None | Some(RDKafkaErrorCode::AllBrokersDown) => {}
            Some(code) => *self.lock() = Some((code, reason.to_owned())),
        }
    }

    /// Kafka answers again.
    pub fn forget(&self) {
        *self.lock() = None;
    }

    /// `error` in words, with the reason where there is one.
    #[must_use]
    pub fn explain(&self, error: &KafkaError) -> String {
        match &*self.lock() {
            Some((_, reason)) => format!("{error}: {reason}"),
            None => error.to_string(),
        }
    }

    /// The reason when waiting does not cure it, and the settings to look at.
    fn refusal(&self) -> Option<(String, &'static str)> {
        let (code, reason) = self.lock().clone()?;
        let check = match code {
            RDKafkaErrorCode::Authentication => {
                "kafka.sasl_mechanism, kafka.sasl_username and kafka.sasl_password_file (or kafka.sasl_password)"
            }
            RDKafkaErrorCode::SSL => "kafka.ssl_ca_file, kafka.ssl_certificate_file and kafka.ssl_key_file",
            _ => return None,
        };
        Some((reason, check))
    }

    fn lock(&self) -> MutexGuard<'_, Option<(RDKafkaErrorCode, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Reasons {
    fn error(&self, error: KafkaError, reason: &str) {
        self.note(&error, reason);
    }
}

impl ProducerContext for Reasons {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// Asks Kafka for its brokers until it answers, it refuses, or `patience` is over; blocks.
///
/// # Errors
/// When Kafka cannot be used, with the reason.
pub fn connect(settings: &KafkaSettings, client_id: &str, patience: Duration) -> Result<(), ConnectError> {
    let producer: BaseProducer<Reasons> =
        BaseProducer::from_config_and_context(&client(settings, client_id)?, Reasons::default())
            .map_err(ConnectError::Settings)?;
    let begun = Instant::now();
    loop {
        let Err(error) = producer.client().fetch_metadata(None, ATTEMPT) else { return Ok(()) };
        // Hands the reasons that came meanwhile to the context.
        producer.poll(Duration::ZERO);
        let reasons = producer.context();
        let brokers = settings.brokers.clone();
        if begun.elapsed() >= CERTAIN
            && let Some((reason, check)) = reasons.refusal()
        {
            return Err(ConnectError::Refused { brokers, reason, check });
        }
        if begun.elapsed() >= patience {
            return Err(ConnectError::Unreachable { brokers, patience, reason: reasons.explain(&error) });
        }
    }
}
