//! A Kafka and an ingest, each a process that can be killed, paused and started again in the same place.

use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use touchstream_local_kafka::{KafkaOptions, RunningKafka};
use touchstream_local_parts::Progress;
use touchstream_runtime::settings::load;
use touchstream_runtime::shutdown;
use touchstream_runtime::telemetry;
use touchstream_schemas::topics::Topics;

use crate::client::{Reply, get};

/// Deadline of everything that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const KEY: &str = "test-key";
pub(crate) const PREFIX: &str = "durable";
const SETTINGS: &str = "TOUCHSTREAM_DURABILITY_SETTINGS";

/// Waits for a condition, at most [`PATIENCE`].
pub(crate) fn wait_for(what: &str, condition: impl FnMut() -> bool) {
    wait_within(what, PATIENCE, condition);
}

/// Waits for a condition.
pub(crate) fn wait_within(what: &str, patience: Duration, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < patience, "waited {patience:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Kafka, which keeps its port and data over all its lives.
pub(crate) struct Kafka {
    options: KafkaOptions,
    running: Option<RunningKafka>,
}

impl Kafka {
    /// Starts it, with the topics of ingest.
    pub(crate) fn start(directory: &Path) -> Kafka {
        let parts = touchstream_local_parts::kafka(&Progress::silent()).unwrap();
        let mut options = KafkaOptions::new(parts.jars, directory.join("kafka"), free_port());
        options.heap_mib = 256;
        let mut kafka = Kafka { options, running: None };
        kafka.start_again();
        kafka.wait_ready();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(create_topics(&kafka.bootstrap()));
        kafka
    }

    pub(crate) fn bootstrap(&self) -> String {
        self.options.bootstrap()
    }

    /// Changes a setting of the topic of app events.
    pub(crate) fn set_app_topic(&self, name: &str, value: &str) {
        let topic = Topics::new(PREFIX).raw(touchstream_schemas::event::Family::App);
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", self.bootstrap()).create().unwrap();
        let change = AlterConfig::new(ResourceSpecifier::Topic(&topic)).set(name, value);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let done = runtime.block_on(admin.alter_configs([&change], &AdminOptions::new())).unwrap();
        done.into_iter().for_each(|result| drop(result.unwrap()));
    }

    /// Starts it, without waiting.
    pub(crate) fn start_again(&mut self) {
        self.running = Some(touchstream_local_kafka::start(self.options.clone()).unwrap());
    }

    pub(crate) fn wait_ready(&self) {
        self.running.as_ref().unwrap().wait_ready(PATIENCE).unwrap();
    }

    /// As a power cut would.
    pub(crate) fn kill(&mut self) {
        let running = self.running.take().unwrap();
        running.process().signal(Signal::SIGKILL);
        assert!(running.process().wait_timeout(PATIENCE).is_some(), "Kafka survives SIGKILL");
    }

    /// As an operator would.
    pub(crate) fn stop(&mut self) {
        assert!(self.running.take().unwrap().stop(PATIENCE).is_some(), "Kafka does not stop");
    }

    /// Lets it stand still; returns when every thread does, since a signal acts later than its call returns.
    pub(crate) fn pause(&self) {
        let process = self.pid();
        kill(process, Signal::SIGSTOP).unwrap();
        wait_for("every thread of Kafka to stand still", || {
            std::fs::read_dir(format!("/proc/{process}/task")).unwrap().all(|task| {
                let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap_or_default();
                status.lines().any(|line| line.starts_with("State:\tT"))
            })
        });
    }

    pub(crate) fn resume(&self) {
        kill(self.pid(), Signal::SIGCONT).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.running.as_ref().unwrap().process().pid()).unwrap())
    }
}

/// Ingest, which keeps its addresses and its spool over all its lives.
pub(crate) struct Ingest {
    pub(crate) address: String,
    pub(crate) admin: String,
    directory: PathBuf,
    child: Option<Child>,
}

impl Ingest {
    /// Starts it with further lines for its section, and waits until it answers.
    pub(crate) fn start(directory: &Path, bootstrap: &str, lines: &str) -> Ingest {
        let [address, admin] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
        let spool = directory.join("spool");
        let settings = format!(
            "[kafka]\nbrokers = \"{bootstrap}\"\ntopic_prefix = \"{PREFIX}\"\n[ingest]\nlisten = \"{address}\"\nadmin = \
             \"{admin}\"\nstatic_keys = [\"{KEY}:shop:web\"]\npseudonym_secret = \"a secret of the tests\"\nspool_dir = \
             \"{}\"\n{lines}\n",
            spool.display()
        );
        std::fs::write(directory.join("settings.toml"), settings).unwrap();
        let mut ingest = Ingest { address, admin, directory: directory.to_owned(), child: None };
        ingest.start_again();
        ingest.wait_live();
        ingest
    }

    /// Starts it, without waiting.
    pub(crate) fn start_again(&mut self) {
        self.child = Some(self.spawn());
    }

    /// Another process with the same settings.
    pub(crate) fn spawn(&self) -> Child {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_file()).unwrap();
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "bench::serve_in_this_process", "--ignored", "--nocapture"])
            .env(SETTINGS, self.directory.join("settings.toml"))
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Waits until it answers; it may do so without Kafka.
    pub(crate) fn wait_live(&self) {
        wait_for("ingest to answer", || self.ask("/livez").is_some_and(|reply| reply.status == 200));
    }

    pub(crate) fn wait_ready(&self) {
        wait_for("ingest to be ready", || self.readiness().is_some_and(|reply| reply.status == 200));
    }

    pub(crate) fn readiness(&self) -> Option<Reply> {
        self.ask("/readyz")
    }

    fn ask(&self, path: &str) -> Option<Reply> {
        get(&self.admin, path).ok()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM; it must end by itself.
    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
        wait_for("ingest to end", || child.try_wait().unwrap().is_some());
        assert!(child.wait().unwrap().success(), "{}", self.log());
    }

    /// The sum of a metric's lines that start so; none when ingest does not answer.
    pub(crate) fn metric(&self, start: &str) -> Option<f64> {
        Some(sum_of(&self.metrics()?, start))
    }

    pub(crate) fn metrics(&self) -> Option<String> {
        self.ask("/metrics").map(|reply| reply.body)
    }

    pub(crate) fn wait_metric(&self, start: &str, is_right: impl Fn(f64) -> bool) {
        wait_for(start, || self.metric(start).is_some_and(&is_right));
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap()
    }

    fn log_file(&self) -> PathBuf {
        self.directory.join("ingest.log")
    }

    /// A file of the spool.
    pub(crate) fn spool_file(&self, name: &str) -> PathBuf {
        self.directory.join("spool").join(name)
    }

    /// Files of the spool with this ending, by name.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.directory.join("spool")).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
        paths.sort();
        paths
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- last words of ingest\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
        if let Some(mut child) = self.child.take() {
            // It may have ended; that is what the test is about then.
            let _killed: std::io::Result<()> = child.kill();
            let _ended: std::io::Result<std::process::ExitStatus> = child.wait();
        }
    }
}

/// The sum of the lines of metrics that start so.
pub(crate) fn sum_of(metrics: &str, start: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with(start));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn create_topics(bootstrap: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let setups = Topics::new(PREFIX).all();
    let new: Vec<NewTopic<'_>> = setups
        .iter()
        .map(|setup| {
            NewTopic::new(&setup.name, if setup.partitioned { 2 } else { 1 }, TopicReplication::Fixed(1))
        })
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    for result in admin.create_topics(&new, &options).await.unwrap() {
        result.unwrap();
    }
}

#[test]
#[ignore = "what the test binary does when it was started as ingest"]
fn serve_in_this_process() {
    let Some(path) = std::env::var_os(SETTINGS) else { return };
    let settings = load(Some(path.as_ref())).unwrap().settings;
    telemetry::install(&settings.log).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let shutdown = shutdown::on_signal().unwrap();
        let ended = shutdown.clone();
        std::thread::spawn(move || {
            // The test is over, however it ended, when it lets go of this end.
            let _read: std::io::Result<usize> = std::io::stdin().read(&mut [0]);
            ended.cancel();
        });
        if let Err(error) = touchstream_ingest::serve(&settings, shutdown).await {
            panic!("{error}");
        }
    });
}
