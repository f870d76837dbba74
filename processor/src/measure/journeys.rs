//! Journeys: what attempts, conversations and submissions have in common. A journey is all events under one Kafka key; its facts
//! are a pure function of that set of events and of the watermark, so they never depend on how the events arrived.
//!
//! Every change recomputes the facts of one journey and sends out the difference: changed facts as upserts, vanished ones as deleted,
//! numbers as deltas. What was sent out last is part of the state, so that the numbers that are taken back are
//! exactly the numbers that were added, whatever release or configuration added them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use touchstream_schemas::time::{EventTime, Millis};

use super::deltas::{Deltas, Sign};

/// Events that one journey counts, at most. An honest one has a few dozen; without a bound one key could fill the memory and make a
/// changelog record that Kafka refuses. Which events are left out depends on their arrival; they are counted, and in their raw table.
const MOST_POINTS: usize = 500;

/// What a family's definition says: pure functions.
pub trait Rules: Debug {
    /// What the definition needs of one event.
    type Point: Clone + Debug;
    /// What the definition makes of a journey's events.
    type Fact: Clone + Debug + PartialEq;

    /// Event time and id: the order in which events count, whatever the order in which they came.
    fn position(point: &Self::Point) -> (EventTime, &str);
    /// The facts of a journey whose events are given in order, as far as the watermark lets them be known.
    fn evaluate(
        &self,
        tenant: &str,
        key: &str,
        points: &[Self::Point],
        watermark: EventTime,
    ) -> Evaluation<Self::Fact>;
    /// Whether two facts are states of the same thing.
    fn same(one: &Self::Fact, other: &Self::Fact) -> bool;
    /// Marks a fact with its revision and whether it is gone.
    fn stamp(fact: &mut Self::Fact, revision: i64, is_deleted: bool);
    /// The revision and state as before stamping, to compare two facts by content.
    fn revision(fact: &Self::Fact) -> i64;
    /// Adds the fact's numbers to the deltas, or takes them back.
    fn contribute(fact: &Self::Fact, sign: Sign, deltas: &mut Deltas);
    /// Adds what is open now because of the fact, or takes it back.
    fn contribute_now(fact: &Self::Fact, sign: Sign, deltas: &mut Deltas);
}

/// Facts, and when they may change without a further event.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation<Fact> {
    /// Facts in the order of their start.
    pub facts: Vec<Fact>,
    /// The watermark at which the next one changes by itself.
    pub deadline: Option<EventTime>,
    /// Completions that were ignored because their transaction was already counted.
    pub repeated_transactions: i64,
}

impl<Fact> Evaluation<Fact> {
    /// A fact may change when the watermark reaches `deadline`; the earliest such time is kept.
    pub fn wake_at(&mut self, deadline: EventTime) {
        self.deadline = Some(self.deadline.map_or(deadline, |other| other.min(deadline)));
    }
}

/// State of one journey: what is kept in memory and in the changelog.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Journey<Point, Fact> {
    /// Events in order.
    pub points: Vec<Point>,
    /// Facts as last sent out.
    pub facts: Vec<Fact>,
    /// Highest revision given to a fact of this journey.
    pub revision: i64,
}

#[derive(Debug)]
struct Held<R: Rules> {
    journey: Journey<R::Point, R::Fact>,
    /// `None` until a restored journey was evaluated again: what it counted before was sent out before.
    repeated_transactions: Option<i64>,
    timer: EventTime,
}

/// What a change of journeys leads to; the caller encodes and sends it.
pub trait Outcome<R: Rules> {
    /// Error of sending.
    type Error;
    /// A fact's newest state.
    fn fact(&mut self, fact: &R::Fact) -> Result<(), Self::Error>;
    /// A journey's newest state for the changelog; `None` when it is forgotten.
    fn state(&mut self, key: &str, journey: Option<&Journey<R::Point, R::Fact>>) -> Result<(), Self::Error>;
}

/// All journeys of one partition.
#[derive(Debug)]
pub struct Journeys<R: Rules> {
    rules: Arc<R>,
    keep: Millis,
    held: HashMap<Arc<str>, Held<R>>,
    timers: BTreeSet<(EventTime, Arc<str>)>,
    changed: BTreeSet<Arc<str>>,
    /// Repeated transactions found (or found not to be any) since last asked, by tenant.
    repeated_transactions: BTreeMap<String, i64>,
}

impl<R: Rules> Journeys<R> {
    /// No journeys yet. They are forgotten `keep` after their last event.
    #[must_use]
    pub fn new(rules: Arc<R>, keep: Millis) -> Journeys<R> {
        Journeys {
            rules,
            keep,
            held: HashMap::new(),
            timers: BTreeSet::new(),
            changed: BTreeSet::new(),
            repeated_transactions: BTreeMap::new(),
        }
    }

    /// Number of journeys held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether no journey is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Repeated transactions found (or found not to be any) since last asked, by tenant.
    pub fn take_repeated_transactions(&mut self) -> Vec<(String, i64)> {
        std::mem::take(&mut self.repeated_transactions).into_iter().collect()
    }

    /// Takes a journey back from the changelog, or forgets it.
    pub fn restore(&mut self, key: &str, journey: Option<Journey<R::Point, R::Fact>>) {
        let key: Arc<str> = key.into();
        if let Some(old) = self.held.remove(&key) {
            self.timers.remove(&(old.timer, key.clone()));
        }
        if let Some(journey) = journey {
            // Due at once: the first tick evaluates it and sets its real timer.
            self.timers.insert((EventTime::MIN, key.clone()));
            self.held.insert(key, Held { journey, repeated_transactions: None, timer: EventTime::MIN });
        }
    }

    /// Adds an event to its journey; an event with the same time and id is already there and changes nothing. False when the journey
    /// is full.
    pub fn add(&mut self, key: &str, point: R::Point) -> bool {
        let key: Arc<str> = match self.held.get_key_value(key) {
            Some((known, _)) => known.clone(),
            None => key.into(),
        };
        let held = self.held.entry(key.clone()).or_insert_with(|| Held {
            journey: Journey { points: Vec::new(), facts: Vec::new(), revision: 0 },
            repeated_transactions: Some(0),
            timer: EventTime::MAX,
        });
        let points = &mut held.journey.points;
        let place = points.partition_point(|earlier| R::position(earlier) < R::position(&point));
        if points.get(place).is_some_and(|same| R::position(same) == R::position(&point)) {
            return true;
        }
        if points.len() >= MOST_POINTS {
            return false;
        }
        points.insert(place, point);
        self.changed.insert(key);
        true
    }

    /// Evaluates every journey that got an event or whose time has come, and sends out what changed.
    ///
    /// # Errors
    /// The first error of `outcome`.
    pub fn settle<O: Outcome<R>>(
        &mut self,
        watermark: EventTime,
        base_revision: i64,
        deltas: &mut Deltas,
        outcome: &mut O,
    ) -> Result<(), O::Error> {
        let changed = std::mem::take(&mut self.changed);
        let mut due = BTreeSet::new();
        while let Some((timer, _)) = self.timers.first()
            && *timer <= watermark
            && let Some((_, key)) = self.timers.pop_first()
        {
            due.insert(key);
        }
        for key in &changed {
            self.settle_one(key, true, watermark, base_revision, deltas, outcome)?;
        }
        for key in due.difference(&changed) {
            self.settle_one(key, false, watermark, base_revision, deltas, outcome)?;
        }
        Ok(())
    }

    fn settle_one<O: Outcome<R>>(
        &mut self,
        key: &Arc<str>,
        has_new_events: bool,
        watermark: EventTime,
        base_revision: i64,
        deltas: &mut Deltas,
        outcome: &mut O,
    ) -> Result<(), O::Error> {
        let Some(held) = self.held.get_mut(key) else { return Ok(()) };
        self.timers.remove(&(held.timer, key.clone()));
        let last = held.journey.points.last().map_or(EventTime::MIN, |point| R::position(point).0);
        if last + self.keep < watermark {
            for fact in &held.journey.facts {
                R::contribute_now(fact, Sign::Minus, deltas);
            }
            self.held.remove(key);
            return outcome.state(key, None);
        }
        let (tenant, rest) = key.split_once(touchstream_schemas::keys::SEPARATOR).unwrap_or(("", key));
        let evaluation = self.rules.evaluate(tenant, rest, &held.journey.points, watermark);
        let repeated = evaluation.repeated_transactions;
        let change = repeated - held.repeated_transactions.unwrap_or(repeated);
        if change != 0 {
            *self.repeated_transactions.entry(tenant.to_owned()).or_insert(0) += change;
        }
        held.repeated_transactions = Some(repeated);

        let revision = base_revision.max(held.journey.revision + 1);
        let old_facts = std::mem::replace(&mut held.journey.facts, evaluation.facts);
        let mut is_changed = has_new_events;
        for fact in &mut held.journey.facts {
            let old = old_facts.iter().find(|old| R::same(old, fact));
            if let Some(old) = old {
                R::stamp(fact, R::revision(old), false);
                if fact == old {
                    continue;
                }
                R::contribute(old, Sign::Minus, deltas);
                R::contribute_now(old, Sign::Minus, deltas);
            }
            R::stamp(fact, revision, false);
            R::contribute(fact, Sign::Plus, deltas);
            R::contribute_now(fact, Sign::Plus, deltas);
            outcome.fact(fact)?;
            is_changed = true;
        }
        for old in &old_facts {
            if !held.journey.facts.iter().any(|fact| R::same(old, fact)) {
                R::contribute(old, Sign::Minus, deltas);
                R::contribute_now(old, Sign::Minus, deltas);
                let mut gone = old.clone();
                R::stamp(&mut gone, revision, true);
                outcome.fact(&gone)?;
                is_changed = true;
            }
        }
        let forget_at = last + self.keep + Millis(1);
        held.timer = evaluation.deadline.map_or(forget_at, |deadline| deadline.min(forget_at));
        self.timers.insert((held.timer, key.clone()));
        if !is_changed {
            return Ok(());
        }
        held.journey.revision = revision;
        outcome.state(key, Some(&held.journey))
    }
}
