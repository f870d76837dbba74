//! A machine of its own for one test: Kafka, ClickHouse and every service, each a process, on free ports, in a directory that goes
//! away with it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use touchstream_local_kafka::{KafkaOptions, RunningKafka};
use touchstream_local_parts::Progress;

use super::clickhouse::ClickHouse;
use super::service::Service;

/// Two machines at a time would measure each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
const WRITER: &str = "touchstream";
const PASSWORD: &str = "writer-of-this-test";

/// Write key of the tenant that tests send to.
pub(crate) const KEY: &str = "key-of-this-test";
/// The tenant of [`KEY`].
pub(crate) const TENANT: &str = "shop";

/// Everything that runs for one test; all of it ends with this value.
pub(crate) struct Machine {
    services: Vec<Service>,
    _kafka: RunningKafka,
    ingest: String,
    clickhouse: String,
    console: String,
    _directory: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Machine {
    /// Starts everything and waits until it is ready.
    pub(crate) fn start() -> Machine {
        Machine::start_with(&[])
    }

    /// The same with environment variables that override settings.
    pub(crate) fn start_with(overrides: &[(&str, String)]) -> Machine {
        let turn = turn();
        let directory = tempfile::tempdir().expect("a directory can be made");
        let [
            kafka_port,
            ingest,
            clickhouse,
            console,
            ingest_admin,
            processor_admin,
            sink_admin,
            console_admin,
            clickhouse_admin,
        ] = free_ports();
        let address = |port: u16| format!("127.0.0.1:{port}");
        let settings = format!(
            "[kafka]\nbrokers = \"{kafka}\"\n\
             [clickhouse]\nurl = \"http://{clickhouse}\"\nuser = \"{WRITER}\"\npassword = \"{PASSWORD}\"\n\
             [ingest]\nlisten = \"{ingest}\"\nadmin = \"{ingest_admin}\"\nstatic_keys = [\"{KEY}:{TENANT}:web\"]\n\
             pseudonym_secret = \"a secret of thirty-two characters\"\n\
             [processor]\nadmin = \"{processor_admin}\"\n\
             [sink]\nadmin = \"{sink_admin}\"\n\
             [console]\nlisten = \"{console}\"\nadmin = \"{console_admin}\"\npassword = \"reader\"\n\
             [local]\nkafka_port = {kafka_port}\nclickhouse_listen = \"{clickhouse}\"\nclickhouse_admin = \"{clickhouse_admin}\"\n\
             data_dir = \"{data}\"\n",
            kafka = address(kafka_port),
            clickhouse = address(clickhouse),
            ingest = address(ingest),
            ingest_admin = address(ingest_admin),
            processor_admin = address(processor_admin),
            sink_admin = address(sink_admin),
            console = address(console),
            console_admin = address(console_admin),
            clickhouse_admin = address(clickhouse_admin),
            data = directory.path().join("data").display(),
        );
        std::fs::write(directory.path().join("touchstream.toml"), settings)
            .expect("the settings can be written");

        let parts = touchstream_local_parts::kafka(&Progress::silent()).expect("Kafka's jars can be fetched");
        let options = KafkaOptions::new(parts.jars, directory.path().join("kafka"), kafka_port);
        let kafka = touchstream_local_kafka::start(options).expect("Kafka starts");
        let admins = [
            ("clickhouse", clickhouse_admin),
            ("ingest", ingest_admin),
            ("processor", processor_admin),
            ("sink", sink_admin),
            ("console", console_admin),
        ];
        let services = admins.map(|(name, admin)| {
            let service = Service::new(name, directory.path(), &address(admin));
            overrides.iter().fold(service, |service, (name, value)| service.with(name, value.clone()))
        });
        let mut machine = Machine {
            services: services.into(),
            _kafka: kafka,
            ingest: format!("http://{}", address(ingest)),
            clickhouse: format!("http://{}", address(clickhouse)),
            console: format!("http://{}", address(console)),
            _directory: directory,
            _turn: turn,
        };
        machine.start_services();
        machine
    }

    fn start_services(&mut self) {
        self.service("clickhouse").start();
        self._kafka.wait_ready(Duration::from_secs(60)).expect("Kafka becomes ready");
        self.service("clickhouse").wait_ready();
        set_up(self._directory.path());
        for name in ["ingest", "processor", "sink", "console"] {
            self.service(name).start();
        }
        for name in ["ingest", "processor", "sink", "console"] {
            self.service(name).wait_ready();
        }
    }

    /// A service by its name.
    pub(crate) fn service(&mut self, name: &str) -> &mut Service {
        self.services.iter_mut().find(|service| service.name == name).expect("the service is known")
    }

    /// `kill -9`, then at once a new start.
    pub(crate) fn kill_and_restart(&mut self, name: &str) {
        let service = self.service(name);
        service.kill();
        service.start();
    }

    /// All services run and are ready.
    pub(crate) fn wait_ready(&self) {
        for service in &self.services {
            service.wait_ready();
        }
    }

    /// Fails at once when a service has ended by itself, instead of waiting for what it will never do.
    pub(crate) fn assert_running(&self) {
        for service in &self.services {
            assert!(service.is_running(), "{} has ended by itself:\n{}", service.name, service.log());
        }
    }

    /// Ends all services as an operator would.
    pub(crate) fn stop(mut self) {
        for name in ["ingest", "processor", "sink", "console", "clickhouse"] {
            self.service(name).stop();
        }
    }

    /// The file with the settings.
    pub(crate) fn config(&self) -> PathBuf {
        self._directory.path().join("touchstream.toml")
    }

    /// Address of Kafka.
    pub(crate) fn kafka(&self) -> String {
        self._kafka.bootstrap()
    }

    /// Address of ingest.
    pub(crate) fn ingest(&self) -> &str {
        &self.ingest
    }

    /// Address of the console.
    pub(crate) fn console(&self) -> &str {
        &self.console
    }

    /// The way to ClickHouse for the writer, who has no limits.
    pub(crate) fn clickhouse(&self) -> ClickHouse {
        ClickHouse::new(&self.clickhouse, WRITER, PASSWORD, "cx")
    }

    /// The way to ClickHouse for readers.
    pub(crate) fn reader(&self) -> ClickHouse {
        ClickHouse::new(&self.clickhouse, "reader", "reader", "cx")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for service in &self.services {
                eprintln!(
                    "--- last words of {} (running: {})\n{}",
                    service.name,
                    service.is_running(),
                    service.log()
                );
            }
        }
        for service in &mut self.services {
            service.kill();
        }
    }
}

/// Held by a test that needs the machine for itself.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn set_up(directory: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_touchstream"))
        .arg("setup")
        .arg("--config")
        .arg(directory.join("touchstream.toml"))
        .output()
        .expect("the binary runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "setup: {}\n{}\n{}",
        output.status,
        said(&output.stdout),
        said(&output.stderr)
    );
}

/// Ports that were free a moment ago; all are held until all are known, so that none comes twice.
pub(crate) fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let listeners = [(); COUNT].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}
