//! Answers: which answer to a question counts. Contract, section 5; every case is settled in `docs/metric-definitions.md`.

use std::collections::BTreeMap;

use touchstream_runtime::settings::MetricSettings;
use touchstream_schemas::event::FeedbackEvent;
use touchstream_schemas::facts::AnswerFact;
use touchstream_schemas::keys;
use touchstream_schemas::panes::{Scores, metric};
use touchstream_schemas::time::{EventTime, Millis};

use super::deltas::{Deltas, Sign};
use super::journeys::{Evaluation, Rules};
use crate::cells::Counts;
use crate::series::SeriesKey;

/// The definition, with its configured constant.
#[derive(Clone, Copy, Debug)]
pub struct AnswerRules {
    /// An answer is replaced by another that follows within this time.
    pub gap: Millis,
}

impl AnswerRules {
    /// The configured definition.
    #[must_use]
    pub fn new(settings: &MetricSettings) -> AnswerRules {
        AnswerRules { gap: Millis::DAY.times(settings.answer_gap_days) }
    }
}

/// The answer in an event; `None` for other types.
#[must_use]
pub fn answer_of(event: &FeedbackEvent<'_>) -> Option<AnswerFact> {
    if event.event_type != "feedback.answered" {
        return None;
    }
    let metric = event.metric?;
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let scene = event.scene.map(|scene| scene.to_string()).unwrap_or_default();
    Some(AnswerFact {
        tenant: event.tenant.to_owned(),
        submission_id: keys::feedback(event).to_owned(),
        question: event.question_id.map_or_else(|| format!("{metric}/{scene}"), str::to_owned),
        source: event.source.to_owned(),
        id: event.id.to_owned(),
        touchpoint: event.touchpoint.to_owned(),
        channel: event.channel.to_owned(),
        device: event.device.to_owned(),
        time: event.time,
        survey_id: owned(event.survey_id),
        metric: metric.to_owned(),
        score: event.score,
        scale_min: event.scale_min,
        scale_max: event.scale_max,
        choice: owned(event.choice),
        driver: owned(event.driver),
        respondent: event.respondent.unwrap_or("customer").to_owned(),
        text: owned(event.text),
        customer_id: owned(event.customer_id),
        is_counted: false,
        is_deleted: false,
        revision: 0,
    })
}

impl Rules for AnswerRules {
    type Point = AnswerFact;
    type Fact = AnswerFact;

    fn position(point: &AnswerFact) -> (EventTime, &str) {
        (point.time, &point.id)
    }

    fn evaluate(
        &self,
        _tenant: &str,
        _key: &str,
        points: &[AnswerFact],
        _watermark: EventTime,
    ) -> Evaluation<AnswerFact> {
        let mut facts = points.to_vec();
        let mut next_of_question: BTreeMap<&str, EventTime> = BTreeMap::new();
        for (fact, point) in facts.iter_mut().zip(points).rev() {
            let next = next_of_question.insert(&point.question, point.time);
            fact.is_counted = next.is_none_or(|next| next - point.time > self.gap);
        }
        Evaluation { facts, deadline: None, repeated_transactions: 0 }
    }

    fn same(one: &AnswerFact, other: &AnswerFact) -> bool {
        one.question == other.question && one.id == other.id && one.time == other.time
    }

    fn stamp(fact: &mut AnswerFact, revision: i64, is_deleted: bool) {
        fact.revision = revision;
        fact.is_deleted = is_deleted;
    }

    fn revision(fact: &AnswerFact) -> i64 {
        fact.revision
    }

    fn contribute(fact: &AnswerFact, sign: Sign, deltas: &mut Deltas) {
        let Some(score) = fact.score else { return };
        if fact.metric != metric::NPS || fact.respondent == "employee" || !fact.is_counted {
            return;
        }
        let scores = Scores {
            answers: 1,
            top: i64::from(score >= 9),
            middle: i64::from((7..=8).contains(&score)),
            bottom: i64::from(score <= 6),
        };
        let dimensions: [&str; 3] = [&fact.touchpoint, &fact.channel, &fact.device];
        let series = SeriesKey::new(&fact.tenant, metric::NPS, "", dimensions);
        deltas.count(&series, fact.time, Counts::Scores(scores), sign);
    }

    fn contribute_now(_fact: &AnswerFact, _sign: Sign, _deltas: &mut Deltas) {}
}
