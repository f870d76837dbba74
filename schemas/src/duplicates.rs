//! What counts as a duplicate: the same (tenant, source, id) at a lower offset of the same partition, itself a duplicate or not, at
//! most one hour of append time and one million records back. Processor and sink apply this one rule to the same
//! records, so that they always agree.
//!
//! The window is a function of the partition's log alone: re-reading the stretch before a position rebuilds it.

use std::collections::VecDeque;
use std::hash::Hasher;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed, xxh3_128_with_seed};

use crate::time::{EventTime, Millis};

/// 128-bit hash of (tenant, source, id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventKey(u128);

impl EventKey {
    /// Hash of an event's identity.
    #[must_use]
    pub fn new(tenant: &str, source: &str, id: &str) -> EventKey {
        EventKey::of([tenant, source, id].map(str::as_bytes))
    }

    /// The same, of tenant, source and id as bytes. Each part is hashed with what came before it, so that parts do not run together.
    #[must_use]
    pub fn of([tenant, source, id]: [&[u8]; 3]) -> EventKey {
        let seed = xxh3_64_with_seed(source, xxh3_64(tenant));
        EventKey(xxh3_128_with_seed(id, seed))
    }
}

/// Takes the low half of an [`EventKey`], which is a hash already.
#[derive(Clone, Copy, Debug, Default)]
pub struct TakeHash(u64);

impl Hasher for TakeHash {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}

/// How far back a copy is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DuplicateLimits {
    /// Append time between two copies, at most.
    pub age: Millis,
    /// Offsets between two copies, at most.
    pub records: i64,
}

impl Default for DuplicateLimits {
    fn default() -> Self {
        DuplicateLimits { age: Millis::HOUR, records: 1_000_000 }
    }
}

/// One id: half of its hash, and the lower half of the offset at which its last copy came. 12 bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// In two parts, so that nothing is lost to alignment; 0: nothing is here.
    hash: [u32; 2],
    offset: u32,
}

/// The ids of one partition that a next copy would be a duplicate of.
///
/// Nearly every id is new and is forgotten an hour later, so there is one open table and nothing else: a copy replaces what the id's last
/// one left, and a hand goes round to clear away what is out of reach. Ids that stand in a row are in the order of their places, so that the
/// table may be nine tenths full and a search still ends early. When records came is not told of each, but once of all that came
/// together. Sixty-four bits tell ids apart: among a million of them a new one is taken for another once in 10^13 events.
#[derive(Debug)]
pub struct DuplicateWindow {
    limits: DuplicateLimits,
    /// Open addressing, closed again behind what is cleared away.
    table: Vec<Seen>,
    ids: usize,
    hand: usize,
    arrivals: Arrivals,
    /// Offset at which all that was out of reach was last cleared away.
    cleared: i64,
}

const SMALLEST_TABLE: usize = 1_024;
/// Milliseconds (six days) and records to which the limits are cut, so that lower halves of offsets suffice.
const FURTHEST: i64 = 1 << 29;
/// Slots that the hand looks at for each record.
const SWEPT: usize = 16;

impl DuplicateWindow {
    /// An empty window.
    #[must_use]
    pub fn new(limits: DuplicateLimits) -> DuplicateWindow {
        let limits = DuplicateLimits {
            age: Millis(limits.age.0.min(FURTHEST)),
            records: limits.records.min(FURTHEST),
        };
        DuplicateWindow {
            limits,
            table: vec![Seen::default(); SMALLEST_TABLE],
            ids: 0,
            hand: 0,
            arrivals: Arrivals::default(),
            cleared: i64::MIN,
        }
    }

    /// Notes the record at `offset` and tells whether it is a duplicate. Records must come in rising order of offset; an append time before
    /// that of an earlier record counts as that one.
    pub fn is_duplicate(&mut self, key: EventKey, offset: i64, appended_at: EventTime) -> bool {
        let reach = self.arrive(offset, appended_at);
        self.sweep(reach);
        if self.is_crowded() {
            self.make_room(reach);
        }
        let seen = Seen::new(key, reach.now);
        match self.find(seen.hash()) {
            Ok(place) => {
                let earlier = std::mem::replace(&mut self.table[place], seen);
                reach.holds(earlier)
            }
            Err(place) => {
                self.insert(place, seen);
                false
            }
        }
    }

    /// Brings near what these ids are about to be compared with. Each look-up goes to a place of its own in memory: asked for together,
    /// the answers of many come in the time of a few.
    pub fn touch(&self, keys: impl IntoIterator<Item = EventKey>) {
        let offset_of = |key: EventKey| self.table[self.home(Seen::new(key, 0).hash())].offset;
        std::hint::black_box(keys.into_iter().map(offset_of).fold(0, |sum, offset| sum ^ offset));
    }

    /// Number of ids held; some may be out of reach already.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.table.capacity() * size_of::<Seen>() + self.arrivals.steps.capacity() * size_of::<(u16, u16)>()
    }

    /// Whether no id is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids == 0
    }

    /// Nine of ten slots at most are taken.
    fn is_crowded(&self) -> bool {
        10 * (self.ids + 1) > 9 * self.table.len()
    }

    /// How far back the record reaches that comes now. Keeps everything held so near that lower halves of offsets tell how far it is.
    fn arrive(&mut self, offset: i64, appended_at: EventTime) -> Reach {
        if self.arrivals.is_far(offset, appended_at.0, self.limits) {
            self.table = vec![Seen::default(); SMALLEST_TABLE];
            (self.ids, self.hand, self.cleared) = (0, 0, offset);
            self.arrivals = Arrivals::from(offset, appended_at.0);
        }
        let reach = self.arrivals.arrive(offset, appended_at.0, self.limits);
        if offset.saturating_sub(self.cleared) > FURTHEST {
            self.make_room(reach);
            self.cleared = offset;
        }
        reach
    }

    fn sweep(&mut self, reach: Reach) {
        if let Some(slots) = self.table.get(self.hand..self.hand + SWEPT) {
            // All of them without a branch: there is rarely anything to clear away.
            let is_out_of_reach = |seen: &Seen| (seen.hash() != 0) & !reach.holds(*seen);
            if !slots.iter().map(is_out_of_reach).fold(false, |any, is_one| any | is_one) {
                self.hand = if self.hand + SWEPT == self.table.len() { 0 } else { self.hand + SWEPT };
                return;
            }
        }
        for _ in 0..SWEPT {
            let seen = self.table[self.hand];
            if seen.hash() != 0 && !reach.holds(seen) {
                // What moves here is looked at next.
                self.remove(self.hand);
            } else {
                self.hand = self.next(self.hand);
            }
        }
    }

    /// Where the id stands, or else where it would: in a row ids stand in the order of their homes.
    fn find(&self, hash: u64) -> Result<usize, usize> {
        let mut place = self.home(hash);
        for distance in 0.. {
            let found = self.table[place].hash();
            if found == hash {
                return Ok(place);
            }
            if found == 0 || self.distance(self.home(found), place) < distance {
                return Err(place);
            }
            place = self.next(place);
        }
        unreachable!("a tenth of the table is free")
    }

    /// Where an id stands unless others stand there.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the product's upper half is less than the table's length"
    )]
    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.table.len() as u128) >> 64) as usize
    }

    fn next(&self, place: usize) -> usize {
        if place + 1 == self.table.len() { 0 } else { place + 1 }
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.table.len() - from }
    }

    /// Puts an id where [`Self::find`] told; those that stand in a row from there move on by one.
    fn insert(&mut self, mut place: usize, mut seen: Seen) {
        while seen.hash() != 0 {
            std::mem::swap(&mut self.table[place], &mut seen);
            place = self.next(place);
        }
        self.ids += 1;
    }

    /// Empties a slot; those that stand in a row behind it move up as far as their homes.
    fn remove(&mut self, mut place: usize) {
        loop {
            let next = self.next(place);
            let moving = self.table[next];
            if moving.hash() == 0 || self.home(moving.hash()) == next {
                break;
            }
            self.table[place] = moving;
            place = next;
        }
        self.table[place] = Seen::default();
        self.ids -= 1;
    }

    /// A table in which what is in reach takes half; from half of all that can ever be in reach, one that is large
    /// enough for all, and for what the hand has not met yet.
    fn make_room(&mut self, reach: Reach) {
        let in_reach = |seen: &Seen| seen.hash() != 0 && reach.holds(*seen);
        let ids = self.table.iter().filter(|seen| in_reach(seen)).count();
        let most = usize::try_from(self.limits.records).unwrap_or(0);
        let length = if ids >= most / 2 { ids.max(most) * 6 / 5 } else { ids * 2 };
        let table = vec![Seen::default(); length.max(SMALLEST_TABLE)];
        let slots = std::mem::replace(&mut self.table, table);
        (self.ids, self.hand) = (0, 0);
        for seen in slots.into_iter().filter(in_reach) {
            if let Err(place) = self.find(seen.hash()) {
                self.insert(place, seen);
            }
        }
    }
}

impl Seen {
    #[expect(clippy::cast_possible_truncation, reason = "half of the hash is what is wanted")]
    fn new(key: EventKey, offset: u32) -> Seen {
        let hash = (key.0 as u64).max(1);
        Seen { hash: [hash as u32, (hash >> 32) as u32], offset }
    }

    fn hash(self) -> u64 {
        u64::from(self.hash[1]) << 32 | u64::from(self.hash[0])
    }
}

/// How far back a record finds copies.
#[derive(Clone, Copy, Debug)]
struct Reach {
    /// The lower half of its offset.
    now: u32,
    /// Records.
    back: u32,
}

impl Reach {
    fn holds(self, earlier: Seen) -> bool {
        self.now.wrapping_sub(earlier.offset) <= self.back
    }
}

/// When the records in reach were appended: where each run of records with the same time begins.
#[derive(Debug, Default)]
struct Arrivals {
    /// The first run's offset and time.
    first: (i64, i64),
    /// Offset and time of the newest record.
    newest: (i64, i64),
    /// Offset and time at which the last run begins.
    last: (i64, i64),
    /// From each run to the next: records, then milliseconds. What is further away takes more than one step.
    steps: VecDeque<(u16, u16)>,
}

impl Arrivals {
    fn from(offset: i64, time: i64) -> Arrivals {
        let here = (offset, time);
        Arrivals { first: here, newest: here, last: here, steps: VecDeque::new() }
    }

    /// Whether nothing that came before is in reach.
    fn is_far(&self, offset: i64, time: i64, limits: DuplicateLimits) -> bool {
        let (newest, at) = self.newest;
        offset.saturating_sub(newest) > limits.records || time.saturating_sub(at) > limits.age.0
    }

    /// Notes a record and forgets what is out of its reach.
    fn arrive(&mut self, offset: i64, time: i64, limits: DuplicateLimits) -> Reach {
        let time = time.max(self.newest.1);
        self.newest = (offset, time);
        if time > self.last.1 {
            let (mut records, mut millis) = (offset - self.last.0, time - self.last.1);
            // Records first: while the time stands still it is the same run that goes on.
            while records > 0 || millis > 0 {
                let step = u16::try_from(records).unwrap_or(u16::MAX);
                records -= i64::from(step);
                let wait = if records > 0 { 0 } else { u16::try_from(millis).unwrap_or(u16::MAX) };
                millis -= i64::from(wait);
                self.steps.push_back((step, wait));
            }
            self.last = self.newest;
        }
        while let Some((records, millis)) = self.steps.front() {
            let next = (self.first.0 + i64::from(*records), self.first.1 + i64::from(*millis));
            let is_too_old = time - self.first.1 > limits.age.0;
            let is_too_far = offset - next.0 >= limits.records;
            if !is_too_old && !is_too_far {
                break;
            }
            self.first = next;
            self.steps.pop_front();
        }
        let back = (offset - self.first.0).min(limits.records);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the lower half is what is wanted"
        )]
        let now = offset as u32;
        Reach { now, back: u32::try_from(back).expect("limits are cut to 2^29") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(id: &str) -> EventKey {
        EventKey::new("shop", "web", id)
    }

    #[test]
    fn a_copy_is_recognised_up_to_both_limits_and_each_copy_extends_them() {
        let mut window = DuplicateWindow::new(DuplicateLimits { age: Millis(100), records: 10 });
        assert!(!window.is_duplicate(key("a"), 0, EventTime(0)));
        assert!(window.is_duplicate(key("a"), 10, EventTime(100)));
        assert!(
            window.is_duplicate(key("a"), 20, EventTime(200)),
            "a duplicate counts as an earlier copy too"
        );
        assert!(!window.is_duplicate(key("a"), 31, EventTime(200)), "eleven records later");
        assert!(!window.is_duplicate(key("a"), 32, EventTime(301)), "101 ms later");
    }

    #[test]
    fn memory_is_bounded_by_the_limits() {
        let mut window = DuplicateWindow::new(DuplicateLimits { age: Millis(1_000_000), records: 10 });
        for offset in 0..1_000 {
            assert!(!window.is_duplicate(key(&offset.to_string()), offset, EventTime(offset)));
        }
        assert!(window.len() < 150, "{}: eleven, and what the hand has not met yet", window.len());
    }

    proptest! {
        /// The table against a search through all records: few keys, so that they come again, whose places are alike; limits and
        /// gaps small and large, so that lower halves go round.
        #[test]
        fn it_finds_what_a_search_finds(
            records in prop::collection::vec((0_u64..40, 0_i64..30, 0_i64..30), 0..600),
            scale in prop::sample::select(vec![1_i64, 1_000_000]),
        ) {
            let limits = DuplicateLimits { age: Millis(300 * scale), records: 200 * scale };
            let mut window = DuplicateWindow::new(limits);
            let (mut offset, mut time) = (i64::from(u32::MAX) - 100, i64::from(u32::MAX) - 100);
            let mut all: Vec<(u64, i64, i64)> = Vec::new();
            for (number, offsets, times) in records {
                let far = |number: i64| if number == 29 { 40 } else { number / 10 };
                (offset, time) = (offset + 1 + far(offsets) * scale, time + far(times) * scale);
                let key = EventKey(u128::from((number % 4) << 62 | (number / 4 + 1)));
                let last = all.iter().rev().find(|(earlier, ..)| *earlier == number);
                let expected = last.is_some_and(|(_, at, when)| {
                    offset - at <= limits.records && time - when <= limits.age.0
                });
                prop_assert_eq!(window.is_duplicate(key, offset, EventTime(time)), expected);
                all.push((number, offset, time));
            }
            prop_assert!(window.len() <= 40);
        }
    }

    #[test]
    fn nothing_is_lost_while_the_table_grows_and_is_swept() {
        let mut window = DuplicateWindow::new(DuplicateLimits { age: Millis::HOUR, records: 50_000 });
        for number in 0..400_000_i64 {
            let time = EventTime(number / 100);
            assert!(!window.is_duplicate(key(&number.to_string()), 2 * number, time), "{number} is new");
            let back = number - 24_999;
            if back >= 0 && number % 7 == 0 {
                assert!(
                    window.is_duplicate(key(&back.to_string()), 2 * number + 1, time),
                    "{back} came before"
                );
            }
        }
        assert!(window.table.len() <= 60_000, "{} slots", window.table.len());
    }

    #[test]
    fn the_parts_of_an_identity_do_not_run_together() {
        assert_ne!(EventKey::new("a", "bc", "d"), EventKey::new("ab", "c", "d"));
    }
}
