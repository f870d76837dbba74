//! Event time as a type of its own, so that it is never mixed up with offsets, counts or durations.

use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(pub i64);

/// A length of time in milliseconds; may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// One minute.
    pub const MINUTE: Millis = Millis(60_000);
    /// One hour.
    pub const HOUR: Millis = Millis(3_600_000);
    /// One day.
    pub const DAY: Millis = Millis(86_400_000);

    /// `count` times this length.
    #[must_use]
    pub const fn times(self, count: i64) -> Millis {
        Millis(self.0.saturating_mul(count))
    }
}

impl EventTime {
    /// Earlier than every event.
    pub const MIN: EventTime = EventTime(i64::MIN);
    /// Later than every event.
    pub const MAX: EventTime = EventTime(i64::MAX);

    /// The wall clock.
    ///
    /// # Panics
    /// When the machine's clock stands before 1970.
    #[must_use]
    pub fn now() -> EventTime {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("the clock stands after 1970");
        EventTime(i64::try_from(since_epoch.as_millis()).expect("milliseconds fit for 292 million years"))
    }

    /// The latest multiple of `step` (counted from 1970 UTC) that is not after this time.
    #[must_use]
    pub fn floor_to(self, step: Millis) -> EventTime {
        EventTime(self.0.div_euclid(step.0).saturating_mul(step.0))
    }

    /// Start of the minute.
    #[must_use]
    pub fn minute(self) -> EventTime {
        self.floor_to(Millis::MINUTE)
    }
}

impl Add<Millis> for EventTime {
    type Output = EventTime;
    fn add(self, length: Millis) -> EventTime {
        EventTime(self.0.saturating_add(length.0))
    }
}

impl Sub<Millis> for EventTime {
    type Output = EventTime;
    fn sub(self, length: Millis) -> EventTime {
        EventTime(self.0.saturating_sub(length.0))
    }
}

impl Sub<EventTime> for EventTime {
    type Output = Millis;
    fn sub(self, earlier: EventTime) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_before_1970_start_earlier_not_later() {
        assert_eq!(EventTime(-1).minute(), EventTime(-60_000));
        assert_eq!(EventTime(61_234).minute(), EventTime(60_000));
    }
}
