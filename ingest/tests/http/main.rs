//! Ingest against a real Kafka over real sockets: the HTTP contract, hostile clients, early refusals, and Kafka going away.

#![expect(clippy::unwrap_used, reason = "in a test a failed step is a failed test")]

mod contract;
mod harness;
mod hostile;
mod kafka_away;
mod refused_early;
