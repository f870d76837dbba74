//! What everything is measured on: one Kafka, one ClickHouse engine, the services, each a process of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use touchstream_local_kafka::{KafkaOptions, RunningKafka};
use touchstream_local_parts::Progress;
use touchstream_runtime::settings::{self, KafkaSettings};

/// Ports on loopback: Kafka's, then those of the services.
const KAFKA_PORT: u16 = 21_600;
const CLICKHOUSE_PORT: u16 = 21_601;
const INGEST_PORT: u16 = 21_602;
const ADMIN_PORT: u16 = 21_610;
const PATIENCE: Duration = Duration::from_secs(60);
const SERVICES: [&str; 4] = ["clickhouse", "ingest", "processor", "sink"];

/// Kafka, the engine and how to start the rest.
pub(crate) struct Machine {
    pub(crate) kafka: KafkaSettings,
    pub(crate) registry: String,
    pub(crate) directory: tempfile::TempDir,
    agent: ureq::Agent,
    engine: Option<Running>,
    _kafka: RunningKafka,
}

/// A child process that ends with this value.
pub(crate) struct Running(Child);

impl Running {
    /// A figure of `/proc/PID/status` in bytes, such as `VmHWM`.
    pub(crate) fn memory(&self, figure: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.unwrap_or(0) * 1_024
    }

    /// Seconds of CPU used so far.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap_or_default();
        let Some((_, after)) = stat.rsplit_once(") ") else { return 0.0 };
        let ticks = after.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
        ticks.sum::<f64>() / 100.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _status = self.0.wait();
    }
}

impl Machine {
    /// Starts Kafka and the engine, and creates all topics and objects.
    pub(crate) fn start() -> Machine {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let parts = touchstream_local_parts::kafka(&Progress::silent()).expect("Kafka's jars can be fetched");
        let mut options = KafkaOptions::new(parts.jars, directory.path().join("kafka"), KAFKA_PORT);
        options.heap_mib = 1_024;
        let running = touchstream_local_kafka::start(options).expect("Kafka starts");
        running.wait_ready(PATIENCE).expect("Kafka becomes ready");
        let mut kafka = settings::load(None).expect("the defaults are valid").settings.kafka;
        kafka.brokers = running.bootstrap();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .into();
        let registry = crate::registry::start();
        let mut machine = Machine { kafka, registry, directory, agent, engine: None, _kafka: running };
        machine.start_engine();
        let mut setup = machine.command("setup", "");
        assert!(setup.status().expect("the binary runs").success(), "setup works");
        machine
    }

    /// Starts the engine again, on the same data.
    pub(crate) fn start_engine(&mut self) {
        self.engine = Some(self.service("clickhouse", ""));
    }

    /// Stops the engine.
    pub(crate) fn stop_engine(&mut self) {
        self.engine = None;
    }

    /// Seconds of CPU that the engine has used.
    pub(crate) fn engine_cpu(&self) -> f64 {
        self.engine.as_ref().map_or(0.0, Running::cpu_seconds)
    }

    /// Where the engine's data lies.
    pub(crate) fn engine_data(&self) -> PathBuf {
        self.directory.path().join("data/clickhouse")
    }

    /// Starts a service with further settings and waits until it is ready.
    pub(crate) fn service(&self, name: &'static str, extra: &str) -> Running {
        let mut command = self.command(name, extra);
        let child = command.spawn().unwrap_or_else(|error| panic!("failed to start {name}: {error}"));
        let running = Running(child);
        let (url, began) = (format!("http://{}/readyz", admin(name)), Instant::now());
        while self.agent.get(&url).call().map_or(0, |answer| answer.status().as_u16()) != 200 {
            assert!(began.elapsed() < PATIENCE, "{name} is not ready:\n{}", self.log(name));
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }

    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(format!("{name}.log"))).unwrap_or_default()
    }

    fn command(&self, name: &'static str, extra: &str) -> Command {
        let config = self.directory.path().join(format!("{name}.toml"));
        let [clickhouse, ingest, processor, sink] = SERVICES.map(admin);
        let text = format!(
            "[kafka]\nbrokers = \"{}\"\n\
             [clickhouse]\nurl = \"http://127.0.0.1:{CLICKHOUSE_PORT}\"\npassword = \"writer\"\n\
             [ingest]\nlisten = \"127.0.0.1:{INGEST_PORT}\"\nadmin = \"{ingest}\"\n\
             static_keys = [\"shop:shop:web\", \"probe:probe:web\"]\npseudonym_secret = \"a secret of thirty-two characters\"\n\
             [processor]\nadmin = \"{processor}\"\n\
             [local]\nclickhouse_listen = \"127.0.0.1:{CLICKHOUSE_PORT}\"\nclickhouse_admin = \"{clickhouse}\"\ndata_dir = \"{}\"\n\
             [sink]\nadmin = \"{sink}\"\n{extra}",
            self.kafka.brokers,
            self.directory.path().join("data").display(),
        );
        std::fs::write(&config, text).expect("settings can be written");
        let program = std::env::var_os("BENCH_BINARY").expect("BENCH_BINARY names the built touchstream");
        let mut command = Command::new(program);
        command.arg(name).arg("--config").arg(&config).stdin(Stdio::null());
        if let (Some(sink), "sink") = (std::env::var_os("BENCH_SINK"), name) {
            // The example of the sink's crate is built sooner than the whole binary.
            command = Command::new(sink);
            command.arg(&config).stdin(Stdio::null());
        }
        let path = self.directory.path().join(format!("{name}.log"));
        let log = File::options().append(true).create(true).open(path).expect("a log file can be made");
        command.stderr(log.try_clone().expect("a file can be shared")).stdout(log);
        command
    }

    /// Sends events to ingest with a write key.
    pub(crate) fn send(&self, key: &str, events: &str) {
        let request = self
            .agent
            .post(format!("http://127.0.0.1:{INGEST_PORT}/v1/events"))
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json");
        let answer = request.send(events).expect("ingest answers");
        assert_eq!(answer.status(), 202, "ingest accepts what is sent");
    }

    /// Runs a statement as the writing user; the answer's text.
    pub(crate) fn ask(&self, statement: &str) -> String {
        self.post("", statement.as_bytes()).unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// The same for data: the statement and settings stand in `parameters`, percent-encoded.
    pub(crate) fn post(&self, parameters: &str, body: &[u8]) -> Result<String, String> {
        let bytes = self.bytes(parameters, body)?;
        Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    }

    /// The same, the answer as it comes.
    pub(crate) fn bytes(&self, parameters: &str, body: &[u8]) -> Result<Vec<u8>, String> {
        let request = self
            .agent
            .post(format!("http://127.0.0.1:{CLICKHOUSE_PORT}/?{parameters}"))
            .header("x-clickhouse-user", "touchstream")
            .header("x-clickhouse-key", "writer");
        let mut answer = request.send(body).map_err(|error| error.to_string())?;
        let limit = 1 << 30;
        let bytes =
            answer.body_mut().with_config().limit(limit).read_to_vec().map_err(|error| error.to_string())?;
        match answer.status().as_u16() {
            200 => Ok(bytes),
            status => Err(format!("HTTP {status}: {}", String::from_utf8_lossy(&bytes))),
        }
    }

    /// Rows in the tables of raw events.
    pub(crate) fn rows(&self) -> u64 {
        let sql =
            "SELECT sum(total_rows) FROM system.tables WHERE database = 'cx' AND name LIKE 'events\\_%'";
        self.ask(sql).parse().unwrap_or(0)
    }
}

fn admin(name: &str) -> String {
    let number = SERVICES.iter().zip(ADMIN_PORT..).find(|(other, _)| **other == name);
    format!("127.0.0.1:{}", number.map_or(ADMIN_PORT, |(_, port)| port))
}

/// Replaces text in a file.
pub(crate) fn replace_in(path: &Path, old: &str, new: &str) {
    let text = std::fs::read_to_string(path).expect("the file can be read");
    assert!(text.contains(old), "{} has {old}", path.display());
    std::fs::write(path, text.replace(old, new)).expect("the file can be written");
}
