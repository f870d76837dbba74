//! Facts as lines of text: how the oracle writes them, and the query that makes ClickHouse write the same.

use super::event::Dimensions;
use super::{Answer, Attempt, Cycle, Truth};

/// For each fact object its name, the query, and the lines expected.
pub(super) fn facts(truth: &Truth) -> [(&'static str, String, Vec<String>); 3] {
    [
        ("checkouts", select("checkouts", CHECKOUTS), truth.attempts.iter().map(attempt).collect()),
        ("conversations", select("conversations", CONVERSATIONS), truth.cycles.iter().map(cycle).collect()),
        ("feedback", select("feedback", FEEDBACK), truth.answers.iter().map(answer).collect()),
    ]
}

/// For each fact object its name and the lines expected.
pub(super) fn expected(truth: &Truth) -> [(&'static str, Vec<String>); 3] {
    facts(truth).map(|(object, _, lines)| (object, lines))
}

fn select(object: &str, columns: &str) -> String {
    format!("SELECT {columns} FROM {{database}}.{object} WHERE tenant = '{{tenant}}' FORMAT TabSeparated")
}

/// An attempt that a session or visitor holds together has a pseudonym as its key, which only the product knows.
const CHECKOUTS: &str = "if(isNull(coalesce(checkout_id, cart_id, order_id)), '*', attempt_id), touchpoint, channel, device, \
    state, toUnixTimestamp64Milli(started_at), toUnixTimestamp64Milli(ended_at), toUnixTimestamp64Milli(last_event_at), \
    transaction_id, furthest_step, furthest_step_index, arrayStringConcat(arraySort(reached_steps), ','), \
    reason, reason_source, toInt64(value * 10000), currency, items, toInt64(round(duration_s * 1000))";

fn attempt(attempt: &Attempt) -> String {
    let id = if attempt.is_pseudonymous { "*".to_owned() } else { attempt.id.clone() };
    let mut reached: Vec<&str> = attempt.reached.iter().map(|(step, _)| step.as_str()).collect();
    reached.sort_unstable();
    let reason = attempt.reason.as_ref();
    line(&[
        id,
        own(&attempt.dimensions),
        attempt.state.to_owned(),
        attempt.started_at.to_string(),
        or_null(attempt.ended_at),
        attempt.last_event_at.to_string(),
        or_null(attempt.transaction_id.clone()),
        attempt.furthest_step.clone(),
        attempt.furthest_step_index.to_string(),
        reached.join(","),
        or_null(reason.map(|(reason, _)| reason)),
        or_null(reason.map(|(_, source)| source)),
        or_null(attempt.value),
        or_null(attempt.currency.clone()),
        or_null(attempt.items),
        or_null(attempt.duration_ms),
    ])
}

const CONVERSATIONS: &str = "conversation_id, cycle, cycle_id, touchpoint, channel, device, state, toUnixTimestamp64Milli(started_at), \
    toUnixTimestamp64Milli(ended_at), toUnixTimestamp64Milli(first_customer_at), toUnixTimestamp64Milli(first_response_at), \
    toInt64(round(first_response_customer_s * 1000)), toInt64(round(first_response_team_s * 1000)), \
    toUnixTimestamp64Milli(breached_at), \
    arrayStringConcat(arrayMap((at, wait) -> concat(toString(toUnixTimestamp64Milli(at)), '+', toString(toInt64(round(wait * 1000)))), \
    reply_times, reply_waits_s), ','), \
    toUnixTimestamp64Milli(waiting_since), toInt64(round(resolution_s * 1000)), handoffs_n";

fn cycle(cycle: &Cycle) -> String {
    let replies: Vec<String> = cycle.replies.iter().map(|(at, waited)| format!("{at}+{waited}")).collect();
    line(&[
        cycle.conversation_id.clone(),
        cycle.cycle.to_string(),
        cycle.cycle_id.clone(),
        own(&cycle.dimensions),
        cycle.state.clone(),
        cycle.started_at.to_string(),
        or_null(cycle.ended_at),
        or_null(cycle.first_customer_at),
        or_null(cycle.first_response_at),
        or_null(cycle.first_response_customer_ms),
        or_null(cycle.first_response_team_ms),
        or_null(cycle.breached_at),
        replies.join(","),
        or_null(cycle.waiting_since),
        or_null(cycle.resolution_ms),
        cycle.handoffs.to_string(),
    ])
}

const FEEDBACK: &str = "id, submission_id, touchpoint, channel, device, toUnixTimestamp64Milli(time), metric, score, respondent, \
    is_counted";

fn answer(answer: &Answer) -> String {
    line(&[
        answer.id.clone(),
        answer.submission_id.clone(),
        own(&answer.dimensions),
        answer.time.to_string(),
        answer.metric.clone(),
        or_null(answer.score),
        if answer.is_employee { "employee" } else { "customer" }.to_owned(),
        answer.is_counted.to_string(),
    ])
}

pub(super) fn dimensions(dimensions: [&str; 3]) -> String {
    dimensions.join("\t")
}

fn own(Dimensions(dimensions): &Dimensions) -> String {
    dimensions.join("\t")
}

pub(super) fn or_null(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "\\N".to_owned(), |value| value.to_string())
}

pub(super) fn line(fields: &[String]) -> String {
    fields.join("\t")
}
