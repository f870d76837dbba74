//! Chance, in the few forms that customers need.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal, Normal};

use crate::options::SECOND;

/// True with this probability.
pub(crate) fn chance(random: &mut ChaCha8Rng, probability: f64) -> bool {
    random.random::<f64>() < probability
}

/// One of several, each as likely as its weight says.
pub(crate) fn weighted<T: Copy>(random: &mut ChaCha8Rng, choices: &[(T, f64)]) -> T {
    let total: f64 = choices.iter().map(|(_, weight)| weight).sum();
    let mut left = random.random::<f64>() * total;
    for (choice, weight) in choices {
        left -= weight;
        if left < 0.0 {
            return *choice;
        }
    }
    choices[choices.len() - 1].0
}

/// One of several, all equally likely.
pub(crate) fn one_of<T: Copy>(random: &mut ChaCha8Rng, choices: &[T]) -> T {
    choices[random.random_range(0..choices.len())]
}

/// A lognormal number with this median; `sigma` is the spread of its logarithm.
pub(crate) fn lognormal(random: &mut ChaCha8Rng, median: f64, sigma: f64) -> f64 {
    LogNormal::new(median.ln(), sigma).expect("the median is positive and sigma finite").sample(random)
}

/// A lognormal time in milliseconds with its median in seconds, cut at a day.
#[expect(clippy::cast_possible_truncation, reason = "cut at a day")]
pub(crate) fn pause(random: &mut ChaCha8Rng, median_s: f64, sigma: f64) -> i64 {
    (lognormal(random, median_s, sigma).min(86_400.0) * SECOND as f64) as i64
}

/// A normal number.
pub(crate) fn normal(random: &mut ChaCha8Rng, mean: f64, deviation: f64) -> f64 {
    Normal::new(mean, deviation).expect("the deviation is finite").sample(random)
}
