//! What every service needs and no stage owns: settings, the way to Kafka and ClickHouse, telemetry, health, shutdown.
//!
//! A service starts in this order: [`settings`] → [`telemetry`] → [`shutdown`] → [`admin`] (health and metrics) → its own work,
//! with clients set up by [`kafka`] and [`clickhouse`]. Promise: secrets are never printed, and every wait a service makes ends when
//! shutdown is asked for.

pub mod admin;
pub mod clickhouse;
pub mod compacted;
pub mod kafka;
pub mod replays;
pub mod secret;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
pub mod touchpoints;
