//! What to simulate, and what came of it.

use std::path::PathBuf;

use serde::Serialize;

use crate::SimulateError;
use crate::regression::{RegressionOrder, Regressions};

pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// `POST URL/v1/events` with a write key.
    Http {
        /// Address of ingest, such as `http://127.0.0.1:8080`.
        url: String,
        /// The write key.
        key: String,
    },
    /// One event a line into a file; `-` is standard output.
    File(PathBuf),
}

/// What to simulate. Start from [`SimulateOptions::new`].
#[derive(Clone, Debug)]
pub struct SimulateOptions {
    /// The same seed gives the same customers.
    pub seed: u64,
    /// Days of history. Alone, they end at the last midnight UTC; together with a rate they end now and live traffic goes on.
    pub days: Option<u32>,
    /// Live events per second on average, without daily rhythm.
    pub rate: Option<f64>,
    /// First moment of the history in milliseconds since 1970, instead of the one that `days` implies.
    pub start: Option<i64>,
    /// Volume of a day of history; with a rate, the rate's volume is the default.
    pub events_per_day: Option<u64>,
    /// Stop after this many events.
    pub limit: Option<u64>,
    /// Where events go.
    pub destination: Destination,
    /// Parallel connections. More than one lets batches overtake each other; the default is one with history, four without.
    pub connections: Option<usize>,
    /// Events a request, at most.
    pub batch_events: usize,
    /// Arrival is off from the time by up to this many seconds in both directions.
    pub disorder_s: u32,
    /// Share of events that arrive up to three hours late.
    pub late_share: f64,
    /// Share of events that are sent twice.
    pub duplicate_share: f64,
    /// What goes wrong, and when.
    pub regressions: Vec<RegressionOrder>,
    /// Show a progress bar when standard error is a terminal.
    pub progress: bool,
}

/// Volume of a day of history unless another is asked for. Even the quietest day of a week then has more than 200,000.
const EVENTS_PER_DAY: f64 = 250_000.0;
/// So many events per second are more than any generator here can make; above it is a typing error.
const MAX_EVENTS_PER_SECOND: f64 = 1_000_000.0;
/// Live traffic begins in the middle of the day: people who came within this time are already there.
pub(crate) const WARM_UP: i64 = 40 * MINUTE;

impl SimulateOptions {
    /// One day of history by default, to `destination`.
    #[must_use]
    pub fn new(destination: Destination) -> SimulateOptions {
        SimulateOptions {
            seed: 1,
            days: None,
            rate: None,
            start: None,
            events_per_day: None,
            limit: None,
            destination,
            connections: None,
            batch_events: 500,
            disorder_s: 0,
            late_share: 0.0,
            duplicate_share: 0.0,
            regressions: Vec::new(),
            progress: true,
        }
    }

    /// What these options mean at the moment `now` (milliseconds since 1970): everything that [`crate::generate`] needs.
    ///
    /// # Errors
    /// When an option is out of its range.
    pub fn plan(&self, now: i64) -> Result<Plan, SimulateError> {
        self.check()?;
        let days = i64::from(self.days.unwrap_or(u32::from(self.rate.is_none())));
        let midnight = now.div_euclid(DAY) * DAY;
        let (from, until, live_from) = match self.rate {
            None => {
                let from = self.start.unwrap_or(midnight - days * DAY);
                (from, Some(from + days * DAY), None)
            }
            Some(_) => (self.start.unwrap_or(now - days * DAY), None, Some(now)),
        };
        #[expect(clippy::cast_precision_loss, reason = "a volume does not need all 64 bits")]
        let asked_for = self.events_per_day.map(|events| events as f64);
        let live_events_per_day = self.rate.map(|rate| rate * 86_400.0);
        Ok(Plan {
            seed: self.seed,
            people_from: if days == 0 && self.start.is_none() { from - WARM_UP } else { from },
            from,
            until,
            live_from,
            events_per_day: asked_for.or(live_events_per_day).unwrap_or(EVENTS_PER_DAY),
            live_events_per_day: live_events_per_day.unwrap_or(0.0),
            disorder: i64::from(self.disorder_s) * SECOND,
            late_share: self.late_share,
            duplicate_share: self.duplicate_share,
            regressions: Regressions::new(self.regressions.iter().map(|order| order.place(from, now))),
        })
    }

    fn check(&self) -> Result<(), SimulateError> {
        let refuse = |option, value: String, expected| Err(SimulateError::Option { option, value, expected });
        for (option, share) in [("late-share", self.late_share), ("duplicate-share", self.duplicate_share)] {
            if !(0.0..=1.0).contains(&share) {
                return refuse(option, share.to_string(), "a share is between 0 and 1");
            }
        }
        if let Some(rate) = self.rate
            && !(rate > 0.0 && rate <= MAX_EVENTS_PER_SECOND)
        {
            return refuse(
                "rate",
                rate.to_string(),
                "a rate is above 0 and at most 1000000 events per second",
            );
        }
        if self.days.is_some_and(|days| days > 400) {
            return refuse("days", format!("{:?}", self.days), "at most 400 days");
        }
        if self.days == Some(0) && self.rate.is_none() {
            return refuse("days", "0".to_owned(), "at least one day, or a rate for live traffic");
        }
        if self.disorder_s > 600 {
            return refuse("disorder-s", self.disorder_s.to_string(), "at most 600 seconds");
        }
        if self.batch_events == 0 || self.batch_events > 1_000 {
            return refuse(
                "batch-events",
                self.batch_events.to_string(),
                "between 1 and 1000 events a request",
            );
        }
        if self.connections.is_some_and(|connections| connections == 0 || connections > 256) {
            return refuse("connections", format!("{:?}", self.connections), "between 1 and 256");
        }
        if let Some(events) = self.events_per_day
            && (events == 0 || events > 86_400_000_000)
        {
            return refuse("events-per-day", events.to_string(), "between 1 and 86400000000");
        }
        Ok(())
    }
}

/// Everything that decides which events are made. Two equal plans make the same bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Seed of all chance.
    pub seed: u64,
    /// The first customers come at this time (milliseconds since 1970, as all times here).
    pub people_from: i64,
    /// Events before this time are left out.
    pub from: i64,
    /// Events at or after this time are left out; `None`: it never ends.
    pub until: Option<i64>,
    /// From this arrival on events keep to the clock, and carry `sent_at` over HTTP.
    pub live_from: Option<i64>,
    /// Average number of events a day of history; days and weeks have their rhythm.
    pub events_per_day: f64,
    /// Number of events a day of live traffic, which is even, so that the rate is the one asked for.
    pub live_events_per_day: f64,
    /// Arrival is off from the time by up to this many milliseconds.
    pub disorder: i64,
    /// Share of events that arrive up to three hours late.
    pub late_share: f64,
    /// Share of events that arrive twice.
    pub duplicate_share: f64,
    /// What goes wrong.
    pub regressions: Regressions,
}

/// What was sent, and how it was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SimulateReport {
    /// Events sent, those sent twice counted twice.
    pub sent: u64,
    /// Accepted by the server; equal to `sent` for a file.
    pub accepted: u64,
    /// Recognised as duplicates by the server (a hint: not all are recognised there).
    pub duplicates: u64,
    /// Rejected by the server as invalid.
    pub rejected: u64,
    /// Requests answered.
    pub requests: u64,
    /// Requests repeated after a refusal or a broken connection.
    pub retries: u64,
}
