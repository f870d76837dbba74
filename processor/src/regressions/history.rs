//! What was counted, as the rules ask for it. The rolling-up stage answers from its minutes and hours; tests and the benchmark from arrays.
//!
//! Rules keep no counts of their own: a late event that corrects an hour corrects every baseline that the hour is part of.

use touchstream_schemas::panes::Scores;
use touchstream_schemas::time::{EventTime, Millis};

use super::statistics::Proportion;

/// A stretch of time, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First moment.
    pub from: EventTime,
    /// First moment after it.
    pub to: EventTime,
}

impl Span {
    /// The stretch of this length that ends at `to`.
    #[must_use]
    pub fn before(to: EventTime, length: Millis) -> Span {
        Span { from: to - length, to }
    }

    /// How long it is.
    #[must_use]
    pub fn length(self) -> Millis {
        self.to - self.from
    }

    /// The same, earlier.
    #[must_use]
    pub fn earlier(self, by: Millis) -> Span {
        Span { from: self.from - by, to: self.to - by }
    }

    /// Whether any moment is in both.
    #[must_use]
    pub fn overlaps(self, other: Span) -> bool {
        self.from < other.to && other.from < self.to
    }

    /// All hours that it touches.
    #[must_use]
    pub fn whole_hours(self) -> Span {
        let to = self.to.floor_to(Millis::HOUR);
        let to = if to == self.to { to } else { to + Millis::HOUR };
        Span { from: self.from.floor_to(Millis::HOUR), to }
    }

    /// What is left of it without the hours that touch any of `excluded`.
    #[must_use]
    pub fn without(self, excluded: &[Span]) -> Vec<Span> {
        let mut left = vec![self];
        for hole in excluded.iter().filter(|hole| hole.overlaps(self)) {
            let hole = hole.whole_hours();
            let parts = |part: Span| {
                [
                    Span { from: part.from, to: part.to.min(hole.from) },
                    Span { from: part.from.max(hole.to), to: part.to },
                ]
            };
            left = left.into_iter().flat_map(parts).filter(|part| part.from < part.to).collect();
        }
        left
    }
}

/// Which series a watch is about, by a number that only the history understands.
pub type Handle = u32;

/// A part of a series: one channel of a touchpoint, or one device.
#[derive(Clone, Debug)]
pub struct Part {
    /// As `device=mobile`.
    pub name: String,
    /// Its own series.
    pub handle: Handle,
}

/// Counts by time.
pub trait History {
    /// When anything was first counted; the end of time when nothing was.
    fn begins(&self, handle: Handle) -> EventTime;
    /// Drop-offs, errors or breaches, and all they are counted among. For drop-offs those that went on are to be counted as much earlier as
    /// it takes until an attempt counts as abandoned: else fewer customers than a moment ago would look like more who give up.
    fn proportion(&self, handle: Handle, span: Span) -> Proportion;
    /// Answers by class.
    fn scores(&self, handle: Handle, span: Span) -> Scores;
    /// The shortest stretch before `to` that holds this many answers; none longer than `longest`.
    fn newest_answers(&self, handle: Handle, to: EventTime, answers: i64, longest: Millis) -> Span;
    /// Number of answered waits, and their percentile (nearest rank) in milliseconds if `unanswered` more of them were longer than all.
    fn percentile(&self, handle: Handle, spans: &[Span], share: f64, unanswered: i64) -> (i64, Option<i64>);
    /// Answered waits that were longer than this, among all of them.
    fn slower_than(&self, handle: Handle, span: Span, milliseconds: i64) -> Proportion;
    /// Customers who wait at this moment, for longer than this.
    fn waiting_beyond(&self, handle: Handle, at: EventTime, milliseconds: i64) -> i64;
    /// Everything that happened.
    fn events(&self, handle: Handle, span: Span) -> i64;
    /// Parts that it is the sum of, for the one that contributes most.
    fn parts(&self, _handle: Handle) -> Vec<Part> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_hours_are_left_out() {
        let hour = |hours: i64| EventTime(0) + Millis::HOUR.times(hours);
        let day = Span { from: hour(0), to: hour(24) };
        let hole = Span { from: hour(3) + Millis::MINUTE, to: hour(4) + Millis::MINUTE };
        let left = day.without(&[
            hole,
            Span { from: hour(30), to: hour(31) },
            Span { from: hour(20), to: hour(40) },
        ]);
        assert_eq!(left, [Span { from: hour(0), to: hour(3) }, Span { from: hour(5), to: hour(20) }]);
        assert!(hole.without(&[day]).is_empty());
    }
}
