//! A Kafka, a ClickHouse engine and sinks, each in a process of its own, so that any of them can be killed.
//!
//! A role (engine or sink) is this test binary itself, started again with the name of the role test and a variable.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use touchstream_local_clickhouse::{Password, ServerOptions};
use touchstream_local_kafka::{KafkaOptions, RunningKafka};
use touchstream_local_parts::Progress;
use touchstream_runtime::settings::{self, Settings};
use touchstream_runtime::{kafka, shutdown, telemetry};
use touchstream_schemas::topics::{Cleanup, Topics};

const ROLE: &str = "TOUCHSTREAM_SINK_TEST_ROLE";
const CONFIG: &str = "TOUCHSTREAM_SINK_TEST_CONFIG";

/// What runs, and where.
pub(crate) struct Machine {
    /// Settings of the sink.
    pub(crate) settings: Settings,
    kafka: Option<RunningKafka>,
    engine: Option<Child>,
    directory: tempfile::TempDir,
    sinks: usize,
}

/// A process that ends with its owner.
pub(crate) struct Process(Child);

impl Process {
    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.0.kill().expect("a child can be killed");
        self.0.wait().expect("a killed child ends");
    }

    /// SIGSTOP, or SIGCONT.
    pub(crate) fn pause(&self, is_paused: bool) {
        signal(&self.0, if is_paused { "STOP" } else { "CONT" });
    }

    /// SIGTERM; whether it then ends with success.
    pub(crate) async fn terminate(mut self) -> bool {
        signal(&self.0, "TERM");
        wait_for("the end after SIGTERM", Duration::from_secs(60), async || !self.is_running()).await;
        self.0.wait().expect("it has ended").success()
    }

    /// The most memory that it had, in MiB.
    pub(crate) fn most_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.unwrap_or_default() >> 10
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Machine {
    /// Starts the ClickHouse engine and, with `kafka`, a Kafka with all topics.
    pub(crate) async fn start(with_kafka: bool, extra: &str) -> Machine {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let (kafka_port, engine_port) = (free_port(), free_port());
        let config = directory.path().join("touchstream.toml");
        let text = format!(
            "[kafka]\nbrokers = \"127.0.0.1:{kafka_port}\"\n\
             [clickhouse]\nurl = \"http://127.0.0.1:{engine_port}\"\npassword = \"secret\"\n\
             [sink]\nadmin = \"127.0.0.1:0\"\ninstance_id = \"one\"\n{extra}"
        );
        std::fs::write(&config, text).expect("the test's directory can be written");
        let settings = settings::load(Some(&config)).expect("the test's settings are valid").settings;
        let kafka = with_kafka.then(|| start_kafka(directory.path(), kafka_port));
        let mut machine = Machine { settings, kafka, engine: None, directory, sinks: 0 };
        machine.start_engine().await;
        if with_kafka {
            machine.create_topics().await;
        }
        machine
    }

    /// Starts the engine (again) and waits until it answers.
    pub(crate) async fn start_engine(&mut self) {
        self.engine = Some(self.role("engine"));
        wait_for("the engine", Duration::from_secs(60), async || {
            self.ask("SELECT 1").await.is_some_and(|rows| rows == "1\n")
        })
        .await;
    }

    /// `kill -9` on the engine.
    pub(crate) fn kill_engine(&mut self) {
        Process(self.engine.take().expect("the engine runs")).kill();
    }

    /// SIGSTOP to the engine, or SIGCONT.
    pub(crate) fn pause_engine(&self, is_paused: bool) {
        signal(self.engine.as_ref().expect("the engine runs"), if is_paused { "STOP" } else { "CONT" });
    }

    /// Starts a sink.
    pub(crate) fn start_sink(&mut self) -> Process {
        self.sinks += 1;
        Process(self.role("sink"))
    }

    /// What the next sinks read instead of the settings: `change` makes it of their text.
    pub(crate) fn change_sinks(&self, change: impl Fn(&str) -> String) {
        let text = std::fs::read_to_string(self.directory.path().join("touchstream.toml"));
        let changed = change(&text.expect("it was written"));
        std::fs::write(self.directory.path().join("sink.toml"), changed).expect("it can be written");
    }

    /// Where the engine keeps its data.
    pub(crate) fn engine_data(&self) -> PathBuf {
        self.directory.path().join("clickhouse")
    }

    /// Port of the engine.
    pub(crate) fn engine_port(&self) -> u16 {
        let port = self.settings.clickhouse.url.rsplit(':').next().and_then(|port| port.parse().ok());
        port.expect("the URL ends with a port")
    }

    /// What the last sink logged.
    pub(crate) fn sink_log(&self) -> String {
        std::fs::read_to_string(self.log(&format!("sink-{}", self.sinks))).unwrap_or_default()
    }

    /// All that the sinks logged.
    pub(crate) fn sink_logs(&self) -> String {
        (0..=self.sinks)
            .filter_map(|number| std::fs::read_to_string(self.log(&format!("sink-{number}"))).ok())
            .collect()
    }

    fn log(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.log"))
    }

    /// Each sink has its own: the next may be changed before this one has read it.
    fn config_of(&self, role: &str) -> PathBuf {
        let (usual, changed) =
            ["touchstream.toml", "sink.toml"].map(|name| self.directory.path().join(name)).into();
        if role != "sink" || !changed.exists() {
            return usual;
        }
        let own = self.directory.path().join(format!("sink-{}.toml", self.sinks));
        std::fs::copy(changed, &own).expect("the test's directory can be written");
        own
    }

    fn role(&self, role: &str) -> Child {
        let name = if role == "sink" { format!("sink-{}", self.sinks) } else { role.to_owned() };
        let log = File::create(self.log(&name)).expect("the test's directory can be written");
        Command::new(std::env::current_exe().expect("this test has a path"))
            .args(["--ignored", "--exact", "role", "--nocapture"])
            .env(ROLE, role)
            .env(CONFIG, self.config_of(role))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("this test can start itself")
    }

    /// Runs a statement as the writing user; `None` when it fails or the engine is away.
    pub(crate) async fn ask(&self, sql: &str) -> Option<String> {
        let clickhouse = &self.settings.clickhouse;
        let client = clickhouse::Client::default()
            .with_url(&clickhouse.url)
            .with_user(&clickhouse.user)
            .with_password(clickhouse.password.expose())
            .with_compression(clickhouse::Compression::None);
        let is_question = ["SELECT", "WITH"].iter().any(|word| sql.starts_with(word));
        if !is_question {
            return client.query_raw(sql).execute().await.ok().map(|()| String::new());
        }
        let bytes = client.query_raw(sql).fetch_bytes("TabSeparated").ok()?.collect().await.ok()?;
        String::from_utf8(bytes.to_vec()).ok()
    }

    /// One number.
    pub(crate) async fn number(&self, sql: &str) -> Option<u64> {
        self.ask(sql).await?.trim().parse().ok()
    }

    async fn create_topics(&self) {
        let config = kafka::client(&self.settings.kafka, "test").expect("no secret file is configured");
        let admin: AdminClient<DefaultClientContext> = config.create().expect("an admin client");
        let topics = Topics::new("cx").all();
        let new: Vec<NewTopic<'_>> = topics
            .iter()
            .map(|setup| {
                let partitions = if setup.partitioned { 2 } else { 1 };
                let topic = NewTopic::new(&setup.name, partitions, TopicReplication::Fixed(1));
                match setup.cleanup {
                    Cleanup::Raw => topic.set("message.timestamp.type", "LogAppendTime"),
                    Cleanup::Derived => topic,
                    Cleanup::Compacted => topic.set("cleanup.policy", "compact"),
                }
            })
            .collect();
        for created in admin.create_topics(&new, &AdminOptions::new()).await.expect("Kafka answers") {
            created.expect("a new topic can be made");
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.sink_log();
            let last: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!("the last sink's log ends so:");
            last.iter().rev().for_each(|line| eprintln!("{line}"));
        }
        if let Some(engine) = self.engine.take() {
            drop(Process(engine));
        }
        if let Some(kafka) = self.kafka.take() {
            let _ = kafka.stop(Duration::from_secs(10));
        }
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status();
    assert!(status.expect("kill can be run").success(), "SIG{name} reaches the process");
}

/// Headers of what was rejected, as text, with its bytes; each record once, however often it was filed.
pub(crate) fn rejected(settings: &Settings) -> BTreeMap<Vec<String>, Vec<u8>> {
    let config = kafka::consumer(&settings.kafka, "test", "test").expect("no secret file");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut start = TopicPartitionList::new();
    let metadata =
        consumer.fetch_metadata(Some("cx.rejected"), Duration::from_secs(10)).expect("Kafka answers");
    for partition in metadata.topics()[0].partitions() {
        start.add_partition_offset("cx.rejected", partition.id(), Offset::Beginning).expect("a valid offset");
    }
    consumer.assign(&start).expect("an assignment");
    let mut found = BTreeMap::new();
    while let Some(polled) = consumer.poll(Duration::from_secs(10)) {
        let message = match polled {
            Ok(message) => message,
            Err(KafkaError::PartitionEOF(_)) => continue,
            Err(error) => panic!("{error}"),
        };
        let headers = message.headers().expect("rejected records have headers");
        let text = |header: Header<'_, &[u8]>| {
            String::from_utf8_lossy(header.value.unwrap_or_default()).into_owned()
        };
        let bytes = message.payload().unwrap_or_default().to_vec();
        found.insert(headers.iter().map(text).collect(), bytes);
    }
    found
}

fn start_kafka(directory: &Path, port: u16) -> RunningKafka {
    let parts = touchstream_local_parts::kafka(&Progress::silent()).expect("Kafka's jars");
    let options = KafkaOptions::new(parts.jars, directory.join("kafka"), port);
    let kafka = touchstream_local_kafka::start(options).expect("Kafka starts");
    kafka.wait_ready(Duration::from_secs(60)).expect("Kafka answers");
    kafka
}

/// What a child does; in the test run itself it does nothing.
pub(crate) fn play_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let config = std::env::var(CONFIG).expect("set beside the role");
    let settings = settings::load(Some(Path::new(&config))).expect("the test's settings are valid").settings;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        telemetry::install(&settings.log).expect("valid log settings");
        match role.as_str() {
            "engine" => {
                let library =
                    touchstream_local_parts::clickhouse(&Progress::silent()).expect("the engine's library");
                let data = Path::new(&config).with_file_name("clickhouse");
                let listen =
                    settings.clickhouse.url.trim_start_matches("http://").parse().expect("an address");
                let options = ServerOptions::new(library, data, listen, Password::new("secret"));
                touchstream_local_clickhouse::serve(options, |_| {}, std::future::pending())
                    .await
                    .expect("the engine runs");
            }
            _ => {
                let shutdown = shutdown::on_signal().expect("signals");
                touchstream_sink::serve(&settings, shutdown).await.expect("the sink runs");
            }
        }
    });
}

/// Waits for a condition with a deadline.
pub(crate) async fn wait_for(what: &str, deadline: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < deadline {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what} did not come within {deadline:?}");
}

/// A port that nobody listens at.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("a bound address").port()
}
