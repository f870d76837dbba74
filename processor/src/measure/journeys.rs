//! Journeys: what attempts, conversations and submissions have in common. A journey is all events under one Kafka key; its facts
//! are a pure function of that set of events and of the watermark, so they never depend on how the events arrived.
//!
//! Every change recomputes the facts of one journey and sends out the difference: changed facts as upserts, vanished ones as deleted,
//! numbers as deltas.
//!
//! A journey that rests is its packed events and nothing else: the facts that were sent out last are those that its events make
//! at the watermark up to which timers were served. Where a release or configuration made other facts (the [changelog](segments) tells), they
//! are kept, so that the numbers that are taken back are exactly the numbers that were added.

mod segments;
mod shelf;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::num::NonZeroU32;
use std::sync::Arc;

use touchstream_schemas::time::{EventTime, Millis};

use super::deltas::{Deltas, Sign};
use super::packed::{Packer, Unpacker};
use segments::{Restored, Segments, State};
use shelf::{Place, Shelf};

pub use segments::SegmentRecord;
pub(crate) use segments::{journey_of, read as read_segment, segment_of, states_of};

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
    /// Packs facts behind their points; their revisions need not be kept.
    fn pack_facts(facts: &[Self::Fact], packer: &mut Packer);
    /// Unpacks the facts of points.
    fn unpack_facts(points: &[Self::Point], unpacker: &mut Unpacker<'_>) -> Vec<Self::Fact>;
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

/// What a change of journeys leads to; the caller encodes and sends it.
pub trait Outcome<R: Rules> {
    /// Error of sending.
    type Error;
    /// A fact's newest state.
    fn fact(&mut self, fact: &R::Fact) -> Result<(), Self::Error>;
    /// States for the changelog.
    fn segment(&mut self, segment: SegmentRecord<'_>) -> Result<(), Self::Error>;
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
    /// How many of the packed bytes are points; facts follow.
    packed_points: usize,
    segments: Segments,
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
            packed_points: 0,
            segments: Segments::default(),
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

    /// Number of journeys with new events.
    #[must_use]
    pub fn changing(&self) -> usize {
        self.touched.len()
    }

    /// Repeated transactions found (or found not to be any) since last asked, by tenant.
    pub fn take_repeated_transactions(&mut self) -> Vec<(String, i64)> {
        std::mem::take(&mut self.repeated_transactions).into_iter().collect()
    }

    /// Brings near what rests under these keys, before events are added to it one after the other.
    pub fn touch<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        self.shelf.touch(keys);
    }

    /// Takes a segment of the changelog back; without states it was deleted. False when the bytes are no states.
    pub fn restore(&mut self, number: u64, states: Option<&[u8]>) -> bool {
        let Some(states) = states else {
            // A journey whose newest state was deleted was forgotten.
            let deleted = self.segments.restore_deleted(number);
            for (slot, place) in
                deleted.iter().flat_map(|(slot, places)| places.iter().map(move |place| (slot, place)))
            {
                if self.shelf.get(*place).segment == Some(*slot) {
                    self.shelf.remove(*place);
                }
            }
            return true;
        };
        let shelf = &mut self.shelf;
        self.segments.restore(number, states, |slot, state| {
            let place = shelf.find_or_add(state.key);
            let held = shelf.get_mut(place);
            held.revision = state.revision;
            // With its facts, until all is there: only what is newest is worth looking at.
            held.set_points(state.body);
            (place, held.segment.replace(slot))
        })
    }

    /// The changelog was read to its end; false when what was read is no state.
    pub fn restored(&mut self) -> bool {
        for place in self.shelf.places() {
            let held = self.shelf.get(place);
            if held.segment.is_none() {
                continue;
            }
            let Some((packed, facts)) = Restored::split(held.points()) else { return false };
            let mut unpacker = Unpacker::new(held.key(), held.points());
            unpacker.skip(held.points().len() - packed.len() - facts.len());
            let points = unpack_points::<R>(&mut unpacker, facts.len());
            let last = points.last().map_or(EventTime::MIN, |point| R::position(point).0);
            if last + self.keep < self.served {
                // It was forgotten; its segment is there for others.
                let segment = held.segment;
                self.shelf.remove(place);
                self.segments.supersede(segment);
                continue;
            }
            let sent = R::unpack_facts(&points, &mut unpacker);
            let packed = packed.to_vec();
            let evaluation = evaluate(&*self.rules, held.key(), &points, self.served);
            let due = if is_sent::<R>(&evaluation.facts, &sent) {
                self.wake_at(&points, evaluation.deadline)
            } else {
                // The first tick sends out what it makes now.
                self.unlike.insert(place, sent);
                EventTime::MIN
            };
            self.shelf.get_mut(place).set_points(&packed);
            self.shelf.wake(place, due);
        }
        true
    }

    /// Holds a journey of one event whose facts are known and were sent out, unless there is a journey under this key already: the way
    /// of nearly all submissions, without any detour. `pack` packs the event, then its facts; `at` is its time.
    pub fn add_settled(
        &mut self,
        key: &str,
        at: EventTime,
        revision: i64,
        pack_point: impl FnOnce(&mut Packer),
        pack_facts: impl FnOnce(&mut Packer),
    ) -> bool {
        if at + self.keep < self.served {
            return false;
        }
        let packer = &mut self.packer;
        let pack = || {
            packer.begin(key);
            pack_point(packer);
            packer.key_and_bytes()
        };
        let Some(place) = self.shelf.add(key, pack) else { return false };
        let length = self.packer.bytes().len();
        pack_facts(&mut self.packer);
        let (points, facts) = self.packer.bytes().split_at(length);
        let state = State { key, revision, points, facts };
        let segment = self.segments.append(place, None, state);
        let held = self.shelf.get_mut(place);
        (held.revision, held.segment) = (revision, Some(segment));
        self.shelf.wake(place, at + self.keep + Millis(1));
        true
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
        self.rewrite_sparse_segments();
        self.segments.send_all(|segment| outcome.segment(segment))
    }

    /// Sends what is ready to be sent before journeys settle.
    ///
    /// # Errors
    /// The first error of `outcome`.
    pub fn flush<O: Outcome<R>>(&mut self, outcome: &mut O) -> Result<(), O::Error> {
        self.segments.send_ended(|segment| outcome.segment(segment))
    }

    /// Keeps the changelog within twice of what is held. What is rewritten is as much as was superseded, so no transaction does much of it.
    fn rewrite_sparse_segments(&mut self) {
        while let Some((slot, places)) = self.segments.to_rewrite() {
            for place in places {
                let held = self.shelf.get(place);
                if held.segment != Some(slot) {
                    continue;
                }
                let (key, revision) = (held.key().to_owned(), held.revision);
                let mut unpacker = Unpacker::new(&key, held.points());
                let points = unpack_points::<R>(&mut unpacker, 0);
                match self.unlike.get(&place) {
                    Some(sent) => self.pack(&key, &points, &sent.clone()),
                    None => {
                        let facts = evaluate(&*self.rules, &key, &points, self.served).facts;
                        self.pack(&key, &points, &facts);
                    }
                }
                self.append(place, &key, revision);
            }
        }
    }

    /// Packs points, then facts; `self.packed_points` tells where the facts begin.
    fn pack(&mut self, key: &str, points: &[R::Point], facts: &[R::Fact]) {
        self.packer.begin(key);
        for point in points {
            R::pack(point, &mut self.packer);
        }
        self.packed_points = self.packer.bytes().len();
        R::pack_facts(facts, &mut self.packer);
    }

    /// Writes what was packed last as the newest state of the journey at `place`.
    fn append(&mut self, place: Place, key: &str, revision: i64) {
        let (points, facts) = self.packer.bytes().split_at(self.packed_points);
        let held = self.shelf.get_mut(place);
        held.revision = revision;
        let state = State { key, revision, points, facts };
        held.segment = Some(self.segments.append(place, held.segment, state));
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
        let key = held.key().to_owned();
        let last = points.last().map_or(EventTime::MIN, |point| R::position(point).0);
        if last + self.keep < watermark {
            for fact in &sent {
                R::contribute_now(fact, Sign::Minus, deltas);
            }
            let segment = held.segment;
            self.shelf.remove(place);
            self.segments.supersede(segment);
            return Ok(());
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
        if is_changed {
            // The journey knows its revision.
            facts.iter_mut().for_each(|fact| R::stamp(fact, 0, false));
            self.pack(&key, &points, &facts);
            self.append(place, &key, revision);
            let content = &self.packer.key_and_bytes()[..key.len() + self.packed_points];
            self.shelf.get_mut(place).set_content(content);
        }
        self.shelf.wake(place, due);
        Ok(())
    }

    /// Unpacks a journey, and tells what was sent out of it.
    fn pick_up(&mut self, place: Place) -> Touched<R> {
        let held = self.shelf.get(place);
        let points = unpack_points::<R>(&mut Unpacker::new(held.key(), held.points()), 0);
        if points.is_empty() {
            return Touched { points, sent: Vec::new(), repeated_transactions: 0, has_new_events: false };
        }
        let evaluation = evaluate(&*self.rules, held.key(), &points, self.served);
        let mut sent = self.unlike.remove(&place).unwrap_or(evaluation.facts);
        for fact in &mut sent {
            R::stamp(fact, held.revision, false);
        }
        let repeated_transactions = evaluation.repeated_transactions;
        Touched { points, sent, repeated_transactions, has_new_events: false }
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

/// Unpacks points until `rest` bytes are left.
fn unpack_points<R: Rules>(unpacker: &mut Unpacker<'_>, rest: usize) -> Vec<R::Point> {
    let mut points = Vec::new();
    while unpacker.left() > rest {
        points.push(R::unpack(unpacker));
    }
    points
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
