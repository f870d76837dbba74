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
use super::partition::{Partition, Sealed};
use super::range::{self, Place, Prepared};
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
    decoder: EventDecoder,
}

/// State of the raw part.
pub(crate) struct State {
    families: Vec<FamilyState>,
    partitions: Vec<Partition>,
    limits: DuplicateLimits,
    epoch: u64,
    /// Partition of the last record: the next is most often of the same.
    last: usize,
    waiting_since: Option<Instant>,
}

impl State {
    /// Nothing assigned yet.
    pub(crate) fn new(parts: &Parts) -> Result<State, SinkError> {
        let topics = Topics::new(parts.settings.kafka.topic_prefix.as_str());
        let registry = match parts.settings.schemas.registry_url.as_str() {
            "" => None,
            url => Some(SchemaRegistry::new(url)),
        };
        let mut families = Vec::new();
        for family in Family::ALL {
            let arrow = |source| SinkError::Arrow { table: table_of(family).to_owned(), source };
            let decoder = EventDecoder::new(family, registry.clone()).map_err(arrow)?;
            families.push(FamilyState { family, topic: topics.raw(family), decoder });
        }
        let metrics = &parts.settings.metrics;
        let limits = DuplicateLimits {
            age: Millis(metrics.duplicate_age_s.saturating_mul(1_000)),
            records: metrics.duplicate_records,
        };
        Ok(State { families, partitions: Vec::new(), limits, epoch: 0, last: 0, waiting_since: None })
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
    pub(crate) fn apply(&mut self, change: Change) {
        self.epoch += 1;
        self.partitions.clear();
        self.waiting_since = None;
        if let Change::Assigned(positions) = change {
            for position in positions {
                let Some(family) = self.families.iter().position(|family| family.topic == position.topic)
                else {
                    continue;
                };
                self.partitions.push(Partition::new(family, position, self.limits));
            }
        }
    }

    /// Takes a record in.
    pub(crate) fn accept(&mut self, message: &BorrowedMessage<'_>) -> Result<(), SinkError> {
        let (topic, number) = (message.topic(), message.partition());
        let is_it = |partition: &Partition| partition.number == number && partition.topic == topic;
        if !self.partitions.get(self.last).is_some_and(is_it) {
            let Some(index) = self.partitions.iter().position(is_it) else { return Ok(()) };
            self.last = index;
        }
        let partition = &mut self.partitions[self.last];
        let decoder = &mut self.families[partition.family].decoder;
        let appended_at = poll::appended_at(message);
        partition.accept(message.offset(), appended_at, message.payload(), |payload| decoder.key(payload))?;
        if self.waiting_since.is_none() && partition.ready() > 0 {
            self.waiting_since = Some(Instant::now());
        }
        Ok(())
    }

    /// Since when a record waits.
    pub(crate) fn oldest_since(&self) -> Option<Instant> {
        self.waiting_since
    }

    /// Records that can be sealed now, in the fullest partition.
    pub(crate) fn ready(&self) -> usize {
        self.partitions.iter().map(Partition::ready).max().unwrap_or(0)
    }

    /// Bytes held.
    pub(crate) fn held(&self) -> usize {
        self.partitions.iter().map(Partition::held).sum()
    }

    /// Topic and number of the partitions whose range to replay is not complete yet: nothing of them can be sealed before it is.
    pub(crate) fn unfinished_replays(&self) -> Vec<(&str, i32)> {
        let unfinished = self.partitions.iter().filter(|partition| partition.is_replay_unfinished());
        unfinished.map(|partition| (partition.topic.as_str(), partition.number)).collect()
    }

    /// Takes one range out of every partition that has one.
    pub(crate) fn seal(&mut self, most: usize) -> Vec<Sealed> {
        let sealed: Vec<Sealed> = self
            .partitions
            .iter_mut()
            .enumerate()
            .filter_map(|(index, partition)| partition.seal(index, most))
            .collect();
        self.waiting_since = (self.ready() > 0).then(Instant::now);
        sealed
    }

    /// Decodes a sealed range.
    pub(crate) fn prepare(&mut self, sealed: &Sealed) -> Result<Prepared, SinkError> {
        let partition = &mut self.partitions[sealed.partition];
        let family = &mut self.families[partition.family];
        let place = Place {
            topic: &partition.topic,
            partition: partition.number,
            table: table_of(family.family),
            intent: sealed.intent,
        };
        range::prepare(place, &sealed.records, &mut partition.window, &mut family.decoder)
    }

    /// Where a sealed range stands and goes.
    pub(crate) fn place(&self, sealed: &Sealed) -> Place<'_> {
        let partition = &self.partitions[sealed.partition];
        Place {
            topic: &partition.topic,
            partition: partition.number,
            table: table_of(self.families[partition.family].family),
            intent: sealed.intent,
        }
    }

    /// A partition by its index.
    pub(crate) fn partition(&self, index: usize) -> &Partition {
        &self.partitions[index]
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
