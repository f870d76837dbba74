//! Whether customers as a whole wait longer: each wait counts by where it would usually stand among the others.
//!
//! That is a rank test (van der Waerden's normal scores, in four classes between usual percentiles), so it holds however waits are
//! distributed, and is nearly as sharp as one that knew their distribution. Beside waits beyond one percentile alone it needs a third
//! fewer of them.

use super::super::baseline::Baseline;
use super::super::history::{History, Span};
use super::super::statistics::{Dispersion, number, student_tail};
use super::Question;
use super::response_p95::{CLOSER_LOOK, beyond};

/// Usual percentiles between which the classes lie.
const CUTS: [f64; 3] = [0.5, 0.75, 0.9];
/// By how much the mean normal score of a class is above that of the class before it.
const STEPS: [f64; 3] = [1.1226, 0.6238, 0.8065];
/// Mean and variance of the score of usual waits, above that of the lowest class.
const MEAN: f64 = 0.7979;
const VARIANCE: f64 = 0.7875;

/// Scores of waits: their sum, and how many there are.
#[derive(Clone, Copy, Debug, Default)]
struct Scores {
    sum: f64,
    waits: i64,
}

impl Scores {
    fn mean(self) -> f64 {
        self.sum / number(self.waits.max(1))
    }
}

/// Waits of a window beside usual ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slowdown {
    limits: [i64; 3],
    now: Scores,
    before: Scores,
    /// Variance of a usual wait's score.
    variance: f64,
}

impl Slowdown {
    /// Compares them; `None` where nothing is worth a closer look, or usual waits do not differ.
    pub(super) fn of<H: History>(
        question: &Question<'_, H>,
        window: Span,
        baseline: &Baseline,
    ) -> Option<Slowdown> {
        let Question { history, handle, at, .. } = *question;
        let mut limits = [0; 3];
        for (limit, cut) in limits.iter_mut().zip(CUTS) {
            *limit = history.percentile(handle, &baseline.spans, cut, 0).1?;
        }
        let waiting = limits.map(|limit| history.waiting_beyond(handle, at, limit));
        let answered = limits.map(|limit| history.slower_than(handle, window, limit));
        let hits = std::array::from_fn(|class| answered[class].hits + waiting[class]);
        let now = Scores { sum: sum(hits), waits: answered[0].trials + waiting[0] };
        let is_close = now.mean() - MEAN >= CLOSER_LOOK * (VARIANCE / number(now.waits.max(1))).sqrt();
        if now.waits == 0 || !(is_close || question.usual.frozen_at.is_some()) {
            return None;
        }
        let usual = limits.map(|limit| beyond(question, baseline, limit));
        let before = Scores { sum: sum(usual.map(|beyond| beyond.hits)), waits: usual[0].trials };
        // A class's score is the sum of the steps to it, so the square's mean is that of the squares' steps.
        let (mut score, mut square) = (0.0, 0.0);
        for (step, beyond) in STEPS.into_iter().zip(usual) {
            square += ((score + step).powi(2) - score.powi(2)) * beyond.share();
            score += step;
        }
        let variance = square - before.mean().powi(2);
        (variance > 0.0).then_some(Slowdown { limits, now, before, variance })
    }

    /// How many standard deviations the mean score is above the usual one, if nothing but chance made waits differ.
    pub(super) fn z(&self) -> f64 {
        self.z_with(1.0, 1.0)
    }

    fn z_with(&self, now: f64, before: f64) -> f64 {
        let of_mean = now / number(self.now.waits) + before / number(self.before.waits.max(1));
        (self.now.mean() - self.before.mean()) / (self.variance * of_mean).sqrt()
    }

    /// How often chance alone shows such waits, and how many standard deviations they are away, when hours vary as they usually do.
    pub(super) fn rarity<H: History>(&self, question: &Question<'_, H>, window: Span) -> (f64, f64) {
        let Question { history, handle, .. } = *question;
        let mut dispersion = Dispersion::default();
        for group in question.usual.alike(window) {
            let scores = group.into_iter().map(|span| {
                let slower = self.limits.map(|limit| history.slower_than(handle, span, limit));
                (sum(slower.map(|slower| slower.hits)), slower[0].trials)
            });
            dispersion.add_sums(&scores.collect::<Vec<_>>(), |_| self.variance);
        }
        // The baseline is an estimate as well, of four stretches.
        let z = self.z_with(
            dispersion.cautious_factor(self.now.waits),
            dispersion.cautious_factor(self.before.waits / 4),
        );
        (student_tail(z, dispersion.degrees.max(3.0)), z)
    }
}

fn sum(hits: [i64; 3]) -> f64 {
    STEPS.into_iter().zip(hits).map(|(step, hits)| step * number(hits)).sum()
}

#[cfg(test)]
mod tests {
    use touchstream_schemas::panes::Scores as Answers;
    use touchstream_schemas::time::{EventTime, Millis};

    use super::super::super::baseline::Usual;
    use super::super::super::history::Handle;
    use super::super::super::statistics::{Proportion, normal_quantile};
    use super::super::super::thresholds::{Rule, Thresholds};
    use super::*;

    #[test]
    fn steps_lie_between_mean_normal_scores() {
        let density = |z: f64| (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let bounds: Vec<f64> = [0.0].into_iter().chain(CUTS).chain([1.0]).collect();
        let of_cut =
            |cut: f64| if cut <= 0.0 || cut >= 1.0 { 0.0 } else { density(normal_quantile(1.0 - cut)) };
        let means: Vec<f64> =
            bounds.windows(2).map(|ends| (of_cut(ends[0]) - of_cut(ends[1])) / (ends[1] - ends[0])).collect();
        for (step, pair) in STEPS.into_iter().zip(means.windows(2)) {
            assert!((pair[1] - pair[0] - step).abs() < 1e-3, "{step} instead of {}", pair[1] - pair[0]);
        }
        let shares: Vec<f64> = bounds.windows(2).map(|ends| ends[1] - ends[0]).collect();
        let above = |power: i32| -> f64 {
            means.iter().zip(&shares).map(|(mean, share)| share * (mean - means[0]).powi(power)).sum()
        };
        assert!((above(1) - MEAN).abs() < 1e-3 && (above(2) - above(1).powi(2) - VARIANCE).abs() < 1e-3);
    }

    /// A conversation every `every` of milliseconds; each wait is the one before it in a list that goes round, `longer` times as long from
    /// `since` on.
    struct Waits {
        every: i64,
        since: EventTime,
        longer: i64,
    }

    impl Waits {
        fn of(&self, span: Span) -> Vec<i64> {
            let numbers =
                (span.from.0 + self.every - 1) / self.every..(span.to.0 + self.every - 1) / self.every;
            let wait = |number: i64| {
                let usual = 1 + number * 7_919 % 1_000;
                if number * self.every >= self.since.0 { usual * self.longer } else { usual }
            };
            numbers.map(wait).collect()
        }
    }

    impl History for Waits {
        fn begins(&self, _handle: Handle) -> EventTime {
            EventTime(0)
        }

        fn proportion(&self, _handle: Handle, _span: Span) -> Proportion {
            Proportion::default()
        }

        fn scores(&self, _handle: Handle, _span: Span) -> Answers {
            Answers::default()
        }

        fn newest_answers(&self, _handle: Handle, to: EventTime, _answers: i64, longest: Millis) -> Span {
            Span::before(to, longest)
        }

        fn percentile(&self, _: Handle, spans: &[Span], share: f64, unanswered: i64) -> (i64, Option<i64>) {
            let mut waits: Vec<i64> = spans.iter().flat_map(|span| self.of(*span)).collect();
            waits.sort_unstable();
            let rank = (share * (waits.len() as f64 + number(unanswered))).ceil().max(1.0) as usize;
            (waits.len() as i64, waits.get(rank - 1).copied())
        }

        fn slower_than(&self, _handle: Handle, span: Span, milliseconds: i64) -> Proportion {
            let waits = self.of(span);
            let hits = waits.iter().filter(|wait| **wait > milliseconds).count() as i64;
            Proportion { hits, trials: waits.len() as i64 }
        }

        fn waiting_beyond(&self, _handle: Handle, _at: EventTime, _milliseconds: i64) -> i64 {
            0
        }

        fn events(&self, _handle: Handle, _span: Span) -> i64 {
            0
        }
    }

    /// z as it is, how rare that is, and z cautiously.
    fn asked(history: &Waits, at: EventTime) -> Option<(f64, f64, f64)> {
        let thresholds = Thresholds::of(Rule::ResponseP95Rose);
        let usual = Usual { time_zone: None, excluded: &[], frozen_at: None, begins: EventTime(0) };
        let question = Question { history, handle: 0, at, usual, lost: &[], thresholds: &thresholds };
        let window = Span::before(at, Millis::HOUR.times(2));
        let found = Slowdown::of(&question, window, &question.usual.baseline(window))?;
        let (probability, z) = found.rarity(&question, window);
        Some((found.z(), probability, z))
    }

    /// 120 waits in two hours, spread evenly. Twice as long, three quarters are beyond the usual median, five eighths beyond the usual 75th
    /// percentile and eleven twentieths beyond the 90th; by hand: mean score 1.675 beside 0.798, variance 0.79, so z = 0.877 / √(0.79 · (1/120 + 1/480)) = 9.68.
    #[test]
    fn waits_twice_as_long_are_far_from_chance_and_usual_ones_are_not() {
        let at = EventTime(0) + Millis::DAY.times(35);
        let history = Waits { every: 60_000, since: at - Millis::HOUR.times(2), longer: 2 };
        let (z, probability, cautious) = asked(&history, at).expect("far from usual");
        assert!((z - 9.68).abs() < 0.4, "{z}");
        assert!(cautious <= z && probability < 1e-6, "{cautious}, {probability:e}");
        let history = Waits { longer: 1, ..history };
        assert!(asked(&history, at).is_none(), "as usual");
    }
}
