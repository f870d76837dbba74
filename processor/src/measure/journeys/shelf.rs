//! Where journeys rest: each under its key, packed, with the time at which it is looked at again.
//!
//! A million journeys rest here, so every byte of a place counts: keys are held once, found by hash, and timers are kept by the second.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;
use std::num::NonZeroU32;

use super::segments::Slot;
use touchstream_schemas::duplicates::TakeHash;
use touchstream_schemas::time::{EventTime, Millis};
use xxhash_rust::xxh3::xxh3_64;

/// Number of a journey's place; it is given away again once the journey is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place(u32);

impl Place {
    /// The place at an index.
    fn at(index: usize) -> Place {
        Place(u32::try_from(index).expect("memory ends before four billion journeys"))
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// A journey at its place.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) key: Box<str>,
    /// Its events, packed in order.
    pub(super) points: Box<[u8]>,
    /// Highest revision given to a fact of this journey.
    pub(super) revision: i64,
    /// One more than its index among the journeys that are changing.
    pub(super) touched: Option<NonZeroU32>,
    /// Where in the changelog its newest state is.
    pub(super) segment: Option<Slot>,
    due: EventTime,
    /// The second under which the timer stands.
    armed: i64,
}

/// All places.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// In pieces, so that growing copies nothing and leaves no room of the same size unused.
    places: Vec<Vec<Held>>,
    free: Vec<Place>,
    by_hash: HashMap<u64, Place, BuildHasherDefault<TakeHash>>,
    /// Keys whose hash another key has.
    others: HashMap<Box<str>, Place>,
    timers: BTreeMap<i64, Vec<Place>>,
}

const NEVER: i64 = i64::MAX;
/// Places in a piece.
const PIECE: usize = 4_096;

impl Shelf {
    pub(super) fn len(&self) -> usize {
        self.by_hash.len() + self.others.len()
    }

    /// All places, also those where nothing rests.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> + use<> {
        let last = self.places.last().map_or(0, Vec::len);
        (0..self.places.len().saturating_sub(1) * PIECE + last).map(Place::at)
    }

    pub(super) fn get(&self, place: Place) -> &Held {
        &self.places[place.index() / PIECE][place.index() % PIECE]
    }

    pub(super) fn get_mut(&mut self, place: Place) -> &mut Held {
        &mut self.places[place.index() / PIECE][place.index() % PIECE]
    }

    pub(super) fn find_or_add(&mut self, key: &str) -> Place {
        let hash = xxh3_64(key.as_bytes());
        self.find_hashed(key, hash).unwrap_or_else(|| self.add_hashed(key, hash))
    }

    /// A new place; `None` when the key has one.
    pub(super) fn add(&mut self, key: &str) -> Option<Place> {
        let hash = xxh3_64(key.as_bytes());
        self.find_hashed(key, hash).is_none().then(|| self.add_hashed(key, hash))
    }

    fn find_hashed(&self, key: &str, hash: u64) -> Option<Place> {
        match self.by_hash.get(&hash) {
            Some(place) if *self.get(*place).key == *key => Some(*place),
            _ if self.others.is_empty() => None,
            _ => self.others.get(key).copied(),
        }
    }

    fn add_hashed(&mut self, key: &str, hash: u64) -> Place {
        let held = Held { key: key.into(), armed: NEVER, ..Held::default() };
        let place = match self.free.pop() {
            Some(place) => {
                *self.get_mut(place) = held;
                place
            }
            None => {
                if self.places.last().is_none_or(|piece| piece.len() == PIECE) {
                    self.places.push(Vec::with_capacity(PIECE));
                }
                let pieces = self.places.len();
                let piece = &mut self.places[pieces - 1];
                piece.push(held);
                Place::at((pieces - 1) * PIECE + piece.len() - 1)
            }
        };
        match self.by_hash.entry(hash) {
            Entry::Vacant(vacant) => {
                vacant.insert(place);
            }
            Entry::Occupied(_) => {
                self.others.insert(key.into(), place);
            }
        }
        place
    }

    pub(super) fn remove(&mut self, place: Place) {
        let key = std::mem::replace(self.get_mut(place), Held { armed: NEVER, ..Held::default() }).key;
        let hash = xxh3_64(key.as_bytes());
        if self.by_hash.get(&hash) == Some(&place) {
            self.by_hash.remove(&hash);
        } else {
            self.others.remove(&key);
        }
        self.free.push(place);
    }

    /// Looks at the journey again at `due`. A timer that stands earlier stays: when it rings it is set anew.
    pub(super) fn wake(&mut self, place: Place, due: EventTime) {
        let second = second_of(due);
        let held = self.get_mut(place);
        held.due = due;
        if second < held.armed {
            held.armed = second;
            self.timers.entry(second).or_default().push(place);
        }
    }

    /// The journeys whose time has come, each once; they have no timer until they are put down again.
    pub(super) fn due(&mut self, watermark: EventTime) -> Vec<Place> {
        let mut due = Vec::new();
        while let Some(entry) = self.timers.first_entry()
            && *entry.key() <= second_of(watermark)
        {
            let (second, places) = entry.remove_entry();
            let mut still_waiting = Vec::new();
            for place in places {
                let held = &mut self.places[place.index() / PIECE][place.index() % PIECE];
                if held.armed != second {
                    continue;
                }
                if held.due <= watermark {
                    held.armed = NEVER;
                    due.push(place);
                } else if second_of(held.due) == second {
                    still_waiting.push(place);
                } else {
                    held.armed = second_of(held.due);
                    self.timers.entry(held.armed).or_default().push(place);
                }
            }
            if !still_waiting.is_empty() {
                self.timers.insert(second, still_waiting);
                if second == second_of(watermark) {
                    break;
                }
            }
        }
        due
    }
}

fn second_of(time: EventTime) -> i64 {
    time.0.div_euclid(Millis(1_000).0)
}
