//! One partition of the panes: its series, what changed in them, and which windows are due.
//!
//! Minutes are forgotten once no event can change them any more. A change of an older one all the same (rules that were changed make some
//! for journeys that go on) is dropped and counted: added to a minute that is forgotten it would make every window around it wrong.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use touchstream_schemas::event::ALL;
use touchstream_schemas::minutes::{Minute, span};
use touchstream_schemas::panes::{NowCount, Pane, metric};
use touchstream_schemas::time::{EventTime, Millis};

use super::emit::{Emitter, NowIn, Sending, WindowAt};
use super::limit::{Kind, Limits};
use super::ring::{Ring, RollingSum};
use super::sizes::{self, Ends, WindowSize};
use crate::cells::{Cell, NO_POSITION, Names, Recorded, StepKey, counts_of};
use crate::regressions::{Monitor, Rule, Subject, WatchState};
use crate::series::{Dimensions, Further, SeriesKey};
use crate::stage::{Committed, Output, StageError, base_revision};

/// Event time for which windows are caught up with in one transaction, at most.
const CATCH_UP: Millis = Millis::HOUR.times(6);

/// How long minutes and hours are held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) minutes: Millis,
    pub(super) hours: Millis,
    /// Hours that no window needs, but what is usual is told from.
    pub(super) usual_hours: Millis,
}

impl Kept {
    /// A late event may correct what happened up to seven days before it (an answer replaced, an abandonment that moves), and a
    /// correction needs every cell of the longest window around it: 7 days by the minute, 90 days by the hour.
    pub(super) fn with_lateness(lateness: Millis) -> Kept {
        let days = |days: i64| Millis(lateness.0 + Millis::DAY.times(days).0);
        // Eight weeks, as four of them may be left out, and a day for what is rounded.
        Kept { minutes: days(7 + 7 + 2), hours: days(7 + 90 + 2), usual_hours: Millis::DAY.times(8 * 7 + 1) }
    }
}

/// What is committed with the offset: up to when, to which watermark and to which revision windows were sent, and the last check of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) flushed_at: EventTime,
    pub(super) watermark: EventTime,
    pub(super) revision: i64,
    pub(super) checked_at: EventTime,
}

impl Note {
    /// While event time stands still, after an outage, events still come for what the wall clock calls old.
    pub(super) fn event_time(&self) -> EventTime {
        self.flushed_at.min(self.watermark)
    }

    pub(super) fn parse(text: &str) -> Option<Note> {
        let mut numbers = text.split(' ').map(str::parse::<i64>);
        let mut next = || numbers.next()?.ok();
        let (flushed_at, watermark, revision) = (EventTime(next()?), EventTime(next()?), next()?);
        // The last release had no rules.
        let checked_at = next().map_or(EventTime::MIN, EventTime);
        Some(Note { flushed_at, watermark, revision, checked_at })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Note { flushed_at, watermark, revision, checked_at } = self;
        write!(formatter, "{} {} {revision} {}", flushed_at.0, watermark.0, checked_at.0)
    }
}

/// One series: a combination of dimensions, some of which may be `all`.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) key: SeriesKey,
    /// What is open now, by step. What was closed stays with zero for as long as a window that showed it is not final.
    pub(super) now: BTreeMap<StepKey, i64>,
    /// Of these the zeros, and when each was first found to be one.
    pub(super) closed: BTreeMap<StepKey, EventTime>,
    pub(super) ring: Ring,
    pub(super) changed: BTreeSet<EventTime>,
    pub(super) has_now_changed: bool,
}

/// The series that panes name, and those it is part of (itself first).
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) series: Vec<usize>,
    pub(super) changed: BTreeSet<EventTime>,
    pub(super) has_now_changed: bool,
}

/// State of one pane partition.
#[derive(Debug)]
pub(super) struct PanePartition {
    pub(super) note: Note,
    pub(super) last_offset: i64,
    pub(super) names: Names,
    pub(super) series: Vec<Series>,
    pub(super) series_of: HashMap<SeriesKey, usize>,
    pub(super) leaves: HashMap<SeriesKey, Leaf>,
    changed_leaves: BTreeSet<SeriesKey>,
    pub(super) expired_at: EventTime,
    pub(super) limits: Limits,
    pub(super) kept: Kept,
    /// The rules that watch its series.
    pub(super) monitor: Monitor,
    /// Regressions that lasted when it was taken over are shown.
    pub(super) has_shown: bool,
    /// Changes that were dropped since last counted, by metric.
    too_old: BTreeMap<Arc<str>, u64>,
}

impl PanePartition {
    pub(super) fn new(
        note: Option<Note>,
        committed: Option<&Committed>,
        now: EventTime,
        limits: Limits,
        kept: Kept,
    ) -> PanePartition {
        let first =
            Note { flushed_at: now, watermark: EventTime::MIN, revision: 0, checked_at: EventTime::MIN };
        PanePartition {
            note: note.unwrap_or(first),
            last_offset: committed.map_or(0, |committed| committed.next_offset - 1),
            names: Names::default(),
            series: Vec::new(),
            series_of: HashMap::new(),
            leaves: HashMap::new(),
            changed_leaves: BTreeSet::new(),
            expired_at: now,
            limits,
            kept,
            monitor: Monitor::default(),
            has_shown: false,
            too_old: BTreeMap::new(),
        }
    }

    /// Adds a pane's change to its series and to those that contain it.
    pub(super) fn apply(&mut self, pane: Pane<'_>) {
        if pane.minute.is_some_and(|minute| minute < self.forgotten_before()) {
            *self.too_old.entry(self.names.get(pane.metric)).or_default() += 1;
            return;
        }
        self.limits.clock = self.note.flushed_at;
        let pane = self.limits.limit(pane);
        let parts = [pane.tenant, pane.metric, pane.detail, pane.touchpoint, pane.channel, pane.device];
        let key = self.key(parts, (pane.dimension, pane.dimension_value));
        let recorded = Recorded::from(&pane);
        let counts = counts_of(recorded, &mut self.names);
        if let (Some(minute), Some(counts)) = (pane.minute, counts) {
            self.apply_minute(&key, minute, &Cell::new(counts), true);
        }
        if !pane.now.is_empty() {
            self.apply_now(&key, &pane.now, true);
        }
        self.changed_leaves.insert(key);
    }

    /// Minutes before this are not kept any more.
    pub(super) fn forgotten_before(&self) -> EventTime {
        (self.note.event_time() - self.kept.minutes).floor_to(Millis::DAY)
    }

    /// Takes an absolute record back from the changelog.
    pub(super) fn restore(&mut self, minute: &Minute<'_>) {
        let Minute { tenant, metric, detail, touchpoint, channel, device, .. } = *minute;
        if minute.span == span::NAME {
            if let Some(kind) = Kind::of(detail) {
                self.limits.restore((tenant.into(), metric.into()), kind, touchpoint, minute.start);
            }
            return;
        }
        if minute.span == span::WATCH {
            if let (Some(rule), Some(watch)) = (Rule::of_name(metric), &minute.watch) {
                let subject = Subject {
                    tenant: tenant.into(),
                    rule,
                    touchpoint: touchpoint.into(),
                    channel: channel.into(),
                    detail: detail.into(),
                };
                self.monitor.restore(subject, WatchState::of_record(watch));
            }
            return;
        }
        let further = (minute.dimension, minute.dimension_value);
        let key = self.key([tenant, metric, detail, touchpoint, channel, device], further);
        // Sent to the changelog, but its windows were not sent any more.
        let is_unsent = minute.revision > self.note.revision;
        let recorded = Recorded::from(minute);
        let counts = counts_of(recorded, &mut self.names);
        match (minute.span, counts) {
            (span::NOW, _) => self.apply_now(&key, &minute.now, is_unsent),
            (span::HOUR, Some(counts)) => {
                let cell = Cell::new(counts);
                for index in self.leaf(&key).series.clone() {
                    self.series[index].ring.apply_hour(minute.start, cell.clone());
                }
            }
            (_, Some(counts)) => self.apply_minute(&key, minute.start, &Cell::new(counts), is_unsent),
            (_, None) => {}
        }
    }

    /// All changelog records were taken back: nothing of it needs to go to the changelog again.
    pub(super) fn restored(&mut self) {
        for leaf in self.leaves.values_mut() {
            leaf.changed.clear();
            leaf.has_now_changed = false;
        }
        self.changed_leaves.clear();
    }

    fn apply_minute(&mut self, key: &SeriesKey, minute: EventTime, delta: &Cell, is_unsent: bool) {
        let leaf = self.leaf(key);
        leaf.changed.insert(minute);
        for index in leaf.series.clone() {
            let series = &mut self.series[index];
            series.ring.apply(minute, delta.clone());
            if is_unsent {
                series.changed.insert(minute);
            }
        }
    }

    fn apply_now(&mut self, key: &SeriesKey, changes: &[NowCount<'_>], is_unsent: bool) {
        let leaf = self.leaf(key);
        leaf.has_now_changed = true;
        let indexes = leaf.series.clone();
        for change in changes {
            let name = self.names.get(change.name);
            for index in &indexes {
                let series = &mut self.series[*index];
                *series.now.entry((change.step_index.unwrap_or(NO_POSITION), name.clone())).or_insert(0) +=
                    change.count;
                series.has_now_changed |= is_unsent;
            }
        }
    }

    fn key(&mut self, parts: [&str; 6], (dimension, value): (&str, &str)) -> SeriesKey {
        let [tenant, metric, detail, touchpoint, channel, device] = parts.map(|part| self.names.get(part));
        let further = (!dimension.is_empty())
            .then(|| Further { dimension: self.names.get(dimension), value: self.names.get(value) });
        SeriesKey { tenant, metric, detail, dimensions: Dimensions { touchpoint, channel, device }, further }
    }

    fn leaf(&mut self, key: &SeriesKey) -> &mut Leaf {
        if !self.leaves.contains_key(key) {
            let all = self.names.get(ALL);
            let combinations = if &*key.metric == metric::QUALITY { 1 } else { 8 };
            let mut indexes = Vec::new();
            for combination in 0..combinations {
                let pick = |bit: u8, value: &Arc<str>| {
                    if combination & bit == 0 { value.clone() } else { all.clone() }
                };
                let dimensions = Dimensions {
                    touchpoint: pick(1, &key.dimensions.touchpoint),
                    channel: pick(2, &key.dimensions.channel),
                    device: pick(4, &key.dimensions.device),
                };
                indexes.push(self.series_index(SeriesKey { dimensions, ..key.clone() }));
            }
            let leaf = Leaf { series: indexes, changed: BTreeSet::new(), has_now_changed: false };
            self.leaves.insert(key.clone(), leaf);
        }
        self.leaves.get_mut(key).expect("it was inserted a line ago")
    }

    fn series_index(&mut self, key: SeriesKey) -> usize {
        let next = self.series.len();
        let index = *self.series_of.entry(key.clone()).or_insert(next);
        if index == next {
            self.series.push(Series {
                key,
                now: BTreeMap::new(),
                closed: BTreeMap::new(),
                ring: Ring::default(),
                changed: BTreeSet::new(),
                has_now_changed: false,
            });
        }
        index
    }

    /// Sends changed minutes to the changelog.
    pub(super) fn send_minutes(
        &mut self,
        partition: i32,
        emitter: &mut Emitter,
        output: &mut dyn Output,
    ) -> Result<(), StageError> {
        let mut sending = Sending { emitter, output, partition, revision: base_revision(self.last_offset) };
        sending.emitter.count_others(self.limits.take_others());
        sending.emitter.count_too_old(std::mem::take(&mut self.too_old).into_iter());
        for admission in self.limits.take_changes() {
            sending.admission(&admission)?;
        }
        for key in std::mem::take(&mut self.changed_leaves) {
            let Some(leaf) = self.leaves.get_mut(&key) else { continue };
            let series = &self.series[leaf.series[0]];
            for minute in std::mem::take(&mut leaf.changed) {
                if let Some(cell) = series.ring.minute(minute) {
                    sending.minute(&key, span::MINUTE, minute, cell)?;
                }
            }
            if std::mem::take(&mut leaf.has_now_changed) {
                sending.now(&key, &series.now)?;
            }
        }
        Ok(())
    }

    /// Sends the windows that changed, that began, and that became final since the last time.
    pub(super) fn send_windows(
        &mut self,
        now: EventTime,
        watermark: Option<EventTime>,
        partition: i32,
        emitter: &mut Emitter,
        output: &mut dyn Output,
    ) -> Result<(), StageError> {
        let revision = base_revision(self.last_offset);
        let mut sending = Sending { emitter, output, partition, revision };
        let watermark = watermark.unwrap_or(EventTime::MIN).max(self.note.watermark);
        let before = self.note;
        // After a long stop everything that began or became final since is due; it goes out in steps that fit a transaction.
        let step = |from: EventTime, to: EventTime| {
            if from == EventTime::MIN { to } else { to.min(from + CATCH_UP) }
        };
        self.note = Note {
            flushed_at: step(before.flushed_at, now),
            watermark: step(before.watermark, watermark),
            revision,
            ..before
        };
        for series in &mut self.series {
            for size in sizes::of_metric(&series.key.metric) {
                series.send_windows(*size, before, self.note, &mut sending)?;
            }
            series.changed.clear();
            series.has_now_changed = false;
        }
        let held = [("all", self.series.len()), ("named", self.leaves.len()), ("names", self.limits.len())];
        sending.emitter.show_held(partition, held);
        Ok(())
    }
}

impl Series {
    fn send_windows(
        &mut self,
        size: WindowSize,
        before: Note,
        after: Note,
        sending: &mut Sending<'_>,
    ) -> Result<(), StageError> {
        let newest = size.newest(after.flushed_at);
        let mut ends = Ends::up_to(newest, size);
        ends.around(self.changed.iter());
        if let Some((first, last)) = self.ring.span() {
            let last = last + size.size;
            let since = |time: EventTime| size.end_after(time.max(first));
            ends.between(since(size.newest(before.flushed_at)), newest.min(last));
            ends.between(since(before.watermark), after.watermark.min(last));
        }
        if self.has_now_changed {
            ends.between(newest, newest);
        }
        let Some(mut rolling) = RollingSum::new(&self.ring, size) else { return Ok(()) };
        for end in ends.into_sorted() {
            let sum = rolling.at(end);
            if !sum.is_touched() {
                continue;
            }
            let is_final = end <= after.watermark;
            let now = NowIn { steps: &self.now, is_shown: end == newest && !is_final };
            sending.window(&self.key, WindowAt { size: size.name, end, is_final }, sum, now)?;
        }
        Ok(())
    }
}
