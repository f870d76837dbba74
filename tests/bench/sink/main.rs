//! `make bench-sink`: the sink beside ClickHouse's own Kafka table engine and beside rows that are already encoded; its memory; and how
//! soon an accepted event is visible.
//!
//! One Kafka, one engine, the same messages; runs alternate, medians count. `BENCH_PAGE` names the page of results, in which each part
//! writes its section. `cargo bench --bench sink -- speed` runs one part, `-- trial` the sink alone for a profiler.

#[path = "../processor/events.rs"]
#[expect(dead_code, reason = "the processor's benchmark uses the rest")]
mod events;
mod freshness;
mod machine;
mod peers;
mod registry;
mod report;

use std::path::PathBuf;

use machine::Machine;
use report::Report;

fn main() {
    // Cargo itself says `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let wanted = |part: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == part);
    let page = std::env::var_os("BENCH_PAGE").map(PathBuf::from);
    type Part = fn(&mut Machine, &mut Report);
    let parts: [(&str, Part); 3] =
        [("speed", peers::speed), ("freshness", freshness::freshness), ("trial", peers::trial)];
    for (part, measure) in parts {
        if !wanted(part) || (part == "trial" && arguments.is_empty()) {
            continue;
        }
        let mut report = Report::default();
        measure(&mut Machine::start(), &mut report);
        report.print(part);
        if let Some(page) = &page {
            report.write(page, part);
        }
    }
}
