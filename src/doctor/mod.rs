//! `touchstream doctor`: looks at everything twice, a few seconds apart, and says what is wrong, why, and what to do next.
//!
//! It only asks: it joins no group and changes nothing, so it can be run at any time, beside everything. [`cluster`], [`services`] and [`stores`]
//! ask → [`diagnose`] judges what Kafka said → [`report`] tells it. Exit status 0: no problem; 1: a problem; 2: wrong settings.

mod cluster;
mod diagnose;
mod report;
mod services;
mod stores;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use touchstream_runtime::kafka;
use touchstream_runtime::settings::{self, Origin, Settings, explain};
use touchstream_runtime::telemetry;
use touchstream_schemas::time::EventTime;
use touchstream_schemas::topics::Topics;

use crate::cli::DoctorOptions;
use crate::error::{CommandError, failed};
use cluster::{Cluster, Snapshot};
use diagnose::Case;
use report::{Finding, Status};

/// Longest wait for a first word of Kafka.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Looks, tells, and fails when there is a problem.
#[expect(clippy::print_stdout, reason = "the findings are this command's output")]
pub(crate) async fn run(config: Option<&Path>, options: &DoctorOptions) -> Result<(), CommandError> {
    let settings = settings_of(config, options)?;
    // Whatever librdkafka logs beside it says the same in other words.
    let log = settings::LogSettings { level: "off".to_owned(), ..settings.log.clone() };
    telemetry::install(&log).map_err(|error| CommandError::Usage(error.into()))?;
    let watch = Duration::from_secs(options.watch);
    let mut findings = look(&settings, watch).await;
    findings.extend(stores::clickhouse(&settings).await);
    findings.extend(stores::local_disk(&settings));
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report::json(&findings)).map_err(failed)?);
    } else {
        print!("{}", report::text(&findings));
    }
    match findings.iter().filter(|finding| finding.status == Status::Problem).count() {
        0 => Ok(()),
        1 => Err(CommandError::Failed(anyhow::anyhow!("1 problem found"))),
        count => Err(CommandError::Failed(anyhow::anyhow!("{count} problems found"))),
    }
}

/// The settings; beside a running `touchstream up` those that it gives to its services.
fn settings_of(config: Option<&Path>, options: &DoctorOptions) -> Result<Settings, CommandError> {
    let loaded = settings::load(config)?;
    let mut settings = loaded.settings.clone();
    let lines = explain(&loaded);
    let is_default = |key: &str| lines.iter().any(|line| line.key == key && line.origin == Origin::Default);
    if let Some(directory) = &options.data_dir {
        settings.local.data_dir = directory.display().to_string();
    }
    if is_default("kafka.brokers") {
        settings.kafka.brokers = format!("127.0.0.1:{}", settings.local.kafka_port);
    }
    let password: PathBuf = Path::new(&settings.local.data_dir).join("clickhouse-writer-password");
    if is_default("clickhouse.url") && is_default("clickhouse.password_file") && password.exists() {
        settings.clickhouse.url = format!("http://{}", settings.local.clickhouse_listen);
        settings.clickhouse.password_file = password.display().to_string();
    }
    Ok(settings)
}

/// What Kafka and the services say. A Kafka that does not answer is a finding like any other.
async fn look(settings: &Settings, watch: Duration) -> Vec<Finding> {
    let spool = tokio::task::block_in_place(|| services::spool_bytes(settings));
    let mut findings = match look_at_kafka(settings, watch).await {
        Ok(findings) => findings,
        Err(error) => {
            let advice = "check kafka.brokers and that the brokers run; ingest keeps events in its spool meanwhile, if it has one";
            tokio::time::sleep(watch).await;
            vec![Finding::new("kafka", Status::Problem, format!("{error:#}")).advise(advice)]
        }
    };
    tokio::task::block_in_place(|| {
        findings.push(services::spool(settings, spool));
        findings.extend(services::readiness(settings));
    });
    findings
}

async fn look_at_kafka(settings: &Settings, watch: Duration) -> anyhow::Result<Vec<Finding>> {
    let (cluster, metadata, before) = tokio::task::block_in_place(|| {
        kafka::connect(&settings.kafka, "touchstream-doctor", CONNECT_DEADLINE)?;
        let cluster = Cluster::new(settings)?;
        let metadata = cluster.metadata()?;
        let before = cluster.snapshot(&metadata)?;
        anyhow::Ok((cluster, metadata, before))
    })?;
    tokio::time::sleep(watch).await;
    tokio::task::block_in_place(|| {
        let mut findings = stores::topics(settings, &metadata);
        let after = cluster.snapshot(&metadata)?;
        findings.extend(diagnosed(settings, &cluster, &before, &after)?);
        Ok(findings)
    })
}

fn diagnosed(
    settings: &Settings,
    cluster: &Cluster<'_>,
    before: &Snapshot,
    after: &Snapshot,
) -> anyhow::Result<Vec<Finding>> {
    let topics = Topics::new(&settings.kafka.topic_prefix);
    let mut unread = BTreeMap::new();
    let mut last = BTreeMap::new();
    for group in &after.groups {
        for (place, position) in &group.positions {
            let Some(ends) = after.ends.get(place) else { continue };
            let next = position.as_ref().map_or(ends.low, |position| position.next_offset).max(ends.low);
            // Ends of transactions take an offset, too: only a look at the record itself tells.
            if next < ends.high
                && let Some(record) = cluster.first_record(place, next)?
            {
                unread.insert((group.name.clone(), place.clone()), record.appended_at);
            }
            if group.part == "measure"
                && let Some(record) = cluster.last_record(place, *ends)?
            {
                last.insert(place.clone(), record);
            }
        }
    }
    let processor = &settings.processor;
    let case = Case {
        topics: &topics,
        disorder_ms: processor.disorder_s * 1_000,
        idle_after_ms: processor.idle_after_s * 1_000,
        transaction_timeout_ms: i64::try_from(processor.transaction_timeout_ms).unwrap_or(i64::MAX),
        session_timeout_ms: i64::from(settings.kafka.session_timeout_ms),
        now: EventTime::now().0,
        before,
        after,
        unread,
        last,
    };
    Ok(case.findings())
}
