//! `touchstream rejected list`, `show` and `retry`: what could not be processed, and trying it again ([`retry`]). A record that both the
//! processor and the sink refuse is filed by each of them for itself, in its own transaction or commit; here the two are one, named by the
//! place that the record has in its topic.
//!
//! Promise kept: reading is that of no member of a group, and what is held does not grow with the topic.

mod retry;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Message as _, Offset, TopicPartitionList};
use serde::Serialize;
use touchstream_runtime::kafka;
use touchstream_runtime::settings::{self, Settings};
use touchstream_schemas::avro;
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::registry::SchemaRegistry;
use touchstream_schemas::rejected::Rejected;
use touchstream_schemas::topics::Topics;

use crate::error::{CommandError, failed};

/// Longest wait for Kafka's next answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Filings of one record that are usual: of the processor and of the sink.
const FILINGS: i64 = 2;

#[derive(Debug, Subcommand)]
pub(crate) enum RejectedCommand {
    /// List the records that could not be processed, the latest last.
    #[command(
        after_help = "Examples:\n  touchstream rejected list\n  touchstream rejected list --last 1000 --json"
    )]
    List(ListOptions),
    /// Show one of them: why it was refused, and its bytes.
    #[command(
        after_help = "Examples:\n  touchstream rejected show cx.feedback/0/1234\n  touchstream rejected show cx.feedback/0/1234 --raw > record.bin"
    )]
    Show(ShowOptions),
    /// Put records at the end of their topics once more, unchanged: after what refused them was mended.
    #[command(
        after_help = "Examples:\n  touchstream rejected retry cx.feedback/0/1234\n  touchstream rejected retry --reason unknown_schema --dry-run"
    )]
    Retry(retry::RetryOptions),
}

#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    /// How many at most of each partition of the topic of rejected records.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    last: i64,
    /// Machine-readable output: one JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowOptions {
    /// Its place as `list` shows it: topic, partition and offset.
    #[arg(value_name = "TOPIC/PARTITION/OFFSET")]
    place: String,
    /// Only its bytes, unchanged.
    #[arg(long)]
    raw: bool,
}

/// One record that could not be processed.
#[derive(Debug, Serialize)]
struct Entry {
    place: String,
    /// Milliseconds since 1970.
    #[serde(skip)]
    at: i64,
    rejected_at: String,
    /// Who refused it.
    stages: BTreeSet<String>,
    reason: String,
    detail: String,
    /// Where it stands since it was tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    tried_again_as: Option<String>,
    /// Its bytes; only kept where they are asked for.
    #[serde(skip)]
    payload: Option<Vec<u8>>,
}

/// Which records are read.
enum Wanted<'w> {
    /// The newest filings of each partition, without their bytes.
    Newest(i64),
    /// Those of which this is true of the place and the reason, with their bytes.
    Those(&'w dyn Fn(&str, &str) -> bool),
}

/// Runs the command.
pub(crate) async fn run(config: Option<&Path>, command: RejectedCommand) -> Result<(), CommandError> {
    let settings = settings::load(config)?.settings;
    let asked = tokio::task::spawn_blocking(move || match command {
        RejectedCommand::List(options) => list(&settings, &options),
        RejectedCommand::Show(options) => show(&settings, &options),
        RejectedCommand::Retry(options) => retry::retry(&settings, &options),
    });
    asked.await.map_err(failed)?.map_err(CommandError::Failed)
}

#[expect(clippy::print_stdout, reason = "the list is this command's output")]
fn list(settings: &Settings, options: &ListOptions) -> anyhow::Result<()> {
    let entries = read(settings, &Wanted::Newest(options.last))?;
    if options.json {
        for entry in &entries {
            println!("{}", serde_json::to_string(entry)?);
        }
        return Ok(());
    }
    for Entry { place, rejected_at, stages, reason, detail, tried_again_as, .. } in &entries {
        let stages: Vec<&str> = stages.iter().map(String::as_str).collect();
        let again =
            tried_again_as.as_ref().map(|place| format!("  tried again as {place}")).unwrap_or_default();
        println!("{rejected_at}  {place}  {}  {reason}  {}{again}", stages.join("+"), detail.escape_debug());
    }
    match entries.last() {
        Some(last) => eprintln!(
            "{} records; `touchstream rejected show {}` shows the last one",
            entries.len(),
            last.place
        ),
        None => eprintln!("nothing was rejected"),
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the record is this command's output")]
fn show(settings: &Settings, options: &ShowOptions) -> anyhow::Result<()> {
    let mut entries = read(settings, &Wanted::Those(&|place, _| place == options.place))?;
    let entry =
        entries.pop().with_context(|| format!("failed to find a rejected record {}", options.place))?;
    let payload = entry.payload.as_deref().unwrap_or_default();
    if options.raw {
        return Ok(std::io::stdout().write_all(payload)?);
    }
    println!("{}", serde_json::to_string_pretty(&entry)?);
    match &entry.payload {
        Some(payload) => println!("{} bytes: {}", payload.len(), payload.escape_ascii()),
        None => println!("it has no value"),
    }
    Ok(())
}

/// Reads filings; one entry a record, by time.
fn read(settings: &Settings, wanted: &Wanted<'_>) -> anyhow::Result<Vec<Entry>> {
    kafka::connect(&settings.kafka, "touchstream-rejected", ANSWER)?;
    let config = kafka::consumer(&settings.kafka, "touchstream-rejected", "touchstream-rejected")?;
    let consumer: BaseConsumer = config.create().context("failed to make a consumer")?;
    let topic = Topics::new(&settings.kafka.topic_prefix).rejected();
    let last = if let Wanted::Newest(last) = wanted { Some(*last) } else { None };
    let mut unread = assign(&consumer, &topic, last)?;
    let decoder = Decoder::new(&[&avro::REJECTED])
        .with_registry(SchemaRegistry::configured(&settings.schemas.registry_url));
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    let mut tried_again: BTreeMap<String, String> = BTreeMap::new();
    let mut answered = Instant::now();
    while !unread.is_empty() {
        let message = match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => message,
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                unread.remove(&partition);
                continue;
            }
            Some(Err(error)) if !kafka::is_passing(&error) => {
                return Err(error).context(format!("failed to read {topic}"));
            }
            Some(Err(_)) | None => {
                anyhow::ensure!(answered.elapsed() < ANSWER, "failed to read {topic}: Kafka does not answer");
                continue;
            }
        };
        answered = Instant::now();
        let key = message.key().unwrap_or_default();
        let Ok(why) = decoder.decode::<Rejected<'_>>(key) else { continue };
        let found = format!("{}/{}/{}", why.topic, why.partition, why.offset);
        if why.stage == retry::STAGE {
            tried_again.insert(found, why.detail.to_owned());
            continue;
        }
        let payload = match wanted {
            Wanted::Those(is_wanted) if !is_wanted(&found, why.reason) => continue,
            Wanted::Those(_) => message.payload().map(<[u8]>::to_vec),
            Wanted::Newest(_) => None,
        };
        let entry = entries.entry(found.clone()).or_insert_with(|| Entry {
            place: found,
            at: why.rejected_at.0,
            rejected_at: rfc3339(why.rejected_at.0),
            stages: BTreeSet::new(),
            reason: why.reason.to_owned(),
            detail: why.detail.to_owned(),
            tried_again_as: None,
            payload,
        });
        entry.stages.insert(why.stage.to_owned());
    }
    for (place, again) in tried_again {
        if let Some(entry) = entries.get_mut(&place) {
            entry.tried_again_as = Some(again);
        }
    }
    let mut entries: Vec<Entry> = entries.into_values().collect();
    entries.sort_by_key(|entry| entry.at);
    Ok(entries)
}

/// Takes all partitions with records, from where they are to be read; their numbers.
fn assign(consumer: &BaseConsumer, topic: &str, last: Option<i64>) -> anyhow::Result<BTreeSet<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER).context("failed to ask for the topic")?;
    let partitions: Vec<i32> = metadata
        .topics()
        .iter()
        .flat_map(rdkafka::metadata::MetadataTopic::partitions)
        .map(rdkafka::metadata::MetadataPartition::id)
        .collect();
    anyhow::ensure!(!partitions.is_empty(), "failed to find the topic {topic}: run `touchstream setup`");
    let (mut start, mut unread) = (TopicPartitionList::new(), BTreeSet::new());
    for partition in partitions {
        let (low, high) =
            consumer.fetch_watermarks(topic, partition, ANSWER).context("failed to ask for the log's end")?;
        if low < high {
            let from = last.map_or(low, |last| low.max(high - last.saturating_mul(FILINGS)));
            start.add_partition_offset(topic, partition, Offset::Offset(from))?;
            unread.insert(partition);
        }
    }
    consumer.assign(&start).context("failed to read from there")?;
    Ok(unread)
}

fn rfc3339(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| milliseconds.to_string(), |time| time.to_string())
}
