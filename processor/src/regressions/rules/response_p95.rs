//! `response_p95_rose`: more customers wait longer than 95 of 100 usually do.
//!
//! However waits are distributed, 5 of 100 are beyond the usual 95th percentile; so the number beyond it is binomial, and nothing else needs
//! to be known. But 5 of 100 are few: when all wait longer, all waits together say so much sooner (`slowdown`). Either may
//! prove it, which counts as two tries. Who still waits beyond them counts now: a team that answers nobody has no answered waits.

use super::super::baseline::Baseline;
use super::super::evidence::{Evidence, Judgement, Severity};
use super::super::history::{History, Span};
use super::super::statistics::{NINETY_FIVE, Proportion, number, two_proportions};
use super::super::thresholds::OVER_BELOW_Z;
use super::slowdown::Slowdown;
use super::{Question, proportion};

/// Which percentile.
const PERCENTILE: f64 = 0.95;
/// Ways to prove it, each a try.
const PROOFS: f64 = 2.0;
/// Standard deviations from which on it is worth looking closer.
pub(super) const CLOSER_LOOK: f64 = 1.5;

/// Asks the rule.
pub(super) fn judge<H: History>(question: &Question<'_, H>) -> Judgement {
    let thresholds = question.thresholds;
    let mut most = 0;
    let mut best: Option<Evidence> = None;
    let mut is_over = None;
    for window in question.windows() {
        let (samples, found) = look(question, window);
        most = most.max(samples);
        let Some(found) = found else { continue };
        // The shortest window that says anything is the first to be free of what is over.
        is_over.get_or_insert(found.is_over);
        if best.is_none_or(|best| found.probability < best.probability) {
            best = Some(found);
        }
    }
    match best {
        Some(evidence) => Judgement::Measured(Evidence { is_over: is_over.unwrap_or_default(), ..evidence }),
        None => Judgement::TooFew { samples: most, needed: thresholds.samples },
    }
}

/// Samples of one window, and what it says if they are enough.
fn look<H: History>(question: &Question<'_, H>, window: Span) -> (i64, Option<Evidence>) {
    let Question { history, handle, thresholds, at, .. } = *question;
    let samples = history.slower_than(handle, window, i64::MAX).trials;
    if samples < thresholds.samples && samples + history.waiting_beyond(handle, at, 0) < thresholds.samples {
        return (samples, None);
    }
    let baseline = question.usual.baseline(window);
    let (usual, p95) = history.percentile(handle, &baseline.spans, PERCENTILE, 0);
    let Some(p95) = p95.filter(|_| usual >= thresholds.baseline_samples) else { return (samples, None) };
    let waiting = history.waiting_beyond(handle, at, p95);
    if samples + waiting < thresholds.samples {
        return (samples + waiting, None);
    }
    let samples = samples + waiting;
    let mut evidence = Evidence {
        value: f64::NAN,
        baseline: seconds(p95),
        interval: (f64::NAN, f64::NAN),
        samples,
        baseline_samples: usual,
        kind: baseline.kind,
        window,
        probability: 1.0,
        is_large: false,
        is_over: false,
        severity: Severity::Page,
    };
    let is_active = question.usual.frozen_at.is_some();
    let slow = Slow::beyond(question, window, &baseline, PERCENTILE);
    let all = Slowdown::of(question, window, &baseline);
    let largest = slow.z.max(all.map_or(0.0, |all| all.z()));
    if largest < thresholds.z && !is_active {
        return (samples, Some(evidence));
    }
    let percentile =
        |share| history.percentile(handle, &[window], share, waiting).1.map_or(f64::INFINITY, seconds);
    evidence.value = percentile(PERCENTILE);
    // Ranks around the percentile's that hold it in 95 of 100 cases.
    let half = NINETY_FIVE * (PERCENTILE * (1.0 - PERCENTILE) / number(samples)).sqrt();
    evidence.interval = (percentile(PERCENTILE - half), percentile((PERCENTILE + half).min(1.0)));
    let is_longer = |share: f64| evidence.value >= (1.0 + share) * evidence.baseline;
    evidence.is_over = largest < OVER_BELOW_Z && !is_longer(thresholds.effect / 2.0);
    if !is_longer(thresholds.effect) {
        return (samples, Some(evidence));
    }
    let groups = |group: Vec<Span>| -> Vec<Proportion> {
        group.into_iter().map(|span| history.slower_than(handle, span, slow.limit)).collect()
    };
    let of_slow =
        (slow.z >= thresholds.z).then(|| proportion::rarity(question, window, slow.now, slow.before, groups));
    let of_all = all.filter(|all| all.z() >= thresholds.z).map(|all| all.rarity(question, window));
    for (probability, z) in of_slow.into_iter().chain(of_all) {
        let probability = (probability * PROOFS).min(1.0);
        if z >= thresholds.z && probability < evidence.probability {
            evidence.probability = probability;
            evidence.is_large = true;
        }
    }
    (samples, Some(evidence))
}

/// Waits beyond a usual percentile.
#[derive(Clone, Copy, Debug, Default)]
struct Slow {
    limit: i64,
    now: Proportion,
    before: Proportion,
    z: f64,
}

impl Slow {
    fn beyond<H: History>(question: &Question<'_, H>, window: Span, baseline: &Baseline, share: f64) -> Slow {
        let Question { history, handle, at, .. } = *question;
        let Some(limit) = history.percentile(handle, &baseline.spans, share, 0).1 else {
            return Slow::default();
        };
        let waiting = history.waiting_beyond(handle, at, limit);
        let slow = history.slower_than(handle, window, limit);
        let now = Proportion { hits: slow.hits + waiting, trials: slow.trials + waiting };
        let excess = number(now.hits) - (1.0 - share) * number(now.trials);
        let is_close = excess >= CLOSER_LOOK * (number(now.trials) * share * (1.0 - share)).sqrt();
        if !is_close && question.usual.frozen_at.is_none() {
            return Slow { limit, now, ..Slow::default() };
        }
        // Buckets and ties put fewer beyond the percentile than its name says; what is usually there is counted the same way.
        let before = beyond(question, baseline, limit);
        Slow { limit, now, before, z: two_proportions(now, before, 1.0) }
    }
}

/// Usual waits beyond this.
pub(super) fn beyond<H: History>(
    question: &Question<'_, H>,
    baseline: &Baseline,
    milliseconds: i64,
) -> Proportion {
    let add = |sum: Proportion, span: &Span| {
        sum.plus(question.history.slower_than(question.handle, *span, milliseconds))
    };
    baseline.spans.iter().fold(Proportion::default(), add)
}

fn seconds(milliseconds: i64) -> f64 {
    number(milliseconds) / 1_000.0
}

/// Waits of a part beyond the usual percentile of the whole, above what is usual for that part.
pub(super) fn excess<H: History>(question: &Question<'_, H>, window: Span, whole: &Evidence) -> f64 {
    let p95 = (whole.baseline * 1_000.0) as i64;
    let now = question.history.slower_than(question.handle, window, p95);
    let waiting = question.history.waiting_beyond(question.handle, question.at, p95);
    let before = beyond(question, &question.usual.baseline(window), p95);
    number(now.hits + waiting) - number(now.trials + waiting) * before.share()
}
