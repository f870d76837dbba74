//! An in-memory Kafka for the stages: logs with the gaps that aborted transactions and their markers leave, transactions that are applied
//! whole or not at all, groups whose generation fences whoever was away, and owners that die.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use prometheus::Registry;
use touchstream_processor::Metrics;
use touchstream_processor::contacts::Contacts;
use touchstream_processor::measure::Measure;
use touchstream_processor::roll_up::RollUp;
use touchstream_processor::stage::{Committed, InputPartition, Outgoing, Output, Record, Stage, StageError};
use touchstream_runtime::kafka::MAX_MESSAGE_BYTES;
use touchstream_runtime::settings::Settings;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::event::Family;
use touchstream_schemas::time::EventTime;

/// Partitions of every topic.
pub(crate) const PARTITIONS: i32 = 2;

/// Records of a partition that are counted in a row, before a look at what could be sent already, and journeys that change before they
/// are settled then: few, as transactions here are small.
const ROW: usize = 5;
const MOST_CHANGING: usize = 2;

/// Offsets that an aborted transaction takes in a partition, at most: that there is a gap matters, not how long it is.
const GAP: usize = 3;

#[derive(Clone, Debug)]
struct Stored {
    appended_at: EventTime,
    key: Box<[u8]>,
    value: Option<Box<[u8]>>,
    /// False for markers and what was aborted: offsets that nobody is handed out.
    is_visible: bool,
}

/// What a transaction has sent so far; it may fail on the way.
#[derive(Default)]
struct Pending {
    sent: Vec<(Arc<str>, Option<i32>, Stored)>,
    /// Further records that are taken.
    room: Option<usize>,
}

impl Output for Pending {
    fn send_with_headers(
        &mut self,
        record: Outgoing<'_>,
        _headers: &[(&str, &str)],
    ) -> Result<(), StageError> {
        if let Some(room) = &mut self.room {
            let source = rdkafka::error::KafkaError::Canceled;
            *room = room
                .checked_sub(1)
                .ok_or_else(|| StageError::Send { topic: record.topic.to_owned(), source })?;
        }
        let bytes = record.key.len() + record.value.map_or(0, <[u8]>::len);
        assert!(bytes < usize::try_from(MAX_MESSAGE_BYTES).unwrap(), "{bytes} bytes for {}", record.topic);
        let topic = match self.sent.last() {
            Some((topic, ..)) if **topic == *record.topic => topic.clone(),
            _ => record.topic.into(),
        };
        let (key, value) = (record.key.into(), record.value.map(Box::from));
        self.sent.push((
            topic,
            record.partition,
            Stored { appended_at: EventTime(0), key, value, is_visible: true },
        ));
        Ok(())
    }
}

/// A guard that is broken on purpose, to see that schedules find what it guards against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Whoever was away commits as if nothing had happened.
    Fencing,
    /// What an aborted transaction sent stays.
    Atomicity,
    /// Whoever takes over does not read the changelog.
    Restoring,
    /// Whoever takes over does not see the last records again.
    LookingBack,
    /// A process that goes on keeps its state when partitions are given anew.
    Clearing,
    /// Copies count.
    Duplicates,
    /// Events that are late are left out.
    Lateness,
}

/// Topics, and what the groups committed.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) broken: Option<Broken>,
    topics: HashMap<Arc<str>, [Vec<Stored>; PARTITIONS as usize]>,
    committed: HashMap<InputPartition, Committed>,
    generations: HashMap<&'static str, u64>,
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
        let (key, value) = (key.as_bytes().into(), Some(value.into()));
        let stored = Stored { appended_at, key, value, is_visible: true };
        self.partition_mut(topic, partition).push(stored);
    }

    /// All values of a topic in the order of each key's versions.
    pub(crate) fn values(&self, topic: &str) -> Vec<(&[u8], &[u8])> {
        let logs = (0..PARTITIONS).flat_map(|partition| self.partition(topic, partition));
        logs.filter(|stored| stored.is_visible)
            .filter_map(|stored| Some((&*stored.key, stored.value.as_deref()?)))
            .collect()
    }

    /// Keys that compaction would leave of a topic.
    pub(crate) fn live_keys(&self, topic: &str) -> usize {
        let live = |partition| {
            let mut newest: HashMap<&[u8], bool> = HashMap::new();
            for stored in self.partition(topic, partition).iter().filter(|stored| stored.is_visible) {
                newest.insert(&stored.key, stored.value.is_some());
            }
            newest.into_values().filter(|is_there| *is_there).count()
        };
        (0..PARTITIONS).map(live).sum()
    }

    /// Forgets what nobody in a long test reads any more; offsets go on.
    pub(crate) fn discard_values(&mut self, topic: &str) {
        for stored in self.topics.get_mut(topic).into_iter().flatten() {
            // What was discarded before lies before the first that is not.
            for stored in stored.iter_mut().rev().take_while(|stored| stored.appended_at != EventTime::MIN) {
                *stored = Stored {
                    appended_at: EventTime::MIN,
                    key: Box::default(),
                    value: None,
                    is_visible: false,
                };
            }
        }
    }

    fn partition(&self, topic: &str, partition: i32) -> &[Stored] {
        self.topics.get(topic).map_or(&[], |logs| &logs[usize::try_from(partition).unwrap()])
    }

    fn partition_mut(&mut self, topic: &str, partition: i32) -> &mut Vec<Stored> {
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.into(), Default::default());
        }
        &mut self.topics.get_mut(topic).unwrap()[usize::try_from(partition).unwrap()]
    }

    fn generation(&self, stage: &str) -> u64 {
        self.generations.get(stage).copied().unwrap_or_default()
    }

    /// Ends a transaction: what it sent is there whole, or leaves nothing but gaps.
    fn end(&mut self, pending: Pending, now: EventTime, is_committed: bool) {
        let mut ends: BTreeMap<(Arc<str>, i32), usize> = BTreeMap::new();
        for (topic, partition, mut stored) in pending.sent {
            stored.appended_at = now;
            let partition = partition.unwrap_or_else(|| partition_of(&stored.key));
            let is_kept = is_committed || self.broken == Some(Broken::Atomicity);
            let log = self.partition_mut(&topic, partition);
            let taken = ends.entry((topic, partition)).or_insert(0);
            *taken += 1;
            if is_kept {
                log.push(stored);
            } else if *taken <= GAP {
                log.push(Stored { key: Box::default(), value: None, is_visible: false, ..stored });
            }
        }
        for (topic, partition) in ends.into_keys() {
            let marker = Stored { appended_at: now, key: Box::default(), value: None, is_visible: false };
            self.partition_mut(&topic, partition).push(marker);
        }
    }
}

/// The partition of a key; any stable choice will do here.
pub(crate) fn partition_of(key: &[u8]) -> i32 {
    i32::try_from(key.iter().map(|byte| u32::from(*byte)).sum::<u32>() % 2).unwrap()
}

/// All partitions that a stage reads.
pub(crate) fn inputs_of(stage: &dyn Stage) -> Vec<InputPartition> {
    let of_topic = |topic: String| {
        let topic: Arc<str> = topic.into();
        (0..PARTITIONS).map(move |partition| InputPartition { topic: topic.clone(), partition })
    };
    stage.inputs().into_iter().flat_map(of_topic).collect()
}

/// Where an owner is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It read and counted records.
    BeforeSettling,
    /// It has sent this many records.
    WhileSettling(usize),
    /// It has sent everything.
    BeforeCommit,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Committed,
    /// Its transaction was aborted; its state is void.
    Aborted,
    /// The group has gone on without it; its state is void.
    Fenced,
}

/// One owner of partitions of one stage.
pub(crate) struct Owner {
    pub(crate) stage: Box<dyn Stage>,
    positions: BTreeMap<InputPartition, i64>,
    generation: u64,
    /// It failed: what it holds is to be forgotten before anything else.
    pub(crate) is_void: bool,
}

impl Owner {
    /// An owner of everything that the stage reads, from where the log says was committed.
    pub(crate) fn take_over(stage: Box<dyn Stage>, log: &Log, now: EventTime) -> Owner {
        let inputs = inputs_of(&*stage);
        let mut owner = Owner::idle(stage);
        owner.assign(log, &inputs, now, None);
        owner
    }

    /// An owner of nothing yet.
    pub(crate) fn idle(stage: Box<dyn Stage>) -> Owner {
        Owner { stage, positions: BTreeMap::new(), generation: 0, is_void: false }
    }

    /// Forgets everything and takes over partitions: the same steps, in the same order, as with Kafka. False when it was stopped after
    /// restoring as many records as it was granted.
    pub(crate) fn assign(
        &mut self,
        log: &Log,
        partitions: &[InputPartition],
        now: EventTime,
        granted: Option<usize>,
    ) -> bool {
        let stage = &mut self.stage;
        if log.broken != Some(Broken::Clearing) {
            stage.clear();
        }
        self.positions.clear();
        self.is_void = false;
        self.generation = log.generation(stage.name());
        let mut granted = granted.unwrap_or(usize::MAX);
        for partition in partitions {
            let committed = log.committed.get(partition);
            stage.assigned(partition, committed, now);
            let changelog = stage.changelog_of(&partition.topic).unwrap();
            for record in visible(log.partition(&changelog, partition.partition), 0) {
                let Some(left) = granted.checked_sub(1) else { return false };
                granted = left;
                if log.broken != Some(Broken::Restoring) {
                    stage.restore(partition, record).unwrap();
                }
            }
            let next = committed.map_or(0, |committed| committed.next_offset);
            if stage.look_back().is_some() && log.broken != Some(Broken::LookingBack) {
                let before = visible(log.partition(&partition.topic, partition.partition), 0);
                for record in before.take_while(|record| record.offset < next) {
                    stage.look_back_at(partition, record).unwrap();
                }
            }
            stage.restored(partition).unwrap();
            self.positions.insert(partition.clone(), next);
        }
        true
    }

    /// Processes up to `count` records of every partition and settles; commits, unless the owner dies before.
    pub(crate) fn step(&mut self, log: &mut Log, count: usize, now: EventTime, dies: bool) {
        let fault = dies.then_some(Fault::BeforeCommit);
        let ended = self.try_step(log, || count, now, fault);
        assert_eq!(ended, if dies { Ended::Aborted } else { Ended::Committed });
    }

    /// The same with a number of records for each partition, and a fault. After any other end than a commit the state is void.
    pub(crate) fn try_step(
        &mut self,
        log: &mut Log,
        count: impl FnMut() -> usize,
        now: EventTime,
        fault: Option<Fault>,
    ) -> Ended {
        assert!(!self.is_void, "nobody goes on with what is void");
        let ended = self.attempt(log, count, now, fault);
        self.is_void = ended != Ended::Committed;
        ended
    }

    fn attempt(
        &mut self,
        log: &mut Log,
        mut count: impl FnMut() -> usize,
        now: EventTime,
        fault: Option<Fault>,
    ) -> Ended {
        let room = if let Some(Fault::WhileSettling(room)) = fault { Some(room) } else { None };
        let mut pending = Pending { room, ..Pending::default() };
        let mut is_lost = false;
        for (partition, next) in &mut self.positions {
            let stored = log.partition(&partition.topic, partition.partition);
            let mut waiting = visible(stored, *next);
            let taken: Vec<_> = waiting.by_ref().take(count()).collect();
            for row in taken.chunks(ROW) {
                self.stage.process_row(partition, row).unwrap();
                *next = row[row.len() - 1].offset + 1;
                if row.len() == ROW && self.stage.flush(now, &mut pending).is_err() {
                    is_lost = true;
                    break;
                }
            }
            if waiting.next().is_none() {
                *next = i64::try_from(stored.len()).unwrap();
                self.stage.reached_end(partition, now);
            }
        }
        if fault == Some(Fault::BeforeSettling) {
            return Ended::Aborted;
        }
        if is_lost || self.stage.settle(now, &mut pending).is_err() {
            assert!(room.is_some(), "only the fault makes sending fail");
            log.end(pending, now, false);
            return Ended::Aborted;
        }
        let is_fenced =
            self.generation != log.generation(self.stage.name()) && log.broken != Some(Broken::Fencing);
        if fault.is_some() || is_fenced {
            log.end(pending, now, false);
            return if is_fenced { Ended::Fenced } else { Ended::Aborted };
        }
        for (partition, next) in &self.positions {
            let committed = Committed { next_offset: *next, note: self.stage.note(partition) };
            assert!(committed.note.len() <= 4096, "Kafka's limit for a note");
            let before = log.committed.insert(partition.clone(), committed);
            let is_forward = before.is_none_or(|before| before.next_offset <= *next);
            assert!(is_forward || log.broken == Some(Broken::Fencing), "{partition} went back");
        }
        log.end(pending, now, true);
        Ended::Committed
    }

    /// Whether windows were sent up to `now` and to the watermark: what rolling up notes. Other stages are always up to date.
    pub(crate) fn is_up_to(&self, now: EventTime, watermark: EventTime) -> bool {
        self.stage.name() != "roll_up"
            || self.positions.keys().all(|partition| {
                let note = self.stage.note(partition);
                let noted: Vec<EventTime> =
                    note.split(' ').map(|number| EventTime(number.parse().unwrap())).collect();
                noted[0] >= now && noted[1] >= watermark
            })
    }

    /// Whether everything in the log was read.
    pub(crate) fn is_at_end(&self, log: &Log) -> bool {
        self.positions.iter().all(|(partition, next)| {
            visible(log.partition(&partition.topic, partition.partition), *next).next().is_none()
        })
    }
}

/// Begins a new generation of a stage's group: whoever was assigned partitions before is fenced.
pub(crate) fn next_generation(log: &mut Log, stage: &dyn Stage) {
    *log.generations.entry(stage.name()).or_default() += 1;
}

/// The records from an offset on.
fn visible(stored: &[Stored], from: i64) -> impl Iterator<Item = Record<'_>> {
    let from = usize::try_from(from).unwrap();
    let records = stored.iter().enumerate().skip(from).filter(|(_, stored)| stored.is_visible);
    records.map(|(offset, stored)| Record {
        offset: i64::try_from(offset).unwrap(),
        appended_at: stored.appended_at,
        key: &stored.key,
        value: stored.value.as_deref(),
    })
}

fn metrics() -> Metrics {
    Metrics::register(&Registry::new()).unwrap()
}

/// A new measuring stage.
pub(crate) fn measure(settings: &Settings, touchpoints: &Arc<Touchpoints>) -> Box<dyn Stage> {
    let measure = Measure::new(settings, touchpoints.clone(), PARTITIONS, metrics());
    Box::new(measure.settling_from(MOST_CHANGING))
}

/// A new rolling-up stage.
pub(crate) fn roll_up(settings: &Settings, touchpoints: &Arc<Touchpoints>) -> Box<dyn Stage> {
    let families = i32::try_from(Family::ALL.len()).unwrap();
    Box::new(RollUp::new(settings, touchpoints.clone(), families * PARTITIONS, metrics()))
}

/// A new stage of contacts.
pub(crate) fn contacts(settings: &Settings, _touchpoints: &Arc<Touchpoints>) -> Box<dyn Stage> {
    Box::new(Contacts::new(settings))
}
