//! Limits: how much each key and each client may have, and who waits when there is too much for all.
//!
//! Listen ([`connections`]) → authenticate ([`failures`]) → read body ([`admission`]) → accept ([`bucket`], [`admission`]). Promise: what is
//! refused is refused before anything of it was stored, and the answer says when to come again.

pub(crate) mod admission;
mod bucket;
pub(crate) mod client_address;
pub(crate) mod connections;
mod failures;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::request::Parts;
use touchstream_runtime::settings::IngestSettings;

use self::admission::{Admission, Hold};
use self::bucket::{Bucket, Rate, take_all};
use self::client_address::{ClientAddress, Peer, ProxyError, TrustedProxies};
use self::failures::Failures;
use crate::error::Refusal;
use crate::keys::WriteKey;

/// Limits of one key that differ from those of the settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnLimits {
    pub(crate) events_per_s: Option<u64>,
    pub(crate) bytes_per_s: Option<u64>,
    pub(crate) burst_s: Option<u64>,
}

/// A key's buckets of events and of bytes.
#[derive(Debug, Default)]
pub(crate) struct KeyBuckets(Mutex<[Bucket; 2]>);

/// Events and bytes a second.
#[derive(Clone, Copy, Debug)]
struct Defaults {
    events: u64,
    bytes: u64,
}

/// All limits that need a memory.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) admission: Admission,
    pub(crate) proxies: TrustedProxies,
    failures: Failures,
    server_keys: Defaults,
    browser_keys: Defaults,
    burst_s: u64,
    begun: Instant,
}

impl Limits {
    /// The limits of the settings.
    ///
    /// # Errors
    /// When the trusted proxies cannot be understood.
    pub(crate) fn new(options: &IngestSettings) -> Result<Limits, ProxyError> {
        // Few large bodies must fit, however small the budget was made.
        let bytes = options.queue_bytes.max(options.max_body_bytes.saturating_mul(4));
        Ok(Limits {
            admission: Admission::new(bytes, options.max_connections.max(64)),
            proxies: TrustedProxies::new(&options.trusted_proxies, &options.proxy_header)?,
            failures: Failures::new(options.auth_failures_per_min),
            server_keys: Defaults { events: options.key_events_per_s, bytes: options.key_bytes_per_s },
            browser_keys: Defaults {
                events: options.browser_key_events_per_s,
                bytes: options.browser_key_bytes_per_s,
            },
            burst_s: options.key_burst_s,
            begun: Instant::now(),
        })
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Admits a request of this key before its body is read.
    pub(crate) fn enter<'a>(&'a self, key: &Arc<WriteKey>) -> Result<Hold<'a>, Refusal> {
        // Whoever has nothing left need not send a body first; nothing is taken yet.
        self.look(key, false, [1, 1])?;
        self.admission.enter(key)
    }

    /// The key of a request is known since its body was read: it counts for that key from now on.
    pub(crate) fn hand_over(&self, hold: &mut Hold<'_>, key: &Arc<WriteKey>) -> Result<(), Refusal> {
        self.look(key, false, [1, 1])?;
        hold.hand_over(key)
    }

    /// Takes a body from the key's buckets, whole or not at all.
    pub(crate) fn take(&self, key: &WriteKey, events: usize, bytes: usize) -> Result<(), Refusal> {
        self.look(key, true, [events as u64, bytes as u64])
    }

    fn look(&self, key: &WriteKey, take: bool, amounts: [u64; 2]) -> Result<(), Refusal> {
        let defaults = if key.browser { self.browser_keys } else { self.server_keys };
        let burst = Duration::from_secs(key.own_limits.burst_s.unwrap_or(self.burst_s));
        let rates = [
            Rate::new(key.own_limits.events_per_s.unwrap_or(defaults.events), burst),
            Rate::new(key.own_limits.bytes_per_s.unwrap_or(defaults.bytes), burst),
        ];
        if rates == [None, None] {
            return Ok(());
        }
        let mut buckets = key.buckets.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = *buckets;
        let outcome = take_all(&mut changed, rates, self.now(), amounts);
        if take {
            *buckets = changed;
        }
        outcome.map_err(|retry_after| Refusal::RateLimited { retry_after })
    }

    /// Judges a key that was presented: found or not, and whether this client failed too often.
    pub(crate) fn judge(
        &self,
        parts: &Parts,
        found: Option<Arc<WriteKey>>,
    ) -> Result<Arc<WriteKey>, Refusal> {
        if let Some(key) = found.as_ref().filter(|key| !key.guessable) {
            return Ok(Arc::clone(key));
        }
        // Every request comes from a connection; without one (unit tests) all share an address.
        let peer =
            parts.extensions.get::<Peer>().map_or(std::net::Ipv6Addr::UNSPECIFIED.into(), |peer| peer.0);
        let address = ClientAddress::from(self.proxies.client_address(peer, &parts.headers));
        let now = self.now();
        if let Some(retry_after) = self.failures.wait(address, now) {
            return Err(Refusal::TooManyFailures { retry_after });
        }
        found.ok_or_else(|| {
            self.failures.note(address, now);
            Refusal::Unauthorized
        })
    }
}
