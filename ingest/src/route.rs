//! Paths and methods, and one request's way through all steps.
//!
//! Listen → **route** → authenticate → read body → accept → wait for the receipt → respond.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use touchstream_schemas::time::EventTime;

use crate::accept::{Arrival, Batch, accept};
use crate::authenticate::{authenticate, origin, query_value};
use crate::error::Refusal;
use crate::keys::WriteKey;
use crate::metrics::outcome;
use crate::read_body;
use crate::respond::{self, Answer};
use crate::serve::Ingest;

/// Bodies above this are worked on outside the threads that serve connections.
const INLINE_BYTES: usize = 32 * 1024;

/// The public paths.
pub(crate) fn router(ingest: Arc<Ingest>) -> Router {
    Router::new()
        .route("/v1/events", any(events))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .fallback(|State(ingest): State<Arc<Ingest>>| async move {
            counted(&ingest, respond::refuse(Refusal::NotFound))
        })
        .with_state(ingest)
}

/// Ready or not; the reasons stand on the admin port, which is not public.
async fn ready(State(ingest): State<Arc<Ingest>>) -> Response<Body> {
    if ingest.readiness.missing().is_empty() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

async fn events(State(ingest): State<Arc<Ingest>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if parts.method == Method::OPTIONS {
        return counted(&ingest, preflight(&ingest, &parts));
    }
    let response = if parts.method == Method::POST {
        let key = authenticate(&ingest, &parts);
        let allowed_origin = match &key {
            Ok(key) if key.browser => origin(&parts.headers),
            // Whoever cannot send at all may at least read why.
            Err(_) => origin(&parts.headers),
            Ok(_) => None,
        }
        .and_then(|origin| HeaderValue::from_str(origin).ok());
        let mut response = match key {
            Ok(key) => {
                let taken = take_events(&ingest, &parts, body, key).await;
                taken.unwrap_or_else(|refusal| refuse(&ingest, refusal))
            }
            Err(refusal) => refuse(&ingest, refusal),
        };
        if let Some(origin) = allowed_origin {
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("Origin"));
        }
        response
    } else {
        respond::refuse(Refusal::Method)
    };
    counted(&ingest, response)
}

/// Refuses, and counts the limit that was met.
fn refuse(ingest: &Ingest, refusal: Refusal) -> Response<Body> {
    if let Some(limit) = refusal.limit_met() {
        ingest.metrics.limited.with_label_values(&[limit]).inc();
    }
    respond::refuse(refusal)
}

fn counted(ingest: &Ingest, response: Response<Body>) -> Response<Body> {
    ingest.metrics.requests.with_label_values(&[response.status().as_str()]).inc();
    response
}

/// A browser asks whether a page may send. A preflight carries no key except in the URL; the POST itself is checked anyway.
fn preflight(ingest: &Ingest, parts: &request::Parts) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    let page = origin(&parts.headers);
    let key = query_value(parts, "key").and_then(|key| ingest.keys.find(&key));
    // A key that is not for browsers is treated as an unknown one, or this would tell which keys exist.
    let refused = key.is_some_and(|key| key.browser && !key.allows_origin(page));
    let Some(page) = page.filter(|_| !refused).and_then(|page| HeaderValue::from_str(page).ok()) else {
        return response;
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-encoding, content-type, x-write-key"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    response
}

async fn take_events(
    ingest: &Arc<Ingest>,
    parts: &request::Parts,
    body: Body,
    key: Arc<WriteKey>,
) -> Result<Response<Body>, Refusal> {
    let format = read_body::format(&parts.headers)?;
    let encoding = read_body::encoding(&parts.headers)?;
    let received_at = EventTime::now();
    let mut hold = ingest.limits.enter(&key)?;
    let body = read_body::read(&ingest.body_limits, &mut hold, &parts.headers, encoding, body).await?;
    let dry_run = query_value(parts, "dry_run").is_some_and(|value| value == "1" || value == "true");
    let arrival = Arrival { key, format, received_at, dry_run };

    let begun = tokio::time::Instant::now();
    let batch = if body.len() <= INLINE_BYTES {
        accept(ingest, &arrival, &body)
    } else {
        let (ingest, arrival, bytes) = (Arc::clone(ingest), arrival.clone(), body.clone());
        let worked = tokio::task::spawn_blocking(move || accept(&ingest, &arrival, &bytes)).await;
        worked.map_err(|error| {
            tracing::error!(%error, "working on a body failed");
            Refusal::Busy
        })?
    };
    let batch = batch?;
    if let Some(receipt) = &batch.receipt {
        // With a full queue nobody is helped by waiting for the rest: all of it is asked for again.
        if batch.not_queued.is_empty() && !batch.queued.is_empty() {
            receipt.wait(begun + ingest.ack_timeout).await;
            ingest.metrics.ack_seconds.observe(begun.elapsed().as_secs_f64());
        }
    }
    Ok(settle(ingest, &arrival, &batch))
}

/// Counts and notes what is durable now, and says so.
fn settle(ingest: &Ingest, arrival: &Arrival, batch: &Batch) -> Response<Body> {
    let mut counts = [[0_u64; 3]; 4];
    let mut retry = Vec::new();
    for queued in &batch.queued {
        let durable = batch.receipt.as_ref().is_some_and(|receipt| receipt.is_delivered(queued.index));
        let outcome = match (durable, queued.duplicate) {
            (true, false) => 0,
            (true, true) => 1,
            (false, _) => {
                retry.push(queued.index);
                2
            }
        };
        counts[queued.family as usize][outcome] += 1;
    }
    let receipt = batch.receipt.as_ref();
    let is_durable = |entry: usize| receipt.is_some_and(|receipt| receipt.is_delivered(entry));
    for (index, family) in &batch.shed {
        retry.push(*index);
        counts[*family as usize][2] += 1;
        ingest.metrics.shed.with_label_values(&[family.name()]).inc();
    }
    retry.sort_unstable();
    ingest.recent.note(
        batch
            .queued
            .iter()
            .filter(|queued| !queued.duplicate && is_durable(queued.index))
            .map(|queued| queued.key),
    );
    for family in touchstream_schemas::event::Family::ALL {
        let [accepted, duplicates, unavailable] = counts[family as usize];
        let name = family.name();
        ingest.metrics.count_events(name, outcome::ACCEPTED, accepted);
        ingest.metrics.count_events(name, outcome::DUPLICATE, duplicates);
        ingest.metrics.count_events(name, outcome::UNAVAILABLE, unavailable);
        for (code, count) in [(outcome::ACCEPTED, accepted), (outcome::DUPLICATE, duplicates)] {
            let (tenant, at) = (&arrival.key.tenant, arrival.received_at);
            ingest.quality.add(tenant, name, code, at, count, &ingest.metrics);
        }
    }
    let sum = |outcome: usize| counts.iter().map(|family| family[outcome]).sum::<u64>();
    let would_be = batch.dry_run.as_ref().map_or(0, Vec::len);
    respond::answer(Answer {
        code: None,
        message: None,
        accepted: usize::try_from(sum(0)).unwrap_or(usize::MAX) + would_be,
        duplicates: usize::try_from(sum(1)).unwrap_or(usize::MAX),
        rejected: &batch.findings.problems,
        warnings: &batch.findings.warnings,
        retry: &retry,
        events: batch.dry_run.as_deref(),
    })
}

/// Longest time that a request may take from its first byte on.
pub(crate) fn longest_request(ingest: &Ingest) -> Duration {
    ingest.body_limits.timeout + ingest.ack_timeout + Duration::from_secs(1)
}
