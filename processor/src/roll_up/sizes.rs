//! Window sizes: how long, how often one ends, and which ends a change or the passing of time concerns.

use touchstream_schemas::panes::metric;
use touchstream_schemas::time::{EventTime, Millis};

/// A size of rolling windows `[end - size, end)`; ends are multiples of the advance since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WindowSize {
    pub(super) name: &'static str,
    pub(super) size: Millis,
    pub(super) advance: Millis,
}

const ALL: [WindowSize; 6] = [
    WindowSize { name: "5m", size: Millis::MINUTE.times(5), advance: Millis::MINUTE },
    WindowSize { name: "1h", size: Millis::HOUR, advance: Millis::MINUTE },
    WindowSize { name: "24h", size: Millis::DAY, advance: Millis::MINUTE.times(15) },
    WindowSize { name: "7d", size: Millis::DAY.times(7), advance: Millis::HOUR },
    WindowSize { name: "28d", size: Millis::DAY.times(28), advance: Millis::DAY },
    WindowSize { name: "90d", size: Millis::DAY.times(90), advance: Millis::DAY },
];

/// The sizes of a metric; data quality has none.
pub(super) fn of_metric(name: &str) -> &'static [WindowSize] {
    match name {
        metric::NPS | metric::CSAT | metric::CES => &ALL,
        metric::QUALITY => &[],
        _ => &ALL[..4],
    }
}

/// The advance of the windows of this name.
pub(super) fn advance_of(name: &str) -> Option<Millis> {
    ALL.iter().find(|size| size.name == name).map(|size| size.advance)
}

impl WindowSize {
    /// The latest end that has a row at `now`: at most one advance after it.
    pub(super) fn newest(self, now: EventTime) -> EventTime {
        now.floor_to(self.advance) + self.advance
    }

    /// First and last end of the windows that contain the minute.
    pub(super) fn ends_around(self, minute: EventTime) -> (EventTime, EventTime) {
        (minute.floor_to(self.advance) + self.advance, (minute + self.size).floor_to(self.advance))
    }

    /// The first end after `time`.
    pub(super) fn end_after(self, time: EventTime) -> EventTime {
        time.floor_to(self.advance) + self.advance
    }
}

/// Ends gathered from overlapping ranges, each once, in order.
#[derive(Debug)]
pub(super) struct Ends {
    size: WindowSize,
    newest: EventTime,
    ends: std::collections::BTreeSet<EventTime>,
}

impl Ends {
    /// No ends yet; none after `newest` will be taken.
    pub(super) fn up_to(newest: EventTime, size: WindowSize) -> Ends {
        Ends { size, newest, ends: std::collections::BTreeSet::new() }
    }

    /// Takes the ends of all windows that contain one of the minutes, which are given in order.
    pub(super) fn around<'m>(&mut self, minutes: impl Iterator<Item = &'m EventTime>) {
        let mut next = EventTime::MIN;
        for minute in minutes {
            let (first, last) = self.size.ends_around(*minute);
            self.between(first.max(next), last);
            next = next.max(last + self.size.advance);
        }
    }

    /// Takes the ends from `first` (itself an end) to `last`.
    pub(super) fn between(&mut self, first: EventTime, last: EventTime) {
        let mut end = first;
        while end <= last.min(self.newest) {
            self.ends.insert(end);
            end = end + self.size.advance;
        }
    }

    pub(super) fn into_sorted(self) -> impl Iterator<Item = EventTime> {
        self.ends.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_lies_in_every_window_that_ends_after_it_and_starts_at_or_before_it() {
        for size in ALL {
            for minute in [0, 60_000, 86_340_000, 1_700_000_040_000].map(EventTime) {
                let mut ends = Ends::up_to(EventTime::MAX, size);
                ends.around([minute].iter());
                let found: Vec<EventTime> = ends.into_sorted().collect();
                assert_eq!(i64::try_from(found.len()), Ok(size.size.0 / size.advance.0), "{}", size.name);
                for end in found {
                    assert!(end - size.size <= minute && minute < end && end.floor_to(size.advance) == end);
                }
            }
        }
    }
}
