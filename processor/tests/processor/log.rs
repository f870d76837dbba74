//! An in-memory Kafka for the stages: logs, transactions that are applied whole or not at all, and owners that die.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use prometheus::Registry;
use touchstream_processor::Metrics;
use touchstream_processor::contacts::Contacts;
use touchstream_processor::measure::Measure;
use touchstream_processor::roll_up::RollUp;
use touchstream_processor::stage::{Committed, InputPartition, Outgoing, Output, Record, Stage, StageError};
use touchstream_runtime::settings::Settings;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::event::Family;
use touchstream_schemas::time::EventTime;

/// Partitions of every topic.
pub(crate) const PARTITIONS: i32 = 2;

#[derive(Clone, Debug)]
struct Stored {
    appended_at: EventTime,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

#[derive(Default)]
struct Pending(Vec<(String, Option<i32>, Stored)>);

impl Output for Pending {
    fn send_with_headers(
        &mut self,
        record: Outgoing<'_>,
        _headers: &[(&str, &str)],
    ) -> Result<(), StageError> {
        let stored = Stored {
            appended_at: EventTime(0),
            key: record.key.to_vec(),
            value: record.value.map(<[u8]>::to_vec),
        };
        self.0.push((record.topic.to_owned(), record.partition, stored));
        Ok(())
    }
}

/// Topics, and what the group committed.
#[derive(Default)]
pub(crate) struct Log {
    topics: HashMap<(String, i32), Vec<Stored>>,
    committed: HashMap<InputPartition, Committed>,
}

impl Log {
    /// Appends one record.
    pub(crate) fn append(
        &mut self,
        topic: &str,
        partition: i32,
        key: &str,
        value: Vec<u8>,
        appended_at: EventTime,
    ) {
        let stored = Stored { appended_at, key: key.as_bytes().to_vec(), value: Some(value) };
        self.topics.entry((topic.to_owned(), partition)).or_default().push(stored);
    }

    /// All values of a topic in the order of each key's versions.
    pub(crate) fn values(&self, topic: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        let logs = (0..PARTITIONS).filter_map(|partition| self.topics.get(&(topic.to_owned(), partition)));
        logs.flatten().filter_map(|stored| Some((stored.key.clone(), stored.value.clone()?))).collect()
    }

    fn partition(&self, topic: &str, partition: i32) -> &[Stored] {
        self.topics.get(&(topic.to_owned(), partition)).map_or(&[], Vec::as_slice)
    }
}

/// The partition of a key; any stable choice will do here.
pub(crate) fn partition_of(key: &[u8]) -> i32 {
    i32::try_from(key.iter().map(|byte| u32::from(*byte)).sum::<u32>() % 2).unwrap()
}

/// One owner of all partitions of one stage.
pub(crate) struct Owner {
    stage: Box<dyn Stage>,
    positions: BTreeMap<InputPartition, i64>,
}

impl Owner {
    /// Takes over what the log says was committed: the same steps, in the same order, as with Kafka.
    pub(crate) fn take_over(mut stage: Box<dyn Stage>, log: &Log, now: EventTime) -> Owner {
        let mut positions = BTreeMap::new();
        for topic in stage.inputs() {
            for number in 0..PARTITIONS {
                let partition = InputPartition { topic: topic.as_str().into(), partition: number };
                let committed = log.committed.get(&partition);
                stage.assigned(&partition, committed, now);
                let changelog = stage.changelog_of(&topic).unwrap();
                for (offset, stored) in (0..).zip(log.partition(&changelog, number)) {
                    stage.restore(&partition, record(offset, stored)).unwrap();
                }
                let next = committed.map_or(0, |committed| committed.next_offset);
                if stage.look_back().is_some() {
                    for (offset, stored) in (0..next).zip(log.partition(&topic, number)) {
                        stage.look_back_at(&partition, record(offset, stored)).unwrap();
                    }
                }
                stage.restored(&partition).unwrap();
                positions.insert(partition, next);
            }
        }
        Owner { stage, positions }
    }

    /// Processes up to `count` records of every partition and settles; commits, unless the owner dies before.
    pub(crate) fn step(&mut self, log: &mut Log, count: usize, now: EventTime, dies: bool) {
        let mut pending = Pending::default();
        for (partition, next) in &mut self.positions {
            let waiting =
                &log.partition(&partition.topic, partition.partition)[usize::try_from(*next).unwrap()..];
            for stored in waiting.iter().take(count) {
                self.stage.process(partition, record(*next, stored)).unwrap();
                *next += 1;
            }
            if waiting.len() <= count {
                self.stage.reached_end(partition, now);
            }
        }
        self.stage.settle(now, &mut pending).unwrap();
        if dies {
            return;
        }
        for (partition, next) in &self.positions {
            let committed = Committed { next_offset: *next, note: self.stage.note(partition) };
            assert!(committed.note.len() <= 4096, "Kafka's limit for a note");
            log.committed.insert(partition.clone(), committed);
        }
        for (topic, partition, mut stored) in pending.0 {
            stored.appended_at = now;
            let partition = partition.unwrap_or_else(|| partition_of(&stored.key));
            log.topics.entry((topic, partition)).or_default().push(stored);
        }
    }

    /// Whether everything in the log was read.
    pub(crate) fn is_at_end(&self, log: &Log) -> bool {
        self.positions.iter().all(|(partition, next)| {
            i64::try_from(log.partition(&partition.topic, partition.partition).len()) == Ok(*next)
        })
    }
}

fn record(offset: i64, stored: &Stored) -> Record<'_> {
    Record { offset, appended_at: stored.appended_at, key: &stored.key, value: stored.value.as_deref() }
}

/// A new measuring stage.
pub(crate) fn measure(settings: &Settings, touchpoints: &Arc<Touchpoints>) -> Box<dyn Stage> {
    Box::new(Measure::new(
        settings,
        touchpoints.clone(),
        PARTITIONS,
        Metrics::register(&Registry::new()).unwrap(),
    ))
}

/// A new rolling-up stage.
pub(crate) fn roll_up(settings: &Settings, touchpoints: &Arc<Touchpoints>) -> Box<dyn Stage> {
    let families = i32::try_from(Family::ALL.len()).unwrap();
    Box::new(RollUp::new(
        settings,
        touchpoints.clone(),
        families * PARTITIONS,
        Metrics::register(&Registry::new()).unwrap(),
    ))
}

/// A new stage of contacts.
pub(crate) fn contacts(settings: &Settings, _touchpoints: &Arc<Touchpoints>) -> Box<dyn Stage> {
    Box::new(Contacts::new(settings))
}
