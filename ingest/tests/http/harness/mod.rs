//! What the tests of ingest share: a real Kafka, the real server, and a plain HTTP client on a socket.

mod client;
mod compress;
mod process;

use std::net::TcpListener;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::OwnedMessage;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use touchstream_local_kafka::{KafkaOptions, RunningKafka};
use touchstream_runtime::secret::Secret;
use touchstream_runtime::settings::{Settings, load};
use touchstream_runtime::shutdown::Shutdown;
use touchstream_schemas::topics::Topics;

pub(crate) use client::{exchange, get, post, post_with, read_reply};
pub(crate) use compress::{ENCODINGS, compress};
pub(crate) use process::Process;

/// Deadline of everything that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Write key, tenant and source of the configured key.
pub(crate) const KEY: &str = "test-key";

/// A port of this test suite's range that nobody uses.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = u16::try_from(std::process::id() % 100).unwrap();
    std::iter::repeat_with(|| 19_200 + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % 100)
        .take(100)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

/// Starts Apache Kafka with the topics that ingest needs; its end comes with this process.
pub(crate) fn start_kafka(directory: &Path) -> RunningKafka {
    let parts = touchstream_local_parts::kafka(&touchstream_local_parts::Progress::silent()).unwrap();
    let mut options = KafkaOptions::new(parts.jars, directory, free_port());
    options.heap_mib = 256;
    let kafka = touchstream_local_kafka::start(options).unwrap();
    kafka.wait_ready(Duration::from_secs(60)).unwrap();
    kafka
}

/// One Kafka for all tests that leave it alone; each test has topics of its own.
pub(crate) fn brokers() -> String {
    static KAFKA: OnceLock<RunningKafka> = OnceLock::new();
    let kafka = KAFKA.get_or_init(|| {
        // Not a temporary directory: a static is never dropped, so the next run removes what this one leaves.
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ingest-http-kafka");
        if directory.exists() {
            std::fs::remove_dir_all(&directory).unwrap();
        }
        start_kafka(&directory)
    });
    kafka.bootstrap()
}

/// Waits for a future, from a test without a runtime.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Creates the topics under a prefix.
pub(crate) async fn create_topics(brokers: &str, prefix: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    let setups = Topics::new(prefix).all();
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

/// A running server.
pub(crate) struct Server {
    pub(crate) settings: Settings,
    shutdown: Shutdown,
    task: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Starts ingest and waits until it is ready.
    pub(crate) fn start(brokers: &str, prefix: &str, change: impl FnOnce(&mut Settings)) -> Server {
        let mut settings = load(None).unwrap().settings;
        brokers.clone_into(&mut settings.kafka.brokers);
        prefix.clone_into(&mut settings.kafka.topic_prefix);
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        settings.ingest.listen = free();
        settings.ingest.admin = free();
        settings.ingest.static_keys = vec![format!("{KEY}:shop:web")];
        settings.ingest.pseudonym_secret = Secret::new("a secret of the tests");
        change(&mut settings);
        let shutdown = Shutdown::new();
        let task = {
            let (settings, shutdown) = (settings.clone(), shutdown.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
                runtime.block_on(touchstream_ingest::serve(&settings, shutdown)).unwrap();
            })
        };
        let server = Server { settings, shutdown, task: Some(task) };
        wait_for("ingest to be ready", || {
            std::net::TcpStream::connect(&server.settings.ingest.admin).is_ok()
                && get(&server.settings.ingest.admin, "/readyz").status == 200
        });
        server
    }

    /// The public address.
    pub(crate) fn address(&self) -> &str {
        &self.settings.ingest.listen
    }

    /// The value of a metric's line that starts so.
    pub(crate) fn metric(&self, start: &str) -> f64 {
        let text = get(&self.settings.ingest.admin, "/metrics").text();
        let line = text.lines().find(|line| line.starts_with(start));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0.0)
    }

    /// Asks the server to drain and waits for its end.
    pub(crate) fn stop(&mut self) {
        self.shutdown.cancel();
        if let Some(task) = self.task.take() {
            task.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Waits for a condition, at most [`PATIENCE`].
pub(crate) fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Every record of a topic now.
pub(crate) fn read_topic(brokers: &str, topic: &str) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "tests")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let mut records = Vec::new();
    for partition in metadata.topics()[0].partitions() {
        let (first, end) = consumer.fetch_watermarks(topic, partition.id(), PATIENCE).unwrap();
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, partition.id(), Offset::Offset(first)).unwrap();
        consumer.assign(&assignment).unwrap();
        let begun = Instant::now();
        let whole = records.len() + usize::try_from(end - first).unwrap();
        while records.len() < whole {
            assert!(begun.elapsed() < 2 * PATIENCE, "{topic} cannot be read to its end, {end}");
            // An error is a connection that broke on a slow machine; the consumer makes another.
            if let Some(Ok(record)) = consumer.poll(Duration::from_secs(1)) {
                records.push(record.detach());
            }
        }
    }
    records
}
