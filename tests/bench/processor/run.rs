//! One run of something that reads prepared topics as a consumer group: how fast it commits, and what that costs.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use touchstream_runtime::kafka;

use crate::machine::Machine;

/// The share of the events that is not measured: compilers warm up, groups form.
const WARM_UP: f64 = 0.25;
const DEADLINE: Duration = Duration::from_secs(400);

/// What a run showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// Events a second.
    pub(crate) rate: f64,
    /// Microseconds of CPU that the process used for an event, all its threads together.
    pub(crate) cpu_us: f64,
}

/// A child process that is killed with this value.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn spawn(command: &mut Command, log: &Path) -> Running {
        let log = File::options().append(true).create(true).open(log).expect("a log file can be made");
        let errors = log.try_clone().expect("a file can be shared");
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        Running(child.unwrap_or_else(|error| panic!("failed to start {command:?}: {error}")))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Resident bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux tells it");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1_024
    }

    /// Waits until the service at this admin port says that it is ready.
    pub(crate) fn wait_ready(admin_port: u16) {
        let (url, began) = (format!("http://127.0.0.1:{admin_port}/readyz"), Instant::now());
        while ureq::get(&url).call().is_err() {
            assert!(began.elapsed() < DEADLINE, "not ready after {DEADLINE:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ended_already = self.0.kill();
        let _status = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Seconds of CPU that a process has used.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, after)) = stat.rsplit_once(") ") else { return 0.0 };
    let ticks: Vec<f64> = after.split(' ').skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    ticks.iter().sum::<f64>() / 100.0
}

/// Watches what a group commits.
pub(crate) struct Group {
    consumer: BaseConsumer,
    partitions: TopicPartitionList,
    ends: i64,
}

impl Group {
    pub(crate) fn new(machine: &Machine, group: &str, topics: &[String]) -> Group {
        let mut config =
            kafka::client(&machine.settings, "touchstream-bench").expect("no secrets are configured");
        let consumer: BaseConsumer = config.set("group.id", group).create().expect("a consumer can be made");
        let (mut partitions, mut ends) = (TopicPartitionList::new(), 0);
        for topic in topics {
            for (partition, end) in machine.ends(topic) {
                partitions.add_partition(topic, partition);
                ends += end;
            }
        }
        Group { consumer, partitions, ends }
    }

    /// Records that the group has committed, of all partitions together.
    pub(crate) fn committed(&self) -> i64 {
        let asked = self.consumer.committed_offsets(self.partitions.clone(), Duration::from_secs(5));
        let Ok(found) = asked else { return 0 };
        found
            .elements()
            .iter()
            .filter_map(|element| element.offset().to_raw())
            .map(|offset| offset.max(0))
            .sum()
    }

    /// Waits until everything is committed; the rate counts what came after `before` records and the warm-up.
    pub(crate) fn watch(&self, process: &mut Running, before: i64) -> Outcome {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "a share of some millions"
        )]
        let measured_from = before + ((self.ends - before) as f64 * WARM_UP) as i64;
        let began = Instant::now();
        let mut start: Option<(Instant, i64, f64)> = None;
        loop {
            let committed = self.committed();
            if start.is_none() && committed >= measured_from {
                start = Some((Instant::now(), committed, cpu_seconds(process.pid())));
            }
            if committed >= self.ends {
                break;
            }
            if let Ok(Some(status)) = process.0.try_wait() {
                panic!("what is measured ended with {status}");
            }
            assert!(began.elapsed() < DEADLINE, "stands at {committed} of {} after {DEADLINE:?}", self.ends);
            std::thread::sleep(Duration::from_millis(10));
        }
        let (at, committed, cpu) = start.expect("the end lies behind the warm-up");
        #[expect(clippy::cast_precision_loss, reason = "some millions")]
        let events = (self.ends - committed) as f64;
        Outcome {
            rate: events / at.elapsed().as_secs_f64(),
            cpu_us: (cpu_seconds(process.pid()) - cpu) * 1e6 / events,
        }
    }
}
