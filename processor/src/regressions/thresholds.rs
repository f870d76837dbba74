//! The numbers that a rule goes by. Defaults are those that `make bench-regressions` was run with; a touchpoint may state its own.

use touchstream_runtime::touchpoints::RuleSettings;
use touchstream_schemas::time::Millis;

use super::statistics::number;

/// Which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// NPS is lower than before.
    NpsFell,
    /// More attempts end at a step of the checkout.
    DropOffRose,
    /// Customers wait longer for a first response.
    ResponseP95Rose,
    /// The service level is missed too often.
    ResponseSloBurn,
    /// Nothing comes from a touchpoint.
    TouchpointSilent,
    /// More responses of an app are errors.
    ErrorRateRose,
    /// Nothing comes of a tenant at all: no touchpoint's silence but the way to us.
    NothingArrives,
}

impl Rule {
    /// All that watch touchpoints.
    pub const ALL: [Rule; 6] = [
        Rule::NpsFell,
        Rule::DropOffRose,
        Rule::ResponseP95Rose,
        Rule::ResponseSloBurn,
        Rule::TouchpointSilent,
        Rule::ErrorRateRose,
    ];

    /// As in records, labels and settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Rule::NpsFell => "nps_fell",
            Rule::DropOffRose => "drop_off_rose",
            Rule::ResponseP95Rose => "response_p95_rose",
            Rule::ResponseSloBurn => "response_slo_burn",
            Rule::TouchpointSilent => "touchpoint_silent",
            Rule::ErrorRateRose => "error_rate_rose",
            Rule::NothingArrives => "nothing_arrives",
        }
    }

    /// The rule of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Rule> {
        Rule::ALL.into_iter().chain([Rule::NothingArrives]).find(|rule| rule.name() == name)
    }

    /// How often it is checked. Scores trickle in: an hour changes them as little as five minutes change a rate.
    #[must_use]
    pub const fn interval(self) -> Millis {
        match self {
            Rule::NpsFell => Millis::HOUR,
            _ => Millis::MINUTE.times(5),
        }
    }

    /// Checks in a row that must say the same. Chance crosses a line for a moment, what is wrong stays beyond it; where silence itself grows
    /// with each check, two are enough.
    #[must_use]
    pub const fn confirmed_by(self) -> i32 {
        match self {
            Rule::DropOffRose | Rule::ResponseP95Rose | Rule::ErrorRateRose => 3,
            Rule::NpsFell | Rule::ResponseSloBurn | Rule::TouchpointSilent | Rule::NothingArrives => 2,
        }
    }
}

/// What a rule asks for before it fires.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Samples within the window.
    pub samples: i64,
    /// Samples within the baseline.
    pub baseline_samples: i64,
    /// Standard deviations that the change is at least away from the baseline.
    pub z: f64,
    /// How large the change is at least: in points, in shares, or as a share of the baseline.
    pub effect: f64,
    /// Share of false ones among what one check finds. It is small where a check comes every five minutes: a year has a hundred thousand.
    pub false_discoveries: f64,
    /// Service level: share of responses in time.
    pub slo: f64,
    /// Events that must have been expected before silence says something.
    pub expected: f64,
}

impl Thresholds {
    /// The defaults of a rule.
    #[must_use]
    pub const fn of(rule: Rule) -> Thresholds {
        let usual = Thresholds {
            samples: 200,
            baseline_samples: 200,
            z: 3.09,
            effect: 0.05,
            false_discoveries: 1e-4,
            slo: 0.9,
            expected: 27.0,
        };
        match rule {
            Rule::NpsFell => Thresholds { samples: 100, effect: 10.0, false_discoveries: 0.05, ..usual },
            Rule::DropOffRose | Rule::TouchpointSilent | Rule::NothingArrives => usual,
            Rule::ResponseP95Rose => {
                Thresholds { samples: 60, effect: 0.25, false_discoveries: 5e-5, ..usual }
            }
            Rule::ResponseSloBurn => Thresholds { samples: 10, ..usual },
            Rule::ErrorRateRose => Thresholds { effect: 0.02, ..usual },
        }
    }

    /// The same with what a touchpoint states for itself.
    #[must_use]
    pub fn with(self, rule: Rule, stated: &RuleSettings) -> Thresholds {
        let mut thresholds = self;
        if let Some(samples) = stated.min_samples {
            match rule {
                Rule::TouchpointSilent => thresholds.expected = number(samples),
                _ => thresholds.samples = samples,
            }
        }
        thresholds.effect = stated.min_effect.unwrap_or(thresholds.effect);
        thresholds
    }
}

/// Below this many standard deviations, and half the effect, a regression is over.
pub(crate) const OVER_BELOW_Z: f64 = 1.5;
