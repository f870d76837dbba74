//! `touchstream setup`: topics, then ClickHouse objects; safe to repeat.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;
use touchstream_runtime::kafka;
use touchstream_runtime::settings::{self, KafkaSettings};
use touchstream_runtime::telemetry;
use touchstream_schemas::topics::{Cleanup, TopicSetup, Topics};

use crate::cli::SetupOptions;
use crate::error::{CommandError, failed};

const DEADLINE: Duration = Duration::from_secs(30);
const DAY_MS: u64 = 86_400_000;

/// Creates what is missing and prints it.
#[expect(clippy::print_stdout, reason = "what was done is this command's output")]
pub(crate) async fn run(config: Option<&Path>, options: &SetupOptions) -> Result<(), CommandError> {
    let settings = settings::load(config)?.settings;
    telemetry::install(&settings.log).map_err(|error| CommandError::Usage(error.into()))?;
    let done = if options.dry_run { "would create" } else { "created" };
    for topic in create_topics(&settings.kafka, options.dry_run).await.map_err(CommandError::Failed)? {
        println!("{done} topic {topic}");
    }
    for name in touchstream_sink::migrate(&settings, options.dry_run).await.map_err(failed)? {
        println!("{} {name}", if options.dry_run { "would apply" } else { "applied" });
    }
    Ok(())
}

async fn create_topics(settings: &KafkaSettings, dry_run: bool) -> anyhow::Result<Vec<String>> {
    tokio::task::block_in_place(|| kafka::connect(settings, "touchstream-setup", DEADLINE))?;
    let admin: AdminClient<DefaultClientContext> = kafka::client(settings, "touchstream-setup")?.create()?;
    let metadata = admin
        .inner()
        .fetch_metadata(None, DEADLINE)
        .with_context(|| format!("failed to reach Kafka at {}", settings.brokers))?;
    let brokers = metadata.brokers().len();
    ensure!(
        brokers < 3 || settings.replication >= 3,
        "failed to set up topics: with {brokers} brokers kafka.replication must be at least 3 (min.insync.replicas 2), so that \
         no single broker can lose acknowledged events"
    );
    let mut missing = Vec::new();
    for topic in Topics::new(&settings.topic_prefix).all() {
        let partitions = if topic.partitioned { settings.partitions } else { 1 };
        match metadata
            .topics()
            .iter()
            .find(|found| found.name() == topic.name && !found.partitions().is_empty())
        {
            None => missing.push((topic, partitions)),
            Some(found) => {
                let present = found.partitions().len();
                ensure!(
                    i32::try_from(present) == Ok(partitions),
                    "failed to set up topic {}: it has {present} partitions and kafka.partitions is {partitions}; the \
                     number is fixed once a topic exists",
                    topic.name
                );
                if brokers >= 3 {
                    check_in_sync_replicas(&admin, &topic.name).await?;
                }
            }
        }
    }
    let names = missing.iter().map(|(topic, _)| topic.name.clone()).collect();
    if !dry_run && !missing.is_empty() {
        create(&admin, settings, &missing).await?;
    }
    Ok(names)
}

async fn create(
    admin: &AdminClient<DefaultClientContext>,
    settings: &KafkaSettings,
    missing: &[(TopicSetup, i32)],
) -> anyhow::Result<()> {
    let configurations: Vec<HashMap<&str, String>> =
        missing.iter().map(|(topic, _)| configuration(topic, settings)).collect();
    let topics: Vec<NewTopic<'_>> = missing
        .iter()
        .zip(&configurations)
        .map(|((topic, partitions), configuration)| {
            let new = NewTopic::new(&topic.name, *partitions, TopicReplication::Fixed(settings.replication));
            configuration.iter().fold(new, |new, (name, value)| new.set(name, value))
        })
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(DEADLINE)).request_timeout(Some(DEADLINE));
    for result in admin.create_topics(&topics, &options).await? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => bail!("failed to create topic {topic}: {code}"),
        }
    }
    Ok(())
}

/// How a topic is kept. Raw topics carry append times: the duplicate rule and retention count from them.
fn configuration(topic: &TopicSetup, settings: &KafkaSettings) -> HashMap<&'static str, String> {
    let days = |days: u32| (u64::from(days) * DAY_MS).to_string();
    let mut configuration = HashMap::from([
        ("min.insync.replicas", if settings.replication >= 3 { "2" } else { "1" }.to_owned()),
        ("compression.type", "producer".to_owned()),
        ("max.message.bytes", kafka::MAX_MESSAGE_BYTES.to_string()),
    ]);
    match topic.cleanup {
        Cleanup::Raw => {
            configuration.insert("cleanup.policy", "delete".to_owned());
            configuration.insert("message.timestamp.type", "LogAppendTime".to_owned());
            configuration.insert("retention.ms", days(settings.raw_retention_days));
        }
        Cleanup::Derived => {
            configuration.insert("cleanup.policy", "delete".to_owned());
            configuration.insert("retention.ms", days(settings.derived_retention_days));
        }
        Cleanup::Compacted => {
            configuration.insert("cleanup.policy", "compact".to_owned());
            configuration.insert("min.cleanable.dirty.ratio", "0.3".to_owned());
            configuration.insert("segment.bytes", (64 << 20).to_string());
            if let Some(kept) = topic.kept_days {
                configuration.insert("cleanup.policy", "compact,delete".to_owned());
                configuration.insert("retention.ms", days(kept));
            }
        }
    }
    configuration
}

async fn check_in_sync_replicas(
    admin: &AdminClient<DefaultClientContext>,
    topic: &str,
) -> anyhow::Result<()> {
    let options = AdminOptions::new().request_timeout(Some(DEADLINE));
    for described in admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &options).await? {
        let resource =
            described.map_err(|code| anyhow::anyhow!("failed to describe topic {topic}: {code}"))?;
        let value =
            resource.get("min.insync.replicas").and_then(|entry| entry.value.clone()).unwrap_or_default();
        ensure!(
            value.parse::<u32>().is_ok_and(|replicas| replicas >= 2),
            "failed to set up topic {topic}: min.insync.replicas is {value}; set it to 2, so that no single broker can lose \
             acknowledged events"
        );
    }
    Ok(())
}
