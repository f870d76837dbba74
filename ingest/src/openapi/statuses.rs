//! Every status of the paths that take events, from the refusals and answers that the code can give.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{DescribedLimits, reference};
use crate::error::Refusal;
use crate::parse::ParseError;
use crate::problem::code;

/// The refusal after this one: a chain through all of them, which a new one cannot stay out of unnoticed.
fn next(refusal: &Refusal, limits: DescribedLimits) -> Option<Refusal> {
    let retry_after = Duration::from_secs(1);
    Some(match refusal {
        Refusal::Unauthorized => Refusal::KeyNotForUrl,
        Refusal::KeyNotForUrl => Refusal::Origin,
        Refusal::Origin => Refusal::BodyTooLarge { limit: limits.body_bytes },
        Refusal::BodyTooLarge { .. } => Refusal::TooManyEvents { limit: limits.parse.events },
        Refusal::TooManyEvents { .. } => Refusal::MediaType,
        Refusal::MediaType => Refusal::Encoding,
        Refusal::Encoding => Refusal::BrokenEncoding,
        Refusal::BrokenEncoding => Refusal::BrokenBody,
        Refusal::BrokenBody => Refusal::BodyTimeout,
        Refusal::BodyTimeout => Refusal::Parse(ParseError::Syntax {
            code: code::INVALID_JSON,
            message: "the body is not JSON".to_owned(),
            line: 1,
            column: 1,
        }),
        Refusal::Parse(_) => Refusal::Busy,
        Refusal::Busy => Refusal::RateLimited { retry_after },
        Refusal::RateLimited { .. } => Refusal::TooManyFailures { retry_after },
        Refusal::TooManyFailures { .. } => Refusal::Starting,
        Refusal::Starting => Refusal::DryRun,
        Refusal::DryRun => Refusal::Method,
        // Of other paths.
        Refusal::Method | Refusal::NotFound => return None,
    })
}

#[derive(Debug, Default)]
struct Status {
    about: Vec<String>,
    schemas: Vec<&'static str>,
    has_retry_after: bool,
}

/// The responses of a path that takes events.
pub(super) fn responses(limits: DescribedLimits) -> Value {
    let mut statuses: BTreeMap<u16, Status> = BTreeMap::new();
    for (status, about) in [
        (200, "A dry run: what would be stored."),
        (202, "Every valid event is durable; the others stand in rejected."),
        (400, "No entry could be read."),
        (403, "`family_not_allowed`: the key may send none of these events."),
        (422, "Read, but every event is invalid."),
        (503, "`unavailable`: the events in retry may not be durable; sending all again is safe."),
    ] {
        let status = statuses.entry(status).or_default();
        status.about.push(about.to_owned());
        status.schemas.push("Answer");
        status.has_retry_after = about.contains("unavailable");
    }
    let mut current = Some(Refusal::Unauthorized);
    while let Some(refusal) = current {
        current = next(&refusal, limits);
        let explanation = refusal.explain();
        let status = statuses.entry(explanation.status.as_u16()).or_default();
        status.about.push(format!("`{}`: {}.", explanation.code, explanation.message));
        if !status.schemas.contains(&"Refusal") {
            status.schemas.push("Refusal");
        }
        status.has_retry_after |= explanation.retry_after.is_some();
    }
    let described =
        statuses.into_iter().map(|(status, described)| (status.to_string(), response(&described)));
    Value::Object(described.collect::<Map<_, _>>())
}

fn response(status: &Status) -> Value {
    let schemas: Vec<Value> = status.schemas.iter().map(|name| reference(name)).collect();
    let schema = if let [one] = &*schemas { one.clone() } else { json!({ "anyOf": schemas }) };
    let mut response = json!({
        "description": status.about.join("\n"),
        "content": {"application/json": {"schema": schema}},
    });
    if status.has_retry_after {
        let schema = json!({"type": "integer", "minimum": 1});
        response["headers"] = json!({"Retry-After": {"description": "Seconds to wait.", "schema": schema}});
    }
    response
}
