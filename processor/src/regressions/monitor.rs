//! One check: asks every rule that is due, judges what they say together, and tells what changed for people.
//!
//! (state, time of a closed check, what was counted, marks) → (state, changes): no clock, no network, no chance. Whoever loses the state
//! before the changes were sent makes the same changes again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::tz::TimeZone;
use touchstream_schemas::time::{EventTime, Millis};

use super::baseline::Usual;
use super::confirm::{Phase, Sight, Transition, Verdict, WatchState};
use super::evidence::{Evidence, Judgement, Severity, Suspect};
use super::history::{Handle, History, Span};
use super::marks::Marks;
use super::rules::Question;
use super::statistics::benjamini_hochberg;
use super::thresholds::{Rule, Thresholds};

/// How often there is a check.
pub const CHECK_INTERVAL: Millis = Millis::MINUTE.times(5);

/// What a watch is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    /// Tenant.
    pub tenant: Arc<str>,
    /// Rule.
    pub rule: Rule,
    /// Touchpoint, or `all`.
    pub touchpoint: Arc<str>,
    /// Channel, or `all`.
    pub channel: Arc<str>,
    /// Step of the checkout, name of a response; else empty.
    pub detail: Arc<str>,
}

/// A subject and all that is known of it.
#[derive(Clone, Debug)]
pub struct Watch {
    /// What it is about.
    pub subject: Subject,
    /// Its series.
    pub handle: Handle,
    /// What it asks for.
    pub thresholds: Thresholds,
    /// Who is told.
    pub owner: String,
    /// Where it says what to do.
    pub runbook: Option<String>,
    /// Time zone of hours of the week; `None` is UTC.
    pub time_zone: Option<TimeZone>,
}

/// How things are with a watch from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A regression.
    Firing,
    /// It is over.
    Resolved,
    /// It lasted so long that it counts as usual from now on.
    Adopted,
    /// It cannot be judged on so few samples; its parent is looked at instead.
    TooFewSamples,
    /// It cannot be judged: events were lost.
    IngestUnhealthy,
    /// It can be judged again, and nothing is wrong.
    Ok,
}

impl State {
    /// As in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::Firing => "firing",
            State::Resolved => "resolved",
            State::Adopted => "adopted",
            State::TooFewSamples => "too_few_samples",
            State::IngestUnhealthy => "ingest_unhealthy",
            State::Ok => "ok",
        }
    }
}

/// A change of state: what goes out.
#[derive(Clone, Debug)]
pub struct Change {
    /// Of what.
    pub subject: Subject,
    /// When it was found.
    pub at: EventTime,
    /// How things are now.
    pub state: State,
    /// How urgent it is.
    pub severity: Severity,
    /// When it began, for regressions.
    pub since: Option<EventTime>,
    /// What it rests on; none where nothing could be judged.
    pub evidence: Option<Evidence>,
    /// Samples, and how many are needed.
    pub samples: (i64, i64),
    /// The part that adds most, as `device=mobile`.
    pub contributor: Option<String>,
    /// What was changed shortly before.
    pub suspects: Vec<Suspect>,
    /// Who is told.
    pub owner: String,
    /// Where it says what to do.
    pub runbook: Option<String>,
}

#[derive(Debug)]
struct Watched {
    watch: Watch,
    state: WatchState,
    parent: Option<usize>,
}

/// All watches of a tenant's metric, or of several.
#[derive(Debug, Default)]
pub struct Monitor {
    watched: Vec<Watched>,
    index: HashMap<Subject, usize>,
    /// Judged together: those of one tenant and rule, parents before their parts.
    groups: BTreeMap<(Arc<str>, Rule), Vec<usize>>,
    /// States of watches that were not named yet since a restart.
    restored: HashMap<Subject, WatchState>,
    changed: BTreeSet<usize>,
}

impl Subject {
    /// The subject that it is a part of.
    fn parent(&self) -> Option<Subject> {
        let all: Arc<str> = "all".into();
        if *self.channel != *all {
            return Some(Subject { channel: all, ..self.clone() });
        }
        (*self.touchpoint != *all).then(|| Subject { touchpoint: all, ..self.clone() })
    }
}

impl Monitor {
    /// Takes back the state of a watch that may be named later.
    pub fn restore(&mut self, subject: Subject, state: WatchState) {
        self.restored.insert(subject, state);
    }

    /// Begins a watch, or learns anew what is known of it; its state stays.
    pub fn watch(&mut self, watch: Watch) {
        if let Some(index) = self.index.get(&watch.subject) {
            self.watched[*index].watch = watch;
            return;
        }
        let state = self.restored.remove(&watch.subject).unwrap_or_default();
        self.index.insert(watch.subject.clone(), self.watched.len());
        self.watched.push(Watched { watch, state, parent: None });
        self.groups.clear();
    }

    /// States that were taken back and of which nobody asks any more: the touchpoint or the rule is not watched now.
    pub fn take_unwatched(&mut self) -> impl Iterator<Item = (Subject, WatchState)> {
        std::mem::take(&mut self.restored).into_iter()
    }

    /// States that changed since they were last asked for, to be kept.
    pub fn take_changed_states(&mut self) -> impl Iterator<Item = (&Subject, &WatchState)> {
        let watched = &self.watched;
        std::mem::take(&mut self.changed)
            .into_iter()
            .map(|index| (&watched[index].watch.subject, &watched[index].state))
    }

    /// Regressions that last, for gauges.
    pub fn active(&self) -> impl Iterator<Item = (&Watch, &WatchState)> {
        let active = self.watched.iter().filter(|watched| watched.state.phase == Phase::Active);
        active.map(|watched| (&watched.watch, &watched.state))
    }

    /// Parents and groups, after watches were added.
    fn sort(&mut self) {
        for index in 0..self.watched.len() {
            let mut parent = self.watched[index].watch.subject.parent();
            while let Some(subject) = &parent
                && !self.index.contains_key(subject)
            {
                parent = subject.parent();
            }
            self.watched[index].parent = parent.and_then(|subject| self.index.get(&subject).copied());
        }
        for index in 0..self.watched.len() {
            let subject = &self.watched[index].watch.subject;
            self.groups.entry((subject.tenant.clone(), subject.rule)).or_default().push(index);
        }
        let depth = |mut index: usize| {
            let mut depth = 0;
            while let Some(parent) = self.watched[index].parent {
                (index, depth) = (parent, depth + 1);
            }
            depth
        };
        self.groups.values_mut().for_each(|group| group.sort_by_key(|index| depth(*index)));
    }

    /// The check of `at`, a multiple of [`CHECK_INTERVAL`] before which everything was counted.
    pub fn check(&mut self, at: EventTime, marks: &Marks, history: &impl History) -> Vec<Change> {
        self.check_rules(at, marks, history, false)
    }

    /// A check that is made up for, with newer ones behind it. Whether a touchpoint alone is silent or all of them are is found by several
    /// owners, who must hear of each other between two checks: silence is not judged in a row of them.
    pub fn check_missed(&mut self, at: EventTime, marks: &Marks, history: &impl History) -> Vec<Change> {
        self.check_rules(at, marks, history, true)
    }

    fn check_rules(
        &mut self,
        at: EventTime,
        marks: &Marks,
        history: &impl History,
        is_missed: bool,
    ) -> Vec<Change> {
        if self.groups.is_empty() {
            self.sort();
        }
        let mut changes = Vec::new();
        for ((tenant, rule), group) in &self.groups {
            let is_about_silence = matches!(rule, Rule::TouchpointSilent | Rule::NothingArrives);
            if at.floor_to(rule.interval()) != at || is_missed && is_about_silence {
                continue;
            }
            let lost = match rule {
                Rule::NothingArrives => marks.lost_of_all(),
                _ => marks.lost_of(tenant),
            };
            let judgements: Vec<Option<Judgement>> =
                group.iter().map(|index| self.watched[*index].judge(at, marks, &lost, history)).collect();
            // Whoever tries often enough finds something: the more are judged, the rarer a find must be.
            let evidence =
                |judgement: &Option<Judgement>| judgement.as_ref()?.evidence().map(|found| found.probability);
            let probabilities: Vec<f64> = judgements.iter().filter_map(evidence).collect();
            let rate =
                group.first().map_or(0.0, |index| self.watched[*index].watch.thresholds.false_discoveries);
            let limit = benjamini_hochberg(&probabilities, rate);
            let mut firing = BTreeSet::new();
            for (index, judgement) in group.iter().zip(judgements) {
                let parent = self.watched[*index].parent;
                let is_told_by_parent = parent.is_some_and(|parent| {
                    firing.contains(&parent) || self.watched[parent].state.phase == Phase::Active
                });
                let watched = &mut self.watched[*index];
                let before = watched.state.clone();
                let verdict = match &judgement {
                    Some(Judgement::Measured(found)) if found.is_large && found.probability <= limit => {
                        firing.insert(*index);
                        let is_known = watched.state.phase == Phase::Active;
                        if is_told_by_parent && !is_known {
                            Verdict::Between(found)
                        } else {
                            Verdict::Fires(found)
                        }
                    }
                    Some(Judgement::Measured(found)) if found.is_over => Verdict::Calm(found),
                    Some(Judgement::Measured(found)) => Verdict::Between(found),
                    Some(Judgement::TooFew { .. }) | None => Verdict::Unknown,
                };
                let since = watched.state.since;
                let transition = watched.state.take(verdict, at, rule.confirmed_by());
                let sight = watched.look(judgement.as_ref());
                let state = match transition {
                    Some(Transition::Fired) => Some(State::Firing),
                    Some(Transition::Resolved) => Some(State::Resolved),
                    Some(Transition::Adopted) => Some(State::Adopted),
                    None => sight,
                };
                if let Some(state) = state {
                    changes.push(watched.change(at, state, since, judgement.as_ref(), marks, history));
                }
                if watched.state != before {
                    self.changed.insert(*index);
                }
            }
        }
        changes
    }
}

impl Watched {
    fn usual<'a>(&'a self, excluded: &'a [Span], history: &impl History) -> Usual<'a> {
        Usual {
            time_zone: self.watch.time_zone.as_ref(),
            excluded,
            frozen_at: self.state.frozen_at(),
            begins: history.begins(self.watch.handle),
        }
    }

    fn excluded(&self, lost: &[Span], marks: &Marks) -> Vec<Span> {
        let subject = &self.watch.subject;
        let incidents = marks.incidents_at(&subject.tenant, &subject.touchpoint);
        lost.iter().copied().chain(incidents).chain(self.state.spans()).collect()
    }

    /// What its rule says; nothing while events are lost.
    fn judge(
        &self,
        at: EventTime,
        marks: &Marks,
        lost: &[Span],
        history: &impl History,
    ) -> Option<Judgement> {
        let newest = Span::before(at, Millis::HOUR);
        // Answers that are lost do not change what the others say.
        if self.watch.subject.rule != Rule::NpsFell && lost.iter().any(|lost| lost.overlaps(newest)) {
            return None;
        }
        let excluded = self.excluded(lost, marks);
        let usual = self.usual(&excluded, history);
        let Watch { handle, thresholds, subject, .. } = &self.watch;
        let question = Question { history, handle: *handle, at, usual, lost, thresholds };
        Some(question.judge(subject.rule))
    }

    /// Whether what keeps it from judging changed; not told while a regression is open.
    fn look(&mut self, judgement: Option<&Judgement>) -> Option<State> {
        let (sight, state) = match judgement {
            None => (Sight::IngestUnhealthy, State::IngestUnhealthy),
            Some(Judgement::TooFew { .. }) => (Sight::TooFewSamples, State::TooFewSamples),
            Some(Judgement::Measured(_)) => (Sight::Clear, State::Ok),
        };
        let is_new = self.state.sight != sight;
        self.state.sight = sight;
        (is_new && self.state.phase != Phase::Active).then_some(state)
    }

    fn change(
        &self,
        at: EventTime,
        state: State,
        since: EventTime,
        judgement: Option<&Judgement>,
        marks: &Marks,
        history: &impl History,
    ) -> Change {
        let subject = &self.watch.subject;
        let evidence = judgement.and_then(Judgement::evidence).copied();
        let samples = match judgement {
            Some(Judgement::TooFew { samples, needed }) => (*samples, *needed),
            Some(Judgement::Measured(found)) => (found.samples, self.watch.thresholds.samples),
            None => (0, self.watch.thresholds.samples),
        };
        let is_regression = matches!(state, State::Firing | State::Resolved | State::Adopted);
        let began = Span { from: since, to: at };
        let fired = evidence.as_ref().filter(|_| state == State::Firing);
        Change {
            subject: subject.clone(),
            at,
            state,
            severity: evidence.map_or(Severity::Ticket, |found| found.severity),
            since: is_regression.then_some(since),
            evidence,
            samples,
            contributor: fired.and_then(|found| self.contributor(at, found, marks, history)),
            suspects: if fired.is_some() {
                marks.suspects(&subject.tenant, &subject.touchpoint, began)
            } else {
                Vec::new()
            },
            owner: self.watch.owner.clone(),
            runbook: self.watch.runbook.clone(),
        }
    }

    /// The part of the series that adds most to what was found.
    fn contributor(
        &self,
        at: EventTime,
        found: &Evidence,
        marks: &Marks,
        history: &impl History,
    ) -> Option<String> {
        let excluded = self.excluded(&[], marks);
        let usual = self.usual(&excluded, history);
        let Watch { handle, thresholds, subject, .. } = &self.watch;
        let question = Question { history, handle: *handle, at, usual, lost: &[], thresholds };
        let parts = history.parts(*handle).into_iter();
        let excess = |part: super::history::Part| {
            let excess = question.excess(subject.rule, part.handle, found.window, found);
            (excess > 0.0).then_some((excess, part.name))
        };
        let most = parts.filter_map(excess).max_by(|one, other| one.0.total_cmp(&other.0));
        most.map(|(_, name)| name)
    }
}
