//! What Kafka holds in the end, and whether it is what was promised.

use std::collections::{BTreeMap, HashMap, HashSet};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use touchstream_schemas::avro;
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::event::AppEvent;
use touchstream_schemas::topics::Topics;

use crate::bench::{PATIENCE, PREFIX};

/// An event in Kafka, in the order of its partition.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) id: String,
    pub(crate) seq: i64,
    pub(crate) key: Vec<u8>,
    pub(crate) partition: i32,
}

/// Every record of the app topic.
pub(crate) fn read_app(bootstrap: &str) -> Vec<Stored> {
    let topic = Topics::new(PREFIX).raw(touchstream_schemas::event::Family::App);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "tests")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let decoder = Decoder::new(&[&avro::APP_EVENT]);
    let mut stored = Vec::new();
    for partition in 0..2 {
        let (first, end) = consumer.fetch_watermarks(&topic, partition, PATIENCE).unwrap();
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(&topic, partition, Offset::Offset(first)).unwrap();
        consumer.assign(&assignment).unwrap();
        let mut next = first;
        while next < end {
            let record = consumer.poll(PATIENCE).unwrap().unwrap();
            next = record.offset() + 1;
            let event = decoder.decode::<AppEvent<'_>>(record.payload().unwrap()).unwrap();
            stored.push(Stored {
                id: event.id.to_owned(),
                seq: event.seq.unwrap(),
                key: record.key().unwrap().to_vec(),
                partition,
            });
        }
    }
    stored
}

/// Checks the promises against everything that clients sent (id and number, by session) and were told 202 for; how many copies there are.
pub(crate) fn check(stored: &[Stored], sent: &HashMap<String, i64>, accepted: &HashSet<String>) -> usize {
    let mut first: BTreeMap<&[u8], i64> = BTreeMap::new();
    let mut place_of_key: HashMap<&[u8], i32> = HashMap::new();
    let mut seen = HashSet::new();
    for event in stored {
        assert_eq!(sent.get(&event.id), Some(&event.seq), "nothing is invented: {event:?}");
        assert_eq!(*place_of_key.entry(&event.key).or_insert(event.partition), event.partition);
        if seen.insert(event.id.as_str()) {
            let last = first.insert(&event.key, event.seq);
            assert!(last.is_none_or(|last| last < event.seq), "after {last:?} came {event:?}");
        }
    }
    let missing: Vec<&String> = accepted.iter().filter(|id| !seen.contains(id.as_str())).take(10).collect();
    assert!(missing.is_empty(), "answered with 202 and not in Kafka: {missing:?}");
    stored.len() - seen.len()
}
