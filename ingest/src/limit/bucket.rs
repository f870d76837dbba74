//! Token buckets: how much may come at once and how fast it fills up again. Pure: the time is passed in.
//!
//! A bucket is one number, the moment at which it is full again (the generic cell rate algorithm). Taking moves that moment; a bucket may
//! be at most its burst away from being full. Promise: in any stretch of time no more is taken than rate × time + burst (+ one
//! amount larger than the burst, which only a full bucket gives), and a refusal names the moment at which the same request succeeds.

use std::time::Duration;

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    per_second: u64,
    burst: Duration,
}

impl Rate {
    /// A rate with a burst as long as this; none when the rate is 0, which stands for no limit.
    pub(crate) fn new(per_second: u64, burst: Duration) -> Option<Rate> {
        // A burst of nothing would refuse everything but single units.
        (per_second > 0).then(|| Rate { per_second, burst: burst.max(Duration::from_secs(1)) })
    }

    /// The time in which this much flows in, rounded up: rounding never gives more than the rate.
    fn time_for(self, amount: u64) -> Duration {
        let nanos = (u128::from(amount) * 1_000_000_000).div_ceil(u128::from(self.per_second));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// One bucket; full at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    full_at: Duration,
}

impl Bucket {
    /// Whether this much could be taken now, and else how long to wait for it.
    ///
    /// An amount larger than the bucket is given when the bucket is full, or it could never be had; the debt is paid back afterwards.
    pub(crate) fn look(self, rate: Rate, now: Duration, amount: u64) -> Result<(), Duration> {
        let empty_part = self.full_at.saturating_sub(now);
        let wanted = rate.time_for(amount).min(rate.burst);
        match (empty_part + wanted).checked_sub(rate.burst) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => Ok(()),
        }
    }

    /// Takes this much, whether it is there or not; look first.
    pub(crate) fn take(&mut self, rate: Rate, now: Duration, amount: u64) {
        self.full_at = self.full_at.max(now).saturating_add(rate.time_for(amount));
    }
}

/// Takes all amounts, or none and says how long to wait for all of them. Without a rate there is no limit.
pub(crate) fn take_all<const N: usize>(
    buckets: &mut [Bucket; N],
    rates: [Option<Rate>; N],
    now: Duration,
    amounts: [u64; N],
) -> Result<(), Duration> {
    let mut wait = Duration::ZERO;
    for ((bucket, rate), amount) in buckets.iter().zip(rates).zip(amounts) {
        if let Some(Err(longer)) = rate.map(|rate| bucket.look(rate, now, amount)) {
            wait = wait.max(longer);
        }
    }
    if !wait.is_zero() {
        return Err(wait);
    }
    for ((bucket, rate), amount) in buckets.iter_mut().zip(rates).zip(amounts) {
        if let Some(rate) = rate {
            bucket.take(rate, now, amount);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(per_second: u64, burst: u64) -> Rate {
        Rate::new(per_second, SECOND * u32::try_from(burst).expect("small")).expect("not zero")
    }

    #[test]
    fn a_burst_passes_then_the_rate_and_a_large_request_needs_a_full_bucket() {
        let rate = rate(10, 2);
        let mut buckets = [Bucket::default()];
        let mut take = |now, amount| take_all(&mut buckets, [Some(rate)], now, [amount]);
        assert_eq!(take(SECOND, 20), Ok(()));
        assert_eq!(take(SECOND, 1), Err(SECOND / 10));
        assert_eq!(take(SECOND + SECOND / 10, 1), Ok(()));
        assert_eq!(take(SECOND * 60, 100), Ok(()), "larger than the bucket, which is full");
        assert_eq!(take(SECOND * 60, 100), Err(SECOND * 10), "the debt is paid first");
        assert_eq!(Rate::new(0, SECOND), None);
        assert_eq!(take_all(&mut [Bucket::default()], [None], SECOND, [u64::MAX]), Ok(()));
    }

    #[test]
    fn of_two_buckets_both_give_or_none() {
        let (events, bytes) = (rate(10, 1), rate(1_000, 1));
        let mut buckets = [Bucket::default(); 2];
        assert_eq!(take_all(&mut buckets, [Some(events), Some(bytes)], SECOND, [1, 900]), Ok(()));
        let before = buckets;
        assert_eq!(
            take_all(&mut buckets, [Some(events), Some(bytes)], SECOND, [1, 300]),
            Err(Duration::from_millis(200))
        );
        assert_eq!(buckets, before, "nothing was taken");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_stretch_of_time_gives_more_than_rate_and_burst_and_a_refusal_tells_the_truth(
            per_second in 1_u64..100_000,
            burst in 1_u64..20,
            requests in proptest::collection::vec((0_u64..2_000_000_000, 0_u64..5_000), 1..60),
        ) {
            let rate = rate(per_second, burst);
            let mut buckets = [Bucket::default()];
            let mut now = SECOND;
            let mut taken: Vec<(Duration, u64)> = Vec::new();
            for (pause, amount) in requests {
                now += Duration::from_nanos(pause);
                match take_all(&mut buckets, [Some(rate)], now, [amount]) {
                    Ok(()) => taken.push((now, amount)),
                    Err(wait) => {
                        prop_assert!(!wait.is_zero());
                        prop_assert!(buckets[0].look(rate, now + wait, amount).is_ok());
                        prop_assert!(buckets[0].look(rate, now + wait - Duration::from_nanos(1), amount).is_err());
                    }
                }
            }
            let largest = taken.iter().map(|(_, amount)| *amount).max().unwrap_or(0);
            for (first, (from, _)) in taken.iter().enumerate() {
                let mut sum = 0;
                for (until, amount) in &taken[first..] {
                    sum += amount;
                    let nanos = (*until - *from).as_nanos();
                    let flowed = nanos * u128::from(per_second) / 1_000_000_000 + 1;
                    let bound = flowed + u128::from(per_second * burst) + u128::from(largest);
                    prop_assert!(u128::from(sum) <= bound, "{sum} in {nanos} ns");
                    if largest <= per_second * burst {
                        prop_assert!(u128::from(sum) <= bound - u128::from(largest), "{sum} in {nanos} ns");
                    }
                }
            }
        }
    }
}
