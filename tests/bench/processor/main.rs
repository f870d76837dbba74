//! `make bench-processor`: the processor beside Kafka Streams and beside a loop that only reads; its state and its latency.
//!
//! One Kafka, everything prepared in it beforehand; runs alternate, medians count. The page of results is written to
//! `docs/results`. `cargo bench --bench processor -- state latency` runs parts and writes nothing.

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
    let mut report = Report::default();
    if wanted("speed") {
        scenarios::speed(&peers, &mut report);
    }
    if wanted("series") {
        scenarios::series(&peers, &mut report);
    }
    if wanted("state") {
        scenarios::state(&peers, &mut report);
    }
    if wanted("latency") {
        latency::latency(&peers, &mut report);
    }
    report.print();
    if arguments.is_empty() {
        report.write(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("docs/results/2026-11-22-processor-speed.md")
                .as_path(),
        );
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
