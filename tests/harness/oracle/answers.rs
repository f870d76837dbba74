//! Answers to survey questions, by docs/metric-definitions.md, "Answers".

use super::event::{Dimensions, Event};
use super::{DAY, by_key};

const ANSWER_GAP: i64 = 7 * DAY;

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) id: String,
    pub(crate) submission_id: String,
    pub(crate) dimensions: Dimensions,
    pub(crate) time: i64,
    pub(crate) metric: String,
    pub(crate) score: Option<i64>,
    pub(crate) is_employee: bool,
    pub(crate) is_counted: bool,
    /// Lowest and highest score, where they were sent.
    pub(crate) scale: (Option<i64>, Option<i64>),
}

/// That a submission was shown.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) id: String,
    pub(crate) dimensions: Dimensions,
    pub(crate) time: i64,
    pub(crate) is_answered: bool,
}

impl Answer {
    /// Of a CSAT or CES answer its scale, and whether it is a good one.
    pub(crate) fn share(&self) -> Option<(String, bool)> {
        let (usual, part) = match self.metric.as_str() {
            "csat" => ((1, 5), 3.0 / 4.0),
            "ces" => ((1, 7), 2.0 / 3.0),
            _ => return None,
        };
        let (min, max) = (self.scale.0.unwrap_or(usual.0), self.scale.1.unwrap_or(usual.1));
        let place = (self.score? - min) as f64 / (max - min) as f64;
        Some((format!("{min}-{max}"), place >= part - 1e-9))
    }
}

/// Every time that a submission was shown, without those within 7 days of the time before.
pub(super) fn shown(human: &[&Event]) -> Vec<Shown> {
    let mut all = Vec::new();
    for events in by_key(human, |event| event.text("submission_id")).values() {
        let mut last: Option<i64> = None;
        for event in events.iter().filter(|event| event.kind == "feedback.shown") {
            if last.is_none_or(|last| event.time - last > ANSWER_GAP) {
                let answers = events.iter().filter(|other| other.kind == "feedback.answered");
                let is_answered = answers
                    .map(|answer| answer.time - event.time)
                    .any(|wait| (0..=ANSWER_GAP).contains(&wait));
                let (id, dimensions) = (event.id.clone(), event.dimensions());
                all.push(Shown { id, dimensions, time: event.time, is_answered });
            }
            last = Some(event.time);
        }
    }
    all
}

/// All answers; each metric's count by the same rule.
pub(super) fn answers(human: &[&Event]) -> Vec<Answer> {
    let events: Vec<&Event> =
        human.iter().copied().filter(|event| event.kind == "feedback.answered").collect();
    let mut answers = Vec::new();
    for events in
        by_key(&events, |event| Some((submission(event), question(event), is_employee(event)))).values()
    {
        for (position, event) in events.iter().enumerate() {
            let replaced = events.get(position + 1).is_some_and(|next| next.time - event.time <= ANSWER_GAP);
            answers.push(Answer {
                id: event.id.clone(),
                submission_id: submission(event).to_owned(),
                dimensions: event.dimensions(),
                time: event.time,
                metric: event.text("metric").unwrap_or("").to_owned(),
                score: event.integer("score"),
                is_employee: is_employee(event),
                is_counted: !replaced,
                scale: (event.integer("scale_min"), event.integer("scale_max")),
            });
        }
    }
    answers
}

fn submission(event: &Event) -> &str {
    event.text("submission_id").unwrap_or(&event.id)
}

/// The question_id, else metric and scene.
fn question(event: &Event) -> (Option<&str>, Option<&str>, Option<i64>) {
    match event.text("question_id") {
        Some(question) => (Some(question), None, None),
        None => (None, event.text("metric"), event.integer("scene")),
    }
}

fn is_employee(event: &Event) -> bool {
    event.text("respondent") == Some("employee")
}
