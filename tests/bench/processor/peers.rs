//! What is compared: the processor, Kafka Streams, the bare loop; each a process that reads prepared topics from the start.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use touchstream_schemas::event::Family;
use touchstream_schemas::topics::{Cleanup, Topics};

use crate::events::{self, Content};
use crate::machine::{Machine, warm_memory};
use crate::run::{Group, Outcome, Running};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Runs the three.
pub(crate) struct Peers<'m> {
    pub(crate) machine: &'m Machine,
    pub(crate) directory: &'m Path,
    pub(crate) admin_port: u16,
    pub(crate) jars: PathBuf,
}

/// How Kafka Streams is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    pub(crate) variant: &'static str,
    pub(crate) commit_interval_ms: u32,
    pub(crate) threads: u32,
}

impl Peers<'_> {
    /// Topics under `prefix`, filled with events.
    pub(crate) fn prepare(&self, prefix: &str, partitions: i32, content: Content, count: u64, seed: u64) {
        self.machine.create_topics(prefix, partitions);
        events::prepare(&self.machine.settings, prefix, content, count, seed);
    }

    /// A processor that is about to read everything under `prefix`, as group `group`.
    pub(crate) fn start_processor(&self, prefix: &str, group: &str) -> Running {
        let config = self.directory.join(format!("{group}.toml"));
        let settings = format!(
            "[kafka]\nbrokers = \"{}\"\ntopic_prefix = \"{prefix}\"\n\
             [processor]\nadmin = \"127.0.0.1:{}\"\ngroup = \"{group}\"\ninstance_id = \"one\"\n",
            self.machine.settings.brokers, self.admin_port
        );
        std::fs::write(&config, settings).expect("settings can be written");
        let program = std::env::var_os("TOUCHSTREAM_BINARY")
            .or(option_env!("CARGO_BIN_EXE_touchstream").map(Into::into))
            .expect("cargo says where the binary is");
        let mut command = Command::new(program);
        command.arg("processor").arg("--config").arg(&config);
        Running::spawn(&mut command, &self.directory.join("processor.log"))
    }

    /// The processor over all events of `families`.
    pub(crate) fn processor(&self, prefix: &str, families: &[Family], partitions: i32) -> Outcome {
        let group = format!("ours-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        self.machine.renew_derived(prefix, partitions);
        let topics: Vec<String> = families.iter().map(|family| Topics::new(prefix).raw(*family)).collect();
        let watched = Group::new(self.machine, &format!("{group}-measure"), &topics);
        warm_memory();
        let mut process = self.start_processor(prefix, &group);
        let outcome = watched.watch(&mut process, 0);
        process.kill();
        outcome
    }

    /// The bare loop over everything under `prefix`.
    pub(crate) fn bare(&self, prefix: &str, decoding: &str) -> Outcome {
        let program = std::env::current_exe().expect("this program is a file");
        warm_memory();
        let output =
            Command::new(program).args(["bare", &self.machine.settings.brokers, prefix, decoding]).output();
        let output = output.expect("this program runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let mut numbers = text.split_whitespace().filter_map(|number| number.parse::<f64>().ok());
        match (numbers.next(), numbers.next()) {
            (Some(rate), Some(cpu_us)) => Outcome { rate, cpu_us },
            _ => panic!("the bare loop failed: {text}{}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// Kafka Streams over the feedback under `prefix`.
    pub(crate) fn streams(&self, prefix: &str, how: Streams) -> Outcome {
        let application =
            format!("streams-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let (input, output) = (Topics::new(prefix).raw(Family::Feedback), format!("{application}-windows"));
        self.machine.create(&output, 2, Cleanup::Derived);
        let watched = Group::new(self.machine, &application, std::slice::from_ref(&input));
        let state = self.directory.join(&application);
        let mut command = Command::new("java");
        command
            .args([
                "-Xms1g",
                "-Xmx1g",
                "-XX:+UseParallelGC",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp",
            ])
            .arg(format!("{}/*", self.jars.display()))
            .arg("touchstream.bench.RollingNps")
            .args([&self.machine.settings.brokers, &input, &output, &application])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/avro/feedback_event.avsc"))
            .args([how.variant, &how.commit_interval_ms.to_string(), &how.threads.to_string()])
            .arg(&state);
        warm_memory();
        let mut process = Running::spawn(&mut command, &self.directory.join("streams.log"));
        let outcome = watched.watch(&mut process, 0);
        process.kill();
        self.machine.delete(&[&output]);
        outcome
    }
}
