//! Submissions: which answer to a question counts, and whether what was shown was answered. Contract, section 5; every case is settled
//! in `docs/metric-definitions.md`.

use std::collections::BTreeMap;

use serde::Serialize;
use touchstream_runtime::settings::MetricSettings;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::event::FeedbackEvent;
use touchstream_schemas::facts::{AnswerFact, ShownFact};
use touchstream_schemas::keys;
use touchstream_schemas::panes::{Scores, metric};
use touchstream_schemas::time::{EventTime, Millis};

use super::deltas::{Deltas, Sign};
use super::further::FurtherContext as _;
use super::journeys::{Evaluation, Rules};
use super::packed::{Packer, Unpacker};
use super::score::classed;
use crate::cells::Counts;
use crate::series::SeriesKey;

/// What an event of a submission is, and what is known of it: its own event and its fact.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "nearly all are answers, and they rest packed")]
pub enum Feedback {
    /// An answer to a question.
    Answer(AnswerFact),
    /// That the submission was shown.
    Shown(ShownFact),
}

/// The definition, with its configured constant.
#[derive(Clone, Copy, Debug)]
pub struct FeedbackRules {
    /// An answer is replaced by another that follows within this time; one that comes this long after it was asked for still counts as response.
    pub gap: Millis,
}

impl FeedbackRules {
    /// The configured definition.
    #[must_use]
    pub fn new(settings: &MetricSettings) -> FeedbackRules {
        FeedbackRules { gap: Millis::DAY.times(settings.answer_gap_days) }
    }
}

impl Feedback {
    /// The part of an event in its submission; `None` for types that have none. What was shown without a submission can never be found
    /// answered, so it counts nowhere.
    #[must_use]
    pub fn of(event: &FeedbackEvent<'_>, touchpoints: &Touchpoints) -> Option<Feedback> {
        match event.event_type {
            "feedback.answered" => answer_of(event, touchpoints).map(Feedback::Answer),
            "feedback.shown" if event.submission_id.is_some() => Some(Feedback::Shown(ShownFact {
                tenant: event.tenant.to_owned(),
                id: event.id.to_owned(),
                time: event.time,
                touchpoint: event.touchpoint.to_owned(),
                channel: event.channel.to_owned(),
                device: event.device.to_owned(),
                further: event.further(touchpoints),
                is_counted: false,
                is_answered: false,
                revision: 0,
            })),
            _ => None,
        }
    }
}

fn answer_of(event: &FeedbackEvent<'_>, touchpoints: &Touchpoints) -> Option<AnswerFact> {
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
        further: event.further(touchpoints),
        is_deleted: false,
        revision: 0,
    })
}

impl Rules for FeedbackRules {
    type Point = Feedback;
    type Fact = Feedback;

    fn position(point: &Feedback) -> (EventTime, &str) {
        match point {
            Feedback::Answer(answer) => (answer.time, &answer.id),
            Feedback::Shown(shown) => (shown.time, &shown.id),
        }
    }

    fn evaluate(
        &self,
        _tenant: &str,
        _key: &str,
        points: &[Feedback],
        _watermark: EventTime,
    ) -> Evaluation<Feedback> {
        let mut facts = points.to_vec();
        let mut next_of_question: BTreeMap<&str, EventTime> = BTreeMap::new();
        let mut answered_at = Vec::new();
        for (fact, point) in facts.iter_mut().zip(points).rev() {
            if let (Feedback::Answer(fact), Feedback::Answer(point)) = (fact, point) {
                let next = next_of_question.insert(&point.question, point.time);
                fact.is_counted = next.is_none_or(|next| next - point.time > self.gap);
                answered_at.push(point.time);
            }
        }
        answered_at.reverse();
        let mut last_shown: Option<EventTime> = None;
        for fact in &mut facts {
            if let Feedback::Shown(shown) = fact {
                let next = answered_at.get(answered_at.partition_point(|answer| *answer < shown.time));
                shown.is_answered = next.is_some_and(|next| *next - shown.time <= self.gap);
                shown.is_counted = last_shown.is_none_or(|last| shown.time - last > self.gap);
                last_shown = Some(shown.time);
            }
        }
        Evaluation { facts, deadline: None, repeated_transactions: 0 }
    }

    fn pack(point: &Feedback, packer: &mut Packer) {
        match point {
            Feedback::Answer(answer) => {
                packer.put(&true);
                packer.put(answer);
            }
            Feedback::Shown(shown) => {
                packer.put(&false);
                packer.put(shown);
            }
        }
    }

    fn unpack(unpacker: &mut Unpacker<'_>) -> Feedback {
        if unpacker.take() { Feedback::Answer(unpacker.take()) } else { Feedback::Shown(unpacker.take()) }
    }

    fn same(one: &Feedback, other: &Feedback) -> bool {
        match (one, other) {
            (Feedback::Answer(one), Feedback::Answer(other)) => {
                one.question == other.question && one.id == other.id && one.time == other.time
            }
            (Feedback::Shown(one), Feedback::Shown(other)) => one.id == other.id && one.time == other.time,
            _ => false,
        }
    }

    fn stamp(fact: &mut Feedback, revision: i64, is_deleted: bool) {
        match fact {
            Feedback::Answer(answer) => (answer.revision, answer.is_deleted) = (revision, is_deleted),
            Feedback::Shown(shown) => shown.revision = revision,
        }
    }

    fn revision(fact: &Feedback) -> i64 {
        match fact {
            Feedback::Answer(answer) => answer.revision,
            Feedback::Shown(shown) => shown.revision,
        }
    }

    fn contribute(fact: &Feedback, sign: Sign, deltas: &mut Deltas) {
        match fact {
            Feedback::Answer(answer) if answer.is_counted && answer.respondent != "employee" => {
                let Some((metric, scale, scores)) = classed(answer) else { return };
                let dimensions: [&str; 3] = [&answer.touchpoint, &answer.channel, &answer.device];
                let series = SeriesKey::new(&answer.tenant, metric, &scale, dimensions);
                deltas.count_by(&series, &answer.further, answer.time, Counts::Scores(scores), sign);
            }
            Feedback::Shown(shown) if shown.is_counted => {
                let top = i64::from(shown.is_answered);
                let scores = Scores { answers: 1, top, middle: 0, bottom: 1 - top };
                let dimensions: [&str; 3] = [&shown.touchpoint, &shown.channel, &shown.device];
                let series = SeriesKey::new(&shown.tenant, metric::RESPONSE_RATE, "", dimensions);
                deltas.count_by(&series, &shown.further, shown.time, Counts::Scores(scores), sign);
            }
            Feedback::Answer(_) | Feedback::Shown(_) => {}
        }
    }

    fn contribute_now(_fact: &Feedback, _sign: Sign, _deltas: &mut Deltas) {}
}
