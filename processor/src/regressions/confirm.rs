//! From what single checks say to what people are told: some checks in a row begin a regression, two calm ones end it.
//!
//! Between the two thresholds nothing changes, so an alert does not come and go. A regression that lasts for four weeks is no change any
//! more but how things are: it ends, and its time becomes part of the baseline.

use touchstream_schemas::minutes::{Episode, WatchRecord};
use touchstream_schemas::time::{EventTime, Millis};

use super::evidence::Evidence;
use super::history::Span;

/// Calm checks that end a regression.
const CALM_CHECKS: i32 = 2;
/// A regression that lasts longer than this is the new normal.
const ADOPTED_AFTER: Millis = Millis::DAY.times(28);
/// How long the time of a regression is kept out of baselines: as far as they reach back.
const EPISODES_KEPT: Millis = Millis::DAY.times(63);
/// Regressions of one watch that are remembered; if there are more, the oldest two become one.
const MOST_EPISODES: usize = 8;

/// Where a watch stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing to tell.
    #[default]
    Quiet,
    /// Seen once.
    Suspected,
    /// Confirmed, and not over.
    Active,
}

impl Phase {
    /// As in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Quiet => "quiet",
            Phase::Suspected => "suspected",
            Phase::Active => "active",
        }
    }
}

/// What keeps a watch from judging.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// Nothing.
    #[default]
    Clear,
    /// There are too few samples; its parent is looked at instead.
    TooFewSamples,
    /// Events were lost on their way.
    IngestUnhealthy,
}

impl Sight {
    /// As in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Sight::Clear => "clear",
            Sight::TooFewSamples => "too_few_samples",
            Sight::IngestUnhealthy => "ingest_unhealthy",
        }
    }
}

/// All that one watch remembers: at most a few hundred bytes, however long it runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WatchState {
    /// Where it stands.
    pub phase: Phase,
    /// Since when, unless quiet: the start of the window in which it was first seen.
    pub since: EventTime,
    /// When it was confirmed, while active.
    pub fired_at: EventTime,
    /// Checks in a row: those that fire while suspected, calm ones while active.
    pub checks: i32,
    /// What keeps it from judging.
    pub sight: Sight,
    /// Whether it pages, while active.
    pub is_page: bool,
    /// Value, while active, for gauges.
    pub value: f64,
    /// Baseline.
    pub baseline: f64,
    /// Samples.
    pub samples: i64,
    /// Earlier regressions.
    pub episodes: Vec<Episode>,
}

/// What one check says.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'e> {
    /// Significant, large, on enough samples.
    Fires(&'e Evidence),
    /// Neither that nor over.
    Between(&'e Evidence),
    /// Nothing, or next to nothing is left.
    Calm(&'e Evidence),
    /// It cannot be judged.
    Unknown,
}

/// What changed for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// A regression was confirmed.
    Fired,
    /// It is over.
    Resolved,
    /// It lasted so long that it counts as usual from now on.
    Adopted,
}

impl WatchState {
    /// As it is kept.
    #[must_use]
    pub fn to_record(&self) -> WatchRecord<'static> {
        WatchRecord {
            phase: self.phase.name(),
            since: self.since,
            fired_at: self.fired_at,
            checks: self.checks,
            sight: self.sight.name(),
            is_page: self.is_page,
            value: self.value,
            baseline: self.baseline,
            samples: self.samples,
            episodes: self.episodes.clone(),
        }
    }

    /// As it was kept; a phase or sight that a later release knows counts as none.
    #[must_use]
    pub fn of_record(record: &WatchRecord<'_>) -> WatchState {
        let phases = [Phase::Quiet, Phase::Suspected, Phase::Active];
        let sights = [Sight::Clear, Sight::TooFewSamples, Sight::IngestUnhealthy];
        WatchState {
            phase: phases.into_iter().find(|phase| phase.name() == record.phase).unwrap_or_default(),
            since: record.since,
            fired_at: record.fired_at,
            checks: record.checks,
            sight: sights.into_iter().find(|sight| sight.name() == record.sight).unwrap_or_default(),
            is_page: record.is_page,
            value: record.value,
            baseline: record.baseline,
            samples: record.samples,
            episodes: record.episodes.clone(),
        }
    }

    /// Before when things were usual, while they are not.
    #[must_use]
    pub fn frozen_at(&self) -> Option<EventTime> {
        (self.phase == Phase::Active).then_some(self.since)
    }

    /// Earlier regressions, to be left out of baselines.
    pub fn spans(&self) -> impl Iterator<Item = Span> {
        self.episodes.iter().map(|episode| Span { from: episode.from, to: episode.to })
    }

    /// Takes in what a check says; `confirmed_by` as many in a row, a regression is told.
    pub fn take(&mut self, verdict: Verdict<'_>, at: EventTime, confirmed_by: i32) -> Option<Transition> {
        self.episodes.retain(|episode| at - episode.to < EPISODES_KEPT);
        if let (Phase::Active, Verdict::Fires(found) | Verdict::Between(found) | Verdict::Calm(found)) =
            (self.phase, verdict)
        {
            self.show(found);
        }
        match (self.phase, verdict) {
            (Phase::Quiet, Verdict::Fires(found)) => {
                self.phase = Phase::Suspected;
                self.since = found.window.from;
                self.checks = 1;
            }
            (Phase::Suspected, Verdict::Fires(_)) if self.checks + 1 < confirmed_by => self.checks += 1,
            (Phase::Suspected, Verdict::Fires(found)) => {
                self.phase = Phase::Active;
                self.checks = 0;
                self.fired_at = at;
                self.is_page = found.severity == super::Severity::Page;
                self.show(found);
                return Some(Transition::Fired);
            }
            (Phase::Suspected, _) => self.end(),
            (Phase::Active, _) if at - self.fired_at > ADOPTED_AFTER => {
                self.end();
                return Some(Transition::Adopted);
            }
            (Phase::Active, Verdict::Calm(_)) => {
                self.checks += 1;
                if self.checks >= CALM_CHECKS {
                    self.remember(Episode { from: self.since, to: at });
                    self.end();
                    return Some(Transition::Resolved);
                }
            }
            (Phase::Active, Verdict::Fires(_) | Verdict::Between(_)) => self.checks = 0,
            (Phase::Active, Verdict::Unknown) | (Phase::Quiet, _) => {}
        }
        None
    }

    fn show(&mut self, found: &Evidence) {
        // What is not a number (nothing is expected, nobody was answered) stays what it last was.
        for (shown, found) in [(&mut self.value, found.value), (&mut self.baseline, found.baseline)] {
            if found.is_finite() {
                *shown = found;
            }
        }
        self.samples = found.samples;
    }

    fn end(&mut self) {
        let (episodes, sight) = (std::mem::take(&mut self.episodes), self.sight);
        *self = WatchState { episodes, sight, ..WatchState::default() };
    }

    fn remember(&mut self, episode: Episode) {
        self.episodes.push(episode);
        if self.episodes.len() > MOST_EPISODES {
            let oldest = self.episodes.remove(0);
            self.episodes[0].from = oldest.from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regressions::{BaselineKind, Severity};

    fn evidence() -> Evidence {
        Evidence {
            value: 0.4,
            baseline: 0.2,
            interval: (0.3, 0.5),
            samples: 200,
            baseline_samples: 800,
            kind: BaselineKind::SameHours,
            window: Span { from: EventTime(0), to: EventTime(3_600_000) },
            probability: 0.0,
            is_large: true,
            is_over: false,
            severity: Severity::Page,
        }
    }

    fn told(verdicts: &str) -> Vec<(usize, Transition)> {
        let (mut state, found) = (WatchState::default(), evidence());
        let mut told = Vec::new();
        for (index, letter) in verdicts.chars().enumerate() {
            let verdict = match letter {
                'F' => Verdict::Fires(&found),
                '-' => Verdict::Between(&found),
                'c' => Verdict::Calm(&found),
                _ => Verdict::Unknown,
            };
            let at = EventTime(0) + Millis::MINUTE.times(5 * i64::try_from(index).unwrap());
            told.extend(state.take(verdict, at, 2).map(|transition| (index, transition)));
        }
        told
    }

    #[test]
    fn two_checks_in_a_row_tell_and_two_calm_ones_end_it() {
        assert_eq!(told("F-F-Fc"), [], "never twice in a row");
        assert_eq!(told("cFFFF"), [(2, Transition::Fired)], "once");
        assert_eq!(told("FF-cF-c?c"), [(1, Transition::Fired), (8, Transition::Resolved)]);
        assert_eq!(told("FF???????????"), [(1, Transition::Fired)], "what cannot be judged is not over");
        assert_eq!(told("F?F"), [], "in a row");
    }

    #[test]
    fn after_four_weeks_it_is_how_things_are() {
        let checks = "F".repeat(28 * 24 * 12 + 3);
        assert_eq!(told(&checks)[1..], [(checks.len() - 1, Transition::Adopted)]);
    }

    #[test]
    fn what_a_watch_remembers_is_bounded() {
        let (mut state, found) = (WatchState::default(), evidence());
        for check in 0..4_000 {
            let verdict = if check / 2 % 2 == 0 { Verdict::Fires(&found) } else { Verdict::Calm(&found) };
            state.take(verdict, EventTime(0) + Millis::MINUTE.times(check), 2);
        }
        assert_eq!(state.episodes.len(), MOST_EPISODES);
        assert_eq!(state.episodes[0].from, EventTime(0), "none of it is usual");
        state.take(Verdict::Unknown, EventTime(0) + Millis::DAY.times(70), 2);
        assert_eq!(state.episodes, []);
    }
}
