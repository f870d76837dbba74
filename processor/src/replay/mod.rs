//! Replay: results of a period made anew from the raw topics, in the processor's place, and exchanged for the old ones at once.
//!
//! [`period`] says what is needed and whether it is there → [`rebuild`] counts the raw records with the stages that count live, while the
//! processor goes on → [`hold`] asks the processor for its partitions, [`membership`] takes them → the rest of the records, up to
//! exactly where the processor stood → [`correct`] compares what came out with the processor's state ([`states`], [`sums`]) and makes of the
//! difference records as the processor itself would send them → [`transact`] commits them, the state and a new epoch in one transaction;
//! the caller ([`Results`]) exchanges the rows for readers.
//!
//! Promise: until the transaction is committed nothing has changed, whatever dies; from then on every result is the new one.

mod correct;
mod error;
mod hold;
mod membership;
mod partitioner;
mod period;
mod reader;
mod rebuild;
mod spool;
mod states;
mod sums;
mod transact;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use touchstream_runtime::kafka;
use touchstream_runtime::replays::{HOLD_LAPSES_AFTER, Phase, Replays};
use touchstream_runtime::settings::Settings;
use touchstream_runtime::shutdown::Shutdown;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::event::Family;
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;

use crate::measure::journeys::states_of;
use crate::serve::partition_counts;
use crate::stage::{Committed, InputPartition, Record, raise_epoch};

pub use error::ReplayError;
pub use period::{NEEDED_BEFORE, Period};

use correct::{Correcting, Live};
use hold::Hold;
use membership::Membership;
use period::{LogStart, Reach};
use reader::Reader;
use rebuild::{JourneyKey, Rebuild};

/// Longest wait for Kafka at the start.
const CONNECT_DEADLINE: Duration = Duration::from_secs(30);
/// Minutes are folded into hours this many days after the lateness limit; a day is left for safety.
const FOLDED_BEYOND_LATENESS_DAYS: i64 = 15;
/// How long the sink may take to write what it has, so that old and new results can be compared.
const SINK_WITHIN: Duration = Duration::from_secs(30);

/// What a replay is to do.
#[derive(Clone, Copy, Debug)]
pub struct ReplayRequest {
    /// What is rebuilt.
    pub period: Period,
    /// Only tell what would change.
    pub is_dry_run: bool,
}

/// Where results go that readers see.
pub trait Results {
    /// A record that goes to a topic; those that are no results are none of its business.
    ///
    /// # Errors
    /// When it cannot be written.
    fn add(&mut self, topic: &str, value: &[u8]) -> Result<(), ReplayError>;
    /// All records were added: compares, and empties what the period has no more, under `revision`.
    ///
    /// # Errors
    /// When that is not possible.
    fn complete(&mut self, period: Period, revision: i64) -> Result<(), ReplayError>;
    /// Kafka has committed: readers see the results of `epoch` from now on.
    ///
    /// # Errors
    /// When that is not possible; what Kafka has comes to readers all the same, through the sink.
    fn switch(&mut self, epoch: i64) -> Result<(), ReplayError>;
}

/// Who is told how far it is.
pub trait Progress {
    /// The next step begins.
    fn step(&mut self, words: &str);
    /// So many of so many records were read.
    fn records(&mut self, read: u64, of: u64);
}

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplayReport {
    /// Epoch of the results.
    pub epoch: i64,
    /// Raw records read.
    pub raw_records: u64,
    /// Journeys made anew.
    pub journeys: u64,
    /// Records committed, or that would be.
    pub records: u64,
    /// How long the processor was held back.
    pub held: Duration,
    /// Whether the sink had written everything before old and new results were compared.
    pub is_sink_complete: bool,
}

/// Replays; blocks.
///
/// # Errors
/// When it is not possible, or something fails; unless the error says otherwise, nothing has changed then.
pub fn replay(
    settings: &Settings,
    touchpoints: Touchpoints,
    request: ReplayRequest,
    results: &mut dyn Results,
    progress: &mut dyn Progress,
    shutdown: &Shutdown,
) -> Result<ReplayReport, ReplayError> {
    kafka::connect(&settings.kafka, "touchstream-replay", CONNECT_DEADLINE)?;
    let touchpoints = Arc::new(touchpoints);
    let topics = Topics::new(&settings.kafka.topic_prefix);
    let replays = Replays::follow(&settings.kafka, &topics.replays(), shutdown.clone())?;
    if replays.is_held(Phase::Rebuilding) {
        progress.step("waiting whether another replay still lives");
        wait_for_other(&replays, shutdown)?;
    }
    // From here on this process counts in the new epoch; nobody else does before the transaction.
    let epoch = replays.epoch() + 1;
    raise_epoch(epoch);
    let partitions = Partitions::of(settings, &topics)?;
    let reader = Reader::new(settings, shutdown)?;
    let reach = reach(settings, request.period, &reader, &partitions.raw)?;

    let mut at_begin = Vec::new();
    for (partition, committed) in reader.positions(&group(settings, "measure"), &partitions.raw)? {
        if let Some(committed) = committed {
            at_begin.push((partition, committed));
        }
    }
    if at_begin.is_empty() {
        return Err(ReplayError::NothingCounted(group(settings, "measure")));
    }
    let mut rebuild = Rebuild::new(settings, &touchpoints, &at_begin);
    if reach.complete_since > EventTime::MIN {
        progress.step("reading what the processor knows of earlier journeys");
        let journeys = journeys(&reader, &topics, &partitions)?;
        let customers =
            newest(&reader, &Partitions::of_topic(&topics.contacts_changelog(), partitions.contacts))?;
        let customers = customers.into_iter().map(|(key, (_, value))| (key, value)).collect();
        rebuild.take_over(&journeys.states, &customers, reach.complete_since)?;
    }
    progress.step("counting raw records");
    let mut counting = Counting { reader: &reader, rebuild: &mut rebuild, progress, read: 0 };
    let ranges = first_ranges(&reader, &at_begin, reach)?;
    counting.count(&ranges)?;

    progress.step("taking the processor's place");
    let held_since = Instant::now();
    let hold = Hold::begin(settings, topics.replays())?;
    let members = [
        ("measure", Family::ALL.map(|family| topics.raw(family)).to_vec(), partitions.raw.len()),
        ("roll_up", vec![topics.panes()], partitions.panes.len()),
        ("contacts", vec![topics.contacts()], usize::try_from(partitions.contacts).unwrap_or_default()),
    ];
    let mut memberships = Vec::new();
    for (stage, inputs, count) in members {
        memberships.push(Membership::join(settings, &group(settings, stage), &inputs, count, shutdown)?);
    }
    let taken_at = Instant::now();
    let at_end = reader.positions(&group(settings, "measure"), &partitions.raw)?;
    let rest: Vec<(InputPartition, (i64, i64))> = at_end
        .iter()
        .filter_map(|(partition, committed)| {
            let begun = ranges.iter().find(|(known, _)| known == partition)?.1.1;
            Some((partition.clone(), (begun, committed.as_ref()?.next_offset)))
        })
        .collect();
    progress.step("counting the rest");
    let mut counting = Counting { reader: &reader, rebuild: &mut rebuild, progress, read: 0 };
    counting.count(&rest)?;
    let watermarks: Vec<(InputPartition, Option<EventTime>)> = at_end
        .iter()
        .map(|(partition, committed)| {
            let note = committed.as_ref().and_then(|committed| committed.note.parse().ok());
            (partition.clone(), note.map(EventTime))
        })
        .collect();
    let rebuilt = rebuild.finish(&watermarks)?;

    progress.step("reading what the processor has counted");
    let Journeys { states, segments } = journeys(&reader, &topics, &partitions)?;
    let live = Live {
        journeys: states,
        segments,
        customers: newest(&reader, &Partitions::of_topic(&topics.contacts_changelog(), partitions.contacts))?,
        minutes: newest(
            &reader,
            &Partitions::of_topic(
                &topics.minutes(),
                i32::try_from(partitions.panes.len()).unwrap_or_default(),
            ),
        )?,
    };
    let mut report = ReplayReport {
        epoch,
        raw_records: rebuilt.records,
        journeys: rebuilt.journeys.len() as u64,
        ..ReplayReport::default()
    };
    progress.step("making the results");
    let last_watermark = watermarks.iter().filter_map(|(_, watermark)| *watermark).max();
    let correcting = Correcting {
        settings,
        touchpoints,
        topics: &topics,
        period: request.period,
        reader: &reader,
        panes: &partitions.panes,
        raw_partitions: i32::try_from(partitions.raw.len()).unwrap_or_default(),
        watermark: last_watermark.unwrap_or(EventTime::MIN),
        taken_at,
    };
    let corrected = correcting.run(&rebuilt, live, results)?;
    report.records = corrected.spool.records;
    progress.step("comparing with the results so far");
    report.is_sink_complete = wait_for_sink(settings, &topics, &reader)?;
    if !request.is_dry_run {
        // A static member leaves its group only when its session ends: it may do so meanwhile.
        hold.switching()?;
    }
    results.complete(request.period, crate::stage::base_revision(0))?;
    if request.is_dry_run {
        report.held = held_since.elapsed();
        return Ok(report);
    }

    progress.step("exchanging the results");
    wait_until_sink_left(settings, &reader)?;
    let measured = at_end.into_iter().filter_map(|(partition, committed)| Some((partition, committed?)));
    let offsets: [Vec<(InputPartition, Committed)>; 3] =
        [measured.collect(), corrected.panes, corrected.contacts];
    transact::commit(settings, &topics, corrected.spool, &memberships, &offsets, epoch)?;
    results.switch(epoch)?;
    drop(memberships);
    drop(hold);
    report.held = held_since.elapsed();
    Ok(report)
}

/// A hold that is not repeated is that of a replay that died.
fn wait_for_other(replays: &Replays, shutdown: &Shutdown) -> Result<(), ReplayError> {
    let until = Instant::now() + HOLD_LAPSES_AFTER + Duration::from_secs(2);
    while replays.is_held(Phase::Rebuilding) {
        if Instant::now() > until {
            return Err(ReplayError::AnotherReplay);
        }
        if shutdown.is_cancelled() {
            return Err(ReplayError::Stopped);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn group(settings: &Settings, stage: &str) -> String {
    format!("{}-{stage}", settings.processor.group)
}

/// Partitions of the topics.
struct Partitions {
    raw: Vec<InputPartition>,
    panes: Vec<InputPartition>,
    contacts: i32,
}

impl Partitions {
    fn of(settings: &Settings, topics: &Topics) -> Result<Partitions, ReplayError> {
        let mut names: Vec<String> = Family::ALL.map(|family| topics.raw(family)).to_vec();
        names.extend([topics.panes(), topics.contacts()]);
        let counts = partition_counts(settings, &names)?;
        let all = |place: usize| {
            (0..counts[place])
                .map(move |partition| (place, partition))
                .map(|(place, partition)| InputPartition { topic: names[place].as_str().into(), partition })
        };
        let families = Family::ALL.len();
        let raw = (0..families).flat_map(all).collect();
        Ok(Partitions { raw, panes: all(families).collect(), contacts: counts[families + 1] })
    }

    fn of_topic(topic: &str, count: i32) -> Vec<InputPartition> {
        (0..count).map(|partition| InputPartition { topic: topic.into(), partition }).collect()
    }
}

/// How far back the log must be read, if it still goes that far.
fn reach(
    settings: &Settings,
    period: Period,
    reader: &Reader,
    raw: &[InputPartition],
) -> Result<Reach, ReplayError> {
    let now = EventTime::now();
    let folded = Millis::DAY.times(settings.processor.lateness_days + FOLDED_BEYOND_LATENESS_DAYS);
    if period.from < now - folded {
        let earliest = (now - folded).minute() + Millis::MINUTE;
        return Err(ReplayError::Folded { from: words(period.from), earliest: words(earliest) });
    }
    let mut starts = Vec::new();
    for partition in raw {
        let (start, end) = reader.range(partition)?;
        starts.push(match reader.first_appended_at(partition)? {
            _ if start == 0 => LogStart::Whole,
            Some(time) => LogStart::Since(time),
            // Everything was deleted: it was older than the retention.
            None if start == end => {
                LogStart::Since(now - Millis::DAY.times(i64::from(settings.kafka.raw_retention_days)))
            }
            None => LogStart::Since(now),
        });
    }
    let future = Millis(settings.ingest.future_tolerance_s * 1_000);
    Reach::of(period, &starts, future)
        .map_err(|earliest| ReplayError::Deleted { from: words(period.from), earliest: words(earliest) })
}

/// A time as people write it.
fn words(time: EventTime) -> String {
    jiff::Timestamp::from_millisecond(time.0).map_or_else(|_| time.0.to_string(), |time| time.to_string())
}

/// A partition, and the first offset and the one after the last that are read of it.
type Range = (InputPartition, (i64, i64));

/// What is read before the processor is held back.
fn first_ranges(
    reader: &Reader,
    at_begin: &[(InputPartition, Committed)],
    reach: Reach,
) -> Result<Vec<Range>, ReplayError> {
    let mut ranges = Vec::new();
    for (partition, committed) in at_begin {
        let (first, _) = reader.range(partition)?;
        let start = if reach.appended_from == EventTime::MIN {
            Some(first)
        } else {
            reader.offset_at(partition, reach.appended_from)?
        };
        let end = committed.next_offset;
        ranges.push((partition.clone(), (start.unwrap_or(end).clamp(first, end.max(first)), end)));
    }
    Ok(ranges)
}

/// Reading and counting, with progress.
struct Counting<'c> {
    reader: &'c Reader,
    rebuild: &'c mut Rebuild,
    progress: &'c mut dyn Progress,
    read: u64,
}

impl Counting<'_> {
    fn count(&mut self, ranges: &[(InputPartition, (i64, i64))]) -> Result<(), ReplayError> {
        let of =
            ranges.iter().map(|(_, (start, end))| end.saturating_sub(*start).max(0).unsigned_abs()).sum();
        for (partition, range) in ranges {
            self.reader.read(partition, *range, |record| {
                self.rebuild.process(partition, record)?;
                self.read += 1;
                if self.read.is_multiple_of(1_000) {
                    self.progress.records(self.read, of);
                }
                Ok(())
            })?;
        }
        self.progress.records(of, of);
        Ok(())
    }
}

/// The newest record of every key, with its partition.
type Newest = HashMap<Vec<u8>, (i32, Vec<u8>)>;

fn newest(reader: &Reader, partitions: &[InputPartition]) -> Result<Newest, ReplayError> {
    let mut newest = Newest::new();
    for partition in partitions {
        let range = reader.settled_range(partition)?;
        reader.read(partition, range, |Record { key, value, .. }| {
            match value {
                Some(value) => newest.insert(key.to_vec(), (partition.partition, value.to_vec())),
                None => newest.remove(key),
            };
            Ok(())
        })?;
    }
    Ok(newest)
}

/// What lies in the changelogs of measure.
#[derive(Default)]
struct Journeys {
    /// Newest states.
    states: HashMap<JourneyKey, Vec<u8>>,
    /// The segments that hold them, by family, partition and number.
    segments: Vec<(Family, i32, u64)>,
}

/// The newest state of every journey, and the segments of the changelogs that hold them.
fn journeys(reader: &Reader, topics: &Topics, partitions: &Partitions) -> Result<Journeys, ReplayError> {
    let mut journeys = Journeys::default();
    for family in Family::ALL.into_iter().filter(|family| *family != Family::App) {
        let raw = topics.raw(family);
        for partition in partitions.raw.iter().filter(|partition| *partition.topic == *raw) {
            let topic = topics.measure_changelog(family);
            let changelog = InputPartition { topic: topic.as_str().into(), partition: partition.partition };
            // Segments are numbered in the order in which they were written.
            let mut segments: Vec<(u64, Vec<u8>)> = Vec::new();
            for (key, (_, value)) in newest(reader, std::slice::from_ref(&changelog))? {
                let number = String::from_utf8_lossy(&key).parse().unwrap_or_default();
                segments.push((number, value));
            }
            segments.sort_by_key(|(number, _)| *number);
            for (number, value) in segments {
                let damaged = |source| ReplayError::State { topic: topic.clone(), source };
                for (key, state) in states_of(&value).map_err(damaged)? {
                    journeys.states.insert((family, partition.partition, key.to_vec()), state.to_vec());
                }
                journeys.segments.push((family, partition.partition, number));
            }
        }
    }
    Ok(journeys)
}

/// Whether the sink has written everything that the processor had sent; the comparison is right only then.
fn wait_for_sink(settings: &Settings, topics: &Topics, reader: &Reader) -> Result<bool, ReplayError> {
    let names =
        [topics.windows(), topics.minutes(), topics.checkouts(), topics.conversations(), topics.answers()];
    let counts = partition_counts(settings, &names)?;
    let all = |(name, count): (&String, &i32)| {
        let name = name.clone();
        (0..*count).map(move |partition| InputPartition { topic: name.as_str().into(), partition })
    };
    let partitions: Vec<InputPartition> = names.iter().zip(&counts).flat_map(all).collect();
    let group = sink_group(settings);
    let until = Instant::now() + SINK_WITHIN;
    loop {
        let mut is_behind = false;
        for (partition, committed) in reader.positions(&group, &partitions)? {
            let (start, end) = reader.range(&partition)?;
            // The mark at the end of a transaction is an offset of its own that nobody reads.
            is_behind |= end - committed.map_or(start, |committed| committed.next_offset) > 1;
        }
        if !is_behind || Instant::now() > until {
            return Ok(!is_behind);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn sink_group(settings: &Settings) -> String {
    format!("{}-derived", settings.sink.group)
}

/// Waits until no sink writes results any more; one that does not notice the hold only makes the exchange visible row by row.
fn wait_until_sink_left(settings: &Settings, reader: &Reader) -> Result<(), ReplayError> {
    let until = Instant::now() + SINK_WITHIN;
    while reader.members(&sink_group(settings))? > 0 {
        if Instant::now() > until {
            tracing::warn!(
                "a sink still writes results; readers may see old and new ones side by side for a moment"
            );
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
