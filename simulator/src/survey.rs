//! Surveys: who is asked, who answers, and how: the score follows what the customer met.

use rand::Rng;

use crate::draft::{Draft, Fields, fresh_id};
use crate::options::DAY;
use crate::people::Visitor;
use crate::pick::{chance, normal, one_of, pause};
use crate::regression::RegressionKind;

/// How much less happy people are after a bad release, of 10.
const RELEASE: f64 = 2.5;

const PRAISE: [&str; 4] =
    ["Quick and easy.", "Everything as promised.", "Friendly help, thank you!", "I will \"come back\"."];
const BLAME: [&str; 4] = [
    "Shipping costs showed up only at the end.",
    "Waited far too long.",
    "The form lost my address.",
    "Nobody answered.",
];

/// Asked after a purchase, or after leaving without one: mostly NPS, some effort.
pub(crate) fn after_checkout(visitor: &mut Visitor, at: i64, satisfaction: f64, drafts: &mut Vec<Draft>) {
    let before = visitor.context.touchpoint;
    visitor.context.touchpoint = visitor.site.checkout;
    if chance(&mut visitor.random, 0.8) {
        ask(visitor, at, "nps", "nps-checkout", satisfaction, drafts);
    } else {
        ask(visitor, at, "ces", "effort-checkout", satisfaction, drafts);
    }
    visitor.context.touchpoint = before;
}

/// Asked after a conversation: NPS, or satisfaction with it.
pub(crate) fn after_conversation(visitor: &mut Visitor, at: i64, satisfaction: f64, drafts: &mut Vec<Draft>) {
    let before = visitor.context.touchpoint;
    visitor.context.touchpoint = "support";
    if chance(&mut visitor.random, 0.65) {
        ask(visitor, at, "nps", "nps-support", satisfaction, drafts);
    } else {
        ask(visitor, at, "csat", "csat-support", satisfaction, drafts);
    }
    visitor.context.touchpoint = before;
}

fn ask(
    visitor: &mut Visitor,
    at: i64,
    metric: &str,
    survey: &str,
    satisfaction: f64,
    drafts: &mut Vec<Draft>,
) {
    let shown_at = at + pause(&mut visitor.random, 12.0, 0.5);
    let submission = fresh_id("f", shown_at, &mut visitor.random);
    let fields = || Fields::new().text("survey_id", survey).text("submission_id", &submission);
    visitor.add(shown_at, "feedback.shown", fields(), drafts);
    if !chance(&mut visitor.random, 0.62) {
        if chance(&mut visitor.random, 0.5) {
            let dismissed_at = shown_at + pause(&mut visitor.random, 4.0, 0.5);
            visitor.add(dismissed_at, "feedback.dismissed", fields(), drafts);
        }
        return;
    }
    let answered_at = shown_at + pause(&mut visitor.random, 18.0, 0.8);
    let employee = chance(&mut visitor.random, 0.01);
    let answer = |score: i64| {
        let fields = fields().text("metric", metric).plain("score", score);
        if employee { fields.text("respondent", "employee") } else { fields }
    };
    let is_worse = visitor.regressions.has(RegressionKind::NpsFall, answered_at);
    let satisfaction = if is_worse { satisfaction - RELEASE } else { satisfaction };
    let felt = normal(&mut visitor.random, satisfaction, 1.7);
    visitor.add(answered_at, "feedback.answered", answer(on_scale(metric, felt)), drafts);
    if chance(&mut visitor.random, 0.03) {
        let again_at = answered_at + pause(&mut visitor.random, 40.0, 1.0);
        let felt = normal(&mut visitor.random, felt, 1.0);
        visitor.add(again_at, "feedback.answered", answer(on_scale(metric, felt)), drafts);
    }
    if chance(&mut visitor.random, 0.25) {
        let words = if felt >= 7.0 { &PRAISE } else { &BLAME };
        let text = one_of(&mut visitor.random, words);
        let fields = fields().text("metric", "text").text("question_id", "why").text("text", text);
        let told_at = answered_at + pause(&mut visitor.random, 25.0, 0.6);
        visitor.add(told_at, "feedback.answered", fields, drafts);
    }
    if felt < 6.0 && chance(&mut visitor.random, 0.35) {
        let follow_up_at = answered_at + visitor.random.random_range(0..DAY / 4);
        let fields = Fields::new().text("submission_id", &submission).text("state", "contacted");
        visitor.add(follow_up_at, "feedback.follow_up", fields, drafts);
    }
}

/// A feeling between 0 and 10 on the metric's scale.
#[expect(clippy::cast_possible_truncation, reason = "the number is between 0 and 10")]
fn on_scale(metric: &str, felt: f64) -> i64 {
    let felt = felt.clamp(0.0, 10.0);
    match metric {
        "csat" => (1.0 + felt * 0.4).round() as i64,
        "ces" => (1.0 + felt * 0.6).round() as i64,
        _ => felt.round() as i64,
    }
}
