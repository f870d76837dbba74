//! The one Kafka that everything is measured on, and its topics.

use std::path::Path;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use touchstream_local_kafka::{KafkaOptions, RunningKafka};
use touchstream_local_parts::Progress;
use touchstream_runtime::kafka;
use touchstream_runtime::settings::{self, KafkaSettings};
use touchstream_schemas::topics::{Cleanup, TopicSetup, Topics};

const DEADLINE: Duration = Duration::from_secs(60);
/// Memory that is touched before a run, at most: more than any of them takes.
const WARMED: usize = 4 << 30;
const PAGE: usize = 4 << 10;

/// A broker and the way to it.
pub(crate) struct Machine {
    pub(crate) settings: KafkaSettings,
    _kafka: RunningKafka,
    runtime: tokio::runtime::Runtime,
    admin: AdminClient<DefaultClientContext>,
}

impl Machine {
    pub(crate) fn start(directory: &Path, port: u16) -> Machine {
        let mut settings = settings::load(None).expect("the defaults are valid").settings.kafka;
        let parts = touchstream_local_parts::kafka(&Progress::silent()).expect("Kafka's jars can be fetched");
        let mut options = KafkaOptions::new(parts.jars, directory.join("kafka"), port);
        options.heap_mib = 1_024;
        let kafka = touchstream_local_kafka::start(options).expect("Kafka starts");
        kafka.wait_ready(DEADLINE).expect("Kafka becomes ready");
        settings.brokers = kafka.bootstrap();
        let admin =
            kafka::client(&settings, "touchstream-bench").expect("no secrets").create().expect("a client");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Machine { settings, _kafka: kafka, runtime, admin }
    }

    /// Makes every topic under `prefix` that is not there yet.
    pub(crate) fn create_topics(&self, prefix: &str, partitions: i32) {
        for setup in Topics::new(prefix).all() {
            let partitions = if setup.partitioned { partitions } else { 1 };
            self.create(&setup.name, partitions, setup.cleanup);
        }
    }

    pub(crate) fn create(&self, name: &str, partitions: i32, cleanup: Cleanup) {
        let topic =
            NewTopic::new(name, partitions, TopicReplication::Fixed(1)).set("max.message.bytes", "8388608");
        let topic = match cleanup {
            Cleanup::Raw => topic.set("message.timestamp.type", "LogAppendTime"),
            Cleanup::Derived => topic,
            Cleanup::Compacted => topic
                .set("cleanup.policy", "compact")
                .set("min.cleanable.dirty.ratio", "0.3")
                .set("segment.bytes", "67108864"),
        };
        let until = Instant::now() + DEADLINE;
        let options = AdminOptions::new().operation_timeout(Some(DEADLINE));
        loop {
            let results =
                self.runtime.block_on(self.admin.create_topics([&topic], &options)).expect("Kafka answers");
            match &results[0] {
                Ok(_) => return,
                // A topic that was deleted a moment ago may still be there.
                Err((_, code)) => assert!(Instant::now() < until, "failed to create topic {name}: {code}"),
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Deletes topics; with `keep_raw` only those that the processor writes.
    pub(crate) fn delete_topics(&self, prefix: &str, keep_raw: bool) {
        let present = self.names();
        let topics: Vec<String> = Topics::new(prefix)
            .all()
            .into_iter()
            .filter(|setup| !keep_raw || (setup.partitioned && setup.cleanup != Cleanup::Raw))
            .map(|setup| setup.name)
            .filter(|name| present.contains(name))
            .collect();
        self.delete(&topics.iter().map(String::as_str).collect::<Vec<_>>());
    }

    pub(crate) fn delete(&self, topics: &[&str]) {
        if topics.is_empty() {
            return;
        }
        let options = AdminOptions::new().operation_timeout(Some(DEADLINE));
        self.runtime.block_on(self.admin.delete_topics(topics, &options)).expect("Kafka answers");
    }

    fn names(&self) -> Vec<String> {
        let metadata = self.admin.inner().fetch_metadata(None, DEADLINE).expect("Kafka answers");
        metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
    }

    /// Fresh derived topics beside the prepared raw ones.
    pub(crate) fn renew_derived(&self, prefix: &str, partitions: i32) {
        self.delete_topics(prefix, true);
        let is_renewed = |setup: &TopicSetup| setup.partitioned && setup.cleanup != Cleanup::Raw;
        for setup in Topics::new(prefix).all().into_iter().filter(is_renewed) {
            self.create(&setup.name, partitions, setup.cleanup);
        }
    }

    /// Partitions of a topic and their ends.
    pub(crate) fn ends(&self, topic: &str) -> Vec<(i32, i64)> {
        let consumer: BaseConsumer =
            kafka::client(&self.settings, "bench").expect("no secrets").create().expect("a client");
        let metadata = consumer.fetch_metadata(Some(topic), DEADLINE).expect("Kafka answers");
        let partitions =
            metadata.topics()[0].partitions().iter().map(rdkafka::metadata::MetadataPartition::id);
        partitions
            .map(|partition| {
                (partition, consumer.fetch_watermarks(topic, partition, DEADLINE).expect("Kafka answers").1)
            })
            .collect()
    }
}

/// Takes memory and gives it back, so that what runs next finds memory that is there. A virtual machine hands free memory back to its
/// host; a page that the host has to give anew takes some 11 µs instead of 1.4 (measured here), and whether a run met such pages
/// decided about a quarter of its time.
pub(crate) fn warm_memory() {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes = available.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    let mut memory = vec![0_u8; WARMED.min(kibibytes.unwrap_or(0) * 1_024 / 2)];
    memory.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
    std::hint::black_box(&memory);
}
