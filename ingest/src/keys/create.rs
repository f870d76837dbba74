//! Makes a write key for `touchstream key create`: 32 random bytes, shown once; the topic of keys holds only its SHA-256.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use touchstream_runtime::compacted::{self, CompactedError};
use touchstream_runtime::kafka;
use touchstream_runtime::secret::SecretFileError;
use touchstream_runtime::settings::Settings;
use touchstream_schemas::event::Family;
use touchstream_schemas::topics::Topics;

use super::{LegalBasis, StoredKey, hash, to_hex};

/// What a new key is to allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewKey {
    /// Tenant that its events belong to.
    pub tenant: String,
    /// Name of the sender; ids are unique within (tenant, source).
    pub source: String,
    /// May be used by web pages: in `?key=`, from `origins`.
    pub browser: bool,
    /// May be used in `?key=` by systems that cannot set headers.
    pub webhook: bool,
    /// Origins that pages may send from, as `https://shop.example`; empty: any.
    pub origins: Vec<String>,
    /// Families that it may send; empty: all.
    pub families: Vec<String>,
    /// None: consent for browser keys, else contract.
    pub legal_basis: Option<LegalBasis>,
    /// Events a second, instead of the limit of the settings; 0: no limit.
    pub events_per_s: Option<u64>,
    /// Bytes a second, after decompression, instead of the limit of the settings; 0: no limit.
    pub bytes_per_s: Option<u64>,
    /// Seconds of its rate that may come at once, instead of those of the settings.
    pub burst_s: Option<u64>,
}

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateKeyError {
    /// Something that was asked for is not possible.
    #[error("failed to make a key: {field} {value:?}: {expected}")]
    Invalid {
        /// Which part.
        field: &'static str,
        /// As given.
        value: String,
        /// What is possible.
        expected: &'static str,
    },
    /// The password for Kafka cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// Kafka did not take it.
    #[error("failed to store the key in Kafka topic {topic}: {reason}")]
    Kafka {
        /// The topic of keys.
        topic: String,
        /// What Kafka says.
        reason: String,
    },
}

/// Makes a key, stores its hash, and returns the key: the only time that anyone sees it.
///
/// # Errors
/// When a name is not possible, or Kafka is not reached or does not confirm the hash within 15 s each.
pub async fn create_key(settings: &Settings, new: NewKey) -> Result<String, CreateKeyError> {
    check(&new)?;
    let mut random = [0_u8; 32];
    random[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    random[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    let key = format!("ts_{}", URL_SAFE_NO_PAD.encode(random));
    let default_basis = if new.browser { LegalBasis::Consent } else { LegalBasis::Contract };
    let stored = StoredKey {
        tenant: new.tenant,
        source: new.source,
        browser: new.browser,
        webhook: new.webhook,
        origins: new.origins,
        families: new.families,
        legal_basis: new.legal_basis.unwrap_or(default_basis),
        created_at: jiff::Timestamp::now().to_string(),
        events_per_s: new.events_per_s,
        bytes_per_s: new.bytes_per_s,
        burst_s: new.burst_s,
    };
    let value = serde_json::to_vec(&stored).expect("texts and flags are always JSON");
    let topic = Topics::new(&settings.kafka.topic_prefix).keys();
    let kafka_error = |reason| CreateKeyError::Kafka { topic: topic.clone(), reason };
    let record_key = to_hex(&hash(&key));
    let (settings, stored_in) = (settings.kafka.clone(), topic.clone());
    let stored = tokio::task::spawn_blocking(move || {
        let client = format!("touchstream-key-{}", kafka::unique_id());
        compacted::write(&settings, &stored_in, &client, &record_key, Some(&value))
    })
    .await
    .map_err(|panic| kafka_error(panic.to_string()))?;
    stored.map_err(|error| match error {
        CompactedError::Secret(error) => CreateKeyError::Secret(error),
        // The topic is named beside it.
        CompactedError::Kafka { source, .. } => kafka_error(source.to_string()),
        error => kafka_error(error.to_string()),
    })?;
    Ok(key)
}

fn check(new: &NewKey) -> Result<(), CreateKeyError> {
    let invalid = |field, value: &str, expected| {
        Err(CreateKeyError::Invalid { field, value: value.to_owned(), expected })
    };
    for (field, name) in [("tenant", &new.tenant), ("source", &new.source)] {
        let possible = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(possible) {
            return invalid(field, name, "expected 1 to 64 letters, digits, '-', '_' or '.'");
        }
    }
    for name in &new.families {
        if !Family::ALL.iter().any(|family| family.name() == name) {
            return invalid("family", name, "expected checkout, chat, feedback or app");
        }
    }
    for origin in &new.origins {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        if !host.is_some_and(|host| !host.is_empty() && !host.contains(['/', ' ', '*'])) {
            return invalid("origin", origin, "expected scheme and host, as in https://shop.example");
        }
    }
    if !new.origins.is_empty() && !new.browser {
        return invalid("origin", &new.origins[0], "only browser keys have origins");
    }
    Ok(())
}
