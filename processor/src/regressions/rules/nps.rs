//! `nps_fell`: the newest answers are less favourable than those of the four weeks before them.
//!
//! Windows count answers, not hours: fifty answers say the same whether they came in a day or in a week. Two windows: the shorter finds large
//! falls soon, the longer finds smaller ones at all. None is shorter than a day, as people answer differently at night; and what days
//! differ by anyway is part of the variance.

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
/// A window is at least as long as this.
const SHORTEST: Millis = Millis::DAY;

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

    /// How many standard deviations this one lies below `before`, if `days` vary the score besides.
    fn below(self, before: Score, days: f64) -> f64 {
        (before.value - self.value) / (self.variance + before.variance + days).sqrt()
    }
}

/// By how much the scores of days vary beyond chance, in squared points: the moment estimate of DerSimonian and Laird.
fn variation(days: &[Scores]) -> f64 {
    let mut sum = Scores::default();
    days.iter().for_each(|day| add(&mut sum, *day));
    let all = number(sum.answers);
    let mean = number(sum.top - sum.bottom) / all.max(1.0);
    let variance = number(sum.top + sum.bottom) / all.max(1.0) - mean * mean;
    let (mut found, mut squares, mut count) = (0.0, 0.0, 0.0);
    for day in days.iter().filter(|day| day.answers > 0) {
        let answers = number(day.answers);
        found += answers * (number(day.top - day.bottom) / answers - mean).powi(2);
        squares += answers * answers;
        count += 1.0;
    }
    let weight = all - squares / all.max(1.0);
    if weight <= 0.0 { 0.0 } else { 1e4 * ((found - (count - 1.0) * variance) / weight).max(0.0) }
}

fn add(sum: &mut Scores, more: Scores) {
    sum.answers += more.answers;
    sum.top += more.top;
    sum.middle += more.middle;
    sum.bottom += more.bottom;
}

/// Asks the rule.
pub(super) fn judge<H: History>(question: &Question<'_, H>) -> Judgement {
    let Question { history, handle, thresholds, at, .. } = *question;
    let mut most = 0;
    let mut best: Option<Evidence> = None;
    let mut is_over = None;
    for answers in WINDOWS {
        let window = history.newest_answers(handle, at, answers, LONGEST);
        let window = Span { from: window.from.min(at - SHORTEST), to: at };
        let now = history.scores(handle, window);
        most = most.max(now.answers);
        // A window that the longest stretch does not fill is still one if it has enough; a second one would be the same.
        if now.answers < thresholds.samples || (answers > WINDOWS[0] && now.answers < answers) {
            continue;
        }
        let days = before(question, window);
        let before = total(&days);
        if before.answers < thresholds.baseline_samples {
            continue;
        }
        let (score, usual) = (Score::of(now), Score::of(before));
        let fall = usual.value - score.value;
        let mut z = score.below(usual, 0.0);
        if z >= thresholds.z {
            let length = number(window.length().0) / number(Millis::DAY.0);
            z = score
                .below(usual, variation(&days) * (1.0 / length.max(1.0) + 1.0 / days.len().max(1) as f64));
        }
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

/// Answers of the four weeks before the window, or before the regression that lasts, by day.
fn before<H: History>(question: &Question<'_, H>, window: Span) -> Vec<Scores> {
    let end: EventTime = question.usual.frozen_at.map_or(window.from, |frozen| frozen.min(window.from));
    let days =
        (0..LONGEST.0 / Millis::DAY.0).map(|day| Span::before(end - Millis::DAY.times(day), Millis::DAY));
    let scores = |day: Span| {
        let mut sum = Scores::default();
        if !question.usual.excluded.iter().any(|hole| hole.overlaps(day)) {
            return question.history.scores(question.handle, day);
        }
        for part in day.without(question.usual.excluded) {
            add(&mut sum, question.history.scores(question.handle, part));
        }
        sum
    };
    days.map(scores).collect()
}

fn total(days: &[Scores]) -> Scores {
    let mut sum = Scores::default();
    days.iter().for_each(|day| add(&mut sum, *day));
    sum
}

/// Points times answers that a part lost.
pub(super) fn excess<H: History>(question: &Question<'_, H>, window: Span, _whole: &Evidence) -> f64 {
    let now = question.history.scores(question.handle, window);
    let usual = Score::of(total(&before(question, window)));
    number(now.answers) * (usual.value - Score::of(now).value)
}
