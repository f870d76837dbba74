//! How fast ingest is, beside a bare handler: one run, one machine, one real Kafka, turns in alternation.
//!
//! Both servers are processes of their own. [`bare`] parses the same JSON into a typed struct and awaits one acknowledged message, at
//! the linger that is best for it; ours is `touchstream ingest` with its defaults. [`load`] is wrk for the highest rate and a
//! loader of constant rate, which counts latency from the moment a request was due, for percentiles at half of it. What is
//! compared are ratios within a round; [`report`] writes medians and spread into a page of `docs/results`.
//!
//! `make bench-ingest` runs it. BENCH_SECONDS (4), BENCH_ROUNDS (5), BENCH_CONNECTIONS (64,256) and BENCH_PAGE
//! (none: only printed) change it; with BENCH_DISK the data lie on the disk, not in memory.

mod bare;
mod events;
mod load;
mod measure;
mod report;
mod server;
mod steady;

use std::path::PathBuf;
use std::time::Duration;

/// What a run is made of.
#[derive(Debug)]
struct Plan {
    seconds: Duration,
    rounds: usize,
    page: Option<PathBuf>,
    /// Keep-alive connections of single events.
    connections: Vec<usize>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, address, brokers, topic, linger] = &arguments[..]
        && role == bare::ROLE
    {
        bare::run(address, brokers, topic, linger);
        return;
    }
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |value| value.parse().expect("BENCH_… is a number"))
    };
    let plan = Plan {
        seconds: Duration::from_secs(number("BENCH_SECONDS", 4)),
        rounds: usize::try_from(number("BENCH_ROUNDS", 5)).expect("few rounds"),
        page: std::env::var_os("BENCH_PAGE").map(PathBuf::from),
        connections: std::env::var("BENCH_CONNECTIONS").map_or(measure::CONNECTIONS.to_vec(), |listed| {
            listed
                .split(',')
                .map(|one| one.parse().expect("BENCH_CONNECTIONS is a list of numbers"))
                .collect()
        }),
    };
    let figures = measure::run(&plan);
    report::write(&plan, &figures);
}
