//! Contacts, a small stage beside measure: net containment needs all conversations of a customer, which lie in different partitions of
//! the raw topic. Measure sends each contact keyed by its customer; here contained ones that the customer followed with another
//! conversation are counted, as deltas like measure's own ([`customer`]).
//!
//! Promise: what is sent depends on the set of contacts, never on their order of arrival.

mod customer;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use touchstream_runtime::settings::Settings;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Decoder, Encoder, Framing};
use touchstream_schemas::duplicates::DuplicateLimits;
use touchstream_schemas::facts::ContactFact;
use touchstream_schemas::keys;
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;

use crate::measure::conversation::ANEW_AFTER;
use crate::measure::deltas::Deltas;
use crate::stage::{Committed, InputPartition, Outgoing, Output, Record, Stage, StageError};

pub use customer::{Customer, CustomerContact, RETURN_WITHIN};

/// A contact is kept beyond the lateness limit for as long as measure keeps its conversation, and this much longer, as events of another
/// partition may be ahead of its own: a contained conversation that was counted as returned may cease to be contained, and then both
/// must be taken back.
const KEPT_BEYOND_CONVERSATION: Millis = Millis::DAY.times(8);

/// Customers of one partition.
#[derive(Debug, Default)]
struct CustomerPartition {
    held: HashMap<String, Customer>,
    changed: BTreeSet<String>,
    /// When each customer's last event was, to forget the oldest first.
    ages: BTreeSet<(EventTime, String)>,
    /// The latest event of all.
    latest: Option<EventTime>,
}

/// The stage.
pub struct Contacts {
    topics: Topics,
    decoder: Decoder,
    pane: Encoder,
    state: Encoder,
    buffer: Vec<u8>,
    keep: Millis,
    deltas: Deltas,
    partitions: BTreeMap<InputPartition, CustomerPartition>,
}

impl fmt::Debug for Contacts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Contacts").field("partitions", &self.partitions).finish_non_exhaustive()
    }
}

impl Contacts {
    /// The stage without partitions.
    #[must_use]
    pub fn new(settings: &Settings) -> Contacts {
        let lateness = Millis::DAY.times(settings.processor.lateness_days);
        Contacts {
            topics: Topics::new(&settings.kafka.topic_prefix),
            decoder: Decoder::new(&[&avro::CONTACT_FACT, &avro::CUSTOMER_STATE]),
            pane: Encoder::new(&avro::PANE, Framing::SingleObject),
            state: Encoder::new(&avro::CUSTOMER_STATE, Framing::SingleObject),
            buffer: Vec::new(),
            keep: Millis(lateness.0 + ANEW_AFTER.0 + KEPT_BEYOND_CONVERSATION.0),
            deltas: Deltas::default(),
            partitions: BTreeMap::new(),
        }
    }
}

impl CustomerPartition {
    fn put(&mut self, key: &str, customer: Option<Customer>) {
        if let Some(old) = self.held.remove(key) {
            self.ages.remove(&(old.last_event_at(), key.to_owned()));
        }
        let Some(customer) = customer.filter(|customer| !customer.contacts.is_empty()) else { return };
        let last = customer.last_event_at();
        self.latest = self.latest.max(Some(last));
        self.ages.insert((last, key.to_owned()));
        self.held.insert(key.to_owned(), customer);
    }

    /// Judges the customers that changed and forgets those that are too old; hands each out with its new state.
    fn settle(
        &mut self,
        keep: Millis,
        deltas: &mut Deltas,
        mut emit: impl FnMut(&str, Option<&Customer>) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        let forget_before = self.latest.map_or(EventTime::MIN, |latest| latest - keep);
        for key in std::mem::take(&mut self.changed) {
            let mut customer = self.held.get(&key).cloned().unwrap_or_default();
            let tenant = key.split(keys::SEPARATOR).next().unwrap_or_default();
            customer.settle(tenant, forget_before, deltas);
            self.put(&key, Some(customer));
            emit(&key, self.held.get(&key))?;
        }
        while let Some((last, key)) = self.ages.first().cloned()
            && last < forget_before
        {
            self.put(&key, None);
            emit(&key, None)?;
        }
        Ok(())
    }
}

impl Stage for Contacts {
    fn name(&self) -> &'static str {
        "contacts"
    }

    fn inputs(&self) -> Vec<String> {
        vec![self.topics.contacts()]
    }

    fn changelog_of(&self, _input: &str) -> Option<String> {
        Some(self.topics.contacts_changelog())
    }

    fn look_back(&self) -> Option<DuplicateLimits> {
        None
    }

    fn assigned(&mut self, partition: &InputPartition, _committed: Option<&Committed>, _now: EventTime) {
        self.partitions.insert(partition.clone(), CustomerPartition::default());
    }

    fn restore(&mut self, partition: &InputPartition, record: Record<'_>) -> Result<(), StageError> {
        let Some(customers) = self.partitions.get_mut(partition) else { return Ok(()) };
        let customer = record.value.map(|value| self.decoder.decode(value)).transpose();
        let customer = customer.map_err(|source| StageError::Restore {
            partition: partition.clone(),
            offset: record.offset,
            source,
        })?;
        customers.put(&String::from_utf8_lossy(record.key), customer);
        Ok(())
    }

    fn look_back_at(&mut self, _partition: &InputPartition, _record: Record<'_>) -> Result<(), StageError> {
        Ok(())
    }

    fn restored(&mut self, _partition: &InputPartition) -> Result<(), StageError> {
        Ok(())
    }

    fn clear(&mut self) {
        self.partitions.clear();
        self.deltas = Deltas::default();
    }

    fn process(&mut self, partition: &InputPartition, record: Record<'_>) -> Result<(), StageError> {
        let (Some(customers), Some(value)) = (self.partitions.get_mut(partition), record.value) else {
            return Ok(());
        };
        let fact: ContactFact = self.decoder.decode(value).map_err(|source| StageError::Delta {
            partition: partition.clone(),
            offset: record.offset,
            source,
        })?;
        let key = String::from_utf8_lossy(record.key);
        let mut customer = customers.held.get(&*key).cloned().unwrap_or_default();
        customer.take(&fact, &mut self.deltas);
        customers.put(&key, Some(customer));
        customers.changed.insert(key.into_owned());
        Ok(())
    }

    fn reached_end(&mut self, _partition: &InputPartition, _now: EventTime) {}

    fn settle(&mut self, _now: EventTime, output: &mut dyn Output) -> Result<(), StageError> {
        let changelog = self.topics.contacts_changelog();
        let (state, buffer) = (&mut self.state, &mut self.buffer);
        for (partition, customers) in &mut self.partitions {
            customers.settle(self.keep, &mut self.deltas, |key, customer| {
                if let Some(customer) = customer {
                    state.encode_into(customer, buffer)?;
                }
                let value = customer.map(|_| buffer.as_slice());
                let partition = Some(partition.partition);
                output.send(Outgoing { topic: &changelog, partition, key: key.as_bytes(), value })
            })?;
        }
        let panes = self.topics.panes();
        let pane_encoder = &mut self.pane;
        self.deltas.drain(|series, pane| {
            pane_encoder.encode_into(pane, buffer)?;
            let (key, value) = (series.partition_key(), Some(buffer.as_slice()));
            output.send(Outgoing { topic: &panes, partition: None, key: key.as_bytes(), value })
        })
    }

    fn note(&self, _partition: &InputPartition) -> String {
        String::new()
    }
}
