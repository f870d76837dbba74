//! The processor without Kafka: hand-written cases, seeded schedules, bounds.

#![expect(clippy::unwrap_used, reason = "a test's panic is its message")]

mod bounds;
mod events;
mod expiry;
mod golden;
mod golden_windows;
mod log;
mod regressions;
mod schedules;
mod service_hours;
