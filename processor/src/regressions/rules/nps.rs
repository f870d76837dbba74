//! `nps_fell`: the newest answers are less favourable than those of the four weeks before them.
//!
//! Windows count answers, not hours: fifty answers say the same whether they came in a day or in a week. Two windows: the shorter finds large
//! falls soon, the longer finds smaller ones at all.

use touchstream_schemas::panes::Scores;
use touchstream_schemas::time::{EventTime, Millis};

use super::super::baseline::BaselineKind;
use super::super::evidence::{Evidence, Judgement, Severity};
use super::super::history::{History, Span};
use super::super::statistics::{NINETY_FIVE, normal_tail, number};
use super::super::thresholds::OVER_BELOW_Z;
use super::Question;

/// Answers of a window.
const WINDOWS: [i64; 2] = [200, 400];
/// How far back a window reaches at most, and how long its baseline is.
const LONGEST: Millis = Millis::DAY.times(28);

/// Score and its variance by adjusted Wald, in points.
#[derive(Clone, Copy, Debug)]
struct Score {
    value: f64,
    variance: f64,
    interval: (f64, f64),
}

impl Score {
    fn of(scores: Scores) -> Score {
        let answers = number(scores.answers);
        let value = 100.0 * number(scores.top - scores.bottom) / answers.max(1.0);
        let top = (number(scores.top) + 0.75) / (answers + 3.0);
        let bottom = (number(scores.bottom) + 0.75) / (answers + 3.0);
        let variance = 1e4 * (top + bottom - (top - bottom).powi(2)) / (answers + 3.0);
        let (middle, half) = (100.0 * (top - bottom), NINETY_FIVE * variance.sqrt());
        Score { value, variance, interval: ((middle - half).max(-100.0), (middle + half).min(100.0)) }
    }

    /// How many standard deviations this one lies below `before`.
    fn below(self, before: Score) -> f64 {
        (before.value - self.value) / (self.variance + before.variance).sqrt()
    }
}

/// Asks the rule.
pub(super) fn judge<H: History>(question: &Question<'_, H>) -> Judgement {
    let Question { history, handle, thresholds, at, .. } = *question;
    let mut most = 0;
    let mut best: Option<Evidence> = None;
    let mut is_over = None;
    for answers in WINDOWS {
        let window = history.newest_answers(handle, at, answers, LONGEST);
        let now = history.scores(handle, window);
        most = most.max(now.answers);
        // A window that the longest stretch does not fill is still one if it has enough; a second one would be the same.
        if now.answers < thresholds.samples || (answers > WINDOWS[0] && now.answers < answers) {
            continue;
        }
        let before = before(question, window);
        if before.answers < thresholds.baseline_samples {
            continue;
        }
        let (score, usual) = (Score::of(now), Score::of(before));
        let (z, fall) = (score.below(usual), usual.value - score.value);
        is_over.get_or_insert(z < OVER_BELOW_Z && fall < thresholds.effect / 2.0);
        // What has recovered already is no news.
        let newest = history.newest_answers(handle, at, (now.answers / 4).max(1), LONGEST);
        let is_still_down =
            || usual.value - Score::of(history.scores(handle, newest)).value >= thresholds.effect;
        let evidence = Evidence {
            value: score.value,
            baseline: usual.value,
            interval: score.interval,
            samples: now.answers,
            baseline_samples: before.answers,
            kind: BaselineKind::PreviousAnswers,
            window,
            probability: normal_tail(z),
            is_large: z >= thresholds.z && fall >= thresholds.effect && is_still_down(),
            is_over: false,
            severity: Severity::Ticket,
        };
        if best.is_none_or(|best| {
            (evidence.is_large, -evidence.probability) > (best.is_large, -best.probability)
        }) {
            best = Some(evidence);
        }
    }
    match best {
        Some(evidence) => Judgement::Measured(Evidence { is_over: is_over.unwrap_or_default(), ..evidence }),
        None => Judgement::TooFew { samples: most, needed: thresholds.samples },
    }
}

/// Answers of the four weeks before the window, or before the regression that lasts.
fn before<H: History>(question: &Question<'_, H>, window: Span) -> Scores {
    let end: EventTime = question.usual.frozen_at.map_or(window.from, |frozen| frozen.min(window.from));
    let mut sum = Scores::default();
    for span in Span::before(end, LONGEST).without(question.usual.excluded) {
        let scores = question.history.scores(question.handle, span);
        sum.answers += scores.answers;
        sum.top += scores.top;
        sum.middle += scores.middle;
        sum.bottom += scores.bottom;
    }
    sum
}

/// Points times answers that a part lost.
pub(super) fn excess<H: History>(question: &Question<'_, H>, window: Span, _whole: &Evidence) -> f64 {
    let now = question.history.scores(question.handle, window);
    let usual = Score::of(before(question, window));
    number(now.answers) * (usual.value - Score::of(now).value)
}
