//! `touchstream rejected retry`: records that were refused go once more to the end of the topic that they came from, byte for byte, into
//! the same partition, and pass the way of any other record. What is refused again is filed again, under its new place.
//!
//! Promise kept: nothing counts twice. A record that only the sink refused was counted by the processor already, so it is left alone; one that
//! was tried again is known by a filing of its own and is left alone, too. Only if this command dies between the record and that
//! filing could it be tried twice; within the window of duplicates it counts once all the same.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use touchstream_runtime::kafka;
use touchstream_runtime::settings::Settings;
use touchstream_schemas::avro;
use touchstream_schemas::codec::Encoder;
use touchstream_schemas::rejected::{Rejected, framing};
use touchstream_schemas::time::EventTime;
use touchstream_schemas::topics::Topics;

use super::{Entry, Wanted, read};

/// Who says that a record was tried again, where others say that they refused it.
pub(super) const STAGE: &str = "retry";
/// The stage without whose refusal a record counts already.
const PROCESSOR: &str = "processor";
/// Longest wait for Kafka to take a record.
const TAKEN: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(crate) struct RetryOptions {
    /// Their places as `list` shows them: topic, partition and offset.
    #[arg(
        value_name = "TOPIC/PARTITION/OFFSET",
        required_unless_present = "reason",
        conflicts_with = "reason"
    )]
    places: Vec<String>,
    /// All that were refused for this reason.
    #[arg(long)]
    reason: Option<String>,
    /// Only say what would be tried again.
    #[arg(long)]
    dry_run: bool,
}

/// Tries records again, and tells of each what became of it.
#[expect(clippy::print_stdout, reason = "what was done is this command's output")]
pub(super) fn retry(settings: &Settings, options: &RetryOptions) -> anyhow::Result<()> {
    let is_wanted = |place: &str, reason: &str| match &options.reason {
        Some(wanted) => wanted == reason,
        None => options.places.iter().any(|wanted| wanted == place),
    };
    let entries = read(settings, &Wanted::Those(&is_wanted))?;
    for place in &options.places {
        let is_there = entries.iter().any(|entry| entry.place == *place);
        anyhow::ensure!(
            is_there,
            "failed to find a rejected record {place}: `touchstream rejected list` shows what there is"
        );
    }
    let topics = Topics::new(&settings.kafka.topic_prefix);
    let mut writer = None;
    let (mut done, mut left) = (0, 0);
    for entry in &entries {
        if let Some(why) = left_alone(entry) {
            println!("{}  left alone: {why}", entry.place);
            left += 1;
            continue;
        }
        let (topic, partition) = place_of(entry, &topics)?;
        done += 1;
        if options.dry_run {
            println!("{}  would be tried again", entry.place);
            continue;
        }
        let writer = match &mut writer {
            Some(writer) => writer,
            none => none.insert(Writer::connect(settings, &topics)?),
        };
        println!("{}  tried again as {}", entry.place, writer.write(entry, topic, partition)?);
    }
    let verb = if options.dry_run { "would be tried" } else { "tried" };
    eprintln!("{done} records {verb} again, {left} left alone");
    Ok(())
}

/// Why a record is not to be tried again, if there is a reason.
fn left_alone(entry: &Entry) -> Option<String> {
    if let Some(place) = &entry.tried_again_as {
        return Some(format!("it was tried again as {place}"));
    }
    if !entry.stages.contains(PROCESSOR) {
        return Some(
            "the processor counted it, only its row is missing; tried again it could count twice".to_owned(),
        );
    }
    entry.payload.is_none().then(|| "its bytes were not filed".to_owned())
}

/// Topic and partition of a place; only raw topics are written to.
fn place_of<'e>(entry: &'e Entry, topics: &Topics) -> anyhow::Result<(&'e str, i32)> {
    let mut parts = entry.place.rsplitn(3, '/');
    let (_offset, partition, topic) = (parts.next(), parts.next(), parts.next());
    let known = topic.filter(|topic| topics.family_of(topic).is_some());
    let topic = known
        .with_context(|| format!("failed to try {} again: it stood in no topic of events", entry.place))?;
    let partition = partition.and_then(|partition| partition.parse().ok());
    Ok((topic, partition.with_context(|| format!("failed to read the partition of {}", entry.place))?))
}

/// Writes records and the filings that say so.
struct Writer {
    producer: FutureProducer,
    encoder: Encoder,
    rejected: String,
    runtime: tokio::runtime::Handle,
}

impl Writer {
    fn connect(settings: &Settings, topics: &Topics) -> anyhow::Result<Writer> {
        let rejected = topics.rejected();
        let framing = framing(&rejected, &settings.schemas.registry_url)?;
        let mut config = kafka::producer(&settings.kafka, "touchstream-rejected")?;
        config.set("message.timeout.ms", TAKEN.as_millis().to_string());
        Ok(Writer {
            producer: config.create().context("failed to make a producer")?,
            encoder: Encoder::new(&avro::REJECTED, framing),
            rejected,
            runtime: tokio::runtime::Handle::current(),
        })
    }

    /// Puts the record at the end of its partition, then files where it is now; returns that place.
    fn write(&mut self, entry: &Entry, topic: &str, partition: i32) -> anyhow::Result<String> {
        let payload = entry.payload.as_deref().unwrap_or_default();
        let record = FutureRecord::<[u8], [u8]>::to(topic).partition(partition).payload(payload);
        let offset = self.send(record).with_context(|| format!("failed to try {} again", entry.place))?;
        let again = format!("{topic}/{partition}/{offset}");
        let first = entry.place.rsplit('/').next().unwrap_or_default();
        let why = Rejected {
            topic,
            partition,
            offset: first.parse().with_context(|| format!("failed to read the offset of {}", entry.place))?,
            stage: STAGE,
            reason: "tried_again",
            detail: &again,
            rejected_at: EventTime::now(),
        };
        let key = self.encoder.encode(&why)?;
        let headers = why.headers().iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(value) })
        });
        let rejected = self.rejected.clone();
        let filing = FutureRecord::<[u8], [u8]>::to(&rejected).key(&key).headers(headers);
        self.send(filing)
            .with_context(|| format!("failed to note that {} was tried again as {again}", entry.place))?;
        Ok(again)
    }

    fn send(&self, record: FutureRecord<'_, [u8], [u8]>) -> Result<i64, rdkafka::error::KafkaError> {
        let sent = self.runtime.block_on(self.producer.send(record, TAKEN));
        sent.map(|delivery| delivery.offset).map_err(|(error, _)| error)
    }
}
