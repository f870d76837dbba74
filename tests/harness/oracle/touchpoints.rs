//! What a case says of its touchpoints, and service hours by asking, minute by minute, what the clock on the wall shows.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::MINUTE;

const SLO: i64 = 5 * MINUTE;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Touchpoints by name, as in the cases; none in a simulated day.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touchpoints(pub(crate) Value);

impl Touchpoints {
    /// Service level of the first response.
    pub(super) fn slo(&self, touchpoint: &str) -> i64 {
        self.0[touchpoint]["slo_first_response_s"].as_i64().map_or(SLO, |seconds| seconds * 1_000)
    }

    /// How much of the time from `from` to `to` somebody serves.
    pub(super) fn served(&self, touchpoint: &str, from: i64, to: i64) -> i64 {
        let Some(lines) = self.0[touchpoint]["service_hours"].as_array() else { return to - from };
        let zone = self.0[touchpoint]["time_zone"].as_str().unwrap_or("UTC");
        let zone = TimeZone::get(zone).expect("the case names a time zone");
        let holidays = self.0[touchpoint]["holidays"].as_array().cloned().unwrap_or_default();
        let is_open = |time: i64| {
            let wall = zone.to_datetime(Timestamp::from_millisecond(time).expect("near today"));
            let (day, minute) =
                (wall.date().weekday(), i64::from(wall.hour()) * 60 + i64::from(wall.minute()));
            let is_holiday = holidays.iter().any(|day| *day == wall.date().to_string());
            let day = day.to_monday_zero_offset() as usize;
            !is_holiday && lines.iter().any(|line| covers(line.as_str().expect("a line"), day, minute))
        };
        let (mut sum, mut time) = (0, from);
        while time < to {
            let next = ((time.div_euclid(MINUTE) + 1) * MINUTE).min(to);
            sum += if is_open(time) { next - time } else { 0 };
            time = next;
        }
        sum
    }
}

/// Whether `mon-fri 09:00-18:00` covers the minute of the day.
fn covers(line: &str, day: usize, minute: i64) -> bool {
    let (days, hours) = line.split_once(' ').expect("days and hours");
    let number = |name: &str| DAYS.iter().position(|day| *day == name).expect("a day");
    let (first, last) = days.split_once('-').unwrap_or((days, days));
    let clock = |text: &str| -> i64 {
        let (hour, minute) = text.split_once(':').expect("a time");
        hour.parse::<i64>().expect("an hour") * 60 + minute.parse::<i64>().expect("a minute")
    };
    let (from, to) = hours.split_once('-').expect("from and to");
    (number(first)..=number(last)).contains(&day) && (clock(from)..clock(to)).contains(&minute)
}
