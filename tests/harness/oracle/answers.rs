//! Answers to survey questions, by docs/metric-definitions.md, "Answers (NPS)".

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
