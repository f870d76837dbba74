//! Which pages of which browsers may send, and may read the answer (CORS).
//!
//! Beside route. Promise: a page may read an answer only if its key is for pages and allows the page's origin, or if there is
//! nothing to read but why its key was not taken.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header, request};

use crate::authenticate::{origin, query_value};
use crate::keys::WriteKey;
use crate::serve::Ingest;

/// Headers that pages may send: ours, those of CloudEvents in binary mode, and what tracing agents add to every request.
const HEADERS: &str = "authorization, content-encoding, content-type, x-write-key, ce-specversion, ce-id, ce-type, ce-time, ce-source, \
                       ce-subject, ce-dataschema, ce-sentat, traceparent, tracestate, baggage";

/// A browser asks whether a page may send. A preflight carries no key except in the URL; the POST itself is checked anyway.
pub(crate) fn preflight(ingest: &Ingest, parts: &request::Parts) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    let page = origin(&parts.headers);
    let key = query_value(parts, "key").and_then(|key| ingest.keys.find(&key));
    // A key that is not for pages is treated as an unknown one, or this would tell which keys exist.
    let refused = key.is_some_and(|key| !key.allows_origin(page));
    let Some(page) = page.filter(|_| !refused).and_then(|page| HeaderValue::from_str(page).ok()) else {
        return response;
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    response
}

/// Lets the page read the answer, if it may; `key` is none when the request had no valid one: whoever cannot send at all may at least
/// read why.
pub(crate) fn allow(response: &mut Response<Body>, parts: &request::Parts, key: Option<&Arc<WriteKey>>) {
    let page = origin(&parts.headers).and_then(|page| HeaderValue::from_str(page).ok());
    let Some(page) = page.filter(|_| key.is_none_or(|key| key.is_for_pages())) else { return };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
}
