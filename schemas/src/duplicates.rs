//! What counts as a duplicate: the same (tenant, source, id) at a lower offset of the same partition, itself a duplicate or not, at
//! most one hour of append time and one million records back. Processor and sink apply this one rule to the same
//! records, so that they always agree.
//!
//! The window is a function of the partition's log alone: re-reading the stretch before a position rebuilds it.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::Xxh3;

use crate::time::{EventTime, Millis};

/// 128-bit hash of (tenant, source, id): with a million ids in a window two collide by chance once in 10^26 windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventKey(u128);

impl EventKey {
    /// Hash of an event's identity.
    #[must_use]
    pub fn new(tenant: &str, source: &str, id: &str) -> EventKey {
        let mut hasher = Xxh3::new();
        for part in [tenant, source, id] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        EventKey(hasher.digest128())
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
    offset: i64,
    appended_at: EventTime,
}

/// The ids of one partition that a next copy would be a duplicate of.
#[derive(Debug)]
pub struct DuplicateWindow {
    limits: DuplicateLimits,
    last_seen: HashMap<EventKey, Seen, BuildHasherDefault<TakeHash>>,
    in_order: VecDeque<(EventKey, Seen)>,
}

impl DuplicateWindow {
    /// An empty window.
    #[must_use]
    pub fn new(limits: DuplicateLimits) -> DuplicateWindow {
        DuplicateWindow { limits, last_seen: HashMap::default(), in_order: VecDeque::new() }
    }

    /// Notes the record at `offset` and tells whether it is a duplicate. Records must come in rising order of offset.
    pub fn is_duplicate(&mut self, key: EventKey, offset: i64, appended_at: EventTime) -> bool {
        self.forget_before(offset, appended_at);
        let seen = Seen { offset, appended_at };
        self.in_order.push_back((key, seen));
        match self.last_seen.entry(key) {
            Entry::Occupied(mut earlier) => {
                let within = self.limits.reach(*earlier.get(), offset, appended_at);
                earlier.insert(seen);
                within
            }
            Entry::Vacant(vacant) => {
                vacant.insert(seen);
                false
            }
        }
    }

    /// Number of ids held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.last_seen.len()
    }

    /// Whether no id is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last_seen.is_empty()
    }

    fn forget_before(&mut self, offset: i64, appended_at: EventTime) {
        while let Some((key, seen)) = self.in_order.front().copied() {
            if self.limits.reach(seen, offset, appended_at) {
                return;
            }
            self.in_order.pop_front();
            if let Entry::Occupied(latest) = self.last_seen.entry(key)
                && latest.get().offset == seen.offset
            {
                latest.remove();
            }
        }
    }
}

impl DuplicateLimits {
    fn reach(self, earlier: Seen, offset: i64, appended_at: EventTime) -> bool {
        offset - earlier.offset <= self.records && appended_at - earlier.appended_at <= self.age
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_parts_of_an_identity_do_not_run_together() {
        assert_ne!(EventKey::new("a", "bc", "d"), EventKey::new("ab", "c", "d"));
    }
}
