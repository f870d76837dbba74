//! The whole path, proved on the real binary with the real Kafka and the real ClickHouse engine: what goes in by HTTP comes out as
//! rows and numbers, in time, exactly once, equal to an independent recomputation, whatever is killed on the way.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../deploy/repository.rs"]
#[expect(dead_code, reason = "these tests read files of alerting alone")]
mod repository;

mod bad_input;
mod doctor;
mod external;
mod metrics;
mod one_event;
mod processes;
mod readme;
mod regressions;
mod replay;
mod simulated_day;
mod up;
