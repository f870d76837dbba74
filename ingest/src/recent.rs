//! Ids that were acknowledged lately: the hint behind `duplicates` in the answer.
//!
//! It never decides what is stored: what a duplicate is, processor and sink decide by the contract's rule. An id enters only after Kafka
//! has the event. Bounded: two generations of at most `GENERATION` ids; the older one is dropped when the newer is full.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::sync::{Mutex, PoisonError};

use touchstream_schemas::duplicates::{EventKey, TakeHash};

/// Ids in one generation; two of them take about 16 MB.
const GENERATION: usize = 200_000;

type Ids = HashSet<EventKey, BuildHasherDefault<TakeHash>>;

#[derive(Debug, Default)]
struct Generations {
    newer: Ids,
    older: Ids,
}

/// The ids that were acknowledged lately.
#[derive(Debug, Default)]
pub(crate) struct RecentIds(Mutex<Generations>);

impl RecentIds {
    /// Whether the id was acknowledged lately.
    pub(crate) fn contains(&self, key: EventKey) -> bool {
        let generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.newer.contains(&key) || generations.older.contains(&key)
    }

    /// Notes acknowledged ids.
    pub(crate) fn note(&self, keys: impl IntoIterator<Item = EventKey>) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if generations.newer.len() >= GENERATION {
                generations.older = std::mem::take(&mut generations.newer);
            }
            generations.newer.insert(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_ids_are_known_and_memory_stays_bounded() {
        let key = |number: usize| EventKey::new("shop", "web", &number.to_string());
        let recent = RecentIds::default();
        let count = 3 * GENERATION;
        recent.note((0..count).map(key));
        assert!(!recent.contains(key(0)));
        assert!(recent.contains(key(count - 1)) && recent.contains(key(count - GENERATION)));
        let generations = recent.0.lock().expect("no one panicked");
        assert!(generations.newer.len() + generations.older.len() <= 2 * GENERATION);
    }
}
