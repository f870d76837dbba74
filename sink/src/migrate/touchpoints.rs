//! What the touchpoints file says, as SQL: the rows of the view `touchpoints`, and the service level where a view has a touchpoint at hand.

use touchstream_runtime::settings::MetricSettings;
use touchstream_runtime::touchpoints::{Tenant, Touchpoint, Touchpoints};

/// A list of tuples in the order of the view's columns.
pub(super) fn rows(touchpoints: &Touchpoints, metrics: &MetricSettings) -> String {
    let rows: Vec<String> = listed(touchpoints)
        .map(|(tenant, known, name, touchpoint)| {
            let slo = touchpoint.slo_first_response_s.unwrap_or(metrics.slo_first_response_s);
            let steps = touchpoint.steps.as_ref().unwrap_or(&metrics.steps);
            let steps: Vec<String> = steps.iter().map(|step| quoted(step)).collect();
            let zone = known.time_zone.as_ref().and_then(|zone| zone.iana_name()).unwrap_or("UTC");
            let columns = [
                quoted(tenant),
                quoted(name),
                nullable(touchpoint.stage.as_deref()),
                nullable(touchpoint.owner.as_deref()),
                touchpoint.importance.to_string(),
                nullable(touchpoint.runbook.as_deref()),
                slo.to_string(),
                format!("[{}]", steps.join(", ")),
                quoted(zone),
            ];
            format!("({})", columns.join(", "))
        })
        .collect();
    format!("[{}]", rows.join(", "))
}

/// The service level of the first response in seconds, of the row's `tenant` and `touchpoint`.
pub(super) fn slo_expression(touchpoints: &Touchpoints, metrics: &MetricSettings) -> String {
    let usual = metrics.slo_first_response_s;
    let own: String = listed(touchpoints)
        .filter_map(|(tenant, _, name, touchpoint)| {
            let slo = touchpoint.slo_first_response_s.filter(|slo| *slo != usual)?;
            Some(format!("tenant = {} AND touchpoint = {}, {slo}, ", quoted(tenant), quoted(name)))
        })
        .collect();
    if own.is_empty() { usual.to_string() } else { format!("multiIf({own}{usual})") }
}

fn listed(touchpoints: &Touchpoints) -> impl Iterator<Item = (&str, &Tenant, &str, &Touchpoint)> {
    touchpoints.tenants().flat_map(|(tenant, known)| {
        known.touchpoints.iter().map(move |(name, touchpoint)| (tenant, known, name.as_str(), touchpoint))
    })
}

fn nullable(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".to_owned(), quoted)
}

/// A literal. Braces would be taken for placeholders, and a line's end after a semicolon for the end of a statement.
pub(super) fn quoted(text: &str) -> String {
    let mut literal = String::from("'");
    for character in text.chars() {
        match character {
            '\'' | '\\' => literal.extend(['\\', character]),
            '{' => literal.push_str("\\x7B"),
            '}' => literal.push_str("\\x7D"),
            '\n' => literal.push_str("\\n"),
            other => literal.push(other),
        }
    }
    literal.push('\'');
    literal
}
