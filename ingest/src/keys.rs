//! Write keys: what each allows, and how they are looked up.
//!
//! The keys of the configuration stand here from the start; the others come from the compacted topic of keys, see [`follow`]. Promise:
//! a key itself is never kept, only its SHA-256, and comparing takes the same time whether it is right or wrong.

pub(crate) mod create;
pub(crate) mod follow;
pub(crate) mod snapshot;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use touchstream_schemas::event::Family;

use crate::limit::admission::Work;
use crate::limit::{KeyBuckets, OwnLimits};
use crate::pseudonym::Pseudonyms;

/// SHA-256 of a write key.
pub(crate) type KeyHash = [u8; 32];

/// Why data may be processed under a key (GDPR Art. 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegalBasis {
    /// Without the consent `analytics` only identity-free events are kept.
    Consent,
    /// Needed to fulfil a contract.
    Contract,
    /// A legitimate interest that was weighed.
    LegitimateInterest,
}

/// A write key as the topic of keys holds it, under its SHA-256 in hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredKey {
    pub(crate) tenant: String,
    pub(crate) source: String,
    #[serde(default)]
    pub(crate) browser: bool,
    #[serde(default)]
    pub(crate) webhook: bool,
    /// Origins that a browser may send from; empty: any.
    #[serde(default)]
    pub(crate) origins: Vec<String>,
    /// Families that it may send; empty: all.
    #[serde(default)]
    pub(crate) families: Vec<String>,
    pub(crate) legal_basis: LegalBasis,
    pub(crate) created_at: String,
    /// Limits of its own, instead of those of the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) events_per_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_per_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) burst_s: Option<u64>,
}

/// What a write key allows.
#[derive(Debug)]
pub(crate) struct WriteKey {
    pub(crate) tenant: Arc<str>,
    pub(crate) source: String,
    pub(crate) browser: bool,
    pub(crate) webhook: bool,
    pub(crate) origins: Vec<String>,
    pub(crate) legal_basis: LegalBasis,
    pub(crate) pseudonyms: Pseudonyms,
    pub(crate) own_limits: OwnLimits,
    pub(crate) buckets: KeyBuckets,
    /// What of it is in flight.
    pub(crate) work: Work,
    /// Made up by a person, and short: guesses at it must be slow.
    pub(crate) guessable: bool,
    /// Pages of this machine may use it too.
    pub(crate) local_pages: bool,
    families: [bool; 4],
}

impl WriteKey {
    pub(crate) fn new(stored: StoredKey, secret: &str) -> WriteKey {
        let allowed = |family: Family| {
            stored.families.is_empty() || stored.families.iter().any(|name| name == family.name())
        };
        WriteKey {
            pseudonyms: Pseudonyms::new(secret, &stored.tenant),
            families: Family::ALL.map(allowed),
            own_limits: OwnLimits {
                events_per_s: stored.events_per_s,
                bytes_per_s: stored.bytes_per_s,
                burst_s: stored.burst_s,
            },
            buckets: KeyBuckets::default(),
            work: Work::default(),
            guessable: false,
            local_pages: false,
            tenant: stored.tenant.into(),
            source: stored.source,
            browser: stored.browser,
            webhook: stored.webhook,
            origins: stored.origins,
            legal_basis: stored.legal_basis,
        }
    }

    /// Whose requests are whose key was not read yet; nothing may be sent with it.
    pub(crate) fn nobody() -> WriteKey {
        let stored = StoredKey {
            tenant: String::new(),
            source: String::new(),
            browser: false,
            webhook: false,
            origins: Vec::new(),
            families: Vec::new(),
            legal_basis: LegalBasis::Consent,
            created_at: String::new(),
            events_per_s: None,
            bytes_per_s: None,
            burst_s: None,
        };
        WriteKey { families: [false; 4], ..WriteKey::new(stored, "nobody") }
    }

    /// Whether events of this family may be sent.
    pub(crate) fn allows(&self, family: Family) -> bool {
        self.families[family as usize]
    }

    /// Whether a page of this origin may send; without an origin it is no page.
    pub(crate) fn allows_origin(&self, origin: Option<&str>) -> bool {
        if self.local_pages {
            return origin.is_none_or(is_of_this_machine);
        }
        let is_limited = self.browser && !self.origins.is_empty();
        !is_limited || origin.is_some_and(|origin| self.origins.iter().any(|one| one == origin))
    }

    /// Whether it may stand in the URL of a request that comes from this origin.
    pub(crate) fn allows_url(&self, origin: Option<&str>) -> bool {
        self.browser || self.webhook || self.local_pages && origin.is_some()
    }

    /// Whether pages may read the answer.
    pub(crate) fn is_for_pages(&self) -> bool {
        self.browser || self.local_pages
    }
}

/// Whether an origin is a web server on the machine that its browser runs on, at any port.
fn is_of_this_machine(origin: &str) -> bool {
    let Some((_scheme @ ("http" | "https"), host)) = origin.split_once("://") else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]") || name.ends_with(".localhost")
}

/// Configured keys of this length and longer are taken for random ones.
const RANDOM_KEY_BYTES: usize = 32;

/// SHA-256 of a key.
pub(crate) fn hash(key: &str) -> KeyHash {
    Sha256::digest(key.as_bytes()).into()
}

/// The keys that are valid now.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    configured: HashMap<KeyHash, Arc<WriteKey>>,
    followed: RwLock<HashMap<KeyHash, Arc<WriteKey>>>,
    /// The topic was read to its end once.
    complete: AtomicBool,
}

/// A key of the configuration cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("failed to use entry {number} of ingest.static_keys: expected \"KEY:TENANT:SOURCE\"")]
pub struct StaticKeyError {
    number: usize,
}

impl Keys {
    /// The keys of the configuration; they belong to servers and their basis is the contract.
    pub(crate) fn configured(entries: &[String], secret: &str) -> Result<Keys, StaticKeyError> {
        let mut keys = Keys::default();
        for (index, entry) in entries.iter().enumerate() {
            let error = StaticKeyError { number: index + 1 };
            let mut parts = entry.rsplitn(3, ':');
            let (Some(source), Some(tenant), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(error);
            };
            if [source, tenant, key].iter().any(|part| part.is_empty()) {
                return Err(error);
            }
            let stored = StoredKey {
                tenant: tenant.to_owned(),
                source: source.to_owned(),
                browser: false,
                webhook: false,
                origins: Vec::new(),
                families: Vec::new(),
                legal_basis: LegalBasis::Contract,
                created_at: String::new(),
                events_per_s: None,
                bytes_per_s: None,
                burst_s: None,
            };
            let guessable = key.len() < RANDOM_KEY_BYTES;
            let write_key = WriteKey { guessable, ..WriteKey::new(stored, secret) };
            keys.configured.insert(hash(key), Arc::new(write_key));
        }
        Ok(keys)
    }

    /// Lets pages of this machine use the keys of the configuration, under the legal basis that pages have.
    pub(crate) fn open_to_local_pages(&mut self) {
        for key in self.configured.values_mut().filter_map(Arc::get_mut) {
            key.local_pages = true;
            key.legal_basis = LegalBasis::Consent;
        }
    }

    /// The key with this text, if it is valid.
    pub(crate) fn find(&self, key: &str) -> Option<Arc<WriteKey>> {
        let wanted = hash(key);
        let followed = self.followed.read().unwrap_or_else(PoisonError::into_inner);
        let (found_hash, found) =
            self.configured.get_key_value(&wanted).or_else(|| followed.get_key_value(&wanted))?;
        // The maps compare hashes of hashes; what decides is this comparison of whole digests.
        bool::from(found_hash[..].ct_eq(&wanted[..])).then(|| Arc::clone(found))
    }

    /// Whether the topic was read to its end once: only then is an unknown key a wrong one.
    pub(crate) fn are_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// The topic was read to its end.
    pub(crate) fn set_complete(&self) {
        self.complete.store(true, Ordering::Relaxed);
    }

    /// Revokes every key of the topic whose hash is not to be kept.
    pub(crate) fn keep_only(&self, is_kept: impl Fn(&KeyHash) -> bool) {
        let mut followed = self.followed.write().unwrap_or_else(PoisonError::into_inner);
        followed.retain(|hash, _| is_kept(hash));
    }

    /// Adds, replaces or (with none) revokes a key of the topic.
    pub(crate) fn put(&self, hash: KeyHash, key: Option<WriteKey>) {
        let mut followed = self.followed.write().unwrap_or_else(PoisonError::into_inner);
        match key {
            Some(key) => followed.insert(hash, Arc::new(key)),
            None => followed.remove(&hash),
        };
    }
}

/// A hash as hex.
pub(crate) fn to_hex(hash: &KeyHash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A hash from hex.
pub(crate) fn from_hex(text: &[u8]) -> Option<KeyHash> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() == 64 && text.is_ascii())?;
    let mut hash = [0; 32];
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configured_keys_are_found_and_keys_of_the_topic_come_and_go() {
        let entries = ["shop:key:shop:web".to_owned()];
        let keys = Keys::configured(&entries, "secret").expect("it is valid");
        let found = keys.find("shop:key").expect("it is there");
        assert_eq!((&*found.tenant, &*found.source), ("shop", "web"));
        assert!(keys.find("shop").is_none());

        let stored = StoredKey {
            tenant: "demo".to_owned(),
            source: "app".to_owned(),
            browser: true,
            webhook: false,
            origins: vec!["https://shop.example".to_owned()],
            families: vec!["feedback".to_owned()],
            legal_basis: LegalBasis::Consent,
            created_at: String::new(),
            events_per_s: None,
            bytes_per_s: None,
            burst_s: None,
        };
        keys.put(hash("new"), Some(WriteKey::new(stored, "secret")));
        let found = keys.find("new").expect("it was added");
        assert!(found.allows(Family::Feedback) && !found.allows(Family::Checkout));
        assert!(found.allows_origin(Some("https://shop.example")));
        assert!(!found.allows_origin(Some("https://evil.example")) && !found.allows_origin(None));
        keys.put(hash("new"), None);
        assert!(keys.find("new").is_none());
    }

    #[test]
    fn local_pages_are_those_of_this_machine() {
        let mut keys = Keys::configured(&["shop:shop:web".to_owned()], "secret").expect("it is valid");
        assert!(!keys.find("shop").expect("it is there").allows_url(Some("http://localhost:3000")));
        keys.open_to_local_pages();
        let key = keys.find("shop").expect("it is there");
        assert!(key.is_for_pages() && key.legal_basis == LegalBasis::Consent);
        for origin in [
            "http://localhost:3000",
            "https://localhost",
            "http://127.0.0.1:8000",
            "http://[::1]",
            "http://shop.localhost:80",
        ] {
            assert!(key.allows_origin(Some(origin)) && key.allows_url(Some(origin)), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://localhost.evil.example",
            "https://evil.example:80",
            "http://127.0.0.1.evil.example:127",
            "chrome-extension://localhost",
            "http://evillocalhost",
            "http://localhost:80:x",
            "localhost",
        ] {
            assert!(!key.allows_origin(Some(origin)), "{origin}");
        }
        // Servers send no origin, and have a header for the key.
        assert!(key.allows_origin(None) && !key.allows_url(None));
    }

    #[test]
    fn mistakes_in_the_configuration_name_the_entry_and_not_the_key() {
        let error = Keys::configured(&["a:b:c".to_owned(), "hush".to_owned()], "s").expect_err("no tenant");
        assert!(error.to_string().contains("entry 2") && !error.to_string().contains("hush"));
        assert_eq!(from_hex(to_hex(&hash("x")).as_bytes()), Some(hash("x")));
        assert_eq!(from_hex(b"zz"), None);
    }
}
