//! All assigned partitions of the raw topics and the decoders of the families.

use std::time::Instant;

use arrow_schema::Schema;
use rdkafka::message::{BorrowedMessage, Message as _};
use touchstream_schemas::duplicates::DuplicateLimits;
use touchstream_schemas::event::Family;
use touchstream_schemas::registry::SchemaRegistry;
use touchstream_schemas::time::Millis;
use touchstream_schemas::topics::Topics;

use super::decode::EventDecoder;
use super::partition::{Next, Partition, Rules};
use super::range;
use crate::error::SinkError;
use crate::follow::Change;
use crate::parts::Parts;
use crate::poll;

/// Raw table of a family.
pub(crate) const fn table_of(family: Family) -> &'static str {
    match family {
        Family::Checkout => "events_checkout",
        Family::Chat => "events_chat",
        Family::Feedback => "events_feedback",
        Family::App => "events_app",
    }
}

/// Raw table and written columns of every family.
pub(crate) fn written() -> Result<Vec<(&'static str, Schema)>, SinkError> {
    let of_family = |family| {
        let table = table_of(family);
        let arrow = |source| SinkError::Arrow { table: table.to_owned(), source };
        let decoder = EventDecoder::new(family, None).map_err(arrow)?;
        Ok((table, range::written(&decoder.schema())))
    };
    Family::ALL.into_iter().map(of_family).collect()
}

struct FamilyState {
    family: Family,
    topic: String,
}

/// State of the raw part.
pub(crate) struct State {
    families: Vec<FamilyState>,
    registry: Option<SchemaRegistry>,
    partitions: Vec<Partition>,
    limits: DuplicateLimits,
    epoch: u64,
    /// Partition of the last record: the next is most often of the same.
    last: usize,
}

impl State {
    /// Nothing assigned yet.
    pub(crate) fn new(parts: &Parts) -> State {
        let topics = Topics::new(parts.settings.kafka.topic_prefix.as_str());
        let families = Family::ALL.map(|family| FamilyState { family, topic: topics.raw(family) }).into();
        let registry = SchemaRegistry::configured(&parts.settings.schemas.registry_url);
        let metrics = &parts.settings.metrics;
        let limits = DuplicateLimits {
            age: Millis(metrics.duplicate_age_s.saturating_mul(1_000)),
            records: metrics.duplicate_records,
        };
        State { families, registry, partitions: Vec::new(), limits, epoch: 0, last: 0 }
    }

    /// Limits of the duplicate rule.
    pub(crate) fn limits(&self) -> DuplicateLimits {
        self.limits
    }

    /// Number of the assignment.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Takes partitions in, or drops them with all that waits.
    pub(crate) fn apply(&mut self, change: Change) -> Result<(), SinkError> {
        self.epoch += 1;
        self.partitions.clear();
        let Change::Assigned(positions) = change else { return Ok(()) };
        for position in positions {
            let Some(index) = self.families.iter().position(|family| family.topic == position.topic) else {
                continue;
            };
            let family = self.families[index].family;
            let arrow = |source| SinkError::Arrow { table: table_of(family).to_owned(), source };
            let decoder = EventDecoder::new(family, self.registry.clone()).map_err(arrow)?;
            self.partitions.push(Partition::new(index, position, self.limits, decoder));
        }
        Ok(())
    }

    /// Takes a record in.
    pub(crate) fn accept(&mut self, message: &BorrowedMessage<'_>) -> Result<(), SinkError> {
        let (topic, number) = (message.topic(), message.partition());
        let is_it = |partition: &Partition| partition.number == number && partition.topic == topic;
        if !self.partitions.get(self.last).is_some_and(is_it) {
            let Some(index) = self.partitions.iter().position(is_it) else { return Ok(()) };
            self.last = index;
        }
        let appended_at = poll::appended_at(message);
        self.partitions[self.last].accept(message.offset(), appended_at, message.payload())
    }

    /// Bytes that wait.
    pub(crate) fn held(&self) -> usize {
        self.partitions.iter().map(Partition::held).sum()
    }

    /// Bytes of the ids that copies are told by.
    pub(crate) fn ids(&self) -> usize {
        self.partitions.iter().map(Partition::ids).sum()
    }

    /// Bytes of what is being prepared and stored.
    pub(crate) fn at_work(&self) -> usize {
        self.partitions.iter().map(Partition::at_work).sum()
    }

    /// How many ranges are being prepared.
    pub(crate) fn preparing(&self) -> usize {
        self.partitions.iter().filter(|partition| matches!(partition.next, Next::Preparing(_))).count()
    }

    /// Whether nothing waits or is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.partitions.iter().all(Partition::is_idle)
    }

    /// Topic and number of the partitions whose range to replay is not complete yet: nothing of them can be sealed before it is.
    pub(crate) fn unfinished_replays(&self) -> Vec<(&str, i32)> {
        let unfinished = self.partitions.iter().filter(|partition| partition.is_replay_unfinished());
        unfinished.map(|partition| (partition.topic.as_str(), partition.number)).collect()
    }

    /// The partition that is due for longest; when memory is short and none is, the one that holds the most. While partitions fill side by
    /// side that one has twice of what they hold on average: the largest range that there can be.
    pub(crate) fn due(&self, rules: Rules) -> Option<usize> {
        let now = Instant::now();
        let partitions = || self.partitions.iter().enumerate();
        let due = partitions().filter(|(_, partition)| partition.is_due(rules, now));
        let fullest = || {
            let ready = partitions().filter(|(_, partition)| rules.is_short && partition.can_be_sealed());
            ready.max_by_key(|(_, partition)| partition.held())
        };
        due.min_by_key(|(_, partition)| partition.waiting_since).or_else(fullest).map(|(index, _)| index)
    }

    /// Table that a partition's events go into.
    pub(crate) fn table(&self, index: usize) -> &'static str {
        table_of(self.families[self.partitions[index].family].family)
    }

    /// All partitions.
    pub(crate) fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// A partition by its index.
    pub(crate) fn partition_mut(&mut self, index: usize) -> &mut Partition {
        &mut self.partitions[index]
    }

    /// A family and its topic by its index.
    pub(crate) fn family(&self, index: usize) -> (Family, &str) {
        (self.families[index].family, &self.families[index].topic)
    }
}
