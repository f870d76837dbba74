//! What counts as a duplicate: the same (tenant, source, id) at a lower offset of the same partition, itself a duplicate or not, at
//! most one hour of append time and one million records back. Processor and sink apply this one rule to the same
//! records, so that they always agree.
//!
//! The window is a function of the partition's log alone: re-reading the stretch before a position rebuilds it.

use std::hash::Hasher;

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::time::{EventTime, Millis};

/// 128-bit hash of (tenant, source, id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventKey(u128);

/// Identities up to this length are hashed in one piece.
const USUAL_LENGTH: usize = 256;

impl EventKey {
    /// Hash of an event's identity.
    #[must_use]
    pub fn new(tenant: &str, source: &str, id: &str) -> EventKey {
        let parts = [tenant, source, id];
        let length = parts.iter().map(|part| part.len() + 8).sum();
        let mut buffer = [0; USUAL_LENGTH];
        let Some(piece) = buffer.get_mut(..length) else {
            let mut hasher = Xxh3::new();
            for part in parts {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
            return EventKey(hasher.digest128());
        };
        let mut rest = &mut *piece;
        for part in parts {
            let (before, after) = rest.split_at_mut(8 + part.len());
            before[..8].copy_from_slice(&(part.len() as u64).to_le_bytes());
            before[8..].copy_from_slice(part.as_bytes());
            rest = after;
        }
        EventKey(xxh3_128(piece))
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

/// One id: half of its hash, and where and when its last copy came, the latter two without their upper halves. 16 bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// 0: nothing is here.
    hash: u64,
    offset: u32,
    appended_at: u32,
}

/// The ids of one partition that a next copy would be a duplicate of.
///
/// Nearly every id is new and is forgotten an hour later, so there is one open table and nothing else: a copy replaces what the id's last
/// one left, and a hand goes round to clear away what is out of reach. Sixty-four bits tell ids apart: among a million
/// of them a new one is taken for another once in 10^13 events.
#[derive(Debug)]
pub struct DuplicateWindow {
    limits: DuplicateLimits,
    /// Open addressing, closed again behind what is cleared away.
    table: Vec<Seen>,
    ids: usize,
    hand: usize,
    /// Offset and append time of the newest record, and those at which all that was out of reach was last cleared away.
    newest: (i64, i64),
    cleared: (i64, i64),
}

const SMALLEST_TABLE: usize = 1_024;
/// Milliseconds (six days) and records to which the limits are cut, so that lower halves suffice.
const FURTHEST: i64 = 1 << 29;
/// Slots that the hand looks at for each record.
const SWEPT: usize = 8;

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
            newest: (i64::MIN, i64::MIN),
            cleared: (i64::MIN, i64::MIN),
        }
    }

    /// Notes the record at `offset` and tells whether it is a duplicate. Records must come in rising order of offset.
    pub fn is_duplicate(&mut self, key: EventKey, offset: i64, appended_at: EventTime) -> bool {
        let seen = Seen::new(key, offset, appended_at);
        self.clear_what_is_far(seen, (offset, appended_at.0));
        self.sweep(seen);
        if self.is_crowded() {
            self.make_room(seen);
        }
        let place = self.find(seen.hash);
        let earlier = std::mem::replace(&mut self.table[place], seen);
        if earlier.hash == 0 {
            self.ids += 1;
            return false;
        }
        self.limits.reach(earlier, seen)
    }

    /// Number of ids held; some may be out of reach already.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids
    }

    /// Whether no id is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids == 0
    }

    /// Four of five slots at most are taken.
    fn is_crowded(&self) -> bool {
        5 * (self.ids + 1) > 4 * self.table.len()
    }

    /// Keeps everything held so near that its lower halves tell how far it is.
    fn clear_what_is_far(&mut self, now: Seen, (offset, appended_at): (i64, i64)) {
        let since = |(earlier, before): (i64, i64)| {
            (offset.saturating_sub(earlier), appended_at.saturating_sub(before))
        };
        let (records, age) = since(self.newest);
        if records > self.limits.records || age > self.limits.age.0 {
            self.table = vec![Seen::default(); SMALLEST_TABLE];
            (self.ids, self.hand, self.cleared) = (0, 0, (offset, appended_at));
        } else {
            let (records, age) = since(self.cleared);
            if records > FURTHEST || age > FURTHEST {
                self.make_room(now);
                self.cleared = (offset, appended_at);
            }
        }
        self.newest = (offset, appended_at.max(self.newest.1));
    }

    fn sweep(&mut self, now: Seen) {
        for _ in 0..SWEPT {
            let seen = self.table[self.hand];
            if seen.hash != 0 && !self.limits.reach(seen, now) {
                // What moves here is looked at next.
                self.remove(self.hand);
            } else {
                self.hand = self.next(self.hand);
            }
        }
    }

    /// Where the id stands, or would stand.
    fn find(&self, hash: u64) -> usize {
        let mut place = self.home(hash);
        loop {
            let found = self.table[place].hash;
            if found == 0 || found == hash {
                return place;
            }
            place = self.next(place);
        }
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

    /// Empties a slot and closes the gap, so that what was pushed behind it is found again.
    fn remove(&mut self, place: usize) {
        let length = self.table.len();
        let distance = |from: usize, to: usize| if to >= from { to - from } else { to + length - from };
        let (mut gap, mut next) = (place, self.next(place));
        while self.table[next].hash != 0 {
            let home = self.home(self.table[next].hash);
            if distance(home, next) >= distance(gap, next) {
                self.table[gap] = self.table[next];
                gap = next;
            }
            next = self.next(next);
        }
        self.table[gap] = Seen::default();
        self.ids -= 1;
    }

    /// A table in which what is in reach takes at most two thirds.
    fn make_room(&mut self, now: Seen) {
        let limits = self.limits;
        let in_reach = |seen: &Seen| seen.hash != 0 && limits.reach(*seen, now);
        self.ids = self.table.iter().filter(|seen| in_reach(seen)).count();
        let length = SMALLEST_TABLE.max(self.ids * 3 / 2);
        let slots = std::mem::replace(&mut self.table, vec![Seen::default(); length]);
        for seen in slots.into_iter().filter(in_reach) {
            let place = self.find(seen.hash);
            self.table[place] = seen;
        }
        self.hand = 0;
    }
}

impl Seen {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the lower halves are what is wanted"
    )]
    fn new(key: EventKey, offset: i64, appended_at: EventTime) -> Seen {
        Seen { hash: (key.0 as u64).max(1), offset: offset as u32, appended_at: appended_at.0 as u32 }
    }
}

impl DuplicateLimits {
    fn reach(self, earlier: Seen, now: Seen) -> bool {
        let since = |now: u32, earlier: u32| i64::from(now.wrapping_sub(earlier).cast_signed());
        since(now.offset, earlier.offset) <= self.records
            && since(now.appended_at, earlier.appended_at) <= self.age.0
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

    #[test]
    fn short_and_long_identities_are_hashed_alike() {
        for length in [0, 200, 231, 232, 233, 500] {
            let id = "x".repeat(length);
            let mut hasher = Xxh3::new();
            for part in ["t", "s", id.as_str()] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
            assert_eq!(EventKey::new("t", "s", &id), EventKey(hasher.digest128()));
        }
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
        assert!(window.table.len() < 60_000, "{} slots", window.table.len());
    }

    #[test]
    fn the_parts_of_an_identity_do_not_run_together() {
        assert_ne!(EventKey::new("a", "bc", "d"), EventKey::new("ab", "c", "d"));
    }
}
