//! A reader of committed records: the newest record of each key of the result topics, and whether revisions ever went back.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde::Deserialize;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Decoder, Encoder, Framing};
use touchstream_schemas::facts::{AnswerFacts, CheckoutFact, ConversationFact};
use touchstream_schemas::windows::Window;

use crate::harness::oracle::Results;

const TOPICS: [&str; 4] = ["cx.windows", "cx.checkouts", "cx.conversations", "cx.answers"];
const PATIENCE: Duration = Duration::from_secs(30);

/// By key: the revision and the value.
type Newest = HashMap<Vec<u8>, (i64, Vec<u8>)>;

/// Everything that was read so far.
pub(super) struct Committed {
    consumer: BaseConsumer,
    decoder: Decoder,
    /// Of each topic the newest value of each key, and its revision.
    newest: [Newest; TOPICS.len()],
    read: u64,
}

impl Committed {
    pub(super) fn new(bootstrap: &str) -> Committed {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "judge")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .create()
            .expect("a client can be made");
        let mut list = TopicPartitionList::new();
        for topic in TOPICS {
            let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("Kafka answers");
            for partition in metadata.topics()[0].partitions() {
                list.add_partition_offset(topic, partition.id(), Offset::Beginning).expect("it is new");
            }
        }
        consumer.assign(&list).expect("partitions can be read");
        let schemas = [&avro::WINDOW, &avro::CHECKOUT_FACT, &avro::CONVERSATION_FACT, &avro::ANSWER_FACTS];
        let decoder = Decoder::new(&schemas);
        Committed { consumer, decoder, newest: Default::default(), read: 0 }
    }

    /// Reads on until nothing comes for a second; who waits for more asks again.
    pub(super) fn read(&mut self) -> Result<(), String> {
        while let Some(message) = self.consumer.poll(Duration::from_secs(1)) {
            let message = message.map_err(|error| error.to_string())?;
            let place = TOPICS.iter().position(|topic| *topic == message.topic()).expect("it was asked for");
            let value = message.payload().expect("results are never deleted");
            let at = format!("{}-{} {}", message.topic(), message.partition(), message.offset());
            for (key, revision, value) in results(&self.decoder, place, message.key(), value) {
                if let Some((before, old)) = self.newest[place].get(&key) {
                    assert!(
                        revision > *before || revision == *before && *old == value,
                        "revision {revision} follows {before} at {at}: {}",
                        String::from_utf8_lossy(&key)
                    );
                }
                self.newest[place].insert(key, (revision, value));
                self.read += 1;
            }
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.newest[0].is_empty()
    }

    /// How many records were read, with all revisions.
    pub(super) fn records_read(&self) -> u64 {
        self.read
    }

    pub(super) fn results(&self) -> Results {
        let values = |place: usize| self.newest[place].values().map(|(_, value)| value.clone()).collect();
        Results { windows: values(0), checkouts: values(1), conversations: values(2), answers: values(3) }
    }
}

/// The results in a record, each with its key and revision. A record of answers holds many.
fn results(
    decoder: &Decoder,
    place: usize,
    key: Option<&[u8]>,
    value: &[u8],
) -> Vec<(Vec<u8>, i64, Vec<u8>)> {
    fn decoded<'b, T: Deserialize<'b>>(decoder: &Decoder, value: &'b [u8]) -> T {
        decoder.decode(value).expect("results can be decoded")
    }
    let own = |revision| vec![(key.expect("results have keys").to_vec(), revision, value.to_vec())];
    match place {
        0 => own(decoded::<Window<'_>>(decoder, value).revision),
        1 => own(decoded::<CheckoutFact>(decoder, value).revision),
        2 => own(decoded::<ConversationFact>(decoder, value).revision),
        _ => {
            let facts = decoded::<AnswerFacts>(decoder, value).facts.into_iter();
            let each = facts.map(|fact| {
                let key = [&fact.tenant, &fact.submission_id, &fact.question, &fact.source, &fact.id]
                    .map(String::as_str);
                let (key, revision) = (key.join("\u{1f}").into_bytes(), fact.revision);
                let alone = Encoder::new(&avro::ANSWER_FACTS, Framing::SingleObject)
                    .encode(&AnswerFacts { facts: vec![fact] })
                    .expect("what was decoded can be encoded");
                (key, revision, alone)
            });
            each.collect()
        }
    }
}
