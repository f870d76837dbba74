//! What counts as a duplicate: the same (tenant, source, id) at a lower offset of the same partition, itself a duplicate or not, at
//! most one hour of append time and one million records back. Processor and sink apply this one rule to the same
//! records, so that they always agree.
//!
//! The window is a function of the partition's log alone: re-reading the stretch before a position rebuilds it.

use std::collections::VecDeque;
use std::hash::Hasher;

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::time::{EventTime, Millis};

/// 128-bit hash of (tenant, source, id): with a million ids in a window two collide by chance once in 10^26 windows.
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

    /// The part of the hash by which it is found in a table; never 0.
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
    fn tag(self) -> u32 {
        self.0 as u32 | 1
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

#[derive(Clone, Copy, Debug)]
struct Seen {
    key: EventKey,
    offset: i64,
    appended_at: EventTime,
}

/// Records in the order of arrival, in pieces: growing copies nothing and leaves no room of the same size unused.
#[derive(Debug, Default)]
struct InOrder {
    pieces: VecDeque<Vec<Seen>>,
    /// How many of the first piece are forgotten.
    forgotten: usize,
    /// A piece for later, so that a full window asks for no memory.
    spare: Option<Vec<Seen>>,
}

/// Records in a piece.
const PIECE: usize = 4_096;

impl InOrder {
    fn len(&self) -> usize {
        self.pieces.back().map_or(0, |last| (self.pieces.len() - 1) * PIECE + last.len() - self.forgotten)
    }

    fn get(&self, index: usize) -> &Seen {
        let place = self.forgotten + index;
        &self.pieces[place / PIECE][place % PIECE]
    }

    fn front(&self) -> Option<Seen> {
        self.pieces.front().and_then(|first| first.get(self.forgotten)).copied()
    }

    fn push_back(&mut self, seen: Seen) {
        match self.pieces.back_mut() {
            Some(last) if last.len() < PIECE => last.push(seen),
            _ => {
                let mut piece = self.spare.take().unwrap_or_else(|| Vec::with_capacity(PIECE));
                piece.push(seen);
                self.pieces.push_back(piece);
            }
        }
    }

    fn pop_front(&mut self) {
        self.forgotten += 1;
        if self.forgotten == PIECE {
            self.spare = self.pieces.pop_front().map(|mut piece| {
                piece.clear();
                piece
            });
            self.forgotten = 0;
        }
    }
}

/// The ids of one partition that a next copy would be a duplicate of.
///
/// Nearly every id is new and is forgotten an hour later, so the table holds eight bytes for each and no more: where in the order of
/// arrival its last copy is, and enough of its hash to look there but rarely in vain.
#[derive(Debug)]
pub struct DuplicateWindow {
    limits: DuplicateLimits,
    in_order: InOrder,
    /// Number of the first in `in_order`; numbers go round.
    first: u32,
    /// Open addressing: tag (high half) and number (low half) of the last copy; 0 where nothing is.
    table: Vec<u64>,
    ids: usize,
}

const SMALLEST_TABLE: usize = 1_024;

impl DuplicateWindow {
    /// An empty window.
    #[must_use]
    pub fn new(limits: DuplicateLimits) -> DuplicateWindow {
        DuplicateWindow {
            limits,
            in_order: InOrder::default(),
            first: 0,
            table: vec![0; SMALLEST_TABLE],
            ids: 0,
        }
    }

    /// Notes the record at `offset` and tells whether it is a duplicate. Records must come in rising order of offset.
    pub fn is_duplicate(&mut self, key: EventKey, offset: i64, appended_at: EventTime) -> bool {
        self.forget_before(offset, appended_at);
        if self.table.len() < 2 * (self.ids + 1) {
            self.grow();
        }
        let number = self.first.wrapping_add(u32::try_from(self.in_order.len()).unwrap_or(u32::MAX));
        self.in_order.push_back(Seen { key, offset, appended_at });
        let place = self.find(key);
        let earlier = (self.table[place] != 0).then(|| *self.seen(self.table[place]));
        self.table[place] = slot(key, number);
        match earlier {
            Some(earlier) => self.limits.reach(earlier, offset, appended_at),
            None => {
                self.ids += 1;
                false
            }
        }
    }

    /// Number of ids held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids
    }

    /// Whether no id is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids == 0
    }

    fn forget_before(&mut self, offset: i64, appended_at: EventTime) {
        while let Some(seen) = self.in_order.front() {
            if self.limits.reach(seen, offset, appended_at) {
                return;
            }
            let place = self.find(seen.key);
            if self.table[place] == slot(seen.key, self.first) {
                self.remove(place);
                self.ids -= 1;
            }
            self.in_order.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }

    /// The last copy that a slot stands for.
    fn seen(&self, slot: u64) -> &Seen {
        #[expect(clippy::cast_possible_truncation, reason = "the low half is the number")]
        let number = slot as u32;
        self.in_order.get(number.wrapping_sub(self.first) as usize)
    }

    /// Where the key stands, or would stand.
    fn find(&self, key: EventKey) -> usize {
        let mask = self.table.len() - 1;
        let mut place = home(slot(key, 0), mask);
        loop {
            let slot = self.table[place];
            if slot == 0 || (slot >> 32 == u64::from(key.tag()) && self.seen(slot).key == key) {
                return place;
            }
            place = (place + 1) & mask;
        }
    }

    /// Empties a slot and closes the gap, so that what was pushed behind it is found again.
    fn remove(&mut self, place: usize) {
        let mask = self.table.len() - 1;
        let (mut gap, mut next) = (place, (place + 1) & mask);
        while self.table[next] != 0 {
            let home = home(self.table[next], mask);
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(gap) & mask) {
                self.table[gap] = self.table[next];
                gap = next;
            }
            next = (next + 1) & mask;
        }
        self.table[gap] = 0;
    }

    fn grow(&mut self) {
        let larger = vec![0; self.table.len() * 2];
        let mask = larger.len() - 1;
        let slots = std::mem::replace(&mut self.table, larger);
        for slot in slots.into_iter().filter(|slot| *slot != 0) {
            let mut place = home(slot, mask);
            while self.table[place] != 0 {
                place = (place + 1) & mask;
            }
            self.table[place] = slot;
        }
    }
}

/// What stands in the table.
fn slot(key: EventKey, number: u32) -> u64 {
    u64::from(key.tag()) << 32 | u64::from(number)
}

/// Where a slot stands unless others stand there; the lowest bit of a tag says nothing.
fn home(slot: u64, mask: usize) -> usize {
    (slot >> 33) as usize & mask
}

impl DuplicateLimits {
    fn reach(self, earlier: Seen, offset: i64, appended_at: EventTime) -> bool {
        offset - earlier.offset <= self.records && appended_at - earlier.appended_at <= self.age
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
        assert_eq!(window.len(), 11);
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
        /// The table against a search through all records: few keys, so that they come again, and keys whose tags are alike.
        #[test]
        fn it_finds_what_a_search_finds(records in prop::collection::vec((0_u128..40, 0_i64..30, 0_i64..30), 0..600)) {
            let limits = DuplicateLimits { age: Millis(300), records: 200 };
            let mut window = DuplicateWindow::new(limits);
            window.first = u32::MAX - 100;
            let (mut offset, mut time) = (0, 0);
            let mut all: Vec<Seen> = Vec::new();
            for (number, offsets, times) in records {
                (offset, time) = (offset + 1 + offsets / 10, time + times / 10);
                let key = EventKey((number / 4) << 64 | (number % 4) << 31 | 7);
                let seen = Seen { key, offset, appended_at: EventTime(time) };
                let last = all.iter().rev().find(|earlier| earlier.key == key);
                let expected = last.is_some_and(|earlier| limits.reach(*earlier, offset, EventTime(time)));
                prop_assert_eq!(window.is_duplicate(key, offset, EventTime(time)), expected);
                all.push(seen);
                let held = all.iter().filter(|earlier| limits.reach(**earlier, offset, EventTime(time)));
                let ids: std::collections::HashSet<u128> = held.map(|seen| seen.key.0).collect();
                prop_assert_eq!(window.len(), ids.len());
            }
        }
    }

    #[test]
    fn the_parts_of_an_identity_do_not_run_together() {
        assert_ne!(EventKey::new("a", "bc", "d"), EventKey::new("ab", "c", "d"));
    }
}
