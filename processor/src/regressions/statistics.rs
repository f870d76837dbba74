//! The statistics that the rules stand on: probabilities of tails, overdispersion, many tests at once, intervals. Special functions come
//! from `statrs`; each function here is checked against answers of SciPy and statsmodels (`known_answers.tsv`).
//!
//! Promise: whatever is put in, a probability comes out between 0 and 1, and what cannot be judged is no evidence: 1.

use statrs::function::beta::checked_beta_reg;
use statrs::function::erf::{erfc, erfc_inv};

/// Half-width of a 95 % interval in standard deviations.
pub const NINETY_FIVE: f64 = 1.96;

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proportion {
    /// Those that count.
    pub hits: i64,
    /// All.
    pub trials: i64,
}

impl Proportion {
    /// The share, 0 of nothing.
    #[must_use]
    pub fn share(self) -> f64 {
        if self.trials <= 0 { 0.0 } else { number(self.hits) / number(self.trials) }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Proportion) -> Proportion {
        Proportion { hits: self.hits + other.hits, trials: self.trials + other.trials }
    }
}

/// Counts are far below 2^52.
#[must_use]
pub fn number(count: i64) -> f64 {
    count as f64
}

fn probability(value: f64) -> f64 {
    if value.is_nan() { 1.0 } else { value.clamp(0.0, 1.0) }
}

/// P(Z ≥ z) of the normal distribution.
#[must_use]
pub fn normal_tail(z: f64) -> f64 {
    probability(0.5 * erfc(z / std::f64::consts::SQRT_2))
}

/// The z whose tail is `tail`.
#[must_use]
pub fn normal_quantile(tail: f64) -> f64 {
    std::f64::consts::SQRT_2 * erfc_inv(2.0 * tail.clamp(1e-300, 1.0))
}

/// P(T ≥ t) of Student's distribution: the tail where the variance was estimated with few degrees of freedom.
#[must_use]
pub fn student_tail(t: f64, degrees: f64) -> f64 {
    if degrees < 1.0 {
        return 1.0;
    }
    let both = checked_beta_reg(degrees / 2.0, 0.5, degrees / (degrees + t * t)).unwrap_or(1.0);
    probability(if t >= 0.0 { both / 2.0 } else { 1.0 - both / 2.0 })
}

/// P(X ≥ hits) of the binomial distribution. Neither number must be whole: counts that hold less information than their number says
/// (overdispersed ones, or those measured against a share that is itself estimated) are given shrunk.
#[must_use]
pub fn binomial_tail(hits: f64, trials: f64, share: f64) -> f64 {
    if hits <= 0.0 || share >= 1.0 {
        return 1.0;
    }
    if hits > trials || share <= 0.0 {
        return 0.0;
    }
    probability(checked_beta_reg(hits, trials - hits + 1.0, share).unwrap_or(1.0))
}

/// How finely, and between how many deviations, bad and good hours are gone through.
const STEP: f64 = 0.1;
const DEVIATIONS: f64 = 9.0;

/// P(X ≥ hits) where the share itself varies from one group to the next: its logit by `deviation`, which was estimated with so many degrees
/// of freedom. Shares vary by factors, not by points: of hours twice as bad as usual there are many more than a variance alone tells.
#[must_use]
pub fn varying_binomial_tail(found: Proportion, share: f64, deviation: f64, degrees: f64) -> f64 {
    let (hits, trials) = (number(found.hits), number(found.trials));
    if deviation < 1e-6 || share <= 0.0 || share >= 1.0 {
        return binomial_tail(hits, trials, share);
    }
    let logit = (share / (1.0 - share)).ln();
    let (mut sum, mut weights) = (0.0, 0.0);
    for step in 0..=(2.0 * DEVIATIONS / STEP) as i32 {
        let away = f64::from(step) * STEP - DEVIATIONS;
        // Student's density but for a factor; with many degrees it is the normal one.
        let weight = (-(degrees + 1.0) / 2.0 * (away * away / degrees).ln_1p()).exp();
        weights += weight;
        // What weighs next to nothing need not be worked out: probabilities are at most 1.
        if weight > 1e-18 {
            let varied = 1.0 / (1.0 + (-(logit + deviation * away)).exp());
            sum += weight * binomial_tail(hits, trials, varied);
        }
    }
    probability(sum / weights)
}

/// P(nothing happens) where `expected` is expected: Poisson, or negative binomial where counts vary more, with variance `dispersion` times
/// their mean.
#[must_use]
pub fn zero_probability(expected: f64, dispersion: f64) -> f64 {
    if dispersion <= 1.0 + 1e-9 {
        return probability((-expected).exp());
    }
    probability((-expected / (dispersion - 1.0) * dispersion.ln()).exp())
}

/// z of two proportions: how far `now` lies above `before`, pooled, with the variance `dispersion` times the binomial one.
#[must_use]
pub fn two_proportions(now: Proportion, before: Proportion, dispersion: f64) -> f64 {
    if now.trials <= 0 || before.trials <= 0 {
        return 0.0;
    }
    let pooled = now.plus(before).share();
    let spread = 1.0 / number(now.trials) + 1.0 / number(before.trials);
    let variance = dispersion * pooled * (1.0 - pooled) * spread;
    if variance <= 0.0 { 0.0 } else { (now.share() - before.share()) / variance.sqrt() }
}

/// How much more than by chance alone groups of counts vary, as the correlation of two trials of the same group.
///
/// The usual χ² by its degrees of freedom is an average over quiet and busy hours, but a bad hour moves all its trials together: the more
/// there are, the further their sum strays. The correlation is the same for all of them, and [`Dispersion::factor`] makes of it what
/// it means for so many trials.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dispersion {
    found: f64,
    by_chance: f64,
    by_correlation: f64,
    /// Degrees of freedom.
    pub degrees: f64,
}

impl Dispersion {
    /// Adds groups whose share should be the same.
    pub fn add_proportions(&mut self, groups: &[Proportion]) {
        let sums: Vec<(f64, i64)> = groups.iter().map(|group| (number(group.hits), group.trials)).collect();
        self.add_sums(&sums, |share| share * (1.0 - share));
    }

    /// Adds groups whose mean should be the same: of each the sum and the number of its values. `variance` tells that of one value by the
    /// mean.
    pub fn add_sums(&mut self, groups: &[(f64, i64)], variance: impl Fn(f64) -> f64) {
        let used =
            || groups.iter().filter(|(_, trials)| *trials > 0).map(|(sum, trials)| (*sum, number(*trials)));
        let (sum, all) = used().fold((0.0, 0.0), |(sum, all), group| (sum + group.0, all + group.1));
        let mean = if all > 0.0 { sum / all } else { 0.0 };
        let variance = variance(mean);
        if variance <= 0.0 {
            return;
        }
        let pairs = |trials: f64| trials * (trials - 1.0);
        let all_pairs: f64 = used().map(|(_, trials)| pairs(trials)).sum();
        for (sum, trials) in used() {
            self.found += (sum - trials * mean).powi(2) / variance;
            // The pooled mean was made of the same groups, so they lie closer to it than to the true one.
            self.by_chance += trials * (1.0 - trials / all);
            self.by_correlation +=
                pairs(trials) * (1.0 - 2.0 * trials / all) + (trials / all).powi(2) * all_pairs;
        }
        self.degrees += used().count() as f64 - 1.0;
    }

    /// Adds counts that should be the same.
    pub fn add_counts(&mut self, counts: &[i64]) {
        let groups = counts.len() as f64;
        let mean = number(counts.iter().sum()) / groups.max(1.0);
        if mean <= 0.0 {
            return;
        }
        self.found += counts.iter().map(|count| (number(*count) - mean).powi(2)).sum::<f64>();
        self.by_chance += mean * (groups - 1.0);
        self.by_correlation += mean * mean * (groups - 1.0);
        self.degrees += groups - 1.0;
    }

    /// The correlation, at least 0: groups that vary less than chance are chance. Of counts it is the variance beyond chance, as a share
    /// of the squared mean.
    #[must_use]
    pub fn correlation(self) -> f64 {
        self.correlation_if(self.found)
    }

    /// The correlation that is not exceeded in five of six cases: where there were few groups, they may have been alike by chance, and every
    /// later difference would look like news.
    #[must_use]
    pub fn cautious_correlation(self) -> f64 {
        if self.degrees < 1.0 {
            return self.correlation();
        }
        // Wilson and Hilferty: χ² by its degrees of freedom, one deviation below its mean.
        let part = 2.0 / (9.0 * self.degrees);
        let low = (1.0 - part - part.sqrt()).powi(3).max(0.1);
        self.correlation_if(self.found / low)
    }

    fn correlation_if(self, found: f64) -> f64 {
        if self.by_correlation <= 0.0 {
            return 0.0;
        }
        ((found - self.by_chance) / self.by_correlation).max(0.0)
    }

    /// By how much the variance of so many trials is larger than the binomial one.
    #[must_use]
    pub fn factor(self, trials: i64) -> f64 {
        1.0 + (number(trials) - 1.0).max(0.0) * self.correlation()
    }

    /// The same, cautiously.
    #[must_use]
    pub fn cautious_factor(self, trials: i64) -> f64 {
        1.0 + (number(trials) - 1.0).max(0.0) * self.cautious_correlation()
    }
}

/// The largest probability that counts as significant among all of them, so that of what is found a share of at most `rate` is chance;
/// negative when none is.
#[must_use]
pub fn benjamini_hochberg(probabilities: &[f64], rate: f64) -> f64 {
    let mut sorted = probabilities.to_vec();
    sorted.sort_by(f64::total_cmp);
    let tests = sorted.len() as f64;
    let passes = |(index, found): &(usize, &f64)| **found <= rate * (*index as f64 + 1.0) / tests;
    sorted.iter().enumerate().rfind(passes).map_or(-1.0, |(_, found)| *found)
}

/// Wilson's 95 % interval of a share.
#[must_use]
pub fn wilson(found: Proportion) -> (f64, f64) {
    let trials = number(found.trials);
    if trials <= 0.0 {
        return (0.0, 1.0);
    }
    let (share, square) = (found.share(), NINETY_FIVE * NINETY_FIVE);
    let middle = (share + square / (2.0 * trials)) / (1.0 + square / trials);
    let half = NINETY_FIVE / (1.0 + square / trials)
        * (share * (1.0 - share) / trials + square / (4.0 * trials * trials)).sqrt();
    (probability(middle - half), probability(middle + half))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Relative to the answer, so that far tails count; Wilson's 1.96 is rounded.
    fn is_near(found: f64, expected: f64, relative: f64) -> bool {
        (found - expected).abs() <= relative * expected.abs().max(1e-300) || (found - expected).abs() < 1e-15
    }

    fn proportions(numbers: &[f64]) -> Vec<Proportion> {
        let pair = |pair: &[f64]| Proportion { hits: pair[0] as i64, trials: pair[1] as i64 };
        numbers.chunks(2).map(pair).collect()
    }

    #[test]
    fn known_answers() {
        let mut lines = 0;
        for line in include_str!("known_answers.tsv").lines().filter(|line| !line.starts_with('#')) {
            let mut fields = line.split('\t');
            let name = fields.next().unwrap();
            let mut numbers = || -> Vec<f64> {
                fields.next().unwrap().split(' ').map(|number| number.parse().unwrap()).collect()
            };
            let (given, expected) = (numbers(), numbers());
            let (found, relative) = match name {
                "normal_tail" => (vec![normal_tail(given[0])], 1e-9),
                "normal_quantile" => (vec![normal_quantile(given[0])], 1e-9),
                "student_tail" => (vec![student_tail(given[0], given[1])], 1e-9),
                "binomial_tail" => (vec![binomial_tail(given[0], given[1], given[2])], 1e-9),
                "varying_binomial_tail" => {
                    let found = Proportion { hits: given[0] as i64, trials: given[1] as i64 };
                    (vec![varying_binomial_tail(found, given[2], given[3], given[4])], 0.02)
                }
                "zero_probability" => (vec![zero_probability(given[0], given[1])], 1e-9),
                "wilson" => {
                    let (low, high) = wilson(proportions(&given)[0]);
                    (vec![low, high], 1e-4)
                }
                "two_proportions" => {
                    let given = proportions(&given);
                    (vec![two_proportions(given[0], given[1], 1.0)], 1e-9)
                }
                "dispersion" => {
                    let mut dispersion = Dispersion::default();
                    let given = proportions(&given);
                    dispersion.add_proportions(&given);
                    (vec![dispersion.factor(given[0].trials)], 1e-9)
                }
                "benjamini_hochberg" => {
                    let limit = benjamini_hochberg(&given[1..], given[0]);
                    (vec![given[1..].iter().filter(|found| **found <= limit).count() as f64], 0.0)
                }
                other => panic!("no function {other}"),
            };
            // Groups that vary less than chance count as chance.
            let expected: Vec<f64> = expected
                .iter()
                .map(|answer| if name == "dispersion" { answer.max(1.0) } else { *answer })
                .collect();
            assert_eq!(found.len(), expected.len(), "{line}");
            for (found, expected) in found.iter().zip(&expected) {
                assert!(is_near(*found, *expected, relative), "{line}: found {found:e}");
            }
            lines += 1;
        }
        assert!(lines >= 50, "{lines} lines");
    }

    proptest! {
        #[test]
        fn what_comes_out_is_a_probability(a in -1e6_f64..1e6, b in -1e6_f64..1e6, c in -2.0_f64..2.0) {
            let all = [
                normal_tail(a), student_tail(a, b), binomial_tail(a, b, c), zero_probability(a, b),
                wilson(Proportion { hits: (a.abs() as i64).min(b.abs() as i64), trials: b.abs() as i64 }).0,
            ];
            for found in all {
                prop_assert!((0.0..=1.0).contains(&found), "{all:?}");
            }
        }

        #[test]
        fn more_hits_are_more_evidence_and_more_dispersion_is_less(
            hits in 0_i64..200, trials in 200_i64..2_000, dispersion in 1.0_f64..5.0,
        ) {
            let before = Proportion { hits: 300, trials: 1_200 };
            let z = |hits, dispersion| two_proportions(Proportion { hits, trials }, before, dispersion);
            prop_assert!(z(hits + 1, 1.0) > z(hits, 1.0));
            prop_assert!(z(hits, dispersion).abs() <= z(hits, 1.0).abs());
            let tail = |hits: i64| binomial_tail(number(hits), number(trials), 0.05);
            prop_assert!(tail(hits + 1) <= tail(hits));
            prop_assert!(zero_probability(27.0, dispersion) >= zero_probability(27.0, 1.0));
        }

        /// Whatever is significant among many would be so among fewer tests of the same probabilities.
        #[test]
        fn many_tests_ask_for_more(mut found in prop::collection::vec(0.0_f64..1.0, 1..40)) {
            let limit = benjamini_hochberg(&found, 0.05);
            prop_assert!(limit <= 0.05);
            found.push(1.0);
            prop_assert!(benjamini_hochberg(&found, 0.05) <= limit.max(0.0));
        }
    }
}
