//! Correcting: from what should have been counted, and what the processor counted, to records as the processor itself would send them:
//! states for its changelogs, facts, and, through the roll-up stage with the processor's own state in it, minutes and windows.
//!
//! Borders. Within the period every minute becomes what the raw records say. Outside, minutes change only as far as journeys change that the
//! processor still knows: it would correct these itself at the next event. Journeys that it has forgotten count within the period only.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use prometheus::Registry;
use touchstream_runtime::settings::Settings;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{DecodeError, Decoder, Encoder, Framing};
use touchstream_schemas::event::Family;
use touchstream_schemas::minutes::Minute;
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;

use super::error::ReplayError;
use super::partitioner::partition_of;
use super::period::Period;
use super::reader::Reader;
use super::rebuild::{Captured, JourneyKey, Rebuilt, Sent};
use super::spool::Spool;
use super::states::{self, State};
use super::sums::{Correction, Sums};
use super::{Newest, Results, group};
use crate::cells::Names;
use crate::contacts::{Contacts, Customer};
use crate::marks;
use crate::measure::deltas::Deltas;
use crate::measure::journeys::segment_of;
use crate::metrics::Metrics;
use crate::roll_up::RollUp;
use crate::stage::{Committed, InputPartition, Outgoing, Output, Record, Stage, StageError, base_revision};

/// Days that the processor knows a journey beyond the lateness limit.
const KNOWN_BEYOND_LATENESS_DAYS: i64 = 8;

/// What the processor knows and has counted.
pub(super) struct Live {
    pub(super) journeys: HashMap<JourneyKey, Vec<u8>>,
    /// The segments of the changelogs that hold them.
    pub(super) segments: Vec<(Family, i32, u64)>,
    pub(super) customers: Newest,
    pub(super) minutes: Newest,
}

/// What is to be committed.
pub(super) struct Corrected {
    pub(super) spool: Spool,
    pub(super) panes: Vec<(InputPartition, Committed)>,
    pub(super) contacts: Vec<(InputPartition, Committed)>,
}

/// All that correcting needs.
pub(super) struct Correcting<'c> {
    pub(super) settings: &'c Settings,
    pub(super) touchpoints: Arc<Touchpoints>,
    pub(super) topics: &'c Topics,
    pub(super) period: Period,
    pub(super) reader: &'c Reader,
    pub(super) panes: &'c [InputPartition],
    pub(super) raw_partitions: i32,
    pub(super) watermark: EventTime,
    pub(super) taken_at: Instant,
}

/// Everything that is sent goes to the spool, and results to their tables.
struct Outlet<'o> {
    spool: Spool,
    results: &'o mut dyn Results,
    /// What the roll-up stage sent to its changelog since it was asked.
    minutes: Option<Vec<Sent>>,
    minutes_topic: String,
    failure: Option<ReplayError>,
}

impl Outlet<'_> {
    fn put(
        &mut self,
        topic: &str,
        partition: Option<i32>,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), ReplayError> {
        self.spool.push(topic, partition, key, value)?;
        if let Some(value) = value {
            self.results.add(topic, value)?;
        }
        Ok(())
    }
}

impl Output for Outlet<'_> {
    fn send_with_headers(
        &mut self,
        record: Outgoing<'_>,
        _headers: &[(&str, &str)],
    ) -> Result<(), StageError> {
        if *record.topic == *self.minutes_topic
            && let Some(minutes) = &mut self.minutes
        {
            minutes.push(Sent {
                topic: record.topic.to_owned(),
                partition: record.partition,
                key: record.key.to_vec(),
                value: record.value.map(<[u8]>::to_vec),
            });
        }
        // A stage knows nothing of files and tables; the first failure is told once the stage has returned.
        if self.failure.is_none() {
            self.failure = self.put(record.topic, record.partition, record.key, record.value).err();
        }
        Ok(())
    }
}

/// Where a replay stands in each partition that it read.
type Positions = Vec<(InputPartition, Committed)>;
/// Keys and packed states of journeys, by family and partition.
type KnownStates<'r> = BTreeMap<(Family, i32), Vec<(&'r Vec<u8>, &'r Vec<u8>)>>;

fn damaged(topic: &str) -> impl Fn(DecodeError) -> ReplayError + use<> {
    let topic = topic.to_owned();
    move |source| ReplayError::State { topic: topic.clone(), source }
}

fn contact_partitions(live: &Live) -> i32 {
    live.customers.values().map(|(partition, _)| partition + 1).max().unwrap_or(0)
}

/// Gives a stage a partition, and what its changelog holds of it.
fn restore(
    stage: &mut dyn Stage,
    partition: &InputPartition,
    committed: Option<&Committed>,
    changelog: &Newest,
) -> Result<(), StageError> {
    stage.assigned(partition, committed, EventTime::now());
    for (key, (number, value)) in changelog {
        if *number == partition.partition {
            let record = Record { offset: 0, appended_at: EventTime(0), key, value: Some(value) };
            stage.restore(partition, record)?;
        }
    }
    stage.restored(partition)
}

impl Correcting<'_> {
    pub(super) fn run(
        &self,
        rebuilt: &Rebuilt,
        mut live: Live,
        results: &mut dyn Results,
    ) -> Result<Corrected, ReplayError> {
        let mut outlet = Outlet {
            spool: Spool::new()?,
            results,
            minutes: None,
            minutes_topic: self.topics.minutes(),
            failure: None,
        };
        let (contact_panes, contacts) = self.finish_contacts(&mut live)?;
        let mut roll_up = self.roll_up(&live)?;
        let panes = self.finish_panes(&mut roll_up, &contact_panes, &mut live, &mut outlet)?;

        let (should_be, sent_before, sent_now) = self.journeys(rebuilt, &live, &mut outlet)?;
        let decoder = states::decoder();
        let mut names = Names::default();
        let mut counted = Sums::default();
        for (_, value) in live.minutes.values() {
            let minute: Minute<'_> = decoder.decode(value).map_err(damaged(&self.topics.minutes()))?;
            counted.add_minute(&minute, &mut names);
        }
        let correction = Correction {
            period: self.period,
            counted: &counted,
            should_be: &should_be,
            sent_before: &sent_before,
            sent_now: &sent_now,
        };
        let mut encoder = Encoder::new(&avro::PANE, Framing::SingleObject);
        let mut buffer = Vec::new();
        correction.panes(|series, pane| {
            encoder.encode_into(pane, &mut buffer)?;
            let key = series.partition_key();
            let (partition, committed) = &panes[self.pane_partition(key.as_bytes())];
            let record = Record {
                offset: committed.next_offset - 1,
                appended_at: EventTime(0),
                key: key.as_bytes(),
                value: Some(&buffer),
            };
            Ok::<(), ReplayError>(roll_up.process(partition, record)?)
        })?;
        self.settle(&mut roll_up, &mut outlet, 2)?;
        let noted = |(partition, committed): (InputPartition, Committed)| {
            let note = roll_up.note(&partition);
            (partition, Committed { note, ..committed })
        };
        Ok(Corrected { spool: outlet.spool, panes: panes.into_iter().map(noted).collect(), contacts })
    }

    fn pane_partition(&self, key: &[u8]) -> usize {
        let count = i32::try_from(self.panes.len()).unwrap_or(1);
        usize::try_from(partition_of(key, count)).unwrap_or_default()
    }

    /// Sends what is due, as if `seconds` refreshes had passed: windows go out at a refresh only.
    fn settle(&self, stage: &mut RollUp, outlet: &mut Outlet<'_>, refreshes: i64) -> Result<(), ReplayError> {
        let refresh = Millis(self.settings.processor.refresh_ms).times(5 * refreshes);
        let now = EventTime::now() + refresh
            - Millis(i64::try_from(self.taken_at.elapsed().as_millis()).unwrap_or(0).min(refresh.0));
        stage.settle(now, outlet)?;
        outlet.failure.take().map_or(Ok(()), Err)
    }

    /// Counts contacts that the stage of contacts had not yet read, and tells what it would have sent and where it would stand.
    fn finish_contacts(&self, live: &mut Live) -> Result<(Vec<Sent>, Positions), ReplayError> {
        let count = i32::try_from(self.panes.len()).unwrap_or(1).max(contact_partitions(live));
        let partitions: Vec<InputPartition> = (0..count)
            .map(|partition| InputPartition { topic: self.topics.contacts().into(), partition })
            .collect();
        let mut stage = Contacts::new(self.settings);
        let mut ends = Vec::new();
        let mut pending = 0;
        for (partition, committed) in self.reader.positions(&group(self.settings, "contacts"), &partitions)? {
            let (start, end) = self.reader.settled_range(&partition)?;
            restore(&mut stage, &partition, committed.as_ref(), &live.customers)?;
            let from = committed.as_ref().map_or(start, |committed| committed.next_offset);
            self.reader.read(&partition, (from, end), |record| {
                pending += 1;
                Ok(stage.process(&partition, record)?)
            })?;
            ends.push((partition, Committed { next_offset: end.max(from), note: String::new() }));
        }
        if pending == 0 {
            return Ok((Vec::new(), ends));
        }
        let mut out = Captured::default();
        stage.settle(EventTime::now(), &mut out)?;
        let panes_topic = self.topics.panes();
        let (panes, changelog): (Vec<Sent>, Vec<Sent>) =
            out.0.into_iter().partition(|sent| sent.topic == panes_topic);
        for Sent { key, value, partition, .. } in changelog {
            match value {
                Some(value) => live.customers.insert(key, (partition.unwrap_or_default(), value)),
                None => live.customers.remove(&key),
            };
        }
        Ok((panes, ends))
    }

    /// The roll-up stage with the processor's state in it.
    fn roll_up(&self, live: &Live) -> Result<RollUp, ReplayError> {
        let metrics = Metrics::register(&Registry::new()).expect("the registry is new");
        let marks = marks::read(&self.settings.kafka, &self.topics.marks())?;
        let mut stage = RollUp::new(self.settings, self.touchpoints.clone(), self.raw_partitions, metrics)
            .with_marks(marks);
        for (partition, committed) in self.reader.positions(&group(self.settings, "roll_up"), self.panes)? {
            restore(&mut stage, &partition, committed.as_ref(), &live.minutes)?;
        }
        Ok(stage)
    }

    /// Counts panes that the roll-up had not yet read; then its state is what all that was measured makes of it.
    fn finish_panes(
        &self,
        stage: &mut RollUp,
        contact_panes: &[Sent],
        live: &mut Live,
        outlet: &mut Outlet<'_>,
    ) -> Result<Vec<(InputPartition, Committed)>, ReplayError> {
        let mut ends = Vec::new();
        let mut pending = 0;
        for (partition, committed) in self.reader.positions(&group(self.settings, "roll_up"), self.panes)? {
            let (start, end) = self.reader.settled_range(&partition)?;
            let from = committed.as_ref().map_or(start, |committed| committed.next_offset);
            self.reader.read(&partition, (from, end), |record| {
                pending += 1;
                Ok(stage.process(&partition, record)?)
            })?;
            ends.push((partition, Committed { next_offset: end.max(from), note: String::new() }));
        }
        for Sent { key, value, .. } in contact_panes {
            let (partition, committed) = &ends[self.pane_partition(key)];
            let offset = committed.next_offset - 1;
            stage.process(
                partition,
                Record { offset, appended_at: EventTime(0), key, value: value.as_deref() },
            )?;
            pending += 1;
        }
        if pending > 0 {
            outlet.minutes = Some(Vec::new());
            self.settle(stage, outlet, 1)?;
            for Sent { key, value, partition, .. } in outlet.minutes.take().unwrap_or_default() {
                match value {
                    Some(value) => live.minutes.insert(key, (partition.unwrap_or_default(), value)),
                    None => live.minutes.remove(&key),
                };
            }
        }
        let decoder = states::decoder();
        for (number, value) in live.minutes.values() {
            let minute: Minute<'_> = decoder.decode(value).map_err(damaged(&self.topics.minutes()))?;
            let key = touchstream_schemas::keys::join(&[minute.tenant, minute.metric]);
            let expected = partition_of(key.as_bytes(), i32::try_from(self.panes.len()).unwrap_or(1));
            if expected != *number {
                return Err(ReplayError::Partitioner { key, found: *number, expected });
            }
        }
        Ok(ends)
    }

    /// Sends states and facts, and adds up what journeys and customers count: all that should be in the period (and is open now), and what
    /// those that live on counted before and count now, wherever.
    fn journeys(
        &self,
        rebuilt: &Rebuilt,
        live: &Live,
        outlet: &mut Outlet<'_>,
    ) -> Result<(Sums, Sums, Sums), ReplayError> {
        let decoder = states::decoder();
        let lateness = self.settings.processor.lateness_days + KNOWN_BEYOND_LATENESS_DAYS;
        let known_since = self.watermark - Millis::DAY.times(lateness);
        let [mut before, mut alive, mut dead] = [Deltas::default(), Deltas::default(), Deltas::default()];
        let mut facts = HashSet::new();
        let mut known = KnownStates::new();
        for (journey, value) in &rebuilt.journeys {
            let Some(state) = self.decode(journey, value)? else { continue };
            let (family, number, key) = journey;
            let is_known = live.journeys.contains_key(journey)
                || state.span().is_some_and(|(_, last)| last >= known_since);
            state.contribute(is_known, if is_known { &mut alive } else { &mut dead });
            if is_known {
                known.entry((*family, *number)).or_default().push((key, value));
            }
            if live.journeys.contains_key(journey) {
                facts.extend(state.facts(self.topics));
            }
        }
        let revision = base_revision(0);
        for (journey, value) in &live.journeys {
            let Some(state) = self.decode(journey, value)? else { continue };
            state.contribute(false, &mut before);
            for fact in state.facts(self.topics) {
                if !facts.contains(&fact)
                    && let Some(value) = states::deletion(&state, self.topics, &fact, revision)
                {
                    outlet.put(&fact.0, None, &fact.1, Some(&value))?;
                }
            }
        }
        self.states(&known, live, outlet)?;
        for ((topic, key), value) in &rebuilt.facts {
            let started_at = states::started_at(&decoder, self.topics, topic, value);
            let Some(started_at) = started_at.map_err(damaged(topic))? else { continue };
            if self.period.contains(started_at) || started_at >= known_since {
                outlet.put(topic, None, key, Some(value))?;
            }
        }
        self.customers(&decoder, rebuilt, live, (&mut before, &mut alive), outlet)?;
        let mut names = Names::default();
        let sent_now = Sums::take(&mut alive, &mut names);
        let mut should_be = rebuilt.single.clone();
        should_be.merge(&sent_now);
        should_be.merge(&Sums::take(&mut dead, &mut names));
        Ok((should_be, Sums::take(&mut before, &mut names), sent_now))
    }

    /// Writes the states that the processor shall know, all anew, and deletes the segments that it had.
    fn states(
        &self,
        known: &KnownStates<'_>,
        live: &Live,
        outlet: &mut Outlet<'_>,
    ) -> Result<(), ReplayError> {
        const STATES_AT_ONCE: usize = 500;
        for ((family, partition), states) in known {
            let is_here = |segment: &&(Family, i32, u64)| (segment.0, segment.1) == (*family, *partition);
            let last = live.segments.iter().filter(is_here).map(|(_, _, number)| *number).max();
            let first = last.map_or(0, |last| last + 1);
            let topic = self.topics.measure_changelog(*family);
            for (number, states) in (first..).zip(states.chunks(STATES_AT_ONCE)) {
                let segment =
                    segment_of(states.iter().map(|(key, state)| (key.as_slice(), state.as_slice())));
                outlet.put(&topic, Some(*partition), number.to_string().as_bytes(), Some(&segment))?;
            }
        }
        for (family, partition, number) in &live.segments {
            let topic = self.topics.measure_changelog(*family);
            outlet.put(&topic, Some(*partition), number.to_string().as_bytes(), None)?;
        }
        Ok(())
    }

    fn customers(
        &self,
        decoder: &Decoder,
        rebuilt: &Rebuilt,
        live: &Live,
        (before, now): (&mut Deltas, &mut Deltas),
        outlet: &mut Outlet<'_>,
    ) -> Result<(), ReplayError> {
        let changelog = self.topics.contacts_changelog();
        for (key, value) in &rebuilt.customers {
            let customer: Customer = decoder.decode(value).map_err(damaged(&changelog))?;
            states::contribute_customer(key, &customer.contacts, now);
            outlet.put(
                &changelog,
                live.customers.get(key).map(|(partition, _)| *partition),
                key,
                Some(value),
            )?;
        }
        for (key, (partition, value)) in &live.customers {
            let customer: Customer = decoder.decode(value).map_err(damaged(&changelog))?;
            states::contribute_customer(key, &customer.contacts, before);
            if !rebuilt.customers.contains_key(key) {
                outlet.put(&changelog, Some(*partition), key, None)?;
            }
        }
        Ok(())
    }

    fn decode(&self, (family, _, key): &JourneyKey, value: &[u8]) -> Result<Option<State>, ReplayError> {
        State::decode(*family, key, value).map_err(damaged(&self.topics.measure_changelog(*family)))
    }
}
