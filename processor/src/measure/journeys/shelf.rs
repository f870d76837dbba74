//! Where journeys rest: each under its key, packed, with the time at which it is looked at again.
//!
//! A million journeys rest here, so every byte of a place counts: keys are held once, found by hash, and timers are kept by the second.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use hashbrown::HashTable;
use touchstream_schemas::time::{EventTime, Millis};
use xxhash_rust::xxh3::xxh3_64;

use super::segments::Slot;

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
    /// Its key, then its events, packed in order: one piece of memory instead of two.
    content: Box<[u8]>,
    /// Highest revision given to a fact of this journey.
    pub(super) revision: i64,
    due: EventTime,
    key_length: u32,
    /// The second under which the timer stands.
    armed: Second,
    /// One more than its index among the journeys that are changing.
    pub(super) touched: Option<NonZeroU32>,
    /// Where in the changelog its newest state is.
    pub(super) segment: Option<Slot>,
}

impl Held {
    pub(super) fn key(&self) -> &str {
        std::str::from_utf8(self.key_bytes()).expect("a key is a text")
    }

    fn key_bytes(&self) -> &[u8] {
        &self.content[..self.key_length as usize]
    }

    pub(super) fn points(&self) -> &[u8] {
        &self.content[self.key_length as usize..]
    }

    /// Replaces key and events; the key is the same as before.
    pub(super) fn set_content(&mut self, key_and_points: &[u8]) {
        self.content = key_and_points.into();
    }

    /// Replaces the events.
    pub(super) fn set_points(&mut self, points: &[u8]) {
        self.content = [self.key_bytes(), points].concat().into();
    }
}

/// A second since 1970 that a timer stands under; what lies outside of 136 years stands at their ends.
type Second = u32;

/// All places.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// In pieces, so that growing copies nothing and leaves no room of the same size unused.
    places: Vec<Vec<Held>>,
    free: Vec<Place>,
    /// Places by key, each with half of the key's hash: it tells nearly all keys apart without a look at them.
    by_key: HashTable<(u32, Place)>,
    timers: BTreeMap<Second, Vec<Place>>,
}

const NEVER: Second = Second::MAX;
/// Places in a piece.
const PIECE: usize = 4_096;

impl Shelf {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
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
        let half = half_hash(key.as_bytes());
        self.find_hashed(key, half).unwrap_or_else(|| self.add_hashed(key.as_bytes(), key.len(), half))
    }

    /// A new place, that holds what `pack` makes: the key, then events; `None` when the key has one.
    pub(super) fn add<'p>(&mut self, key: &str, pack: impl FnOnce() -> &'p [u8]) -> Option<Place> {
        let half = half_hash(key.as_bytes());
        self.find_hashed(key, half).is_none().then(|| self.add_hashed(pack(), key.len(), half))
    }

    /// Brings near what will be looked at for these keys, of many at a time: first the table, then the places, then what rests there.
    pub(super) fn touch<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        let halves: Vec<u32> = keys.map(half_hash).collect();
        let place_of = |half: u32| self.by_key.find(spread(half), |(other, _)| *other == half);
        let places: Vec<Place> = halves.into_iter().filter_map(place_of).map(|(_, place)| *place).collect();
        let contents: Vec<&[u8]> = places.into_iter().map(|place| &*self.get(place).content).collect();
        let first = |content: &[u8]| content.first().copied().unwrap_or_default();
        std::hint::black_box(contents.into_iter().map(first).fold(0, |sum, byte| sum ^ byte));
    }

    fn find_hashed(&self, key: &str, half: u32) -> Option<Place> {
        let is_same =
            |(other, place): &(u32, Place)| *other == half && self.get(*place).key_bytes() == key.as_bytes();
        self.by_key.find(spread(half), is_same).map(|(_, place)| *place)
    }

    fn add_hashed(&mut self, content: &[u8], key_length: usize, half: u32) -> Place {
        let key_length = u32::try_from(key_length).expect("a record of Kafka is far smaller");
        let held = Held { content: content.into(), key_length, armed: NEVER, ..Held::default() };
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
        self.by_key.insert_unique(spread(half), (half, place), |(half, _)| spread(*half));
        place
    }

    pub(super) fn remove(&mut self, place: Place) {
        let removed = std::mem::replace(self.get_mut(place), Held { armed: NEVER, ..Held::default() });
        let found =
            self.by_key.find_entry(spread(half_hash(removed.key_bytes())), |(_, other)| *other == place);
        if let Ok(entry) = found {
            entry.remove();
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

fn second_of(time: EventTime) -> Second {
    let second = time.0.div_euclid(Millis(1_000).0).clamp(0, i64::from(NEVER - 1));
    Second::try_from(second).unwrap_or(NEVER - 1)
}

#[expect(clippy::cast_possible_truncation, reason = "half of the hash is what is wanted")]
fn half_hash(key: &[u8]) -> u32 {
    xxh3_64(key) as u32
}

/// Both ends of a hash tell where a key lies; half a hash is spread over both.
fn spread(half: u32) -> u64 {
    u64::from(half).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
