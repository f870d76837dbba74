//! When people come: the rhythm of a day and of a week.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::options::{DAY, HOUR, Plan, WARM_UP};

/// Visits by hour of the day (UTC, for customers in central Europe), as shares of the average hour.
const HOURS: [f64; 24] = [
    0.30, 0.18, 0.12, 0.10, 0.14, 0.30, 0.58, 0.84, 1.05, 1.18, 1.25, 1.32, 1.28, 1.20, 1.18, 1.22, 1.32,
    1.50, 1.78, 1.95, 1.88, 1.55, 1.05, 0.60,
];
/// Visits by day of the week, Monday first, as shares of the average day.
const WEEKDAYS: [f64; 7] = [1.05, 1.00, 0.98, 0.98, 0.95, 0.96, 1.08];
/// 1970-01-01 was a Thursday.
const WEEKDAY_OF_EPOCH: i64 = 3;

/// The moments at which people come, a Poisson process: in history its rate follows the rhythm, live it is even.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    next: f64,
    history_peak_per_ms: f64,
    live_per_ms: f64,
    /// Who comes shortly before live traffic begins belongs to it: the rate is the right one from its first second.
    live_people_from: f64,
}

impl Arrivals {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are below 2^53")]
    pub(crate) fn new(plan: &Plan, events_per_visitor: f64) -> Arrivals {
        let per_ms = |events_per_day: f64| events_per_day / events_per_visitor / DAY as f64;
        let peak = highest(&HOURS) / average(&HOURS) * highest(&WEEKDAYS);
        Arrivals {
            next: plan.people_from as f64,
            history_peak_per_ms: per_ms(plan.events_per_day) * peak,
            live_per_ms: per_ms(plan.live_events_per_day),
            live_people_from: plan.live_from.map_or(f64::INFINITY, |live_from| (live_from - WARM_UP) as f64),
        }
    }

    /// The next moment. In history candidates come at the peak rate; each is kept with the share of the peak that its time has.
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 are below 2^53")]
    pub(crate) fn next(&mut self, random: &mut ChaCha8Rng) -> i64 {
        loop {
            let waited = -(1.0 - random.random::<f64>()).ln();
            if self.next >= self.live_people_from {
                self.next += waited / self.live_per_ms;
                return self.next as i64;
            }
            // The process has no memory: where the rate changes it simply begins anew.
            self.next = (self.next + waited / self.history_peak_per_ms).min(self.live_people_from);
            let moment = self.next as i64;
            if self.next < self.live_people_from && random.random::<f64>() < share_of_peak(moment) {
                return moment;
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "an hour's milliseconds are below 2^53")]
fn share_of_peak(moment: i64) -> f64 {
    let (hour, within) = (moment.rem_euclid(DAY) / HOUR, moment.rem_euclid(HOUR) as f64 / HOUR as f64);
    let at = |hour: i64| HOURS[usize::try_from(hour.rem_euclid(24)).expect("an hour of the day")];
    let by_hour = at(hour) * (1.0 - within) + at(hour + 1) * within;
    let weekday = (moment.div_euclid(DAY) + WEEKDAY_OF_EPOCH).rem_euclid(7);
    let by_weekday = WEEKDAYS[usize::try_from(weekday).expect("a day of the week")];
    by_hour * by_weekday / (highest(&HOURS) * highest(&WEEKDAYS))
}

fn highest(shares: &[f64]) -> f64 {
    shares.iter().copied().fold(0.0, f64::max)
}

#[expect(clippy::cast_precision_loss, reason = "there are 24 hours")]
fn average(shares: &[f64]) -> f64 {
    shares.iter().sum::<f64>() / shares.len() as f64
}
