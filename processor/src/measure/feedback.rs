//! Submissions: which answer to a question counts, and whether what was shown was answered. Contract, section 5; every case is settled
//! in `docs/metric-definitions.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use touchstream_runtime::settings::MetricSettings;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::event::FeedbackEvent;
use touchstream_schemas::facts::{AnswerFact, AnswerView, FurtherValue, ShownFact};
use touchstream_schemas::keys;
use touchstream_schemas::panes::{Scores, metric};
use touchstream_schemas::time::{EventTime, Millis};

use super::deltas::{Deltas, Sign};
use super::further::FurtherContext as _;
use super::journeys::{Evaluation, Rules};
use super::packed::{Packer, Unpacker};
use super::score::classed;
use crate::cells::Counts;
use crate::series::SeriesRef;

const COUNTED: u8 = 1;
const ANSWERED: u8 = 2;

/// Adds an answer's score, or takes it back.
pub(super) fn contribute_answer(answer: &AnswerView<'_>, sign: Sign, deltas: &mut Deltas) {
    if !answer.is_counted || answer.respondent == "employee" {
        return;
    }
    let Some((metric, scale, scores)) = classed(answer) else { return };
    let series =
        SeriesRef::new(answer.tenant, metric, &scale, [answer.touchpoint, answer.channel, answer.device]);
    deltas.count_in(series, answer.further, answer.time, Counts::Scores(scores), sign);
}

fn decided(is_counted: bool, is_answered: bool) -> u8 {
    u8::from(is_counted) * COUNTED + u8::from(is_answered) * ANSWERED
}

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
            "feedback.answered" => {
                let (mut question, further) = (String::new(), event.further(touchpoints));
                answer_of(event, &mut question, &further).map(|answer| Feedback::Answer(answer.to_fact()))
            }
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

/// An answer as it is packed, and its packed fact, when it is the only event of its submission.
pub(super) fn pack_single(answer: &AnswerView<'_>) -> (impl FnOnce(&mut Packer), impl FnOnce(&mut Packer)) {
    let point = AnswerView { is_counted: false, revision: 0, ..*answer };
    let point = move |packer: &mut Packer| {
        packer.put(&true);
        packer.put(&point);
    };
    (point, |packer: &mut Packer| packer.put(&decided(true, false)))
}

/// The answer that an event is, if it is one; `question` and `further` are lent to it.
pub(super) fn answer_of<'e>(
    event: &FeedbackEvent<'e>,
    question: &'e mut String,
    further: &'e [FurtherValue],
) -> Option<AnswerView<'e>> {
    let metric = event.metric.filter(|_| event.event_type == "feedback.answered")?;
    let question = event.question_id.unwrap_or_else(|| {
        question.clear();
        question.push_str(metric);
        question.push('/');
        if let Some(scene) = event.scene {
            write!(question, "{scene}").expect("writing to a string never fails");
        }
        question
    });
    Some(AnswerView {
        tenant: event.tenant,
        submission_id: keys::feedback(event),
        question,
        source: event.source,
        id: event.id,
        touchpoint: event.touchpoint,
        channel: event.channel,
        device: event.device,
        time: event.time,
        survey_id: event.survey_id,
        metric,
        score: event.score,
        scale_min: event.scale_min,
        scale_max: event.scale_max,
        choice: event.choice,
        driver: event.driver,
        respondent: event.respondent.unwrap_or("customer"),
        text: event.text,
        customer_id: event.customer_id,
        is_counted: false,
        further,
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

    /// The event of a submission is its fact, but for what is decided about it.
    fn pack_facts(facts: &[Feedback], packer: &mut Packer) {
        for fact in facts {
            packer.put(&match fact {
                Feedback::Answer(answer) => decided(answer.is_counted, false),
                Feedback::Shown(shown) => decided(shown.is_counted, shown.is_answered),
            });
        }
    }

    fn unpack_facts(points: &[Feedback], unpacker: &mut Unpacker<'_>) -> Vec<Feedback> {
        let mut facts = points.to_vec();
        for fact in &mut facts {
            let decided: u8 = unpacker.take();
            let is_counted = decided & COUNTED != 0;
            match fact {
                Feedback::Answer(answer) => answer.is_counted = is_counted,
                Feedback::Shown(shown) => {
                    (shown.is_counted, shown.is_answered) = (is_counted, decided & ANSWERED != 0);
                }
            }
        }
        facts
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
            Feedback::Answer(answer) => contribute_answer(&answer.view(), sign, deltas),
            Feedback::Shown(shown) if shown.is_counted => {
                let top = i64::from(shown.is_answered);
                let scores = Scores { answers: 1, top, middle: 0, bottom: 1 - top };
                let dimensions: [&str; 3] = [&shown.touchpoint, &shown.channel, &shown.device];
                let series = SeriesRef::new(&shown.tenant, metric::RESPONSE_RATE, "", dimensions);
                deltas.count_in(series, &shown.further, shown.time, Counts::Scores(scores), sign);
            }
            Feedback::Shown(_) => {}
        }
    }

    fn contribute_now(_fact: &Feedback, _sign: Sign, _deltas: &mut Deltas) {}
}
