//! How often the rules of regressions wake somebody for nothing, and how surely and soon they find what is there; on simulated shops.
//!
//! `make bench-regressions` writes docs/results/2026-11-23-regressions.md. SEEDS=200; with BENCH_STATE=FILE what was simulated is kept in
//! FILE, so that an interrupted run goes on, BENCH_SECONDS bounds this one, and BENCH_RULES=a,b bounds the year to some rules.

#![expect(clippy::print_stdout, reason = "a benchmark reports to whoever runs it")]

mod false_alarms;
mod page;
mod power;
mod shop;
mod world;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One line of results: which part, which seed, its numbers.
pub(crate) type Line = (String, u64, Vec<f64>);

fn parse(line: &str) -> Option<Line> {
    let mut fields = line.split('\t');
    let (part, seed) = (fields.next()?.to_owned(), fields.next()?.parse().ok()?);
    Some((part, seed, fields.map(|number| number.parse().unwrap_or(f64::NAN)).collect()))
}

fn main() {
    let seeds = setting("SEEDS").unwrap_or(200);
    let until = setting("BENCH_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let state = std::env::var("BENCH_STATE").ok();
    let before = state.as_ref().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let known: Vec<Line> = before.lines().filter_map(parse).collect();
    let is_known = |part: &str, seed: u64| known.iter().any(|line| line.0 == part && line.1 == seed);
    let file = state.map(|path| {
        OpenOptions::new().create(true).append(true).open(path).expect("BENCH_STATE can be written")
    });
    let results = Mutex::new((known.clone(), file));
    let keep = |line: Line| {
        let mut results = results.lock().expect("no thread failed");
        if let Some(file) = &mut results.1 {
            let numbers: Vec<String> = line.2.iter().map(f64::to_string).collect();
            writeln!(file, "{}\t{}\t{}", line.0, line.1, numbers.join("\t"))
                .expect("BENCH_STATE can be written");
        }
        results.0.push(line);
    };
    let parts = std::env::var("BENCH_PARTS").unwrap_or_else(|_| "power,year".to_owned());
    for part in parts.split(',') {
        let next = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= seeds || until.is_some_and(|until| Instant::now() > until) {
                            return;
                        }
                        match part {
                            "year" if !is_known("year", seed) => {
                                keep(("year".to_owned(), seed, false_alarms::year(seed)));
                            }
                            "power" if !is_known("power done", seed) => {
                                power::all(seed).into_iter().for_each(&keep);
                                keep(("power done".to_owned(), seed, Vec::new()));
                            }
                            _ => {}
                        }
                    }
                });
            }
        });
    }
    let results = results.into_inner().expect("no thread failed").0;
    let text = page::write(&results);
    match std::env::var("BENCH_PAGE") {
        Ok(path) => fs::write(path, text).expect("BENCH_PAGE can be written"),
        Err(_) => std::io::stdout().write_all(text.as_bytes()).expect("somebody reads"),
    }
}
