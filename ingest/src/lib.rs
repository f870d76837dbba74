//! Ingest: touchpoint events come in by HTTP, are validated, and are answered with 202 once Kafka has them.
//!
//! One request's way: [`listen`] → [`route`] → [`authenticate`] → [`read_body`] (time and size; who waits: [`limit`]) → [`accept`]:
//! [`parse`] or [`dialect`] → [`validate`] (by the [`catalogue`]) → [`record`] (privacy) → Avro → [`publish`] → [`respond`]. Beside it: [`keys`]
//! follows the topic of write keys, [`quality`] counts what was answered.
//!
//! Promise: never 202 for an event that can still be lost, and no request, however hostile, ends or fills the process.

mod accept;
mod authenticate;
mod browser_files;
mod catalogue;
mod cors;
mod dialect;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod held_answer;
mod keys;
mod limit;
mod listen;
mod mask;
mod metrics;
mod openapi;
mod parse;
mod privacy;
mod problem;
mod pseudonym;
mod publish;
mod quality;
mod read_body;
mod read_value;
mod recent;
mod record;
mod refused;
mod respond;
mod route;
mod serve;
mod spool;
mod suggest;
mod validate;

pub use error::IngestError;
pub use keys::create::{CreateKeyError, NewKey, create_key};
pub use keys::{LegalBasis, StaticKeyError};
pub use limit::client_address::ProxyError;
pub use serve::serve;
pub use spool::SpoolError;
