//! Ingest in front of a real Kafka, for clients that send events: in this process, on free ports, with topics of each test's own.

use std::net::TcpListener;
use std::path::Path;
use std::sync::OnceLock;
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::OwnedMessage;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use touchstream_local_kafka::{KafkaOptions, RunningKafka};
use touchstream_local_parts::Progress;
use touchstream_runtime::secret::Secret;
use touchstream_runtime::settings::load;
use touchstream_runtime::shutdown::Shutdown;
use touchstream_schemas::topics::Topics;

const PATIENCE: Duration = Duration::from_secs(60);

/// The write key of these tests, tenant `shop`, source `web`.
pub(crate) const KEY: &str = "a-key-of-the-client-tests";

/// A running ingest; ends with this value.
pub(crate) struct IngestServer {
    address: String,
    brokers: String,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
}

impl IngestServer {
    /// Starts ingest with topics under this prefix and waits until it is ready.
    pub(crate) fn start(prefix: &str) -> IngestServer {
        let brokers = brokers();
        let runtime = || {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(2).enable_all().build().expect("a runtime starts")
        };
        runtime().block_on(create_topics(&brokers, prefix));
        let mut settings = load(None).expect("the defaults are valid").settings;
        let [listen, admin] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port is free"));
        let address = |listener: &TcpListener| listener.local_addr().expect("it is bound").to_string();
        settings.ingest.listen = address(&listen);
        settings.ingest.admin = address(&admin);
        drop((listen, admin));
        settings.kafka.brokers.clone_from(&brokers);
        prefix.clone_into(&mut settings.kafka.topic_prefix);
        settings.ingest.static_keys = vec![format!("{KEY}:shop:web")];
        settings.ingest.pseudonym_secret = Secret::new("a secret of the client tests");
        let server = (settings.ingest.listen.clone(), settings.ingest.admin.clone());
        let shutdown = Shutdown::new();
        let until = shutdown.clone();
        let thread = std::thread::spawn(move || {
            runtime().block_on(touchstream_ingest::serve(&settings, until)).expect("ingest serves");
        });
        let begun = std::time::Instant::now();
        while ureq::get(format!("http://{}/readyz", server.1)).call().is_err() {
            assert!(!thread.is_finished() && begun.elapsed() < PATIENCE, "ingest did not become ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        IngestServer { address: server.0, brokers, shutdown, thread: Some(thread) }
    }

    /// The URL without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every record of a topic now.
    pub(crate) fn read_topic(&self, topic: &str) -> Vec<OwnedMessage> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", "client-tests")
            .set("enable.auto.commit", "false")
            .create()
            .expect("a consumer can be made");
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("the topic is known");
        let mut records = Vec::new();
        for partition in metadata.topics()[0].partitions() {
            let (first, end) =
                consumer.fetch_watermarks(topic, partition.id(), PATIENCE).expect("it has offsets");
            let mut assignment = TopicPartitionList::new();
            assignment
                .add_partition_offset(topic, partition.id(), Offset::Offset(first))
                .expect("it is a partition");
            consumer.assign(&assignment).expect("it can be read");
            for _ in first..end {
                let record =
                    consumer.poll(PATIENCE).expect("a record comes in time").expect("it can be read");
                records.push(record.detach());
            }
        }
        records
    }
}

impl Drop for IngestServer {
    fn drop(&mut self) {
        self.shutdown.cancel();
        let Some(thread) = self.thread.take() else { return };
        if thread.join().is_err() && !std::thread::panicking() {
            panic!("ingest ended with a panic");
        }
    }
}

/// One Kafka for all of these tests.
fn brokers() -> String {
    static KAFKA: OnceLock<RunningKafka> = OnceLock::new();
    let kafka = KAFKA.get_or_init(|| {
        // Not a temporary directory: a static is never dropped, so the next run removes what this one leaves.
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("client-tests-kafka");
        if directory.exists() {
            std::fs::remove_dir_all(&directory).expect("an old directory can be removed");
        }
        let parts = touchstream_local_parts::kafka(&Progress::silent()).expect("Kafka's jars can be fetched");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let mut options = KafkaOptions::new(parts.jars, &directory, port);
        options.heap_mib = 256;
        let kafka = touchstream_local_kafka::start(options).expect("Kafka starts");
        kafka.wait_ready(PATIENCE).expect("Kafka becomes ready");
        kafka
    });
    kafka.bootstrap()
}

async fn create_topics(brokers: &str, prefix: &str) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    let admin: AdminClient<DefaultClientContext> = config.create().expect("a client can be made");
    let setups = Topics::new(prefix).all();
    let new = |partitions, name| NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let topics: Vec<NewTopic<'_>> =
        setups.iter().map(|setup| new(if setup.partitioned { 2 } else { 1 }, &setup.name)).collect();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    for created in admin.create_topics(&topics, &options).await.expect("Kafka answers") {
        created.expect("the topic is new");
    }
}
