//! The ClickHouse engine as a server: `libchdb`, loaded into this process, behind ClickHouse's HTTP interface.
//!
//! The flow of a request: [`serve`] accepts it → `request` reads the URL → `authenticate` → `receive` reads the body and
//! parts statement from data → `settings` admits what the user may ask for → `execute` runs it on an engine connection of its
//! own → `respond` streams the result. Promise kept: clients see ClickHouse, readers cannot write or lift their limits, and
//! no request ends the process.

mod admit;
mod authenticate;
mod conduct;
mod config;
mod engine;
mod error;
mod execute;
mod frames;
mod handle;
mod metrics;
mod multipart;
mod native;
mod receive;
mod request;
mod respond;
mod serve;
mod session;
mod settings;
mod sql;

pub use config::{Password, ReaderLimits, ServerOptions};
pub use engine::EngineError;
pub use error::ServeError;
pub use serve::serve;
