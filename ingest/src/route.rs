//! Paths and methods, and one request's way through all steps.
//!
//! Listen → **route** → authenticate → read body → accept → wait for the receipt → respond.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode, header, request};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use touchstream_schemas::time::EventTime;

use crate::accept::{Arrival, Batch, Queued, accept};
use crate::authenticate::{authenticate, authenticate_key, has_key, query_value};
use crate::browser_files;
use crate::cors;
use crate::dialect::Form;
use crate::dialect::segment::{self, Call, PATHS};
use crate::error::Refusal;
use crate::held_answer;
use crate::keys::WriteKey;
use crate::metrics::outcome;
use crate::problem::{Fault, Problem, code};
use crate::read_body;
use crate::respond::{self, Answer};
use crate::serve::Ingest;

/// Bodies above this wait for a turn, so that they keep no more processors busy than there are.
const SMALL_BYTES: usize = 32 * 1024;
/// Bodies above this, which take longer than about a millisecond, are worked on outside the threads that serve connections.
const INLINE_BYTES: usize = 128 * 1024;

/// The public paths.
pub(crate) fn router(ingest: Arc<Ingest>) -> Router {
    let call = |call: Option<Call>| {
        any(move |State(ingest): State<Arc<Ingest>>, request: Request| receive(ingest, call, request))
    };
    let segment =
        PATHS.into_iter().fold(Router::new(), |router, (path, name)| router.route(path, call(Some(name))));
    segment
        .route("/v1/events", call(None))
        .merge(browser_files::router())
        .route("/openapi.json", get(describe))
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

/// The description of these paths; any page may read it.
async fn describe(State(ingest): State<Arc<Ingest>>) -> Response<Body> {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (headers, ingest.openapi.clone()).into_response()
}

async fn receive(ingest: Arc<Ingest>, call: Option<Call>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let response = match parts.method {
        Method::OPTIONS => cors::preflight(&ingest, &parts),
        Method::POST => {
            let mut key = None;
            let taken = take_events(&ingest, &parts, call, body, &mut key).await;
            let mut response = taken.unwrap_or_else(|refusal| refuse(&ingest, refusal));
            cors::allow(&mut response, &parts, key.as_ref());
            response
        }
        _ => respond::refuse(Refusal::Method),
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

/// Whether `?dry_run` is there: storing what was meant as a trial would be worse than the opposite.
fn asks_for_dry_run(parts: &request::Parts) -> Result<bool, Refusal> {
    match query_value(parts, "dry_run").as_deref() {
        None | Some("0" | "false") => Ok(false),
        Some("1" | "true" | "") => Ok(true),
        Some(_) => Err(Refusal::DryRun),
    }
}

fn counted(ingest: &Ingest, response: Response<Body>) -> Response<Body> {
    ingest.metrics.requests.with_label_values(&[response.status().as_str()]).inc();
    response
}

/// The whole way of a request; its key is noted as soon as it is known.
async fn take_events(
    ingest: &Arc<Ingest>,
    parts: &request::Parts,
    call: Option<Call>,
    body: Body,
    known_key: &mut Option<Arc<WriteKey>>,
) -> Result<Response<Body>, Refusal> {
    // Segment's browser library has its key in the body: until it was read the request is nobody's, who may hold as much as one key.
    let key_in_body = call.is_some() && !has_key(parts);
    let key = if key_in_body { Arc::clone(&ingest.nobody) } else { authenticate(ingest, parts)? };
    if !key_in_body {
        *known_key = Some(Arc::clone(&key));
    }
    let form = match call {
        Some(call) => Form::Segment(call),
        None => read_body::form(&parts.headers)?,
    };
    let encoding = read_body::encoding(&parts.headers)?;
    let dry_run = asks_for_dry_run(parts)?;
    let received_at = EventTime::now();
    let mut hold = ingest.limits.enter(&key)?;
    let mut body = read_body::read(&ingest.body_limits, &mut hold, &parts.headers, body).await?;
    let is_small = encoding.is_none() && body.len() <= SMALL_BYTES;
    let turn = if is_small { None } else { Some(ingest.body_limits.turn().await?) };
    if let Some(encoding) = encoding {
        body = read_body::decode(&ingest.body_limits, &mut hold, encoding, &body).await?;
    }
    let key = if key_in_body {
        let presented = segment::write_key(&body).unwrap_or_default();
        let key = authenticate_key(ingest, parts, &presented, false)?;
        *known_key = Some(Arc::clone(&key));
        ingest.limits.hand_over(&mut hold, &key)?;
        key
    } else {
        key
    };
    let opted_out = ingest.objections.object(&parts.headers);
    let arrival = Arrival { key, form, received_at, dry_run, opted_out };

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
    drop((turn, body));
    // The time that was spent on the body here says nothing about Kafka.
    let sent_at = tokio::time::Instant::now();
    if let Some(receipt) = &batch.receipt {
        // With a full queue nobody is helped by waiting for the rest: all of it is asked for again.
        if batch.not_queued.is_empty() && !batch.queued.is_empty() {
            let deadline = begun + ingest.ack_timeout;
            match &ingest.spool {
                Some(spool) => spool.wait(receipt, sent_at, deadline).await,
                None => _ = receipt.wait(deadline).await,
            }
            ingest.metrics.ack_seconds.observe(begun.elapsed().as_secs_f64());
        }
    }
    settle(ingest, &arrival, &batch)
}

/// Counts and notes what is durable now, and says so.
fn settle(ingest: &Arc<Ingest>, arrival: &Arrival, batch: &Batch) -> Result<Response<Body>, Refusal> {
    let mut counts = [[0_u64; 3]; 4];
    let mut retry = Vec::new();
    let mut rejected = Cow::Borrowed(&batch.findings.problems);
    for queued in &batch.queued {
        let durable = batch.receipt.as_ref().is_some_and(|receipt| receipt.is_durable(queued.index));
        if !durable && batch.receipt.as_ref().is_some_and(|receipt| receipt.is_refused(queued.index)) {
            reject(ingest, arrival, queued, rejected.to_mut());
            continue;
        }
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
    let is_durable = |entry: usize| receipt.is_some_and(|receipt| receipt.is_durable(entry));
    for (index, family) in &batch.shed {
        retry.push(*index);
        counts[*family as usize][2] += 1;
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
    let answer = Answer {
        code: None,
        message: None,
        accepted: usize::try_from(sum(0)).unwrap_or(usize::MAX) + would_be,
        duplicates: usize::try_from(sum(1)).unwrap_or(usize::MAX),
        rejected: &rejected,
        warnings: &batch.findings.warnings,
        retry: &retry,
        events: batch.dry_run.as_deref(),
    };
    held_answer::answer(ingest, &arrival.key, answer)
}

/// Notes an event that Kafka refuses for itself; sending it again would be in vain.
fn reject(ingest: &Ingest, arrival: &Arrival, queued: &Queued, rejected: &mut Vec<Problem>) {
    let message = "Kafka refuses this event, most likely because its topic takes no event so large; sending it again does not help";
    rejected.push(Problem::new(queued.index, "", Fault::new(code::REFUSED_BY_KAFKA, message)));
    rejected.sort_by_key(|problem| problem.index);
    let family = queued.family.name();
    ingest.metrics.count_events(family, outcome::REJECTED, 1);
    ingest.metrics.rejected.with_label_values(&[code::REFUSED_BY_KAFKA]).inc();
    let (tenant, at) = (&arrival.key.tenant, arrival.received_at);
    ingest.quality.add(tenant, family, code::REFUSED_BY_KAFKA, at, 1, &ingest.metrics);
}

/// Longest time that a request may take from its first byte on.
pub(crate) fn longest_request(ingest: &Ingest) -> Duration {
    ingest.body_limits.timeout + ingest.ack_timeout + Duration::from_secs(1)
}
