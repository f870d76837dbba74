//! What counts, at which time, for which series: facts become outcomes.

use super::apps::What;
use super::event::Dimensions;
use super::{MINUTE, Truth};

/// Something that is counted once, in every window that contains its time.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) at: i64,
    pub(crate) dimensions: Dimensions,
    pub(crate) counts: Counted,
    /// Index of the fact behind it.
    pub(crate) fact: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Counted {
    /// An NPS answer with its score.
    Score(i64),
    /// A CSAT or CES answer: metric, scale, whether it is a good one.
    Share(&'static str, String, bool),
    /// A submission that was shown, and whether it was answered.
    Shown(bool),
    /// A response of this name: how long it took, whether it failed.
    Response(String, i64, bool),
    /// A task of this name, and whether it succeeded.
    Task(String, bool),
    /// A step reached by an attempt with an outcome, and whether it was dropped there.
    Step { step: String, index: Option<i64>, dropped: bool },
    /// An abandonment.
    Reason { reason: String, source: &'static str, currency: String, value: i64 },
    /// A purchase and the time it took.
    Duration(i64),
    /// An answered wait of a response metric.
    Wait(&'static str, i64),
    /// A service level that was not kept, in a response metric.
    Breach(&'static str),
    /// Counts of service quality, in the order of their columns.
    Service([i64; 10]),
}

pub(crate) fn outcomes(truth: &Truth) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    of_answers(truth, &mut outcomes);
    of_shown(truth, &mut outcomes);
    of_apps(truth, &mut outcomes);
    of_attempts(truth, &mut outcomes);
    of_cycles(truth, &mut outcomes);
    of_contacts(truth, &mut outcomes);
    outcomes
}

fn of_answers(truth: &Truth, outcomes: &mut Vec<Outcome>) {
    for (fact, answer) in truth.answers.iter().enumerate() {
        if !answer.is_counted || answer.is_employee {
            continue;
        }
        if let Some((scale, is_good)) = answer.share() {
            let metric = if answer.metric == "csat" { "csat" } else { "ces" };
            let counts = Counted::Share(metric, scale, is_good);
            outcomes.push(Outcome { at: answer.time, dimensions: answer.dimensions.clone(), counts, fact });
        }
        if answer.metric == "nps" {
            let score = answer.score.expect("an NPS answer has a score");
            let counts = Counted::Score(score);
            outcomes.push(Outcome { at: answer.time, dimensions: answer.dimensions.clone(), counts, fact });
        }
    }
}

fn of_shown(truth: &Truth, outcomes: &mut Vec<Outcome>) {
    for (fact, shown) in truth.shown.iter().enumerate() {
        let counts = Counted::Shown(shown.is_answered);
        outcomes.push(Outcome { at: shown.time, dimensions: shown.dimensions.clone(), counts, fact });
    }
}

fn of_apps(truth: &Truth, outcomes: &mut Vec<Outcome>) {
    for (fact, event) in truth.app_events.iter().enumerate() {
        let counts = match event.what {
            What::Response { took, is_error } => Counted::Response(event.name.clone(), took, is_error),
            What::Task { is_success } => Counted::Task(event.name.clone(), is_success),
        };
        outcomes.push(Outcome { at: event.time, dimensions: event.dimensions.clone(), counts, fact });
    }
}

fn of_attempts(truth: &Truth, outcomes: &mut Vec<Outcome>) {
    for (fact, attempt) in truth.attempts.iter().enumerate() {
        let Some(at) = attempt.ended_at else { continue };
        let abandoned = attempt.state == "abandoned";
        let mut add = |counts| {
            outcomes.push(Outcome { at, dimensions: attempt.dimensions.clone(), counts, fact });
        };
        for (step, index) in &attempt.reached {
            let dropped = abandoned && *step == attempt.furthest_step;
            add(Counted::Step { step: step.clone(), index: *index, dropped });
        }
        if let Some((reason, source)) = &attempt.reason {
            let currency = attempt.currency.clone().unwrap_or_default();
            let value = attempt.value.unwrap_or(0);
            add(Counted::Reason { reason: reason.clone(), source, currency, value });
        }
        if let Some(duration) = attempt.duration_ms {
            add(Counted::Duration(duration));
        }
    }
}

fn of_cycles(truth: &Truth, outcomes: &mut Vec<Outcome>) {
    for (fact, cycle) in truth.cycles.iter().enumerate() {
        let mut add = |at, counts| {
            outcomes.push(Outcome { at, dimensions: cycle.dimensions.clone(), counts, fact });
        };
        if let Some(at) = cycle.first_response_at {
            let clocks = [
                ("first_response_customer", cycle.first_response_customer_ms),
                ("first_response_team", cycle.first_response_team_ms),
            ];
            for (metric, waited) in clocks {
                add(at, Counted::Wait(metric, waited.expect("a first response has a waiting time")));
            }
        }
        if let Some(at) = cycle.breached_at {
            add(at, Counted::Breach("first_response_customer"));
        }
        for (at, waited) in &cycle.replies {
            add(*at, Counted::Wait("reply", *waited));
        }
        if let (Some(waited), Some(at)) = (cycle.resolution_ms, cycle.ended_at) {
            add(at, Counted::Wait("resolution", waited));
        }
    }
}

/// Columns: conversations, bot, contained, contained net, handoffs, human requests, human reached, bot loops, reasked, reopened.
fn of_contacts(truth: &Truth, outcomes: &mut Vec<Outcome>) {
    for (fact, contact) in truth.contacts.iter().enumerate() {
        let mut add = |at, counted: &[(usize, bool)]| {
            let mut counts = [0; 10];
            counted.iter().for_each(|(column, is_counted)| counts[*column] = i64::from(*is_counted));
            let counts = Counted::Service(counts);
            outcomes.push(Outcome { at, dimensions: contact.dimensions.clone(), counts, fact });
        };
        if let Some(at) = contact.outcome_at {
            let is_net = contact.is_contained && !contact.is_returned;
            add(at, &[(0, true), (1, contact.is_bot), (2, contact.is_contained), (3, is_net)]);
        }
        for handoff in &contact.handoffs {
            add(handoff.at, &[(4, true)]);
            if let Some(at) = handoff.decided_at {
                add(at, &[(5, true), (6, handoff.is_reached)]);
            }
        }
        contact.bot_loops.iter().for_each(|at| add(*at, &[(7, true)]));
        contact.reasked_at.iter().for_each(|at| add(*at, &[(8, true)]));
        contact.reopened.iter().for_each(|at| add(*at, &[(9, true)]));
    }
}

impl Outcome {
    pub(crate) fn minute(&self) -> i64 {
        self.at.div_euclid(MINUTE)
    }
}
