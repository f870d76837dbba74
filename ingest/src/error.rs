//! What can go wrong: for the service as a whole, and for one request; the latter maps to a status in one place.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::StatusCode;

use crate::dialect::alias::AliasError;
use crate::keys::StaticKeyError;
use crate::parse::ParseError;
use crate::problem::code;

/// Why ingest cannot run.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// No secret for pseudonyms.
    #[error(
        "failed to start ingest: ingest.pseudonym_secret is empty; set it, or name a file in ingest.pseudonym_secret_file, \
         to at least 16 random characters, the same on every instance"
    )]
    NoPseudonymSecret,
    /// A secret's file cannot be read.
    #[error(transparent)]
    SecretFile(#[from] touchstream_runtime::secret::SecretFileError),
    /// A key of the configuration cannot be read.
    #[error(transparent)]
    StaticKey(#[from] StaticKeyError),
    /// A table of names cannot be used.
    #[error(transparent)]
    Aliases(#[from] AliasError),
    /// The file of touchpoints cannot be used.
    #[error(transparent)]
    Touchpoints(#[from] touchstream_runtime::touchpoints::TouchpointsError),
    /// The address for clients cannot be used.
    #[error("failed to listen on {address} (ingest.listen): {source}")]
    Listen {
        /// As configured.
        address: String,
        /// Cause.
        source: std::io::Error,
    },
    /// The admin port cannot be used.
    #[error(transparent)]
    Admin(#[from] touchstream_runtime::admin::AdminError),
    /// The trusted proxies cannot be understood.
    #[error(transparent)]
    Proxies(#[from] crate::limit::client_address::ProxyError),
    /// The producer or consumer cannot be created.
    #[error("failed to set up the Kafka client: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// The topic of marks cannot be written.
    #[error(transparent)]
    Marks(#[from] touchstream_runtime::compacted::CompactedError),
    /// The schema registry does not help.
    #[error(transparent)]
    Registry(#[from] touchstream_schemas::registry::RegistryError),
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] crate::spool::SpoolError),
    /// Metrics cannot be registered.
    #[error("failed to register metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A thread or task could not be started or has panicked.
    #[error("failed to run {what}: {reason}")]
    Thread {
        /// Which.
        what: &'static str,
        /// Cause.
        reason: String,
    },
}

impl IngestError {
    /// Whether only a change of the settings helps.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            IngestError::NoPseudonymSecret
                | IngestError::SecretFile(_)
                | IngestError::StaticKey(_)
                | IngestError::Aliases(_)
                | IngestError::Proxies(_)
                | IngestError::Touchpoints(_)
        )
    }
}

/// Why a request as a whole is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No key, or none that is known.
    Unauthorized,
    /// A key in the URL that is neither a browser's nor a webhook's.
    KeyNotForUrl,
    /// A browser key from a page that it is not for.
    Origin,
    /// The body, or what it decompresses to, is too large.
    BodyTooLarge { limit: usize },
    /// More events than the limit.
    TooManyEvents { limit: usize },
    /// Content-Type.
    MediaType,
    /// Content-Encoding.
    Encoding,
    /// The body is not what its Content-Encoding says.
    BrokenEncoding,
    /// The body ended early or its framing is broken.
    BrokenBody,
    /// The body did not come in time.
    BodyTimeout,
    /// Nothing could be parsed.
    Parse(ParseError),
    /// Too much is going on, and most of it by this key.
    Busy,
    /// The key has used up what it may send.
    RateLimited { retry_after: Duration },
    /// Too many failed authentications from this address.
    TooManyFailures { retry_after: Duration },
    /// The write keys were not read yet.
    Starting,
    /// A value of dry_run that says neither yes nor no.
    DryRun,
    /// No such path.
    NotFound,
    /// The path knows another method.
    Method,
}

/// What a refusal says.
#[derive(Debug)]
pub(crate) struct Explanation {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
    pub(crate) limit: Option<usize>,
    pub(crate) place: Option<(usize, usize)>,
    /// When to come again; every 429 and 503 has it.
    pub(crate) retry_after: Option<Duration>,
}

/// When to come again if nothing better is known.
pub(crate) const SOON: Duration = Duration::from_secs(1);

impl Refusal {
    /// The refusal of a body that cannot be parsed.
    pub(crate) fn of_parsing(error: ParseError, limit: usize) -> Refusal {
        match error {
            ParseError::TooManyEvents => Refusal::TooManyEvents { limit },
            syntax @ ParseError::Syntax { .. } => Refusal::Parse(syntax),
        }
    }

    /// The bounded name of a limit that was met, for metrics.
    pub(crate) fn limit_met(&self) -> Option<&'static str> {
        match self {
            Refusal::Busy => Some("busy"),
            Refusal::RateLimited { .. } => Some("key_rate"),
            Refusal::TooManyFailures { .. } => Some("auth_failures"),
            _ => None,
        }
    }

    /// Status, code and words; the only place that decides them.
    pub(crate) fn explain(self) -> Explanation {
        let plain = |status, code, message: &'static str| Explanation {
            status,
            code,
            message: Cow::Borrowed(message),
            limit: None,
            place: None,
            retry_after: (status == StatusCode::SERVICE_UNAVAILABLE).then_some(SOON),
        };
        match self {
            Refusal::Unauthorized => plain(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "no valid write key: send the one that touchstream key create printed as Authorization: Bearer KEY, as X-Write-Key, as Basic user name, \
                 or, one for browsers, as data-key of the script and ?key=KEY",
            ),
            Refusal::KeyNotForUrl => plain(
                StatusCode::FORBIDDEN,
                "key_not_for_url",
                "only browser and webhook keys may stand in the URL, where logs keep them; send this one as Authorization: Bearer KEY",
            ),
            Refusal::Origin => plain(
                StatusCode::FORBIDDEN,
                "origin_not_allowed",
                "this write key is not for pages of this origin: touchstream key create --browser --origin https://www.shop.example \
                 makes one that is, with the page's own scheme, host and port; a page opened as a file has no origin, so serve it by \
                 HTTP; the keys of touchstream up are for pages of localhost",
            ),
            Refusal::BodyTooLarge { limit } => Explanation {
                limit: Some(limit),
                ..plain(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "body_too_large",
                    "the body is larger than the limit in bytes, after decompression; send fewer events at a time",
                )
            },
            Refusal::TooManyEvents { limit } => Explanation {
                limit: Some(limit),
                ..plain(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "too_many_events",
                    "more events than the limit in one request",
                )
            },
            Refusal::MediaType => plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "expected a JSON Content-Type in UTF-8: add the header Content-Type: application/json (curl -d sends a form's unless you do), \
                 or application/x-ndjson, application/cloudevents+json, application/cloudevents-batch+json, text/plain",
            ),
            Refusal::Encoding => plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_encoding",
                "expected Content-Encoding gzip, deflate, br, zstd, or none",
            ),
            Refusal::BrokenEncoding => plain(
                StatusCode::BAD_REQUEST,
                "broken_encoding",
                "the body cannot be decompressed as its Content-Encoding says",
            ),
            Refusal::BrokenBody => {
                plain(StatusCode::BAD_REQUEST, "broken_body", "the body ended early or its framing is broken")
            }
            Refusal::BodyTimeout => {
                plain(StatusCode::REQUEST_TIMEOUT, "body_timeout", "the body did not arrive in time")
            }
            Refusal::Parse(ParseError::Syntax { code, message, line, column }) => Explanation {
                status: StatusCode::BAD_REQUEST,
                code,
                message: Cow::Owned(message),
                limit: None,
                place: Some((line, column)),
                retry_after: None,
            },
            Refusal::Parse(ParseError::TooManyEvents) => plain(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_many_events",
                "more events than the limit in one request",
            ),
            Refusal::Busy => plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "too much at once, and most of it by this key; nothing was stored, send it again",
            ),
            Refusal::RateLimited { retry_after } => Explanation {
                retry_after: Some(retry_after),
                ..plain(
                    StatusCode::TOO_MANY_REQUESTS,
                    "rate_limited",
                    "this write key sends more events or bytes a second than it may; nothing was stored, send it again after the \
                     seconds in Retry-After",
                )
            },
            Refusal::TooManyFailures { retry_after } => Explanation {
                retry_after: Some(retry_after),
                ..plain(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too_many_failures",
                    "too many requests without a valid write key from this address; try again after the seconds in Retry-After",
                )
            },
            Refusal::Starting => plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "starting",
                "write keys are not loaded yet; nothing was stored, send it again",
            ),
            Refusal::DryRun => plain(
                StatusCode::BAD_REQUEST,
                "invalid_parameter",
                "expected dry_run=1 for a trial that stores nothing, or dry_run=0; nothing was stored",
            ),
            Refusal::NotFound => plain(
                StatusCode::NOT_FOUND,
                "not_found",
                "events go to POST /v1/events; GET /openapi.json describes all paths",
            ),
            Refusal::Method => plain(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "expected POST"),
        }
    }
}

/// Code of an answer that asks for a retry.
pub(crate) const UNAVAILABLE: &str = "unavailable";
/// Codes that mean that an entry could not even be read.
pub(crate) const UNREADABLE: [&str; 2] = [code::INVALID_JSON, code::TOO_DEEP];
