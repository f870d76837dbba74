//! `response_slo_burn`: the service level is missed so often that its budget will not last.
//!
//! Burn is the share of breaches by the share that is allowed. A long window says that it matters, a short one that it still goes on. The
//! usual multipliers are for levels of 99.9 %; where ten of a hundred may breach, 14.4 times as many cannot: they are capped.

use touchstream_schemas::time::Millis;

use super::super::baseline::BaselineKind;
use super::super::evidence::{Evidence, Judgement, Severity};
use super::super::history::{History, Span};
use super::super::statistics::{Proportion, number, wilson};
use super::Question;

/// A long and a short window, the multiplier of the budget, the largest share that it may come to, and how urgent it is.
struct Burn {
    long: Millis,
    short: Option<Millis>,
    multiplier: f64,
    at_most: f64,
    severity: Severity,
}

const BURNS: [Burn; 3] = [
    Burn {
        long: Millis::HOUR,
        short: Some(Millis::MINUTE.times(5)),
        multiplier: 14.4,
        at_most: 0.8,
        severity: Severity::Page,
    },
    Burn {
        long: Millis::HOUR.times(6),
        short: Some(Millis::MINUTE.times(30)),
        multiplier: 6.0,
        at_most: 0.5,
        severity: Severity::Page,
    },
    Burn {
        long: Millis::DAY.times(3),
        short: None,
        multiplier: 1.0,
        at_most: 0.5,
        severity: Severity::Ticket,
    },
];

/// Asks the rule.
pub(super) fn judge<H: History>(question: &Question<'_, H>) -> Judgement {
    let Question { history, handle, thresholds, at, .. } = *question;
    let budget = 1.0 - thresholds.slo;
    let count = |length: Millis| history.proportion(handle, Span::before(at, length));
    let mut most = 0;
    let mut shown: Option<Evidence> = None;
    let mut is_over = true;
    for Burn { long, short, multiplier, at_most, severity } in BURNS {
        let now = count(long);
        most = most.max(now.trials);
        // Ten breaches are asked for, so fewer conversations than that can say nothing.
        if now.trials < thresholds.samples {
            continue;
        }
        let limit = (multiplier * budget).min(at_most.max(budget));
        let is_burning = |found: Proportion| found.trials > 0 && found.share() >= limit;
        let is_large = now.hits >= thresholds.samples
            && wilson(now).0 > budget
            && is_burning(now)
            && short.is_none_or(|short| is_burning(count(short)));
        is_over &= match short {
            Some(short) => now.share() < limit / 2.0 || count(short).share() < limit / 2.0,
            None => now.share() < limit,
        };
        let evidence = Evidence {
            value: now.share(),
            baseline: budget,
            interval: wilson(now),
            samples: now.trials,
            baseline_samples: now.trials,
            kind: BaselineKind::ServiceLevel,
            window: Span::before(at, long),
            probability: if is_large { 0.0 } else { 1.0 },
            is_large,
            is_over: false,
            severity,
        };
        if is_large {
            return Judgement::Measured(evidence);
        }
        shown.get_or_insert(evidence);
    }
    match shown {
        Some(evidence) => Judgement::Measured(Evidence { is_over, ..evidence }),
        None => Judgement::TooFew { samples: most, needed: thresholds.samples },
    }
}

/// Breaches of a part beyond its budget.
pub(super) fn excess<H: History>(question: &Question<'_, H>, window: Span) -> f64 {
    let now = question.history.proportion(question.handle, window);
    number(now.hits) - number(now.trials) * (1.0 - question.thresholds.slo)
}
