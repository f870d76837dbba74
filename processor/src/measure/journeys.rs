//! Journeys: what attempts, conversations and submissions have in common. A journey is all events under one Kafka key; its facts
//! are a pure function of that set of events and of the watermark, so they never depend on how the events arrived.
//!
//! Every change recomputes the facts of one journey and sends out the difference: changed facts as upserts, vanished ones as deleted,
//! numbers as deltas.
//!
//! A journey that rests is its packed events and nothing else: the facts that were sent out last are those that its events make
//! at the watermark up to which timers were served. Where a release or configuration made other facts (the changelog tells), they
//! are kept, so that the numbers that are taken back are exactly the numbers that were added.

mod shelf;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::num::NonZeroU32;
use std::sync::Arc;

use touchstream_schemas::time::{EventTime, Millis};

use super::deltas::{Deltas, Sign};
use super::packed::{Packer, Unpacker};
use shelf::{Place, Shelf};

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
    /// Packs one point.
    fn pack(point: &Self::Point, packer: &mut Packer);
    /// Unpacks one point.
    fn unpack(unpacker: &mut Unpacker<'_>) -> Self::Point;
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

/// What a change of journeys leads to; the caller encodes and sends it.
pub trait Outcome<R: Rules> {
    /// Error of sending.
    type Error;
    /// A fact's newest state.
    fn fact(&mut self, fact: &R::Fact) -> Result<(), Self::Error>;
    /// A journey's newest state for the changelog; `None` when it is forgotten.
    fn state(&mut self, key: &str, journey: Option<&Journey<R::Point, R::Fact>>) -> Result<(), Self::Error>;
}

/// A journey while it changes.
#[derive(Debug)]
struct Touched<R: Rules> {
    points: Vec<R::Point>,
    sent: Vec<R::Fact>,
    repeated_transactions: i64,
    has_new_events: bool,
}

/// All journeys of one partition.
#[derive(Debug)]
pub struct Journeys<R: Rules> {
    rules: Arc<R>,
    keep: Millis,
    shelf: Shelf,
    /// Journeys with new events, in the order in which they were touched.
    touched: Vec<(Place, Touched<R>)>,
    /// Facts as sent out where they are not what the events make now.
    unlike: HashMap<Place, Vec<R::Fact>>,
    /// Every timer up to here was served.
    served: EventTime,
    packer: Packer,
    /// Repeated transactions found (or found not to be any) since last asked, by tenant.
    repeated_transactions: BTreeMap<String, i64>,
}

impl<R: Rules> Journeys<R> {
    /// No journeys yet. They are forgotten `keep` after their last event; timers were served up to `served`.
    #[must_use]
    pub fn new(rules: Arc<R>, keep: Millis, served: EventTime) -> Journeys<R> {
        Journeys {
            rules,
            keep,
            shelf: Shelf::default(),
            touched: Vec::new(),
            unlike: HashMap::new(),
            served,
            packer: Packer::default(),
            repeated_transactions: BTreeMap::new(),
        }
    }

    /// Number of journeys held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shelf.len()
    }

    /// Whether no journey is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Repeated transactions found (or found not to be any) since last asked, by tenant.
    pub fn take_repeated_transactions(&mut self) -> Vec<(String, i64)> {
        std::mem::take(&mut self.repeated_transactions).into_iter().collect()
    }

    /// Takes a journey back from the changelog, or forgets it.
    pub fn restore(&mut self, key: &str, journey: Option<Journey<R::Point, R::Fact>>) {
        let Some(journey) = journey else {
            if let Some(place) = self.shelf.find(key) {
                self.unlike.remove(&place);
                self.shelf.remove(place);
            }
            return;
        };
        let place = self.shelf.find_or_add(key);
        let evaluation = evaluate(&*self.rules, key, &journey.points, self.served);
        self.shelf.get_mut(place).revision = journey.revision;
        let due = if is_sent::<R>(&evaluation.facts, &journey.facts) {
            self.unlike.remove(&place);
            self.wake_at(&journey.points, evaluation.deadline)
        } else {
            // The first tick sends out what it makes now.
            self.unlike.insert(place, journey.facts);
            EventTime::MIN
        };
        self.put_down(place, &journey.points, due);
    }

    /// Adds an event to its journey; an event with the same time and id is already there and changes nothing. False when the journey
    /// is full.
    pub fn add(&mut self, key: &str, point: R::Point) -> bool {
        let place = self.shelf.find_or_add(key);
        let index = match self.shelf.get(place).touched {
            Some(after) => after.get() as usize - 1,
            None => {
                let touched = self.pick_up(place);
                self.touched.push((place, touched));
                let after = u32::try_from(self.touched.len()).ok().and_then(NonZeroU32::new);
                self.shelf.get_mut(place).touched = Some(after.expect("a transaction has far fewer records"));
                self.touched.len() - 1
            }
        };
        let Touched { points, has_new_events, .. } = &mut self.touched[index].1;
        let at = points.partition_point(|earlier| R::position(earlier) < R::position(&point));
        if points.get(at).is_some_and(|same| R::position(same) == R::position(&point)) {
            return true;
        }
        if points.len() >= MOST_POINTS {
            return false;
        }
        points.insert(at, point);
        *has_new_events = true;
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
        let watermark = watermark.max(self.served);
        for (place, touched) in std::mem::take(&mut self.touched) {
            self.settle_one(place, touched, watermark, base_revision, deltas, outcome)?;
        }
        for place in self.shelf.due(watermark) {
            let touched = self.pick_up(place);
            self.settle_one(place, touched, watermark, base_revision, deltas, outcome)?;
        }
        self.served = watermark;
        Ok(())
    }

    fn settle_one<O: Outcome<R>>(
        &mut self,
        place: Place,
        touched: Touched<R>,
        watermark: EventTime,
        base_revision: i64,
        deltas: &mut Deltas,
        outcome: &mut O,
    ) -> Result<(), O::Error> {
        let Touched { points, sent, repeated_transactions, has_new_events } = touched;
        let held = self.shelf.get_mut(place);
        held.touched = None;
        let mut is_changed = has_new_events;
        let revision = base_revision.max(held.revision + 1);
        let key = held.key.clone();
        let last = points.last().map_or(EventTime::MIN, |point| R::position(point).0);
        if last + self.keep < watermark {
            for fact in &sent {
                R::contribute_now(fact, Sign::Minus, deltas);
            }
            self.shelf.remove(place);
            return outcome.state(&key, None);
        }
        let evaluation = evaluate(&*self.rules, &key, &points, watermark);
        let change = evaluation.repeated_transactions - repeated_transactions;
        if change != 0 {
            *self.repeated_transactions.entry(split(&key).0.to_owned()).or_insert(0) += change;
        }
        let due = self.wake_at(&points, evaluation.deadline);
        let mut facts = evaluation.facts;
        for fact in &mut facts {
            if let Some(old) = sent.iter().find(|old| R::same(old, fact)) {
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
        for old in &sent {
            if !facts.iter().any(|fact| R::same(old, fact)) {
                R::contribute(old, Sign::Minus, deltas);
                R::contribute_now(old, Sign::Minus, deltas);
                let mut gone = old.clone();
                R::stamp(&mut gone, revision, true);
                outcome.fact(&gone)?;
                is_changed = true;
            }
        }
        self.put_down(place, &points, due);
        if !is_changed {
            return Ok(());
        }
        self.shelf.get_mut(place).revision = revision;
        outcome.state(&key, Some(&Journey { points, facts, revision }))
    }

    /// Unpacks a journey, and tells what was sent out of it.
    fn pick_up(&mut self, place: Place) -> Touched<R> {
        let held = self.shelf.get(place);
        let mut points = Vec::new();
        let mut unpacker = Unpacker::new(&held.points);
        while unpacker.has_more() {
            points.push(R::unpack(&mut unpacker));
        }
        if points.is_empty() {
            return Touched { points, sent: Vec::new(), repeated_transactions: 0, has_new_events: false };
        }
        let evaluation = evaluate(&*self.rules, &held.key, &points, self.served);
        let mut sent = self.unlike.remove(&place).unwrap_or(evaluation.facts);
        for fact in &mut sent {
            R::stamp(fact, held.revision, false);
        }
        let repeated_transactions = evaluation.repeated_transactions;
        Touched { points, sent, repeated_transactions, has_new_events: false }
    }

    fn put_down(&mut self, place: Place, points: &[R::Point], due: EventTime) {
        self.packer.clear();
        for point in points {
            R::pack(point, &mut self.packer);
        }
        self.shelf.get_mut(place).points = self.packer.bytes().into();
        self.shelf.wake(place, due);
    }

    fn wake_at(&self, points: &[R::Point], deadline: Option<EventTime>) -> EventTime {
        let last = points.last().map_or(EventTime::MIN, |point| R::position(point).0);
        let forget_at = last + self.keep + Millis(1);
        deadline.map_or(forget_at, |deadline| deadline.min(forget_at))
    }
}

/// Whether what events make is what was sent out, revisions aside.
fn is_sent<R: Rules>(made: &[R::Fact], sent: &[R::Fact]) -> bool {
    made.len() == sent.len()
        && made.iter().all(|fact| {
            sent.iter().find(|old| R::same(old, fact)).is_some_and(|old| {
                let mut fact = fact.clone();
                R::stamp(&mut fact, R::revision(old), false);
                fact == *old
            })
        })
}

fn split(key: &str) -> (&str, &str) {
    key.split_once(touchstream_schemas::keys::SEPARATOR).unwrap_or(("", key))
}

fn evaluate<R: Rules>(
    rules: &R,
    key: &str,
    points: &[R::Point],
    watermark: EventTime,
) -> Evaluation<R::Fact> {
    let (tenant, rest) = split(key);
    rules.evaluate(tenant, rest, points, watermark)
}
