//! Polling, as both threads do it: making the consumer, sorting what `poll` gives, and pausing when too much is held.

use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use touchstream_runtime::kafka;
use touchstream_schemas::duplicates::DuplicateLimits;

use crate::error::SinkError;
use crate::follow::Follow;
use crate::parts::Parts;

/// What a poll gave.
pub(crate) enum Polled<'m> {
    /// A record.
    Message(BorrowedMessage<'m>),
    /// Something else: poll again.
    Again,
    /// Nothing more for now.
    Nothing,
}

/// Joins the group of a part of the sink.
pub(crate) fn consumer(
    parts: &Parts,
    part: &str,
    rebuild: Option<DuplicateLimits>,
    topics: &[String],
) -> Result<BaseConsumer<Follow>, SinkError> {
    let settings = &parts.settings;
    let group = format!("{}-{part}", settings.sink.group);
    let client_id = format!("touchstream-sink-{part}-{}", kafka::unique_id());
    let mut config = kafka::consumer(&settings.kafka, &client_id, &group)?;
    config.set("statistics.interval.ms", "2000");
    if !settings.sink.instance_id.is_empty() {
        config.set("group.instance.id", &settings.sink.instance_id);
    }
    let error = |action: &str| {
        let action = format!("{action} as {group}");
        |source| SinkError::Kafka { action, source }
    };
    let follow = Follow::new(group.clone(), rebuild, parts.metrics.clone());
    let consumer: BaseConsumer<Follow> =
        config.create_with_context(follow).map_err(error("make a consumer"))?;
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    consumer.subscribe(&names).map_err(error("subscribe"))?;
    Ok(consumer)
}

/// Sorts what a poll gave; what cannot pass by itself is an error.
pub(crate) fn sort<'m>(polled: Option<KafkaResult<BorrowedMessage<'m>>>) -> Result<Polled<'m>, SinkError> {
    let error = match polled {
        None => return Ok(Polled::Nothing),
        Some(Ok(message)) => return Ok(Polled::Message(message)),
        Some(Err(KafkaError::PartitionEOF(_))) => return Ok(Polled::Again),
        Some(Err(error)) => error,
    };
    let lost = matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
    );
    if lost || matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        let action = if lost { "read on: the offset is not in the log any more" } else { "consume" };
        return Err(SinkError::Kafka { action: action.to_owned(), source: error });
    }
    tracing::warn!(%error, "poll failed, going on");
    Ok(Polled::Again)
}

/// Pauses all partitions while more than `limit` bytes are held, until half of it is stored.
pub(crate) fn bound(
    consumer: &BaseConsumer<Follow>,
    paused: &mut bool,
    held: usize,
    limit: usize,
) -> Result<(), SinkError> {
    let error = |source| SinkError::Kafka { action: "pause or resume partitions".to_owned(), source };
    if !*paused && held > limit {
        let assigned = consumer.assignment().map_err(error)?;
        consumer.pause(&assigned).map_err(error)?;
        *paused = true;
    } else if *paused && held < limit / 2 {
        let assigned = consumer.assignment().map_err(error)?;
        consumer.resume(&assigned).map_err(error)?;
        *paused = false;
    }
    Ok(())
}

/// Time since 1970 in milliseconds at which Kafka has a record, where it says so.
pub(crate) fn appended_at(message: &BorrowedMessage<'_>) -> i64 {
    message.timestamp().to_millis().unwrap_or_default()
}
