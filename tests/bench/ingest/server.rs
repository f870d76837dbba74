//! What is measured: Kafka, ingest and bare handlers, each a process; and what the kernel says about a process.

use std::ffi::OsString;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use touchstream_local_kafka::{KafkaOptions, RunningKafka};
use touchstream_local_parts::Progress;
use touchstream_local_supervisor::{OwnedProcess, ProcessSpec};
use touchstream_schemas::topics::Topics;

use crate::bare;
use crate::events::KEY;

/// Ports of the benchmark.
const PORTS: std::ops::Range<u16> = 21_400..21_500;
const PATIENCE: Duration = Duration::from_secs(60);

/// A server under load.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: String,
    process: OwnedProcess,
}

/// Where Kafka and the servers keep their data: in memory where the system has such a place. A disk that other work shares stalls an append
/// for 10 to 30 ms now and then, and both servers would be judged by that. BENCH_DISK: on the disk nevertheless.
pub(crate) fn data_directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() && std::env::var_os("BENCH_DISK").is_none() {
        return tempfile::tempdir_in(memory).expect("a directory can be made");
    }
    tempfile::tempdir().expect("a directory can be made")
}

/// The broker with its topics.
pub(crate) fn start_kafka(directory: &Path, bare_topic: &str) -> RunningKafka {
    let parts = touchstream_local_parts::kafka(&Progress::silent()).expect("Kafka's jars can be fetched");
    let mut options = KafkaOptions::new(parts.jars, directory.join("kafka"), free_port());
    // As Kafka's own scripts start it. With less it pauses every two seconds, 10 ms each.
    options.heap_mib = 1_024;
    let kafka = touchstream_local_kafka::start(options).expect("Kafka starts");
    kafka.wait_ready(PATIENCE).expect("Kafka becomes ready");
    let setups = Topics::new("cx").all();
    let topic = |name, partitions| NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let mut new: Vec<NewTopic<'_>> =
        setups.iter().map(|setup| topic(&setup.name, if setup.partitioned { 2 } else { 1 })).collect();
    // Two topics of two partitions take a site's events; the bare handler gets as many partitions in one.
    new.push(topic(bare_topic, 4));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it can be made");
    runtime.block_on(async {
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", kafka.bootstrap()).create().expect("it can be made");
        let results = admin.create_topics(&new, &AdminOptions::new()).await.expect("Kafka answers");
        for result in results {
            result.expect("the topic is new");
        }
    });
    kafka
}

/// `touchstream ingest` with its defaults.
pub(crate) fn start_ingest(directory: &Path, brokers: &str) -> Server {
    let (address, admin) = (free_address(), free_address());
    let file = directory.join("touchstream.toml");
    let settings = format!(
        "[kafka]\nbrokers = \"{brokers}\"\n[ingest]\nlisten = \"{address}\"\nadmin = \"{admin}\"\n\
         static_keys = [\"{KEY}:shop:web\"]\npseudonym_secret = \"a secret of thirty-two characters\"\n"
    );
    std::fs::write(&file, settings).expect("the settings can be written");
    let program =
        std::env::var_os("BENCH_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_touchstream").into());
    let arguments = [OsString::from("ingest"), "--config".into(), file.into()];
    let server = start("ingest", program.into(), &arguments, address, directory);
    let ready = || {
        let mut answer = ureq::get(format!("http://{admin}/readyz")).call().ok()?;
        answer.body_mut().read_to_string().ok()
    };
    wait_for("ingest is ready", || ready().is_some());
    server
}

/// A bare handler in a process of its own.
pub(crate) fn start_bare(directory: &Path, brokers: &str, topic: &str, linger_ms: u64) -> Server {
    let address = free_address();
    let arguments = [bare::ROLE, &address, brokers, topic, &linger_ms.to_string()].map(OsString::from);
    let program = std::env::current_exe().expect("this program has a path");
    start(&format!("bare, linger {linger_ms} ms"), program, &arguments, address, directory)
}

fn start(name: &str, program: PathBuf, arguments: &[OsString], address: String, directory: &Path) -> Server {
    let log_file = directory.join(format!("{}.log", address.replace(':', "-")));
    let spec = ProcessSpec { program, arguments: arguments.to_vec(), environment: Vec::new(), log_file };
    let process = OwnedProcess::spawn(&spec).expect("the program starts");
    wait_for(name, || {
        assert!(process.status().is_none(), "{name} ended:\n{}", process.last_lines(20).join("\n"));
        TcpStream::connect(&address).is_ok()
    });
    Server { address, process }
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(PORTS.start);
    std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed))
        .take_while(|port| PORTS.contains(port))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a port of the benchmark's range is free")
}

fn free_address() -> String {
    format!("127.0.0.1:{}", free_port())
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// From now on the highest resident memory is counted anew.
    pub(crate) fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").expect("the process is ours");
    }

    /// Highest resident memory since it was forgotten, in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says so");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib / 1_024.0
    }
}

/// Processor time that a process has used.
pub(crate) fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    // The name in brackets may hold spaces; user and system time are the 14th and 15th field.
    let fields: Vec<&str> = stat.rsplit(')').next().expect("there is a name").split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("a number")).sum();
    // USER_HZ is 100 on every Linux that Rust runs on.
    Duration::from_millis(ticks * 10)
}
