//! The period of a replay and what lies around it: how much of the log before it is needed, and whether Kafka still has it.

use touchstream_schemas::time::{EventTime, Millis};

/// Days before a period that are read with it: what begins before the period may end in it, at most this long after its last event.
pub const NEEDED_BEFORE: Millis = Millis::DAY.times(7);
/// Read besides, where Kafka still has it: copies of an event count once within an hour, and attempts that began earlier are seen whole.
const READ_BESIDES: Millis = Millis::DAY;

/// Minutes that are rebuilt: from the first to before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First minute.
    pub from: EventTime,
    /// The minute after the last.
    pub to: EventTime,
}

impl Period {
    /// Whole minutes around the times; without `to` up to everything that was counted.
    #[must_use]
    pub fn new(from: EventTime, to: Option<EventTime>) -> Period {
        let whole = |time: EventTime| {
            let floor = time.minute();
            if floor == time { floor } else { floor + Millis::MINUTE }
        };
        Period { from: from.minute(), to: to.map_or(EventTime::MAX, whole) }
    }

    /// Whether the time lies in it.
    #[must_use]
    pub fn contains(self, time: EventTime) -> bool {
        self.from <= time && time < self.to
    }
}

/// What the log of a raw partition begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogStart {
    /// Nothing was ever deleted.
    Whole,
    /// The first record that is left has this append time.
    Since(EventTime),
}

/// How far back a replay reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// Records appended before this are not read.
    pub(super) appended_from: EventTime,
    /// Every event at or after this time is among those that are read.
    pub(super) complete_since: EventTime,
}

impl Reach {
    /// `future` is how far an event's time may lie after its receipt.
    ///
    /// # Errors
    /// The earliest period that can be rebuilt, when this one cannot.
    pub(super) fn of(period: Period, starts: &[LogStart], future: Millis) -> Result<Reach, EventTime> {
        let deleted = starts.iter().filter_map(|start| match start {
            LogStart::Whole => None,
            LogStart::Since(time) => Some(*time),
        });
        let Some(first) = deleted.max() else {
            return Ok(Reach { appended_from: EventTime::MIN, complete_since: EventTime::MIN });
        };
        let needed = period.from - NEEDED_BEFORE - future;
        if first > needed {
            let whole = first + future + NEEDED_BEFORE + Millis::MINUTE;
            return Err(whole.minute());
        }
        let appended_from = first.max(needed - READ_BESIDES);
        Ok(Reach { appended_from, complete_since: appended_from + future })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: EventTime = EventTime(1_767_600_000_000);
    const FUTURE: Millis = Millis::MINUTE.times(10);

    #[test]
    fn a_period_is_refused_when_seven_days_before_it_are_not_whole() {
        let first = NOW - Millis::DAY.times(14);
        let starts = [LogStart::Whole, LogStart::Since(first), LogStart::Since(first - Millis::DAY)];
        let earliest = Reach::of(Period::new(NOW - Millis::DAY.times(8), None), &starts, FUTURE);
        let earliest = earliest.expect_err("the first of 14 days is not whole");
        assert_eq!(earliest, first + Millis::DAY.times(7) + FUTURE + Millis::MINUTE);
        let reach = Reach::of(Period::new(earliest, None), &starts, FUTURE).expect("that is what it said");
        assert_eq!(reach, Reach { appended_from: first, complete_since: first + FUTURE });
        let whole = Reach::of(Period::new(EventTime(0), None), &[LogStart::Whole], FUTURE);
        assert_eq!(whole.map(|reach| reach.complete_since), Ok(EventTime::MIN), "nothing was ever deleted");
    }

    #[test]
    fn a_period_is_whole_minutes() {
        let period = Period::new(EventTime(59_999), Some(EventTime(60_001)));
        assert_eq!(period, Period { from: EventTime(0), to: EventTime(120_000) });
    }
}
