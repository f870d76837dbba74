//! The answer: status and body by the table of the contract's section 2.
//!
//! Publish → **respond**. Promise: 202 says that Kafka has every valid event; every other valid event stands in `retry`.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::{Explanation, Refusal, UNAVAILABLE, UNREADABLE};
use crate::problem::{Problem, code};

/// Seconds after which a client may try again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Body of an answer about events.
#[derive(Debug, Serialize)]
pub(crate) struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<&'static str>,
    pub(crate) accepted: usize,
    pub(crate) duplicates: usize,
    pub(crate) rejected: &'a [Problem],
    pub(crate) warnings: &'a [Problem],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) retry: &'a [usize],
    /// The events as they would be stored, in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) events: Option<&'a [Box<RawValue>]>,
}

/// Body of a refusal.
#[derive(Debug, Serialize)]
struct RefusalBody<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

/// The answer about events.
pub(crate) fn answer(mut answer: Answer<'_>) -> Response<Body> {
    let status = status_of(&answer);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer.code = Some(UNAVAILABLE);
        answer.message = Some("the events in retry may not be durable; sending all again is safe");
    }
    let mut response = json(status, &answer);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

fn status_of(answer: &Answer<'_>) -> StatusCode {
    let all_have = |codes: &[&str]| answer.rejected.iter().all(|problem| codes.contains(&problem.code));
    if !answer.retry.is_empty() {
        StatusCode::SERVICE_UNAVAILABLE
    } else if answer.accepted + answer.duplicates > 0 || answer.rejected.is_empty() {
        if answer.events.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED }
    } else if all_have(&[code::FAMILY_NOT_ALLOWED]) {
        StatusCode::FORBIDDEN
    } else if all_have(&UNREADABLE) {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    }
}

/// The answer to a request that is refused as a whole.
pub(crate) fn refuse(refusal: Refusal) -> Response<Body> {
    let Explanation { status, code, message, limit, place, retry_after } = refusal.explain();
    let body = RefusalBody {
        code,
        message: &message,
        limit,
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
    };
    let mut response = json(status, &body);
    let extra: Option<(HeaderName, HeaderValue)> = match status {
        StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
        StatusCode::METHOD_NOT_ALLOWED => Some((header::ALLOW, HeaderValue::from_static("POST, OPTIONS"))),
        // What is left of the body is not worth reading.
        StatusCode::REQUEST_TIMEOUT => Some((header::CONNECTION, HeaderValue::from_static("close"))),
        _ => None,
    };
    if let Some((name, value)) = extra {
        response.headers_mut().insert(name, value);
    }
    if let Some(wait) = retry_after {
        // Whole seconds, rounded up: coming a moment too early would be refused again.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    response
}

fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_vec(body).expect("texts and numbers are always JSON");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
