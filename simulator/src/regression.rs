//! Things that go wrong on purpose: what each of them is, when it begins and ends. What it does to customers stands where customers act.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::{Span, SpanRelativeTo, Timestamp};

use crate::options::MINUTE;

/// An outage of ingest ends by itself; everything else lasts until it is told otherwise.
const OUTAGE: i64 = 30 * MINUTE;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegressionKind {
    /// On mobile devices six of ten buyers fail at the payment step and leave.
    PaymentErrors,
    /// Agents take four times as long to answer in chat and WhatsApp.
    SlowChat,
    /// A release, told by an `app.change`, makes everybody two and a half points less happy.
    NpsFall,
    /// The touchpoint `outlet-checkout` sends nothing.
    SilentTouchpoint,
    /// Nothing arrives; clients keep their events and send them afterwards. Customers fare as before.
    IngestOutage,
}

const KINDS: [(&str, RegressionKind); 5] = [
    ("payment-errors", RegressionKind::PaymentErrors),
    ("slow-chat", RegressionKind::SlowChat),
    ("nps-fall", RegressionKind::NpsFall),
    ("silent-touchpoint", RegressionKind::SilentTouchpoint),
    ("ingest-outage", RegressionKind::IngestOutage),
];

/// A moment, given as such or by its distance from the simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Milliseconds since 1970.
    At(i64),
    /// Milliseconds after the first moment of the simulation.
    AfterStart(i64),
    /// Milliseconds before now.
    BeforeNow(i64),
}

/// A regression as it is asked for: `KIND@TIME` or `KIND@TIME/LENGTH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegressionOrder {
    kind: RegressionKind,
    from: Moment,
    length: Option<i64>,
}

/// A text that names no regression.
#[derive(Debug, thiserror::Error)]
#[error("failed to understand {text:?}: {expected}")]
pub struct RegressionOrderError {
    text: String,
    expected: String,
}

impl FromStr for RegressionOrder {
    type Err = RegressionOrderError;

    fn from_str(text: &str) -> Result<RegressionOrder, RegressionOrderError> {
        let refuse = |expected: String| RegressionOrderError { text: text.to_owned(), expected };
        let (kind, when) =
            text.split_once('@').ok_or_else(|| refuse("KIND@TIME or KIND@TIME/LENGTH".to_owned()))?;
        let known = KINDS.iter().find(|(name, _)| *name == kind);
        let (_, kind) = known
            .ok_or_else(|| refuse(format!("the kinds are {}", KINDS.map(|(name, _)| name).join(", "))))?;
        let (from, length) = match when.split_once('/') {
            Some((from, length)) => (from, Some(length)),
            None => (when, None),
        };
        let duration = |text: &str| {
            milliseconds(text).ok_or_else(|| refuse("a duration is such as 90m, 6h or 2d12h".to_owned()))
        };
        let from = match from.as_bytes().first() {
            Some(b'+') => Moment::AfterStart(duration(&from[1..])?),
            Some(b'-') => Moment::BeforeNow(duration(&from[1..])?),
            _ => {
                let expected =
                    "a time is such as 2026-11-20T10:00:00Z, +9d12h after the start, or -2h before now";
                let at: Timestamp = from.parse().map_err(|_| refuse(expected.to_owned()))?;
                Moment::At(at.as_millisecond())
            }
        };
        Ok(RegressionOrder { kind: *kind, from, length: length.map(duration).transpose()? })
    }
}

fn milliseconds(text: &str) -> Option<i64> {
    let span: Span = text.parse().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    i64::try_from(duration.as_millis()).ok().filter(|milliseconds| *milliseconds > 0)
}

impl RegressionOrder {
    /// When it is, in a simulation that begins at `start`; both times in milliseconds since 1970.
    pub(crate) fn place(self, start: i64, now: i64) -> Regression {
        let from = match self.from {
            Moment::At(at) => at,
            Moment::AfterStart(after) => start.saturating_add(after),
            Moment::BeforeNow(before) => now.saturating_sub(before),
        };
        let usual = (self.kind == RegressionKind::IngestOutage).then_some(OUTAGE);
        let until = self.length.or(usual).map_or(i64::MAX, |length| from.saturating_add(length));
        Regression { kind: self.kind, from, until }
    }
}

/// A regression with its place in time, milliseconds since 1970; `until` does not belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regression {
    /// What goes wrong.
    pub kind: RegressionKind,
    /// Its first moment.
    pub from: i64,
    /// The first moment after it.
    pub until: i64,
}

/// All that goes wrong in a simulation.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Regressions(Arc<[Regression]>);

impl Regressions {
    pub(crate) fn new(regressions: impl IntoIterator<Item = Regression>) -> Regressions {
        Regressions(regressions.into_iter().collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Regression> {
        self.0.iter()
    }

    /// The one of this kind that goes on at `time`.
    pub(crate) fn at(&self, kind: RegressionKind, time: i64) -> Option<&Regression> {
        self.0
            .iter()
            .find(|regression| regression.kind == kind && (regression.from..regression.until).contains(&time))
    }

    pub(crate) fn has(&self, kind: RegressionKind, time: i64) -> bool {
        self.at(kind, time).is_some()
    }
}

impl fmt::Debug for Regressions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{DAY, HOUR};

    #[test]
    fn times_are_given_as_such_or_from_the_start_or_from_now() {
        let place =
            |text: &str| text.parse::<RegressionOrder>().expect("it is an order").place(DAY, 10 * DAY);
        let slow = Regression { kind: RegressionKind::SlowChat, from: DAY + 12 * HOUR, until: i64::MAX };
        assert_eq!(place("slow-chat@+12h"), slow);
        assert_eq!(place("slow-chat@1970-01-02T12:00:00Z"), slow);
        assert_eq!(place("slow-chat@-8d12h/6h"), Regression { until: slow.from + 6 * HOUR, ..slow });
        let outage = place("ingest-outage@-1h");
        assert_eq!(outage.until - outage.from, 30 * MINUTE);
        for wrong in ["slow-chat", "quick-chat@+1h", "slow-chat@soon", "slow-chat@+1h/long", "slow-chat@+0h"]
        {
            let error = wrong.parse::<RegressionOrder>().expect_err("it is none").to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
