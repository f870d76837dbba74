//! Compares what the result topics hold with what the oracle says, without ClickHouse between them: the newest record of each key, as
//! a reader of committed records sees it.

use std::collections::HashMap;
use std::fmt::Write as _;

use touchstream_schemas::avro;
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::facts::{AnswerFact, AnswerFacts, CheckoutFact, ConversationFact};
use touchstream_schemas::panes::metric;
use touchstream_schemas::windows::{Percentiles, Window};

use super::compare::Differences;
use super::facts::{dimensions, expected, line, or_null};
use super::outcomes::outcomes;
use super::windows::{COUNTS, Names, Row, RowKey, Table, WINDOWS, window_rows};
use super::{Event, MINUTE, Touchpoints, Truth, rfc3339};

/// The newest record of each key of every result topic.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) windows: Vec<Vec<u8>>,
    pub(crate) checkouts: Vec<Vec<u8>>,
    pub(crate) conversations: Vec<Vec<u8>>,
    pub(crate) answers: Vec<Vec<u8>>,
}

/// Reads what results carry.
pub(crate) fn decoder() -> Decoder {
    Decoder::new(&[&avro::WINDOW, &avro::CHECKOUT_FACT, &avro::CONVERSATION_FACT, &avro::ANSWER_FACTS])
}

impl Results {
    /// Compares every window that ends by `as_of`, and the facts; a text for each object that differs.
    pub(crate) fn compare(&self, events: &[Event], as_of: i64) -> Result<usize, String> {
        let decoder = decoder();
        let truth = Truth::of(events, as_of, &Touchpoints::default());
        let outcomes = outcomes(&truth);
        let windows: Vec<Window<'_>> = decoded(&decoder, &self.windows);
        let mut compared = 0;
        let mut report = String::new();
        let mut close = |object: &str, differences: Differences| {
            compared += differences.compared;
            if differences.count > 0 {
                let told = differences.told.join("\n");
                let (count, rows) = (differences.count, differences.compared);
                writeln!(report, "{object}: {count} differences in {rows} rows\n{told}")
                    .expect("writing to a string never fails");
            }
        };
        for table in Table::ALL {
            let mut names = Names::default();
            let rows = window_rows(table, &outcomes, as_of, &mut names);
            close(table.name(), window_differences(table, &windows, rows, &mut names, as_of));
        }
        for (object, expected) in expected(&truth) {
            let found = match object {
                "checkouts" => decoded(&decoder, &self.checkouts).iter().filter_map(checkout).collect(),
                "conversations" => {
                    decoded(&decoder, &self.conversations).iter().filter_map(conversation).collect()
                }
                _ => {
                    let batches: Vec<AnswerFacts> = decoded(&decoder, &self.answers);
                    batches.iter().flat_map(|batch| &batch.facts).filter_map(answer).collect::<Vec<_>>()
                }
            };
            let mut balance = HashMap::new();
            let compared = expected.len();
            expected.into_iter().for_each(|line| *balance.entry(line).or_insert(0_i64) += 1);
            found.into_iter().for_each(|line| *balance.entry(line).or_insert(0) -= 1);
            close(object, Differences::of_balance(compared, balance));
        }
        if report.is_empty() { Ok(compared) } else { Err(report) }
    }

    /// How many windows that end by `as_of` are not final yet.
    pub(crate) fn not_final(&self, as_of: i64) -> usize {
        let decoder = decoder();
        let windows: Vec<Window<'_>> = decoded(&decoder, &self.windows);
        windows.iter().filter(|window| window.window_end.0 <= as_of && !window.is_final).count()
    }
}

fn decoded<'b, T: serde::Deserialize<'b>>(decoder: &Decoder, records: &'b [Vec<u8>]) -> Vec<T> {
    records.iter().map(|record| decoder.decode(record).expect("results can be decoded")).collect()
}

fn window_differences(
    table: Table,
    windows: &[Window<'_>],
    mut expected: HashMap<RowKey, Row>,
    names: &mut Names,
    as_of: i64,
) -> Differences {
    let mut differences = Differences::default();
    let tell = |key: &RowKey, names: &Names, said: String| {
        let [series, detail] = [key.series, key.detail].map(|number| names.name(number).replace('\t', "/"));
        format!("  {} at {}, {series} {detail}: {said}", key.window, rfc3339(key.minute * MINUTE))
    };
    for window in windows.iter().filter(|window| window.dimension.is_empty() && window.window_end.0 <= as_of)
    {
        let series = names.number(&[window.touchpoint, window.channel, window.device].join("\t"));
        let size = WINDOWS.iter().find(|size| size.name == window.window).expect("a known size").name;
        for (detail, shown) in rows_of(table, window) {
            let detail = names.number(&detail);
            let key = RowKey { window: size, minute: window.window_end.0 / MINUTE, series, detail };
            match expected.remove(&key) {
                Some(row) => {
                    differences.compared += 1;
                    if !is_same(&row, &shown) {
                        differences.add(|| tell(&key, names, format!("should be {row:?}, is {shown:?}")));
                    }
                }
                None if shown.counts == [0; COUNTS] => {}
                None => differences.add(|| tell(&key, names, format!("should not be there, is {shown:?}"))),
            }
        }
    }
    let mut missing: Vec<_> = expected.into_iter().filter(|(_, row)| row.counts != [0; COUNTS]).collect();
    missing.sort_by_key(|(key, _)| *key);
    for (key, row) in missing {
        differences.add(|| tell(&key, names, format!("is missing, should be {row:?}")));
    }
    differences
}

/// Counts exactly, percentiles within one percent.
fn is_same(exact: &Row, shown: &Row) -> bool {
    exact.counts == shown.counts
        && exact.percentiles.iter().zip(shown.percentiles).all(|(exact, shown)| match (exact, shown) {
            (Some(exact), Some(shown)) => (shown - exact).abs() as f64 <= *exact as f64 * 0.01 + 1.0,
            (None, None) => true,
            _ => false,
        })
}

/// The rows of an object that a window holds, each with its detail.
fn rows_of(table: Table, window: &Window<'_>) -> Vec<(String, Row)> {
    let row = |detail: &str, first: &[i64], percentiles: Option<(Percentiles, &[usize])>| {
        let mut row = Row::default();
        row.counts[..first.len()].copy_from_slice(first);
        if let Some((of, wanted)) = percentiles {
            for (place, percent) in row.percentiles.iter_mut().zip(wanted) {
                *place = match percent {
                    50 => of.p50_ms,
                    75 => of.p75_ms,
                    95 => of.p95_ms,
                    _ => of.p99_ms,
                };
            }
        }
        (detail.to_owned(), row)
    };
    let index_text = |index: Option<i32>| index.map_or_else(|| "\\N".to_owned(), |index| index.to_string());
    let wanted = table.percentiles();
    match (table, window.metric) {
        (Table::Nps, metric::NPS) => {
            let scores = window.scores.expect("a score has scores");
            vec![row("", &[scores.answers, scores.top, scores.middle, scores.bottom], None)]
        }
        (Table::Csat, metric::CSAT) | (Table::Ces, metric::CES) => {
            let scores = window.scores.expect("a score has scores");
            vec![row(window.detail, &[scores.answers, scores.top], None)]
        }
        (Table::ResponseRates, metric::RESPONSE_RATE) => {
            let scores = window.scores.expect("a rate has scores");
            vec![row("", &[scores.answers, scores.top], None)]
        }
        (Table::AppResponse, metric::APP) => {
            let app = window.app.expect("apps have counts");
            let counts = [app.durations.n, app.errors, app.tasks, app.successes];
            vec![row(window.detail, &counts, Some((app.durations, wanted)))]
        }
        (Table::Funnel, metric::CHECKOUT) => {
            let checkout = window.checkout.as_ref().expect("checkouts have counts");
            let steps = checkout.steps.iter().map(|step| {
                row(
                    &format!("{}\t{}", step.step, index_text(step.step_index)),
                    &[step.reached, step.dropped],
                    None,
                )
            });
            steps.collect()
        }
        (Table::Abandonment, metric::CHECKOUT) => {
            let checkout = window.checkout.as_ref().expect("checkouts have counts");
            let reasons = checkout.reasons.iter().map(|reason| {
                let detail = [reason.reason, reason.reason_source, reason.currency].join("\t");
                row(&detail, &[reason.attempts, reason.value.0], None)
            });
            reasons.collect()
        }
        (Table::Duration, metric::CHECKOUT) => {
            let checkout = window.checkout.as_ref().expect("checkouts have counts");
            let counts = [checkout.durations.n, checkout.within_3min, checkout.within_15min];
            vec![row("", &counts, Some((checkout.durations, wanted)))]
        }
        (Table::ResponseTimes, metric::RESPONSE_TIMES) => {
            let response = window.response.expect("responses have counts");
            let counts = [response.durations.n, response.breached.unwrap_or_default()];
            vec![row(window.detail, &counts, Some((response.durations, wanted)))]
        }
        (Table::ServiceQuality, metric::SERVICE_QUALITY) => {
            let service = window.service.expect("service has counts");
            let counts = [
                service.conversations,
                service.bot,
                service.contained,
                service.contained - service.returned,
                service.handoffs,
                service.human_requests,
                service.human_reached,
                service.bot_loops,
                service.reasked,
                service.reopened,
            ];
            vec![row("", &counts, None)]
        }
        _ => Vec::new(),
    }
}

/// The line that the oracle writes for such an attempt; `None` for one that vanished.
fn checkout(fact: &CheckoutFact) -> Option<String> {
    let is_named = fact.checkout_id.is_some() || fact.cart_id.is_some() || fact.order_id.is_some();
    let mut reached: Vec<&str> = fact.reached.iter().map(|reached| reached.step.as_str()).collect();
    reached.sort_unstable();
    (!fact.is_deleted).then(|| {
        line(&[
            if is_named { fact.attempt_id.clone() } else { "*".to_owned() },
            dimensions([&fact.touchpoint, &fact.channel, &fact.device]),
            fact.state.clone(),
            fact.started_at.0.to_string(),
            or_null(fact.ended_at.map(|at| at.0)),
            fact.last_event_at.0.to_string(),
            or_null(fact.transaction_id.as_ref()),
            fact.furthest_step.clone(),
            fact.furthest_step_index.to_string(),
            reached.join(","),
            or_null(fact.reason.as_ref()),
            or_null(fact.reason_source.as_ref()),
            or_null(fact.value.map(|value| value.0)),
            or_null(fact.currency.as_ref()),
            or_null(fact.items),
            or_null(fact.duration_ms),
        ])
    })
}

fn conversation(fact: &ConversationFact) -> Option<String> {
    let replies: Vec<String> =
        fact.replies.iter().map(|reply| format!("{}+{}", reply.at.0, reply.waited_ms)).collect();
    (!fact.is_deleted).then(|| {
        line(&[
            fact.conversation_id.clone(),
            fact.cycle.to_string(),
            fact.cycle_id.clone(),
            dimensions([&fact.touchpoint, &fact.channel, &fact.device]),
            fact.state.clone(),
            fact.started_at.0.to_string(),
            or_null(fact.ended_at.map(|at| at.0)),
            or_null(fact.first_customer_at.map(|at| at.0)),
            or_null(fact.first_response_at.map(|at| at.0)),
            or_null(fact.first_response_customer_ms),
            or_null(fact.first_response_team_ms),
            or_null(fact.breached_at.map(|at| at.0)),
            replies.join(","),
            or_null(fact.waiting_since.map(|at| at.0)),
            or_null(fact.resolution_ms),
            fact.handoffs.to_string(),
        ])
    })
}

fn answer(fact: &AnswerFact) -> Option<String> {
    (!fact.is_deleted).then(|| {
        line(&[
            fact.id.clone(),
            fact.submission_id.clone(),
            dimensions([&fact.touchpoint, &fact.channel, &fact.device]),
            fact.time.0.to_string(),
            fact.metric.clone(),
            or_null(fact.score),
            fact.respondent.clone(),
            fact.is_counted.to_string(),
        ])
    })
}
