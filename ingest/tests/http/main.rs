//! Ingest against a real Kafka over real sockets: the HTTP contract, hostile clients, early refusals, and Kafka going away.

#![expect(clippy::unwrap_used, reason = "in a test a failed step is a failed test")]

mod contract;
mod dialects;
mod docs;
mod harness;
mod holding;
mod hostile;
mod hostile_memory;
mod hostile_requests;
mod kafka_away;
mod limits;
mod mistakes;
mod privacy;
mod refused_early;
