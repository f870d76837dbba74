//! How long to wait before a child is started again: longer each time, with jitter, never for ever.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// A child that ran this long was healthy: its next failure is a first one again.
const HEALTHY: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after a run of the given length; `random` is in 0..1 and spreads it over its upper half.
    pub(crate) fn pause_after(&mut self, run: Duration, random: f64) -> Duration {
        if run >= HEALTHY {
            self.failures = 0;
        }
        let doublings = self.failures.min(10);
        self.failures = self.failures.saturating_add(1);
        let full = (FIRST * 2_u32.pow(doublings)).min(LONGEST);
        full.mul_f64(0.5 + 0.5 * random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_a_limit_and_forgets_after_a_healthy_run() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> =
            (0..12).map(|_| backoff.pause_after(Duration::ZERO, 1.0).as_millis()).collect();
        assert_eq!(pauses[..4], [250, 500, 1000, 2000]);
        assert_eq!(pauses[8..], [30_000; 4]);
        assert_eq!(backoff.pause_after(HEALTHY, 0.0), FIRST / 2);
    }
}
