//! Service hours: how much of a stretch of time somebody serves, by the clock on the wall of the touchpoint's time zone.
//!
//! A time that the clock skips in spring is the moment of the skip; one that it shows twice in autumn is the first. So an hour that does
//! not exist is not served, and an hour that comes twice is served twice.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use touchstream_runtime::touchpoints::ServiceTimes;
use touchstream_schemas::time::{EventTime, Millis};

/// How much of `[from, to)` is service; without service times all of it.
#[must_use]
pub fn served(times: Option<&ServiceTimes>, from: EventTime, to: EventTime) -> Millis {
    let Some(times) = times.filter(|_| from < to) else { return to - from };
    let zone = times.time_zone();
    let Ok(start) = Timestamp::from_millisecond(from.0) else { return to - from };
    let mut sum = Millis(0);
    let mut day = Some(zone.to_datetime(start).date());
    while let Some(date) = day
        && moment(zone, date, 0).is_some_and(|midnight| midnight < to)
    {
        for span in times.on(date) {
            let begin = moment(zone, date, span.from_minute);
            let end = moment(zone, date, span.to_minute);
            let (Some(begin), Some(end)) = (begin, end) else { continue };
            sum = Millis(sum.0 + (end.min(to) - begin.max(from)).0.max(0));
        }
        day = date.tomorrow().ok();
    }
    sum
}

/// Whether somebody serves at a moment; without service times always.
#[must_use]
pub fn is_served(times: Option<&ServiceTimes>, at: EventTime) -> bool {
    times.is_none() || served(times, at, at + Millis(1)) > Millis(0)
}

/// When the wall shows so many minutes since midnight of that date; `None` at the end of the calendar.
fn moment(zone: &TimeZone, date: Date, minute: u16) -> Option<EventTime> {
    let (date, minute) = if minute >= 24 * 60 { (date.tomorrow().ok()?, 0) } else { (date, minute) };
    let hour = i8::try_from(minute / 60).ok()?;
    let minute = i8::try_from(minute % 60).ok()?;
    let ambiguous = zone.to_ambiguous_timestamp(date.at(hour, minute, 0, 0));
    let timestamp = match ambiguous.offset() {
        AmbiguousOffset::Gap { .. } => {
            let after = ambiguous.compatible().ok()?;
            let skip = zone.preceding(after.checked_add(jiff::SignedDuration::from_millis(1)).ok()?).next();
            skip.map_or(after, |skip| skip.timestamp())
        }
        _ => ambiguous.earlier().ok()?,
    };
    Some(EventTime(timestamp.as_millisecond()))
}
