//! Log buckets of growth 1.02 over whole milliseconds: percentiles at most 1 % off that add, subtract and merge exactly.
//!
//! Bucket `i ≥ 0` holds the values `bounds[i - 1] < v ≤ bounds[i]`; each bound is ⌊1.02 × the one before⌋, at least one more, so small
//! values have a bucket each and no bucket is wider than its promise; bucket -1 holds zero. Whole numbers alone: every machine
//! makes the same bounds.

use std::sync::LazyLock;

use crate::panes::Bucket;

/// Bucket of zero (and of what should not be: negative values).
pub const ZERO: i32 = -1;

/// Longest duration that has a bucket of its own: about 31 years in milliseconds; longer ones share the last.
const LONGEST_MS: i64 = 1_000_000_000_000;

static BOUNDS: LazyLock<Vec<i64>> = LazyLock::new(|| {
    let rising = |bound: &i64| Some((bound * 102 / 100).max(bound + 1));
    let last = |bound: &i64| *bound < LONGEST_MS;
    let mut bounds: Vec<i64> = std::iter::successors(Some(1_i64), rising).take_while(last).collect();
    bounds.push(LONGEST_MS);
    bounds
});

/// The bucket of a duration in milliseconds.
#[must_use]
pub fn index_of(milliseconds: i64) -> i32 {
    if milliseconds <= 0 {
        return ZERO;
    }
    let index = BOUNDS.partition_point(|bound| *bound < milliseconds).min(BOUNDS.len() - 1);
    i32::try_from(index).expect("there are fewer than 2000 buckets")
}

/// The value that stands for a bucket: halfway between its smallest and its largest value, in milliseconds.
#[must_use]
pub fn value_of(index: i32) -> i64 {
    let Ok(index) = usize::try_from(index) else { return 0 };
    let index = index.min(BOUNDS.len() - 1);
    let smallest = if index == 0 { 1 } else { BOUNDS[index - 1] + 1 };
    i64::midpoint(smallest, BOUNDS[index])
}

/// Nearest-rank percentile `⌈q·n⌉`, `q` in percent, over buckets in rising order of index; `None` when they are empty.
#[must_use]
pub fn percentile(buckets: &[Bucket], percent: i64) -> Option<i64> {
    let total: i64 = buckets.iter().map(|bucket| bucket.count).sum();
    if total <= 0 {
        return None;
    }
    let rank = (total * percent + 99) / 100;
    let mut seen = 0;
    for bucket in buckets {
        seen += bucket.count;
        if seen >= rank {
            return Some(value_of(bucket.index));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bucket_stands_for_its_values_within_one_percent(
            milliseconds in prop_oneof![0_i64..2_000, 0_i64..1_000_000, 0_i64..500_000_000_000],
        ) {
            let shown = value_of(index_of(milliseconds));
            prop_assert!((shown - milliseconds).abs() * 100 <= milliseconds, "{milliseconds} is shown as {shown}");
        }
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        let mut counts = std::collections::BTreeMap::new();
        for value in 1..=100_i64 {
            *counts.entry(index_of(value)).or_insert(0) += 1;
        }
        let buckets: Vec<Bucket> = counts.into_iter().map(|(index, count)| Bucket { index, count }).collect();
        assert_eq!(percentile(&buckets, 50), Some(50));
        assert_eq!(percentile(&buckets[..1], 99), Some(1));
        assert_eq!(percentile(&[], 50), None);
    }
}
