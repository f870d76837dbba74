//! Polling, as both threads do it: making the consumer, sorting what `poll` gives, and pausing when too much is held.

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message as _, TopicPartitionList};
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
    // What librdkafka has fetched is beside the memory that records may take here: its queue, unpacked and with some hundred bytes for each
    // record, and beyond it an answer under way, in which every partition may have a piece, still packed. The whole answer must not be
    // bounded instead: the first partition that has more would take all of it, again and again.
    config
        .set("statistics.interval.ms", "2000")
        .set("queued.max.messages.kbytes", "4096")
        .set("max.partition.fetch.bytes", "262144");
    if !settings.sink.instance_id.is_empty() {
        config.set("group.instance.id", &settings.sink.instance_id);
    }
    let error = |action: &str| {
        let action = format!("{action} as {group}");
        |source| SinkError::Kafka { action, source }
    };
    // Not a member of the group: it reads one record and goes.
    let mut check = config.clone();
    check.remove("group.instance.id");
    check.set("statistics.interval.ms", "0").set("enable.partition.eof", "false");
    let follow = Follow::new(group.clone(), rebuild, check, parts.metrics.clone());
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

/// What keeps memory bounded: while too much is held, partitions are paused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Brake {
    /// How many partitions go on reading, while the others are paused.
    reading: Option<usize>,
}

/// What a [`Brake`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Press {
    /// All stays as it is.
    Nothing,
    /// Pause all partitions but those that must go on.
    Pause,
    /// Resume all.
    Resume,
}

impl Brake {
    /// Above `limit` bytes held partitions pause, until half of it is stored. Of those that must go on fewer and fewer remain, so
    /// their number tells whether another one is to be paused.
    fn press(&mut self, held: usize, limit: usize, must_go_on: usize) -> Press {
        match self.reading {
            Some(_) if held < limit / 2 => {
                self.reading = None;
                Press::Resume
            }
            Some(reading) if reading == must_go_on => Press::Nothing,
            None if held <= limit => Press::Nothing,
            _ => {
                self.reading = Some(must_go_on);
                Press::Pause
            }
        }
    }

    /// Forgets the pause: a new assignment has none.
    pub(crate) fn release(&mut self) {
        self.reading = None;
    }

    /// Pauses or resumes by what is held. `must_go_on` are partitions (topic and number) whose records can be stored only once
    /// more of them came: paused, they would hold their memory for ever.
    pub(crate) fn bound(
        &mut self,
        consumer: &BaseConsumer<Follow>,
        held: usize,
        limit: usize,
        must_go_on: &[(&str, i32)],
    ) -> Result<(), SinkError> {
        let error = |source| SinkError::Kafka { action: "pause or resume partitions".to_owned(), source };
        match self.press(held, limit, must_go_on.len()) {
            Press::Nothing => {}
            Press::Pause => {
                let mut paused = TopicPartitionList::new();
                for element in consumer.assignment().map_err(error)?.elements() {
                    if !must_go_on.contains(&(element.topic(), element.partition())) {
                        paused.add_partition(element.topic(), element.partition());
                    }
                }
                consumer.pause(&paused).map_err(error)?;
            }
            Press::Resume => {
                let assigned = consumer.assignment().map_err(error)?;
                consumer.resume(&assigned).map_err(error)?;
            }
        }
        Ok(())
    }
}

/// Time since 1970 in milliseconds at which Kafka has a record, where it says so.
pub(crate) fn appended_at(message: &BorrowedMessage<'_>) -> i64 {
    message.timestamp().to_millis().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_pause_above_the_limit_until_half_of_it_is_stored() {
        let mut brake = Brake::default();
        for (held, must_go_on, expected) in [
            (100, 0, Press::Nothing),
            (101, 2, Press::Pause),
            (150, 2, Press::Nothing),
            // One of the two is complete: it is paused too.
            (160, 1, Press::Pause),
            (60, 1, Press::Nothing),
            (55, 0, Press::Pause),
            (50, 0, Press::Nothing),
            (49, 0, Press::Resume),
            (100, 0, Press::Nothing),
            (101, 0, Press::Pause),
        ] {
            assert_eq!(brake.press(held, 100, must_go_on), expected, "{held} held, {must_go_on} go on");
        }
        brake.release();
        assert_eq!(brake.press(0, 100, 0), Press::Nothing, "a new assignment is not paused");
    }
}
