//! What a Kafka on one machine is given: options, and the broker's and its logger's settings rendered from them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Where a Kafka keeps its data and where it listens.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// The directory of the broker's jars.
    pub jars: PathBuf,
    /// Kafka's own directory: data, rendered settings, log. Made if missing.
    pub data_dir: PathBuf,
    /// The port on 127.0.0.1 that clients use.
    pub port: u16,
    /// The controller's port on 127.0.0.1. Only the broker in the same process uses it, so any free one will do (`None`).
    pub controller_port: Option<u16>,
    /// The largest Java heap, in MiB.
    pub heap_mib: u32,
    /// Where the process's output goes.
    pub log_file: PathBuf,
}

impl KafkaOptions {
    /// The defaults: any free controller port, a heap of 512 MiB, and `kafka.log` beside the data.
    #[must_use]
    pub fn new(jars: impl Into<PathBuf>, data_dir: impl Into<PathBuf>, port: u16) -> Self {
        let data_dir = data_dir.into();
        let log_file = data_dir.join("kafka.log");
        Self { jars: jars.into(), data_dir, port, controller_port: None, heap_mib: 512, log_file }
    }

    /// What clients put into `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn log_dir(&self) -> PathBuf {
        self.data_dir.join("log")
    }
}

/// The broker's settings. Every one that differs from Kafka's default says why.
pub(crate) fn server_properties(port: u16, controller_port: u16, log_dir: &Path) -> String {
    format!(
        "\
# Rendered at each start; changes made here are lost.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={log_dir}

# One node holds the only replica.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# Topics are made by `touchstream setup`, with the partitions and settings they need; a typing error must not make another.
auto.create.topics.enable=false

# A group that was away for a month must find its offsets: a lost offset is an error for a person to decide.
offsets.retention.minutes=2147483647
transactional.id.expiration.ms=2147483647
transaction.max.timeout.ms=900000

# Quick to start and small: few internal partitions, no waiting for more group members, small index files and buffers.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
log.segment.bytes=134217728
log.index.size.max.bytes=2097152
log.cleaner.dedupe.buffer.size=33554432
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
background.threads=2

# After `kill -9` the controller refuses the restarted broker until its old session ends: 9 s by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# An idle node need not write to its disk twice a second.
metadata.max.idle.interval.ms=5000
",
        log_dir = escaped(log_dir)
    )
}

/// The broker logs to standard output, which the supervisor bounds and keeps. The dump of some 300 settings at each start
/// and the per-partition state changes would only hide what matters.
pub(crate) fn log4j2_properties() -> &'static str {
    "\
status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX}{UTC} %p %c{1} %m%n
rootLogger.level=info
rootLogger.appenderRefs=console
rootLogger.appenderRef.console.ref=console
logger.settings.name=org.apache.kafka.common.config
logger.settings.level=warn
logger.state.name=state.change.logger
logger.state.level=warn
logger.raft.name=org.apache.kafka.raft
logger.raft.level=warn
logger.metadata.name=org.apache.kafka.image
logger.metadata.level=warn
logger.storage.name=org.apache.kafka.storage.internals.log
logger.storage.level=warn
"
}

/// A path as a Java properties value: the backslash and everything outside printable ASCII must be escaped.
fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for character in path.to_string_lossy().chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            ' '..='~' => text.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(text, "\\u{unit:04x}").expect("writing to a string never fails");
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_the_properties_format() {
        assert_eq!(escaped(Path::new("/data/a b\\c/ü")), "/data/a b\\\\c/\\u00fc");
    }
}
