//! Service hours: textbook days, and properties that hold for any hours in any time zone.

use jiff::Timestamp;
use jiff::civil::Weekday;
use proptest::prelude::*;
use touchstream_processor::measure::service_hours::{is_served, served};
use touchstream_runtime::touchpoints::{ServiceTimes, Touchpoints};
use touchstream_schemas::time::{EventTime, Millis};

fn times(fields: &str) -> ServiceTimes {
    let touchpoints = Touchpoints::parse("the test", &format!("[tenants.t]\n{fields}\n")).unwrap();
    touchpoints.service_times("t", "any").unwrap().clone()
}

fn at(text: &str) -> EventTime {
    EventTime(text.parse::<Timestamp>().unwrap().as_millisecond())
}

#[test]
fn textbook_days() {
    let berlin = "time_zone = \"Europe/Berlin\"\n";
    let hours = |hours: &str| format!("{berlin}service_hours = [{hours}]\nholidays = [\"2026-12-25\"]");
    let table = [
        ("a working day", "\"mon-fri 09:00-17:00\"", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z", 480),
        ("a weekend", "\"mon-fri 09:00-17:00\"", "2026-01-10T00:00:00Z", "2026-01-12T00:00:00Z", 0),
        ("over night", "\"mon-fri 09:00-17:00\"", "2026-01-05T15:30:00Z", "2026-01-06T08:20:00Z", 30 + 20),
        (
            "over a holiday",
            "\"mon-fri 09:00-17:00\"",
            "2026-12-24T15:00:00Z",
            "2026-12-28T09:00:00Z",
            60 + 60,
        ),
        (
            "a lunch break",
            "\"mon 09:00-12:00\", \"mon 13:00-17:00\"",
            "2026-01-05T10:30:00Z",
            "2026-01-05T12:30:00Z",
            30 + 30,
        ),
        ("summer time", "\"mon-fri 09:00-17:00\"", "2026-07-06T06:00:00Z", "2026-07-06T08:00:00Z", 60),
        ("an hour that is skipped", "\"sun 02:00-03:00\"", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", 0),
        ("half of it", "\"sun 01:30-02:30\"", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", 30),
        ("the hour after it", "\"sun 02:30-04:00\"", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", 60),
        (
            "an hour that comes twice",
            "\"sun 02:00-03:00\"",
            "2026-10-24T12:00:00Z",
            "2026-10-25T12:00:00Z",
            120,
        ),
        ("no service at all", "", "2026-01-05T00:00:00Z", "2026-02-05T00:00:00Z", 0),
        ("no time", "\"mon-sun 00:00-24:00\"", "2026-01-05T10:00:00Z", "2026-01-05T10:00:00Z", 0),
        (
            "midnight",
            "\"fri 22:00-24:00\", \"sat 00:00-02:00\"",
            "2026-01-09T12:00:00Z",
            "2026-01-10T12:00:00Z",
            240,
        ),
    ];
    for (name, spans, from, to, minutes) in table {
        assert_eq!(
            served(Some(&times(&hours(spans))), at(from), at(to)),
            Millis::MINUTE.times(minutes),
            "{name}"
        );
    }
    assert_eq!(served(None, at("2026-01-05T10:00:00Z"), at("2026-01-05T10:00:00.007Z")), Millis(7));
}

/// Whether somebody serves at a moment, by asking what the wall shows.
fn shows_service(times: &ServiceTimes, moment: EventTime) -> bool {
    let wall = times.time_zone().to_datetime(Timestamp::from_millisecond(moment.0).unwrap());
    let minute = u16::try_from(i32::from(wall.hour()) * 60 + i32::from(wall.minute())).unwrap();
    times.on(wall.date()).iter().any(|span| span.from_minute <= minute && minute < span.to_minute)
}

fn hours() -> impl Strategy<Value = ServiceTimes> {
    let zone = prop::sample::select(vec![
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/St_Johns",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "America/Havana",
        "Pacific/Apia",
    ]);
    let day = prop::sample::select(vec!["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
    // One span in a morning and one in an afternoon, on whole hours: where a clock is changed in the middle of a span of whole
    // hours, what the wall shows decides each minute.
    let span = (day, 0_u8..12, 1_u8..12, any::<bool>());
    (zone, prop::collection::btree_map(any::<u8>(), span, 1..10), any::<bool>()).prop_map(
        |(zone, spans, holiday)| {
            let mut lines: std::collections::BTreeMap<(&str, bool), String> = Default::default();
            for (day, from, length, late) in spans.into_values() {
                let to = (from + length).min(12);
                let shift = if late { 12 } else { 0 };
                lines.insert((day, late), format!("\"{day} {:02}:00-{:02}:00\"", from + shift, to + shift));
            }
            let lines: Vec<String> = lines.into_values().collect();
            let holidays = if holiday { "\"2026-03-29\", \"2026-11-01\"" } else { "" };
            times(&format!(
                "time_zone = \"{zone}\"\nservice_hours = [{}]\nholidays = [{holidays}]",
                lines.join(", ")
            ))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Minute by minute by the wall's clock: also over the days on which clocks change.
    #[test]
    fn it_is_the_sum_of_the_minutes_in_which_the_wall_shows_service(
        times in hours(),
        start in prop::sample::select(vec!["2026-03-27T00:00:00Z", "2026-04-03T00:00:00Z", "2026-10-23T00:00:00Z", "2026-10-30T00:00:00Z", "2026-03-06T00:00:00Z"]),
        from in 0_i64..2_000,
        length in 0_i64..6_000,
    ) {
        let from = at(start) + Millis::MINUTE.times(from);
        let to = from + Millis::MINUTE.times(length);
        let minutes = (0..length).filter(|minute| shows_service(&times, from + Millis::MINUTE.times(*minute))).count();
        let expected = Millis::MINUTE.times(i64::try_from(minutes).unwrap());
        prop_assert_eq!(served(Some(&times), from, to), expected);
        prop_assert_eq!(is_served(Some(&times), from), shows_service(&times, from));
    }

    /// It adds up, is never more than the time itself, and service around the clock is all of it.
    #[test]
    fn it_adds_up(times in hours(), from in 0_i64..40_000_000_000, first in 0_i64..900_000_000, second in 0_i64..900_000_000) {
        let from = EventTime(1_767_225_600_000 + from);
        let (middle, to) = (from + Millis(first), from + Millis(first + second));
        let parts = served(Some(&times), from, middle).0 + served(Some(&times), middle, to).0;
        prop_assert_eq!(parts, served(Some(&times), from, to).0);
        prop_assert!(parts <= (to - from).0);
        let always = super::service_hours::times("time_zone = \"Europe/Berlin\"\nservice_hours = [\"mon-sun 00:00-24:00\"]");
        prop_assert_eq!(served(Some(&always), from, to), to - from);
        prop_assert!(times.on_weekday(Weekday::Monday).len() <= 2);
    }
}
