//! Never a false 202: what ingest said yes to is in Kafka in the end, in order, whatever was killed, paused, filled or damaged meanwhile.
//! Kafka and ingest are real processes.

#![expect(clippy::unwrap_used, reason = "in a test a failed step is a failed test")]

mod bench;
mod chaos;
mod client;
mod outage;
mod verify;
