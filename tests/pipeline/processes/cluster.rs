//! Kafka, ingest and any number of processors, each a process of its own.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;
use touchstream_local_kafka::KafkaOptions;
use touchstream_local_parts::Progress;
use touchstream_local_supervisor::{OwnedProcess, ProcessSpec};
use touchstream_schemas::topics::{Cleanup, Topics};

use crate::harness::machine::{KEY, TENANT, free_ports, turn};
use crate::harness::service::Service;
use crate::harness::wait::until;

/// What killed instances left open ends after this time.
const TRANSACTION_TIMEOUT_MS: u32 = 5_000;
/// Write key of another source, named quiet, of the same tenant.
pub(crate) const QUIET_KEY: &str = "key-of-a-quiet-source";
const GROUPS: [&str; 3] = ["measure", "contacts", "roll_up"];

/// What tests set in different ways.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tuning {
    pub(crate) partitions: i32,
    /// Sleepers are shut out after this time.
    pub(crate) session_timeout_ms: u32,
    pub(crate) idle_after_s: u32,
}

/// Everything that runs; all of it ends with this value.
pub(crate) struct Cluster {
    pub(crate) instances: Vec<Instance>,
    ingest: Service,
    pub(crate) kafka: Kafka,
    ingest_url: String,
    directory: TempDir,
    made: usize,
    _turn: std::sync::MutexGuard<'static, ()>,
}

/// A processor.
pub(crate) struct Instance {
    service: Service,
    /// For static membership; empty for dynamic.
    id: String,
}

impl Cluster {
    /// Starts Kafka, ingest and a processor for each id, and waits until all are ready.
    pub(super) fn start(ids: &[&str]) -> Cluster {
        Cluster::tuned(ids, Tuning { partitions: 3, session_timeout_ms: 3_000, idle_after_s: 5 })
    }

    /// The same with other settings.
    pub(crate) fn tuned(ids: &[&str], tuning: Tuning) -> Cluster {
        let Tuning { partitions, session_timeout_ms, idle_after_s } = tuning;
        let turn = turn();
        let directory = tempfile::tempdir().expect("a directory can be made");
        let kafka = Kafka::start(directory.path());
        create_topics(&kafka.bootstrap(), partitions);
        let [ingest, admin] = free_ports();
        let settings = format!(
            "[kafka]\nbrokers = \"{}\"\npartitions = {partitions}\nsession_timeout_ms = {session_timeout_ms}\n\
             [ingest]\nlisten = \"127.0.0.1:{ingest}\"\nadmin = \"127.0.0.1:{admin}\"\nstatic_keys = [\"{KEY}:{TENANT}:web\", \"{QUIET_KEY}:{TENANT}:quiet\"]\n\
             pseudonym_secret = \"a secret of thirty-two characters\"\nspool_dir = \"{}\"\n\
             [processor]\ntransaction_timeout_ms = {TRANSACTION_TIMEOUT_MS}\nidle_after_s = {idle_after_s}\n",
            kafka.bootstrap(),
            directory.path().join("spool").display(),
        );
        std::fs::write(directory.path().join("touchstream.toml"), settings).expect("settings can be written");
        let mut cluster = Cluster {
            instances: Vec::new(),
            ingest: Service::new("ingest", directory.path(), &format!("127.0.0.1:{admin}")),
            kafka,
            ingest_url: format!("http://127.0.0.1:{ingest}"),
            directory,
            made: 0,
            _turn: turn,
        };
        cluster.ingest.start();
        for id in ids {
            cluster.add(id);
        }
        cluster.ingest.wait_ready();
        cluster.wait_ready();
        cluster
    }

    /// Starts a further instance and tells its place.
    pub(super) fn add(&mut self, id: &str) -> usize {
        let directory = self.directory.path().join(format!("processor-{}", self.made));
        self.made += 1;
        std::fs::create_dir(&directory).expect("a directory can be made");
        std::fs::copy(self.directory.path().join("touchstream.toml"), directory.join("touchstream.toml"))
            .expect("settings can be copied");
        let [port] = free_ports();
        let admin = format!("127.0.0.1:{port}");
        let service = Service::new("processor", &directory, &admin)
            .with("TOUCHSTREAM__PROCESSOR__ADMIN", Path::new(&admin))
            .with("TOUCHSTREAM__PROCESSOR__INSTANCE_ID", Path::new(id));
        let mut instance = Instance { service, id: id.to_owned() };
        instance.service.start();
        self.instances.push(instance);
        self.instances.len() - 1
    }

    /// Ends an instance for good, as an operator would or by `kill -9`.
    pub(super) fn remove(&mut self, place: usize, is_orderly: bool) {
        let mut instance = self.instances.remove(place);
        if is_orderly { instance.service.stop() } else { instance.service.kill() }
    }

    pub(super) fn kill_and_restart(&mut self, place: usize) {
        let service = &mut self.instances[place].service;
        service.kill();
        service.start();
    }

    pub(super) fn wait_ready(&self) {
        self.instances.iter().for_each(|instance| instance.service.wait_ready());
    }

    pub(super) fn assert_running(&self) {
        for instance in &self.instances {
            assert!(
                instance.service.is_running(),
                "a processor ended by itself:\n{}",
                instance.service.log()
            );
        }
    }

    /// Ends all instances as an operator would.
    pub(super) fn stop_instances(&mut self) {
        self.instances.iter_mut().for_each(|instance| instance.service.stop());
    }

    /// Address of ingest.
    pub(crate) fn ingest(&self) -> &str {
        &self.ingest_url
    }

    /// The clients that are members of the groups of all stages.
    pub(super) fn members(&self) -> Result<Vec<String>, String> {
        let consumer = self.kafka.client();
        let mut members = Vec::new();
        for stage in GROUPS {
            let group = format!("touchstream-processor-{stage}");
            let list = consumer
                .fetch_group_list(Some(&group), Duration::from_secs(10))
                .map_err(|error| error.to_string())?;
            let found = list.groups().iter().flat_map(rdkafka::groups::GroupInfo::members);
            members.extend(found.map(|member| member.client_id().to_owned()));
        }
        Ok(members)
    }

    /// Sessions that ended early in the processes that run now.
    pub(super) fn sessions_failed(&self) -> f64 {
        let failed = (0..self.instances.len())
            .map(|place| self.sum_of(place, "touchstream_processor_sessions_failed_total"));
        failed.fold(0.0, |sum, value| sum + value)
    }

    /// The sum over all labels of a metric of one instance.
    pub(super) fn sum_of(&self, place: usize, name: &str) -> f64 {
        self.instances[place].sum_of(name)
    }

    /// The file with the settings.
    pub(crate) fn config(&self) -> std::path::PathBuf {
        self.directory.path().join("touchstream.toml")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (place, instance) in self.instances.iter().enumerate() {
                eprintln!("--- last words of instance {place}\n{}", instance.service.log());
            }
            eprintln!("--- last words of ingest\n{}", self.ingest.log());
        }
    }
}

impl Instance {
    /// SIGSTOP; tells how the names of its clients end.
    pub(crate) fn stop_cold(&self) -> String {
        match (self.service.signal(Signal::SIGSTOP), self.id.as_str()) {
            (pid, "") => format!("-{pid}"),
            (_, id) => format!("-{id}"),
        }
    }

    /// SIGCONT.
    pub(crate) fn wake(&self) {
        self.service.signal(Signal::SIGCONT);
    }

    /// The sum over all labels of a metric.
    fn sum_of(&self, name: &str) -> f64 {
        let text = self.service.metrics().expect("metrics answer");
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .fold(0.0, |sum, value| sum + value)
    }
}

/// A broker that can be killed and started again where it stood.
pub(crate) struct Kafka {
    spec: ProcessSpec,
    options: KafkaOptions,
    process: OwnedProcess,
}

impl Kafka {
    pub(super) fn start(directory: &Path) -> Kafka {
        let parts = touchstream_local_parts::kafka(&Progress::silent()).expect("Kafka's jars can be fetched");
        let [port, controller] = free_ports();
        let mut options = KafkaOptions::new(parts.jars, directory.join("kafka"), port);
        options.controller_port = Some(controller);
        let spec = touchstream_local_kafka::prepare(&options).expect("Kafka's directory can be prepared");
        let file = directory.join("kafka/server.properties");
        let mut settings = std::fs::read_to_string(&file).expect("the settings were just rendered");
        // Sleepers and what they left open end soon, and changelogs are compacted while they are read.
        settings.push_str(
            "group.min.session.timeout.ms=1000\ntransaction.abort.timed.out.transaction.cleanup.interval.ms=1000\n\
             log.cleaner.backoff.ms=1000\n",
        );
        std::fs::write(&file, settings).expect("the settings can be written");
        let process = OwnedProcess::spawn(&spec).expect("Kafka starts");
        let kafka = Kafka { spec, options, process };
        kafka.wait_ready();
        kafka
    }

    fn wait_ready(&self) {
        until("Kafka is ready", Duration::from_secs(90), || {
            let ended = self.process.status();
            assert!(ended.is_none(), "Kafka ended: {}", self.process.last_lines(20).join("\n"));
            let ready = touchstream_local_kafka::check_ready(&self.options, Duration::from_secs(2));
            ready.map_err(|error| error.to_string())
        });
    }

    pub(super) fn kill_and_restart(&mut self) {
        self.process.signal(Signal::SIGKILL);
        self.restart();
    }

    /// `kill -9` for good.
    pub(crate) fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
        assert!(self.process.wait_timeout(Duration::from_secs(60)).is_some(), "Kafka does not end");
    }

    pub(super) fn stop_and_restart(&mut self) {
        self.process.signal(Signal::SIGTERM);
        self.restart();
    }

    fn restart(&mut self) {
        assert!(self.process.wait_timeout(Duration::from_secs(60)).is_some(), "Kafka does not end");
        self.process = OwnedProcess::spawn(&self.spec).expect("Kafka starts");
        self.wait_ready();
    }

    pub(super) fn bootstrap(&self) -> String {
        self.options.bootstrap()
    }

    /// A client that asks questions.
    pub(super) fn client(&self) -> BaseConsumer {
        ClientConfig::new().set("bootstrap.servers", self.bootstrap()).create().expect("a client can be made")
    }
}

/// As `touchstream setup` does, but compacted as often as Kafka can.
pub(super) fn create_topics(bootstrap: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().expect("a client can be made");
    let all = Topics::new("cx").all();
    let topics = all.iter().map(|topic| {
        let partitions = if topic.partitioned { partitions } else { 1 };
        let new = NewTopic::new(&topic.name, partitions, TopicReplication::Fixed(1))
            .set("max.message.bytes", "8388608");
        match topic.cleanup {
            Cleanup::Raw => new.set("message.timestamp.type", "LogAppendTime"),
            Cleanup::Derived => new,
            Cleanup::Compacted => new
                .set("cleanup.policy", "compact")
                .set("min.cleanable.dirty.ratio", "0.01")
                .set("segment.ms", "2000")
                .set("delete.retention.ms", "1000"),
        }
    });
    let topics: Vec<NewTopic<'_>> = topics.collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    let made = runtime.block_on(admin.create_topics(&topics, &options)).expect("Kafka answers");
    made.into_iter().for_each(|topic| drop(topic.expect("the topic is new")));
}
