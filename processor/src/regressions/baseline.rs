//! What is usual: the same hours of the week, in the tenant's time zone, in the four weeks before; hours of incidents, of lost data and of
//! regressions left out. With less than a week of history it is the 24 hours before, and whoever reads it is told so.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use touchstream_schemas::time::{EventTime, Millis};

use super::history::Span;

/// Weeks that a baseline is made of.
const WEEKS: i64 = 4;
/// Weeks that are looked back at most while a baseline is frozen.
const OLDEST_WEEK: i64 = 8;
/// One week.
const WEEK: Millis = Millis::DAY.times(7);

/// What a baseline was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BaselineKind {
    /// The same hours of the week in the weeks before.
    #[default]
    SameHours,
    /// The 24 hours before: there is less than a week of history.
    PreviousDay,
    /// The answers of the 28 days before.
    PreviousAnswers,
    /// A threshold: the service level.
    ServiceLevel,
}

impl BaselineKind {
    /// As in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            BaselineKind::SameHours => "same_hours_4_weeks",
            BaselineKind::PreviousDay => "previous_24_hours",
            BaselineKind::PreviousAnswers => "previous_28_days",
            BaselineKind::ServiceLevel => "service_level",
        }
    }
}

/// Where a baseline lies.
#[derive(Clone, Debug, Default)]
pub(super) struct Baseline {
    /// Stretches to be pooled.
    pub(super) spans: Vec<Span>,
    /// What they are.
    pub(super) kind: BaselineKind,
}

/// What decides which hours are usual ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usual<'a> {
    /// Time zone of hours of the week; `None` is UTC.
    pub(super) time_zone: Option<&'a TimeZone>,
    /// Incidents, lost data, earlier regressions.
    pub(super) excluded: &'a [Span],
    /// While a rule is active: when its regression began. Nothing later is usual.
    pub(super) frozen_at: Option<EventTime>,
    /// When history begins.
    pub(super) begins: EventTime,
}

impl Usual<'_> {
    /// The baseline of a window.
    #[must_use]
    pub(super) fn baseline(&self, window: Span) -> Baseline {
        let kind = self.kind(window);
        let spans = match kind {
            BaselineKind::PreviousDay => {
                let end = self.frozen_at.map_or(window.from, |frozen| frozen.min(window.from));
                Span::before(end.floor_to(Millis::HOUR), Millis::DAY).without(self.excluded)
            }
            _ => {
                let mut spans = Vec::with_capacity(4);
                for week in self.weeks(window.whole_hours()) {
                    if self.is_usual(week) {
                        spans.push(week);
                    } else {
                        spans.extend(week.without(self.excluded));
                    }
                }
                spans
            }
        };
        Baseline { spans, kind }
    }

    /// What the baseline of a window is made of.
    pub(super) fn kind(&self, window: Span) -> BaselineKind {
        let latest = self.frozen_at.map_or(window.from, |frozen| frozen.min(window.from));
        if latest - self.begins < WEEK { BaselineKind::PreviousDay } else { BaselineKind::SameHours }
    }

    /// The same stretch in each of the weeks before that are usual ones.
    fn weeks(&self, span: Span) -> impl Iterator<Item = Span> {
        (1..=OLDEST_WEEK)
            .map(move |weeks| span.earlier(self.week(span.from, weeks)))
            .filter(|week| self.frozen_at.is_none_or(|frozen| week.to <= frozen) && week.from >= self.begins)
            .take(usize::try_from(WEEKS).expect("four"))
    }

    /// How long ago it was the same local time `weeks` ago: an hour more or less around a change of clocks.
    fn week(&self, at: EventTime, weeks: i64) -> Millis {
        let back = WEEK.times(weeks);
        let Some(zone) = self.time_zone else { return back };
        let offset = |at: EventTime| {
            let at = Timestamp::from_millisecond(at.0).unwrap_or_default();
            i64::from(zone.to_offset(at).seconds()) * 1_000
        };
        Millis(back.0 + offset(at - back) - offset(at))
    }

    /// Groups of stretches as long as the window, within each of which everything is usually the same: what varies within them all the same
    /// is more than chance. As long as the window, because a bad day moves all its hours together: 24 hours hold less information
    /// than 24 times one hour.
    pub(super) fn alike(&self, window: Span) -> impl Iterator<Item = Vec<Span>> {
        let kind = self.kind(window);
        let length = window.length();
        let window = Span::before(window.to.floor_to(Millis::HOUR), length);
        let (groups, is_weekly) = match kind {
            BaselineKind::PreviousDay => (1, false),
            _ => (WEEK.0 / length.0.max(1), true),
        };
        (0..groups).map(move |group| {
            if is_weekly {
                let block = window.earlier(length.times(group));
                return self.weeks(block).filter(|week| self.is_usual(*week)).collect();
            }
            let blocks =
                (1..=Millis::DAY.0 / length.0.max(1)).map(|block| window.earlier(length.times(block)));
            blocks.filter(|block| block.from >= self.begins && self.is_usual(*block)).collect()
        })
    }

    fn is_usual(&self, span: Span) -> bool {
        !self.excluded.iter().any(|hole| hole.overlaps(span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: EventTime = EventTime(1_763_942_400_000);

    fn at(time: &str) -> EventTime {
        EventTime(time.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn usual<'a>(zone: Option<&'a TimeZone>, excluded: &'a [Span]) -> Usual<'a> {
        Usual { time_zone: zone, excluded, frozen_at: None, begins: EventTime(0) }
    }

    #[test]
    fn the_same_hours_of_the_week_by_the_clock_on_the_wall() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        // Ten o'clock in Berlin, the Monday after the clocks went back on 25 October 2026.
        let window = Span { from: at("2026-10-26T09:00:00Z"), to: at("2026-10-26T09:20:00Z") };
        let found = usual(Some(&berlin), &[]).baseline(window);
        let expected =
            ["2026-10-19T08:00:00Z", "2026-10-12T08:00:00Z", "2026-10-05T08:00:00Z", "2026-09-28T08:00:00Z"];
        assert_eq!(found.kind, BaselineKind::SameHours);
        assert_eq!(found.spans, expected.map(|from| Span { from: at(from), to: at(from) + Millis::HOUR }));
    }

    #[test]
    fn marked_hours_are_no_baseline() {
        let window = Span::before(MONDAY, Millis::HOUR.times(3));
        let marked = Span::before(MONDAY - WEEK - Millis::HOUR, Millis::MINUTE);
        let found = usual(None, &[marked]).baseline(window);
        let total: i64 = found.spans.iter().map(|span| span.length().0).sum();
        assert_eq!(total, Millis::HOUR.times(11).0);
        assert!(!found.spans.iter().any(|span| span.overlaps(marked)));
    }

    #[test]
    fn while_a_regression_lasts_nothing_after_its_start_is_usual() {
        let window = Span::before(MONDAY, Millis::HOUR);
        let frozen = Usual { frozen_at: Some(MONDAY - Millis::DAY.times(10)), ..usual(None, &[]) };
        let found = frozen.baseline(window);
        assert_eq!(found.spans.len(), 4);
        assert_eq!(found.spans[0], window.earlier(WEEK.times(2)));
    }

    #[test]
    fn a_young_history_is_compared_with_the_day_before_and_says_so() {
        let window = Span::before(MONDAY, Millis::HOUR);
        let young = Usual { begins: MONDAY - Millis::DAY.times(6), ..usual(None, &[]) };
        let found = young.baseline(window);
        assert_eq!(
            (found.kind, found.spans),
            (BaselineKind::PreviousDay, vec![Span::before(window.from, Millis::DAY)])
        );
    }
}
