//! `drop_off_rose` and `error_rate_rose`: a share is higher than usual at these hours.
//!
//! Two proportions with overdispersion: z as everybody knows it is a floor. How rare a find is, so that it can be compared with those of other
//! segments, is told by the binomial tail over all the good and bad hours that there usually are: where shares are small or hours
//! differ much, the normal distribution promises too much.

use super::super::evidence::{Evidence, Judgement, Severity};
use super::super::history::{History, Span};
use super::super::statistics::{
    self, Dispersion, Proportion, number, two_proportions, varying_binomial_tail,
};
use super::super::thresholds::OVER_BELOW_Z;
use super::Question;

/// Asks the rule.
pub(super) fn judge<H: History>(question: &Question<'_, H>) -> Judgement {
    let Question { history, handle, thresholds, .. } = *question;
    let mut most = 0;
    let mut best: Option<Evidence> = None;
    let mut is_over = None;
    for window in question.windows() {
        let now = history.proportion(handle, window);
        most = most.max(now.trials);
        if now.trials < thresholds.samples {
            continue;
        }
        let (before, kind) = before(question, window);
        if before.trials < thresholds.baseline_samples {
            continue;
        }
        let effect = now.share() - before.share();
        let z = two_proportions(now, before, 1.0);
        // The shortest window that says anything is the first to be free of what is over.
        is_over.get_or_insert(z < OVER_BELOW_Z && effect < thresholds.effect / 2.0);
        // Overdispersion only weakens evidence: it is measured where there is some.
        let is_large = z >= thresholds.z && effect >= thresholds.effect;
        let groups = |group: Vec<Span>| -> Vec<Proportion> {
            group.into_iter().map(|span| history.proportion(handle, span)).collect()
        };
        let (probability, z) =
            if is_large { rarity(question, window, now, before, groups) } else { (1.0, z) };
        let evidence = Evidence {
            value: now.share(),
            baseline: before.share(),
            interval: statistics::wilson(now),
            samples: now.trials,
            baseline_samples: before.trials,
            kind,
            window,
            probability,
            is_large: is_large && z >= thresholds.z,
            is_over: false,
            severity: Severity::Page,
        };
        if best.is_none_or(|best| evidence.probability < best.probability) {
            best = Some(evidence);
        }
    }
    match best {
        Some(evidence) => Judgement::Measured(Evidence { is_over: is_over.unwrap_or_default(), ..evidence }),
        None => Judgement::TooFew { samples: most, needed: thresholds.samples },
    }
}

fn before<H: History>(
    question: &Question<'_, H>,
    window: Span,
) -> (Proportion, super::super::baseline::BaselineKind) {
    let baseline = question.usual.baseline(window);
    let pooled = |sum: Proportion, span: &Span| sum.plus(question.history.proportion(question.handle, *span));
    (baseline.spans.iter().fold(Proportion::default(), pooled), baseline.kind)
}

/// How often chance alone shows such a share, and how many standard deviations it is away, when hours vary as they usually do.
pub(super) fn rarity<H: History>(
    question: &Question<'_, H>,
    window: Span,
    now: Proportion,
    before: Proportion,
    groups: impl Fn(Vec<Span>) -> Vec<Proportion>,
) -> (f64, f64) {
    let mut dispersion = Dispersion::default();
    question.usual.alike(window).for_each(|group| dispersion.add_proportions(&groups(group)));
    let z = two_proportions(now, before, dispersion.cautious_factor(now.trials));
    if z < question.thresholds.z {
        return (1.0, z);
    }
    // The baseline is an estimate as well: what it may be off by adds to what hours vary by.
    let share = before.share().max(0.5 / number(before.trials.max(1)));
    let both = share * (1.0 - share);
    let correlation = dispersion.cautious_correlation();
    let of_baseline = dispersion.cautious_factor(before.trials / 4) / (both * number(before.trials.max(1)));
    let deviation = (correlation / both + of_baseline).sqrt();
    (varying_binomial_tail(now, share, deviation, dispersion.degrees.max(3.0)), z)
}

/// Hits of a part above what is usual for that part.
pub(super) fn excess<H: History>(question: &Question<'_, H>, window: Span) -> f64 {
    let now = question.history.proportion(question.handle, window);
    let (before, _) = before(question, window);
    number(now.hits) - number(now.trials) * before.share()
}
