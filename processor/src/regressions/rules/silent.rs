//! `touchpoint_silent`: nothing came for so long that this cannot be chance.
//!
//! How long that is depends on the hour of the week, on how much counts usually vary, and on how busy today is: on a holiday with a third of
//! the usual customers, silence must last three times as long.

use touchstream_schemas::time::Millis;

use super::super::evidence::{Evidence, Judgement, Severity};
use super::super::history::{History, Span};
use super::super::statistics::{Dispersion, NINETY_FIVE, number, zero_probability};
use super::Question;

/// Stretches of silence, in minutes, the shortest first.
const WINDOWS: [i64; 12] = [10, 15, 20, 25, 30, 45, 60, 120, 240, 480, 960, 1_440];
/// As rare as this must silence be, however many events were expected.
const RARE: f64 = 1e-6;
/// No day counts as quieter than this share of a usual one.
const QUIETEST: f64 = 0.05;

/// Asks the rule.
pub(super) fn judge<H: History>(question: &Question<'_, H>) -> Judgement {
    let Question { history, handle, thresholds, at, .. } = *question;
    let shortest = Span::before(at, Millis::MINUTE.times(WINDOWS[0]));
    let newest = history.events(handle, shortest);
    let mut evidence = Evidence {
        value: number(newest),
        baseline: f64::NAN,
        interval: (0.0, 0.0),
        samples: newest,
        baseline_samples: 0,
        kind: question.usual.kind(shortest),
        window: shortest,
        probability: 1.0,
        is_large: false,
        is_over: newest > 0,
        severity: Severity::Page,
    };
    if newest > 0 {
        return Judgement::Measured(evidence);
    }
    let mut most = 0.0;
    for window in WINDOWS.map(|minutes| Span::before(at, Millis::MINUTE.times(minutes))) {
        if history.events(handle, window) > 0 || window.from < question.usual.begins {
            break;
        }
        let usually = expected(question, window);
        most = usually;
        if usually < thresholds.expected {
            continue;
        }
        let expected = usually * today(question, window);
        let variation = variation(question, window);
        evidence.window = window;
        evidence.baseline = expected;
        evidence.baseline_samples = usually as i64;
        // Variance of a count is its mean, and the square of what it varies by beyond chance.
        evidence.probability = zero_probability(expected, 1.0 + variation * expected);
        if expected >= thresholds.expected && evidence.probability <= RARE {
            evidence.is_large = true;
            return Judgement::Measured(evidence);
        }
    }
    if most >= thresholds.expected {
        return Judgement::Measured(evidence);
    }
    Judgement::TooFew { samples: most as i64, needed: thresholds.expected as i64 }
}

/// How many events usually come in such a stretch: each hour that it touches by the share that it covers.
fn expected<H: History>(question: &Question<'_, H>, window: Span) -> f64 {
    let mut sum = 0.0;
    let mut hour = Span::before(window.from.floor_to(Millis::HOUR) + Millis::HOUR, Millis::HOUR);
    while hour.from < window.to {
        let baseline = question.usual.baseline(hour);
        let events: i64 =
            baseline.spans.iter().map(|span| question.history.events(question.handle, *span)).sum();
        let length: i64 = baseline.spans.iter().map(|span| span.length().0).sum();
        let covered = hour.to.min(window.to) - hour.from.max(window.from);
        sum += number(events) * number(covered.0) / number(length.max(1));
        hour = hour.earlier(Millis(-Millis::HOUR.0));
    }
    sum
}

/// How busy it was before the silence, as a share of what is usual: over a day, and over two hours, as a holiday begins at midnight; the
/// quieter of the two. Busier times promise nothing.
fn today<H: History>(question: &Question<'_, H>, window: Span) -> f64 {
    let busy = |length: Millis| {
        let before = Span::before(window.from.floor_to(Millis::HOUR), length);
        let events = number(question.history.events(question.handle, before));
        let usual = expected(question, before);
        // As busy as it may have been for all that chance tells: a quiet hour is no holiday.
        let at_most = events + NINETY_FIVE * events.sqrt();
        if usual <= 0.0 { 1.0 } else { (at_most / usual).clamp(QUIETEST, 1.0) }
    };
    busy(Millis::DAY).min(busy(Millis::HOUR.times(2)))
}

/// By how much counts of an hour vary beyond chance, as the square of a share of their mean: the same for shorter stretches.
fn variation<H: History>(question: &Question<'_, H>, window: Span) -> f64 {
    let hour = Span::before(window.to, Millis::HOUR);
    let mut dispersion = Dispersion::default();
    for group in question.usual.alike(hour) {
        let counts: Vec<i64> =
            group.into_iter().map(|span| question.history.events(question.handle, span)).collect();
        dispersion.add_counts(&counts);
    }
    dispersion.cautious_correlation()
}

/// Events of a part that did not come.
pub(super) fn excess<H: History>(question: &Question<'_, H>, window: Span) -> f64 {
    expected(question, window) - number(question.history.events(question.handle, window))
}
