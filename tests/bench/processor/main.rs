//! `make bench-processor`: the processor beside Kafka Streams and beside a loop that only reads; its state and its latency.
//!
//! One Kafka, everything prepared in it beforehand; runs alternate, medians count. `BENCH_PAGE` names the page of results, in which each
//! part writes its section. `cargo bench --bench processor -- state latency` runs parts, `-- trial mix` one thing for a profiler.

mod bare;
mod events;
mod latency;
mod machine;
mod peers;
mod report;
mod run;
mod scenarios;

use std::path::{Path, PathBuf};
use std::process::Command;

use machine::Machine;
use peers::Peers;
use report::Report;

/// Ports on loopback: Kafka's, and the processor's admin port.
const KAFKA_PORT: u16 = 21_500;
const ADMIN_PORT: u16 = 21_510;

fn main() {
    // Cargo itself says `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [mode, brokers, prefix, decoding] = arguments.as_slice()
        && mode == "bare"
    {
        return bare::main(brokers, prefix, decoding == "by-name");
    }
    let wanted = |part: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == part);
    let directory = tempfile::tempdir().expect("a directory can be made");
    let jars = if wanted("speed") { build_streams(directory.path()) } else { PathBuf::new() };
    let machine = Machine::start(directory.path(), KAFKA_PORT);
    let peers = Peers { machine: &machine, directory: directory.path(), admin_port: ADMIN_PORT, jars };
    if let [mode, name] = arguments.as_slice()
        && mode == "trial"
    {
        return scenarios::trial(&peers, name);
    }
    let page = std::env::var_os("BENCH_PAGE").map(PathBuf::from);
    type Part = fn(&Peers<'_>, &mut Report);
    let parts: [(&str, Part); 4] = [
        ("speed", scenarios::speed),
        ("series", scenarios::series),
        ("state", scenarios::state),
        ("latency", latency::latency),
    ];
    for (part, measure) in parts.into_iter().filter(|(part, _)| wanted(part)) {
        let mut report = Report::default();
        measure(&peers, &mut report);
        report.print(part);
        if let Some(page) = &page {
            report.write(page, part);
        }
    }
}

/// Builds the peer with Maven, outside the source tree, and returns the directory of its jars.
fn build_streams(directory: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/kafka-streams");
    let project = directory.join("kafka-streams");
    let jars = project.join("jars");
    let run = |command: &mut Command| {
        let status = command.status().unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
        assert!(status.success(), "{command:?} ended with {status}");
    };
    run(Command::new("cp").arg("-r").arg(&source).arg(&project));
    let output = format!("-DoutputDirectory={}", jars.display());
    run(Command::new("mvn")
        .current_dir(&project)
        .args(["-q", "-B", "package", "dependency:copy-dependencies"])
        .arg(output));
    run(Command::new("cp").arg(project.join("target/bench-kafka-streams.jar")).arg(&jars));
    jars
}
