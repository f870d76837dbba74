//! Rebuilding: raw records → journeys, facts, customers and counts, by the very stages that count live, from nothing. Pure.
//!
//! Two things differ from counting live: no event is too late, and journeys that began before the part of the log that is read (the
//! processor still knows them) go on from what the processor knows.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use prometheus::Registry;
use touchstream_runtime::settings::Settings;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::batch::AnswerBatch;
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::event::Family;
use touchstream_schemas::facts::AnswerFacts;
use touchstream_schemas::panes::{Pane, metric};
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;

use super::states::{self, FactKey};
use super::sums::Sums;
use crate::cells::Names;
use crate::contacts::Contacts;
use crate::measure::Measure;
use crate::measure::emit::FamilyOutput as _;
use crate::measure::feedback::{Feedback, FeedbackRules};
use crate::measure::journeys::{segment_of, states_of};
use crate::metrics::Metrics;
use crate::series::SeriesKey;
use crate::stage::{Committed, InputPartition, Outgoing, Output, Record, Stage, StageError};

/// Longer ago than any event: nothing is too late.
const NO_LATENESS_DAYS: i64 = 36_500;
/// Records between two evaluations of the journeys that they touched.
const RECORDS_AT_ONCE: u64 = 50_000;

/// A record that a stage sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) topic: String,
    pub(super) partition: Option<i32>,
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

/// Records that a stage sent, in order.
#[derive(Debug, Default)]
pub(super) struct Captured(pub(super) Vec<Sent>);

impl Output for Captured {
    fn send_with_headers(
        &mut self,
        record: Outgoing<'_>,
        _headers: &[(&str, &str)],
    ) -> Result<(), StageError> {
        self.0.push(Sent {
            topic: record.topic.to_owned(),
            partition: record.partition,
            key: record.key.to_vec(),
            value: record.value.map(<[u8]>::to_vec),
        });
        Ok(())
    }
}

/// A journey's family, partition and key.
pub(super) type JourneyKey = (Family, i32, Vec<u8>);

/// What came out.
#[derive(Debug, Default)]
pub(super) struct Rebuilt {
    /// Newest state of every journey.
    pub(super) journeys: HashMap<JourneyKey, Vec<u8>>,
    /// Newest state of every fact.
    pub(super) facts: HashMap<FactKey, Vec<u8>>,
    /// Newest state of every customer.
    pub(super) customers: HashMap<Vec<u8>, Vec<u8>>,
    /// What counts without journeys.
    pub(super) single: Sums,
    /// Raw records read.
    pub(super) records: u64,
}

/// The stages at work.
pub(super) struct Rebuild {
    measure: Measure,
    contacts: Contacts,
    contacts_input: InputPartition,
    raw: Vec<InputPartition>,
    contact_facts: i64,
    topics: Topics,
    changelogs: BTreeMap<String, Family>,
    decoder: Decoder,
    names: Names,
    out: Captured,
    unsettled: u64,
    disorder: Millis,
    idle_after: Millis,
    rebuilt: Rebuilt,
}

impl Rebuild {
    /// Begins with these raw partitions: where the processor stood in each of them when the replay began.
    pub(super) fn new(
        settings: &Settings,
        touchpoints: &Arc<Touchpoints>,
        partitions: &[(InputPartition, Committed)],
    ) -> Rebuild {
        let mut patient = settings.clone();
        patient.processor.lateness_days = NO_LATENESS_DAYS;
        let topics = Topics::new(&settings.kafka.topic_prefix);
        let metrics = Metrics::register(&Registry::new()).expect("the registry is new");
        let mut measure = Measure::new(&patient, touchpoints.clone(), 0, metrics);
        let mut contacts = Contacts::new(&patient);
        let now = EventTime::now();
        for (partition, committed) in partitions {
            measure.assigned(partition, Some(committed), now);
        }
        let contacts_input = InputPartition { topic: topics.contacts().into(), partition: 0 };
        contacts.assigned(&contacts_input, None, now);
        Rebuild {
            measure,
            contacts,
            contacts_input,
            raw: partitions.iter().map(|(partition, _)| partition.clone()).collect(),
            contact_facts: 0,
            changelogs: Family::ALL.map(|family| (topics.measure_changelog(family), family)).into(),
            topics,
            decoder: states::decoder(),
            names: Names::default(),
            out: Captured::default(),
            unsettled: 0,
            disorder: Millis(settings.processor.disorder_s * 1_000),
            idle_after: Millis(settings.processor.idle_after_s * 1_000),
            rebuilt: Rebuilt::default(),
        }
    }

    /// Takes over what the processor knows of journeys that began before `complete_since`, and of customers' contacts in them or before
    /// that.
    pub(super) fn take_over(
        &mut self,
        journeys: &HashMap<JourneyKey, Vec<u8>>,
        customers: &HashMap<Vec<u8>, Vec<u8>>,
        complete_since: EventTime,
    ) -> Result<(), StageError> {
        let mut conversations = HashSet::new();
        for ((family, number, key), value) in journeys {
            let partition = InputPartition { topic: self.topics.raw(*family).into(), partition: *number };
            let damaged = |source| StageError::Restore { partition: partition.clone(), offset: -1, source };
            let state = states::State::decode(*family, key, value).map_err(damaged)?;
            let Some((first, _)) = state.and_then(|state| state.span()) else { continue };
            if first >= complete_since {
                continue;
            }
            // Each state in a segment of its own: the order in which they come says nothing.
            let segment_number = self.rebuilt.journeys.len().to_string();
            let segment = segment_of([(key.as_slice(), value.as_slice())]);
            self.measure.restore(&partition, restored(segment_number.as_bytes(), &segment))?;
            self.rebuilt.journeys.insert((*family, *number, key.clone()), value.clone());
            if *family == Family::Chat {
                conversations.insert(key.clone());
            }
        }
        for partition in self.raw.clone() {
            self.measure.restored(&partition)?;
        }
        for (key, value) in customers {
            let is_kept = |contact: &crate::contacts::CustomerContact| {
                contact.started_at < complete_since
                    || conversations.contains(&states::conversation_key(key, contact))
            };
            let damaged =
                |source| StageError::Restore { partition: self.contacts_input.clone(), offset: -1, source };
            if let Some(value) = states::keep_contacts(&self.decoder, value, is_kept).map_err(damaged)? {
                self.contacts.restore(&self.contacts_input, restored(key, &value))?;
                self.rebuilt.customers.insert(key.clone(), value);
            }
        }
        Ok(())
    }

    /// Counts a raw record.
    pub(super) fn process(
        &mut self,
        partition: &InputPartition,
        record: Record<'_>,
    ) -> Result<(), StageError> {
        self.measure.process(partition, record)?;
        self.rebuilt.records += 1;
        self.unsettled += 1;
        if self.unsettled >= RECORDS_AT_ONCE { self.settle() } else { Ok(()) }
    }

    /// Everything was counted up to where the processor stood at the end; `watermarks` are those it had come to.
    pub(super) fn finish(
        mut self,
        watermarks: &[(InputPartition, Option<EventTime>)],
    ) -> Result<Rebuilt, StageError> {
        for (partition, watermark) in watermarks {
            // A partition that is known to be silent follows the clock: to exactly where the processor followed it.
            if let Some(watermark) = watermark.filter(|watermark| *watermark > EventTime(0)) {
                let confirmed_at = watermark + self.disorder;
                self.measure.reached_end(partition, confirmed_at - self.idle_after);
                self.measure.reached_end(partition, confirmed_at);
            }
        }
        self.settle()?;
        Ok(self.rebuilt)
    }

    fn settle(&mut self) -> Result<(), StageError> {
        self.unsettled = 0;
        let now = EventTime::now();
        self.measure.settle(now, &mut self.out)?;
        for sent in std::mem::take(&mut self.out.0) {
            self.sort(sent)?;
        }
        self.contacts.settle(now, &mut self.out)?;
        let changelog = self.topics.contacts_changelog();
        for sent in std::mem::take(&mut self.out.0).into_iter().filter(|sent| sent.topic == changelog) {
            match sent.value {
                Some(value) => self.rebuilt.customers.insert(sent.key, value),
                None => self.rebuilt.customers.remove(&sent.key),
            };
        }
        Ok(())
    }

    fn sort(&mut self, sent: Sent) -> Result<(), StageError> {
        let Sent { topic, partition, key, value } = sent;
        if let Some(family) = self.changelogs.get(&topic) {
            // A segment that was deleted held nothing that is not in another: no journey is forgotten here.
            let (number, segment) = (partition.unwrap_or_default(), value.unwrap_or_default());
            if segment.is_empty() {
                return Ok(());
            }
            let damaged = |source| StageError::Restore {
                partition: InputPartition { topic: topic.as_str().into(), partition: number },
                offset: -1,
                source,
            };
            for (key, state) in states_of(&segment).map_err(damaged)? {
                self.rebuilt.journeys.insert((*family, number, key.to_vec()), state.to_vec());
            }
            return Ok(());
        }
        let Some(value) = value else { return Ok(()) };
        if topic == self.topics.panes() {
            // Only what has no journey is counted from panes: the rest is counted from the journeys in the end.
            let of_app = format!("{}{}", touchstream_schemas::keys::SEPARATOR, metric::APP);
            if key.ends_with(of_app.as_bytes()) {
                let damaged = |source| StageError::Delta {
                    partition: InputPartition { topic: topic.as_str().into(), partition: 0 },
                    offset: -1,
                    source,
                };
                let pane: Pane<'_> = self.decoder.decode(&value).map_err(damaged)?;
                let series = series_of(&pane);
                self.rebuilt.single.add_pane(&series, &pane, &mut self.names);
            }
        } else if topic == self.topics.contacts() {
            let record = Record {
                offset: self.contact_facts,
                appended_at: EventTime(0),
                key: &key,
                value: Some(&value),
            };
            self.contact_facts += 1;
            self.contacts.process(&self.contacts_input, record)?;
        } else if topic == self.topics.answers() {
            let damaged = |source| StageError::Delta {
                partition: InputPartition { topic: topic.as_str().into(), partition: 0 },
                offset: -1,
                source,
            };
            for fact in self.decoder.decode::<AnswerFacts>(&value).map_err(damaged)?.facts {
                let mut batch = AnswerBatch::default();
                batch.add(&fact.view());
                let key = FeedbackRules::fact_key(&Feedback::Answer(fact)).into_bytes();
                self.rebuilt.facts.extend(batch.take().map(|value| ((topic.clone(), key), value)));
            }
        } else {
            self.rebuilt.facts.insert((topic, key), value);
        }
        Ok(())
    }
}

fn restored<'r>(key: &'r [u8], value: &'r [u8]) -> Record<'r> {
    Record { offset: 0, appended_at: EventTime(0), key, value: Some(value) }
}

/// What a pane is about.
pub(super) fn series_of(pane: &Pane<'_>) -> SeriesKey {
    let series =
        SeriesKey::new(pane.tenant, pane.metric, pane.detail, [pane.touchpoint, pane.channel, pane.device]);
    if pane.dimension.is_empty() { series } else { series.split_by(pane.dimension, pane.dimension_value) }
}
