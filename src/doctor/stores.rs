//! Kafka's topics and ClickHouse's objects and disks.

use std::path::Path;

use nix::sys::statvfs::statvfs;
use rdkafka::metadata::Metadata;
use touchstream_runtime::settings::Settings;
use touchstream_schemas::topics::Topics;

use super::report::{Finding, Status};

/// Less than this of a disk free is worth a look, and less than this is a problem.
const FREE_WARNING: f64 = 0.15;
const FREE_PROBLEM: f64 = 0.05;

/// Brokers, topics, partitions, replicas.
pub(super) fn topics(settings: &Settings, metadata: &Metadata) -> Vec<Finding> {
    let brokers = metadata.brokers().len();
    let expected = Topics::new(&settings.kafka.topic_prefix).all();
    let mut missing = Vec::new();
    let mut wrong = Vec::new();
    let mut behind = Vec::new();
    for topic in &expected {
        let found = metadata
            .topics()
            .iter()
            .find(|found| found.name() == topic.name && !found.partitions().is_empty());
        let Some(found) = found else {
            missing.push(topic.name.clone());
            continue;
        };
        let partitions = if topic.partitioned { settings.kafka.partitions } else { 1 };
        if i32::try_from(found.partitions().len()) != Ok(partitions) {
            wrong.push(format!("{} has {}", topic.name, found.partitions().len()));
        }
        for partition in found.partitions() {
            if partition.leader() < 0 || partition.isr().len() < partition.replicas().len() {
                behind.push(format!("{}-{}", topic.name, partition.id()));
            }
        }
    }
    let kafka =
        Finding::ok("kafka", format!("{brokers} of its brokers answer at {}", settings.kafka.brokers))
            .with("brokers", brokers);
    let topics = if !missing.is_empty() {
        Finding::new("topics", Status::Problem, format!("missing: {}", missing.join(", ")))
            .advise("run `touchstream setup` with these settings (kafka.topic_prefix names the topics)")
            .with("missing", missing)
    } else if !wrong.is_empty() {
        let partitions = settings.kafka.partitions;
        Finding::new(
            "topics",
            Status::Problem,
            format!("kafka.partitions is {partitions}, but {}", wrong.join(", ")),
        )
        .advise("set kafka.partitions to what the topics have; the number is fixed once a topic exists")
        .with("wrong", wrong)
    } else {
        Finding::ok("topics", format!("all {} are there", expected.len()))
    };
    let replicas = if behind.is_empty() {
        Finding::ok("replicas", "every replica is in sync")
    } else {
        Finding::new(
            "replicas",
            Status::Problem,
            format!("without a leader or behind: {}", behind.join(", ")),
        )
        .advise("a broker is away or slow: look at the brokers' logs and disks")
        .with("partitions", behind)
    };
    vec![kafka, topics, replicas]
}

/// ClickHouse: whether it answers, its objects, its parts, its disks.
pub(super) async fn clickhouse(settings: &Settings) -> Vec<Finding> {
    const CHECK: &str = "clickhouse";
    let url = &settings.clickhouse.url;
    let inspection = match touchstream_sink::inspect(settings).await {
        Ok(inspection) => inspection,
        Err(error) => {
            return vec![
                Finding::new(CHECK, Status::Problem, format!("ClickHouse at {url}: {error}")).advise(
                    "the sink waits for it and loses nothing. Check clickhouse.url, clickhouse.user, clickhouse.password_file, and that it runs",
                ),
            ];
        }
    };
    let mut findings = vec![Finding::ok(CHECK, format!("version {} at {url}", inspection.version))];
    findings.push(if inspection.pending.is_empty() {
        Finding::ok(
            "tables",
            format!("all objects of database {} are as this release has them", settings.clickhouse.database),
        )
    } else {
        Finding::new("tables", Status::Problem, format!("not applied yet: {}", inspection.pending.join(", ")))
            .advise("run `touchstream setup` with these settings")
            .with("pending", inspection.pending)
    });
    findings.push(match inspection.most_parts {
        Some((table, parts)) if parts >= 1_000 => Finding::new(
            "parts",
            Status::Warning,
            format!("{table} has {parts} parts, more than merging keeps up with"),
        )
        .advise("raise sink.batch_age_ms and sink.batch_rows, or give ClickHouse a faster disk")
        .with("table", table)
        .with("parts", parts),
        Some((table, parts)) => Finding::ok("parts", format!("at most {parts} ({table})")),
        None => Finding::ok("parts", "no rows yet"),
    });
    for disk in inspection.disks {
        findings.push(free(
            "disk.clickhouse",
            &format!("disk {} at {}", disk.name, disk.path),
            disk.free,
            disk.total,
        ));
    }
    findings
}

/// The disk of the data directory, when there is one on this machine.
pub(super) fn local_disk(settings: &Settings) -> Option<Finding> {
    let directory = Path::new(&settings.local.data_dir);
    let found = statvfs(directory).ok()?;
    let [free_bytes, total] =
        [found.blocks_available(), found.blocks()].map(|blocks| blocks * found.fragment_size());
    Some(free("disk.local", &format!("the disk of {}", directory.display()), free_bytes, total))
}

#[expect(clippy::cast_precision_loss, reason = "a share of a disk need not be exact")]
fn free(check: &'static str, what: &str, free: u64, total: u64) -> Finding {
    let share = if total == 0 { 1.0 } else { free as f64 / total as f64 };
    let gib = free as f64 / f64::from(1 << 30);
    let status = match share {
        share if share < FREE_PROBLEM => Status::Problem,
        share if share < FREE_WARNING => Status::Warning,
        _ => Status::Ok,
    };
    let finding =
        Finding::new(check, status, format!("{what} has {gib:.1} GiB free, {:.0} %", share * 100.0))
            .with("free_bytes", free)
            .with("total_bytes", total);
    match status {
        Status::Ok => finding,
        _ => finding.advise(
            "make room or shorten what is kept: kafka.raw_retention_days, kafka.derived_retention_days, clickhouse.events_retention_days",
        ),
    }
}
