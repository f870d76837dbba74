//! Service times: hours of the week, holidays and the time zone in which both are meant. What they make of two times is worked out
//! where it is needed; here they are only read.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

/// A stretch of one day, in minutes since its midnight by the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceSpan {
    /// First minute.
    pub from_minute: u16,
    /// The minute after the last, at most 1440.
    pub to_minute: u16,
}

/// The whole day.
pub(super) const WHOLE_DAY: ServiceSpan = ServiceSpan { from_minute: 0, to_minute: 24 * 60 };

/// When somebody serves.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceTimes {
    time_zone: TimeZone,
    /// Monday first.
    week: [Vec<ServiceSpan>; 7],
    holidays: BTreeSet<Date>,
}

impl ServiceTimes {
    pub(super) fn new(
        time_zone: TimeZone,
        week: [Vec<ServiceSpan>; 7],
        holidays: BTreeSet<Date>,
    ) -> ServiceTimes {
        ServiceTimes { time_zone, week, holidays }
    }

    /// The time zone in which hours and holidays are meant.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// The service of a day, in order and without overlap; nothing on a holiday.
    #[must_use]
    pub fn on(&self, day: Date) -> &[ServiceSpan] {
        if self.holidays.contains(&day) { &[] } else { self.on_weekday(day.weekday()) }
    }

    /// The service of a day of the week that is no holiday.
    #[must_use]
    pub fn on_weekday(&self, day: Weekday) -> &[ServiceSpan] {
        let index = usize::try_from(day.to_monday_zero_offset()).expect("a week has seven days");
        &self.week[index]
    }

    /// Days without service.
    #[must_use]
    pub fn holidays(&self) -> &BTreeSet<Date> {
        &self.holidays
    }
}
