//! Which times are compared: all since the regression began with what the rule calls usual there.

use serde::Serialize;

use super::Found;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// A stretch up to this long is put together from windows of five minutes, a longer one of hours.
const SHORT: i64 = 6 * HOUR;

/// Times in seconds since 1970. What lay before are the stretches that begin every `cycle_s` from `before_from` on and last `length_s`,
/// as far as they lie before `since_from`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Spans {
    pub(crate) before_from: i64,
    pub(crate) cycle_s: i64,
    pub(crate) length_s: i64,
    pub(crate) since_from: i64,
    pub(crate) since_to: i64,
    /// The window that lies side by side, and its length.
    pub(crate) tile: &'static str,
    pub(crate) tile_s: i64,
    /// The curve: its first and last moment, the window of its points, and what lies between two.
    pub(crate) course_from: i64,
    pub(crate) until: i64,
    pub(crate) course: &'static str,
    pub(crate) course_step_s: i64,
}

impl Spans {
    pub(super) fn of(rule: &str, found: &Found, now: i64) -> Spans {
        let since_from = found.since.min(found.fired_at).min(now) / MINUTE * MINUTE;
        let end = found.ended_at.unwrap_or(now).clamp(since_from, now);
        let (tile, tile_s) = if end - since_from <= SHORT { ("5m", 5 * MINUTE) } else { ("1h", HOUR) };
        let lasted = ((end - since_from) / tile_s * tile_s).max(tile_s);
        let (back, cycle_s, length_s) = match (rule, found.baseline_kind.as_str()) {
            ("nps_fell", _) => (4 * WEEK, 4 * WEEK, 4 * WEEK),
            (_, "previous_24_hours") => (DAY, DAY, DAY),
            // A service level is compared with a promise: what was usual is shown beside it.
            _ => (4 * WEEK, WEEK, lasted.min(WEEK)),
        };
        let is_about_silence = matches!(rule, "touchpoint_silent" | "nothing_arrives");
        let (ahead, course, course_step_s) = match () {
            () if is_about_silence && tile == "5m" => (SHORT, tile, tile_s),
            () if is_about_silence => (DAY, tile, tile_s),
            () if rule == "nps_fell" => (4 * WEEK, "7d", 6 * HOUR),
            () if lasted > 2 * DAY => (WEEK, "24h", 2 * HOUR),
            () => (DAY, "1h", 15 * MINUTE),
        };
        let course_from = since_from - ahead;
        // What is over is shown with what came after it.
        let last = now.min(end + if is_about_silence { SHORT / 2 } else { DAY });
        let until = course_from + (last - course_from) / tile_s * tile_s;
        Spans {
            before_from: since_from - back,
            cycle_s,
            length_s,
            since_from,
            since_to: since_from + lasted,
            tile,
            tile_s,
            course_from,
            until,
            course,
            course_step_s,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_763_985_600;

    fn found(kind: &str, since: i64, ended_at: Option<i64>) -> Found {
        Found { baseline_kind: kind.to_owned(), fired_at: since + HOUR, since, ended_at }
    }

    /// Whether a window that begins at `time` is counted as before.
    fn is_before(spans: &Spans, time: i64) -> bool {
        time >= spans.before_from
            && time < spans.since_from
            && (time - spans.before_from) % spans.cycle_s < spans.length_s
    }

    #[test]
    fn a_rate_is_compared_with_the_same_hours_of_four_weeks() {
        let spans =
            Spans::of("drop_off_rose", &found("same_hours_4_weeks", NOON, None), NOON + 2 * HOUR + 100);
        assert_eq!((spans.since_from, spans.since_to, spans.tile), (NOON, NOON + 2 * HOUR, "5m"));
        for week in 1..=4 {
            assert!(is_before(&spans, NOON - week * WEEK));
            assert!(is_before(&spans, NOON - week * WEEK + 2 * HOUR - 300));
            assert!(!is_before(&spans, NOON - week * WEEK + 2 * HOUR));
        }
        assert!(!is_before(&spans, NOON - 300));
    }

    #[test]
    fn what_lasted_longer_than_a_week_is_compared_with_all_hours() {
        let spans =
            Spans::of("error_rate_rose", &found("same_hours_4_weeks", NOON, None), NOON + 10 * DAY + 7);
        assert_eq!((spans.length_s, spans.tile, spans.since_to), (WEEK, "1h", NOON + 10 * DAY));
        assert!(is_before(&spans, NOON - 300) && is_before(&spans, NOON - 4 * WEEK));
    }

    #[test]
    fn a_young_history_and_scores_have_their_own_times_before() {
        let young = Spans::of("drop_off_rose", &found("previous_24_hours", NOON, None), NOON + HOUR);
        assert!(is_before(&young, NOON - DAY) && !is_before(&young, NOON - DAY - 300));
        let scores = Spans::of("nps_fell", &found("previous_28_days", NOON, None), NOON + 9 * DAY);
        assert!(is_before(&scores, NOON - 28 * DAY) && !is_before(&scores, NOON - 29 * DAY));
    }

    #[test]
    fn what_is_over_is_counted_to_its_end_and_shown_beyond() {
        let ended =
            Spans::of("drop_off_rose", &found("same_hours_4_weeks", NOON, Some(NOON + DAY)), NOON + 9 * DAY);
        assert_eq!((ended.since_to, ended.until), (NOON + DAY, NOON + 2 * DAY));
        let odd = Spans::of("touchpoint_silent", &found("same_hours_4_weeks", NOON, Some(NOON - DAY)), NOON);
        assert_eq!(odd.since_to, NOON + 300, "a clock that went back is no panic");
    }
}
