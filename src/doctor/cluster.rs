//! What Kafka says: ends of topics, groups with their members and positions, and single records. Nothing is judged here, and no group is
//! joined.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::metadata::Metadata;
use rdkafka::{Offset, TopicPartitionList};
use touchstream_runtime::kafka;
use touchstream_runtime::settings::{KafkaSettings, Settings};
use touchstream_schemas::avro;
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::event::{AppEvent, ChatEvent, CheckoutEvent, Family, FeedbackEvent};
use touchstream_schemas::registry::SchemaRegistry;
use touchstream_schemas::topics::Topics;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A partition of a topic.
pub(super) type Place = (String, i32);

/// Where a partition begins and ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends {
    pub(super) low: i64,
    /// Up to here no transaction is open.
    pub(super) stable: i64,
    pub(super) high: i64,
}

/// A consumer group of one of our services.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// `processor` or `sink`.
    pub(super) service: &'static str,
    /// Its part, such as `measure`.
    pub(super) part: &'static str,
    pub(super) name: String,
    pub(super) members: Vec<Member>,
    /// Partitions that the group reads, and what it committed for each.
    pub(super) positions: BTreeMap<Place, Option<Position>>,
}

/// A member of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Member {
    /// Its client id, which names part, machine and process.
    pub(super) client: String,
    pub(super) host: String,
    pub(super) partitions: Vec<Place>,
}

/// A committed position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) next_offset: i64,
    pub(super) note: String,
}

impl Group {
    /// The member that a partition is assigned to.
    pub(super) fn owner(&self, place: &Place) -> Option<&Member> {
        self.members.iter().find(|member| member.partitions.contains(place))
    }
}

/// Everything at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    pub(super) ends: BTreeMap<Place, Ends>,
    pub(super) groups: Vec<Group>,
}

/// A raw record, as far as it tells where it came from.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordSeen {
    pub(super) appended_at: i64,
    /// Tenant and write key's source; `None` when it cannot be read.
    pub(super) source: Option<(String, String)>,
    /// Time of the event.
    pub(super) time: Option<i64>,
}

/// Clients that only ask.
pub(super) struct Cluster<'s> {
    settings: &'s Settings,
    topics: Topics,
    committed: BaseConsumer,
    uncommitted: BaseConsumer,
}

impl<'s> Cluster<'s> {
    pub(super) fn new(settings: &'s Settings) -> anyhow::Result<Cluster<'s>> {
        Ok(Cluster {
            settings,
            topics: Topics::new(&settings.kafka.topic_prefix),
            committed: client(&settings.kafka, "touchstream-doctor", "read_committed")?,
            uncommitted: client(&settings.kafka, "touchstream-doctor", "read_uncommitted")?,
        })
    }

    pub(super) fn metadata(&self) -> anyhow::Result<Metadata> {
        self.uncommitted.fetch_metadata(None, PATIENCE).context("failed to ask Kafka for its topics")
    }

    /// Ends of all partitions of our topics, and our groups.
    pub(super) fn snapshot(&self, metadata: &Metadata) -> anyhow::Result<Snapshot> {
        let ours = self.topics.all();
        let mut places: Vec<Place> = Vec::new();
        for topic in metadata.topics().iter().filter(|topic| ours.iter().any(|our| our.name == topic.name()))
        {
            places
                .extend(topic.partitions().iter().map(|partition| (topic.name().to_owned(), partition.id())));
        }
        let mut ends: BTreeMap<Place, Ends> = BTreeMap::new();
        for (client, at) in [
            (&self.uncommitted, Offset::Beginning),
            (&self.committed, Offset::End),
            (&self.uncommitted, Offset::End),
        ] {
            // A beginning or an end stands for a time, as Kafka's protocol has it: one question for all partitions.
            let mut list = TopicPartitionList::new();
            for (topic, partition) in &places {
                list.add_partition_offset(topic, *partition, at)?;
            }
            let found =
                client.offsets_for_times(list, PATIENCE).context("failed to ask Kafka for ends of topics")?;
            let is_committed = std::ptr::eq(client, &raw const self.committed);
            for element in found.elements() {
                let ends = ends.entry((element.topic().to_owned(), element.partition())).or_default();
                let offset = element.offset().to_raw().unwrap_or_default().max(0);
                match (at, is_committed) {
                    (Offset::Beginning, _) => ends.low = offset,
                    (_, true) => ends.stable = offset,
                    (_, false) => ends.high = offset,
                }
            }
        }
        let groups: anyhow::Result<Vec<Group>> = self
            .parts()
            .into_iter()
            .map(|(service, part, topics)| self.group(service, part, &topics, &places))
            .collect();
        Ok(Snapshot { ends, groups: groups? })
    }

    /// Services, their parts, and the topics that each reads.
    fn parts(&self) -> [(&'static str, &'static str, Vec<String>); 5] {
        let topics = &self.topics;
        let raw: Vec<String> = Family::ALL.into_iter().map(|family| topics.raw(family)).collect();
        let derived = [
            topics.windows(),
            topics.minutes(),
            topics.checkouts(),
            topics.conversations(),
            topics.answers(),
        ];
        [
            ("processor", "measure", raw.clone()),
            ("processor", "contacts", vec![topics.contacts()]),
            ("processor", "roll_up", vec![topics.panes()]),
            ("sink", "raw", raw),
            ("sink", "derived", derived.into_iter().chain([topics.quality()]).collect()),
        ]
    }

    fn group(
        &self,
        service: &'static str,
        part: &'static str,
        topics: &[String],
        places: &[Place],
    ) -> anyhow::Result<Group> {
        let prefix =
            if service == "sink" { &self.settings.sink.group } else { &self.settings.processor.group };
        let name = format!("{prefix}-{part}");
        let client = client(&self.settings.kafka, &name, "read_uncommitted")?;
        let mut list = TopicPartitionList::new();
        for (topic, partition) in places.iter().filter(|(topic, _)| topics.contains(topic)) {
            list.add_partition(topic, *partition);
        }
        let problem = || format!("failed to ask Kafka about group {name}");
        let found = client.committed_offsets(list, PATIENCE).with_context(problem)?;
        let positions = found.elements().into_iter().map(|element| {
            let position = match element.offset() {
                Offset::Offset(next_offset) => {
                    Some(Position { next_offset, note: element.metadata().to_owned() })
                }
                _ => None,
            };
            ((element.topic().to_owned(), element.partition()), position)
        });
        let described = client.fetch_group_list(Some(&name), PATIENCE).with_context(problem)?;
        let members =
            described.groups().iter().flat_map(rdkafka::groups::GroupInfo::members).map(|member| Member {
                client: member.client_id().to_owned(),
                host: member.client_host().trim_start_matches('/').to_owned(),
                partitions: assigned(member.assignment().unwrap_or_default()).unwrap_or_default(),
            });
        let (members, positions) = (members.collect(), positions.collect());
        Ok(Group { service, part, name, members, positions })
    }

    /// When the first committed record at or after `offset` was appended; `None` when there is none.
    pub(super) fn first_record(&self, place: &Place, offset: i64) -> anyhow::Result<Option<RecordSeen>> {
        self.record(&self.committed, place, Offset::Offset(offset))
    }

    /// The last record of a raw partition.
    pub(super) fn last_record(&self, place: &Place, ends: Ends) -> anyhow::Result<Option<RecordSeen>> {
        if ends.high <= ends.low {
            return Ok(None);
        }
        self.record(&self.uncommitted, place, Offset::Offset(ends.high - 1))
    }

    fn record(&self, reader: &BaseConsumer, place: &Place, at: Offset) -> anyhow::Result<Option<RecordSeen>> {
        // librdkafka looks for a topic that is new to it once a second only; asked for by name it is there at once.
        reader.fetch_metadata(Some(&place.0), PATIENCE)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&place.0, place.1, at)?;
        reader.assign(&list)?;
        let until = Instant::now() + PATIENCE;
        let mut seen = None;
        while Instant::now() < until {
            match reader.poll(Duration::from_millis(100)) {
                None => {}
                // The end, or a position that retention has passed by: there is nothing to tell.
                Some(Err(KafkaError::PartitionEOF(_) | KafkaError::MessageConsumption(_))) => break,
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(message)) => {
                    seen = Some(self.seen(&place.0, message.timestamp().to_millis(), message.payload()));
                    break;
                }
            }
        }
        reader.unassign()?;
        Ok(seen)
    }

    fn seen(&self, topic: &str, appended_at: Option<i64>, value: Option<&[u8]>) -> RecordSeen {
        let registry = SchemaRegistry::configured(&self.settings.schemas.registry_url);
        let schemas: Vec<_> = Family::ALL.into_iter().map(avro::of_family).collect();
        let decoder = Decoder::new(&schemas).with_registry(registry);
        let mut seen = RecordSeen { appended_at: appended_at.unwrap_or_default(), ..RecordSeen::default() };
        macro_rules! read {
            ($event:ty, $value:expr) => {
                if let Ok(event) = decoder.decode_event::<$event>($value) {
                    seen.source = Some((event.tenant.to_owned(), event.source.to_owned()));
                    seen.time = Some(event.time.0);
                }
            };
        }
        if let (Some(family), Some(value)) = (self.topics.family_of(topic), value) {
            match family {
                Family::Checkout => read!(CheckoutEvent<'_>, value),
                Family::Chat => read!(ChatEvent<'_>, value),
                Family::Feedback => read!(FeedbackEvent<'_>, value),
                Family::App => read!(AppEvent<'_>, value),
            }
        }
        seen
    }
}

fn client(settings: &KafkaSettings, group: &str, isolation: &str) -> anyhow::Result<BaseConsumer> {
    let mut config = kafka::consumer(settings, &kafka::named_client("doctor", ""), group)?;
    config.set("isolation.level", isolation);
    Ok(config.create()?)
}

/// The partitions in a member's assignment, in the format of Kafka's consumer protocol: version, then each topic with its partitions.
fn assigned(mut bytes: &[u8]) -> Option<Vec<Place>> {
    fn take<'b>(bytes: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = bytes.split_at_checked(count)?;
        *bytes = rest;
        Some(taken)
    }
    fn number(bytes: &mut &[u8]) -> Option<i32> {
        Some(i32::from_be_bytes(take(bytes, 4)?.try_into().ok()?))
    }
    let bytes = &mut bytes;
    take(bytes, 2)?;
    let mut places = Vec::new();
    for _ in 0..number(bytes)? {
        let length = u16::from_be_bytes(take(bytes, 2)?.try_into().ok()?);
        let topic = String::from_utf8_lossy(take(bytes, usize::from(length))?).into_owned();
        for _ in 0..number(bytes)? {
            places.push((topic.clone(), number(bytes)?));
        }
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_and_damaged_ones_are_none() {
        let bytes = b"\0\x01\0\0\0\x01\0\x07cx.chat\0\0\0\x02\0\0\0\0\0\0\0\x05\0\0\0\0";
        assert_eq!(assigned(bytes), Some(vec![("cx.chat".to_owned(), 0), ("cx.chat".to_owned(), 5)]));
        for end in 0..bytes.len() - 4 {
            assert_eq!(assigned(&bytes[..end]), None, "the first {end} bytes");
        }
    }
}
