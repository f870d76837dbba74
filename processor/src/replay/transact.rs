//! The last step: all records, the positions of the processor's groups and the new epoch in one transaction.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use touchstream_runtime::kafka;
use touchstream_runtime::replays::EPOCH_KEY;
use touchstream_runtime::settings::Settings;
use touchstream_schemas::topics::Topics;

use super::error::{ReplayError, kafka as failed};
use super::membership::Membership;
use super::spool::Spool;
use crate::stage::{Committed, InputPartition};

/// The broker aborts a transaction that takes longer: a minute, and one more for each of so many records. Brokers allow 15 minutes.
const RECORDS_A_MINUTE: u64 = 2_000_000;
const LONGEST_MINUTES: u64 = 15;
/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Commits; until it returns nothing has changed for anybody who reads committed records.
pub(super) fn commit(
    settings: &Settings,
    topics: &Topics,
    spool: Spool,
    memberships: &[Membership],
    offsets: &[Vec<(InputPartition, Committed)>],
    epoch: i64,
) -> Result<(), ReplayError> {
    let minutes = (1 + spool.records / RECORDS_A_MINUTE).min(LONGEST_MINUTES);
    let timeout = (minutes * 60_000).to_string();
    let mut config = kafka::producer(&settings.kafka, "touchstream-replay")?;
    config
        // One id for every replay: a later one ends what an earlier one left open.
        .set("transactional.id", format!("{}-replay", settings.processor.group))
        .set("transaction.timeout.ms", &timeout)
        .set("message.timeout.ms", &timeout)
        .set("linger.ms", "5")
        .set("batch.num.messages", "100000")
        .set("queue.buffering.max.kbytes", "131072");
    let producer: ThreadedProducer<DefaultProducerContext> =
        config.create().map_err(failed("make a transactional producer"))?;
    producer.init_transactions(PATIENCE).map_err(failed("begin transactions"))?;
    producer.begin_transaction().map_err(failed("begin a transaction"))?;
    spool.drain(|topic, partition, key, value| send(&producer, topic, partition, key, value))?;
    for (membership, offsets) in memberships.iter().zip(offsets) {
        let mut list = TopicPartitionList::new();
        for (partition, committed) in offsets {
            let mut element = list.add_partition(&partition.topic, partition.partition);
            element.set_offset(Offset::Offset(committed.next_offset)).map_err(failed("set a position"))?;
            element.set_metadata(&committed.note);
        }
        if list.count() > 0 {
            producer
                .send_offsets_to_transaction(&list, membership.metadata(), PATIENCE)
                .map_err(failed("commit in the processor's place: it, or another replay, has come back"))?;
        }
    }
    let value = epoch.to_string();
    send(&producer, &topics.replays(), Some(0), EPOCH_KEY.as_bytes(), Some(value.as_bytes()))?;
    producer.commit_transaction(PATIENCE * u32::try_from(minutes).unwrap_or(1)).map_err(failed(
        "see the transaction committed; whether it was shows the epoch of new results: run the replay again",
    ))
}

fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
    partition: Option<i32>,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), ReplayError> {
    let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).key(key);
    record.payload = value;
    record.partition = partition;
    let until = Instant::now() + PATIENCE;
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                if Instant::now() < until =>
            {
                record = back;
                std::thread::sleep(Duration::from_millis(1));
            }
            Err((source, _)) => return Err(failed("send a result")(source)),
        }
    }
}
