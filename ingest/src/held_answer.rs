//! Long answers count as work in flight until they were sent.
//!
//! Publish → **held answer** → respond. A short answer is part of what each request is counted with; one that lists many problems, or the
//! events of a dry run, may be as large as its body, and whoever reads it slowly keeps it in memory. Promise: all answers together stay
//! within the budget of [`crate::limit::admission`]; for one that does not fit, a brief one is given.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Response;
use hyper::body::{Frame, SizeHint};

use crate::error::Refusal;
use crate::keys::WriteKey;
use crate::limit::admission::REQUEST_BYTES;
use crate::problem::Problem;
use crate::respond::{self, Answer};
use crate::serve::Ingest;

/// Bytes of one problem in an answer, about: its JSON and its own texts.
const PROBLEM_BYTES: usize = 400;
/// Bytes of an index in a list.
const INDEX_BYTES: usize = 16;

/// The answer about events.
///
/// # Errors
/// A dry run whose events do not fit: it was for nothing, and can be repeated.
pub(crate) fn answer(
    ingest: &Arc<Ingest>,
    key: &Arc<WriteKey>,
    answer: Answer<'_>,
) -> Result<Response<Body>, Refusal> {
    let events: usize = answer.events.unwrap_or_default().iter().map(|event| event.get().len() * 2).sum();
    let problems = answer.rejected.len() + answer.warnings.len();
    let bytes = problems * PROBLEM_BYTES + answer.retry.len() * INDEX_BYTES + events;
    if bytes <= REQUEST_BYTES {
        return Ok(respond::answer(answer));
    }
    if let Some(hold) = Held::new(ingest, key, bytes) {
        return Ok(respond::answer(answer).map(|body| Body::new(HeldBody { body, hold: Some(hold) })));
    }
    if answer.events.is_some() {
        return Err(Refusal::Busy);
    }
    let rejected = brief(answer.rejected);
    Ok(respond::answer(Answer { rejected: &rejected, warnings: &[], ..answer }))
}

/// The code of the first problem of each event.
fn brief(rejected: &[Problem]) -> Vec<Problem> {
    let mut brief: Vec<Problem> = Vec::new();
    for problem in rejected {
        if brief.last().is_none_or(|last| last.index != problem.index) {
            let (index, code) = (problem.index, problem.code);
            brief.push(Problem { index, id: None, code, field: None, message: "".into() });
        }
    }
    brief
}

/// A share of the budget.
struct Held {
    ingest: Arc<Ingest>,
    key: Arc<WriteKey>,
    bytes: usize,
}

impl Held {
    fn new(ingest: &Arc<Ingest>, key: &Arc<WriteKey>, bytes: usize) -> Option<Held> {
        let has_room = ingest.limits.admission.remember(key, bytes);
        has_room.then(|| Held { ingest: Arc::clone(ingest), key: Arc::clone(key), bytes })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ingest.limits.admission.forget(&self.key, self.bytes);
    }
}

/// A body whose share is given back when its last byte was sent.
struct HeldBody {
    body: Body,
    hold: Option<Held>,
}

/// Bytes with the share that they take. The connection keeps them until the client has read them, long after the body was polled.
struct HeldBytes {
    bytes: Bytes,
    _hold: Option<Held>,
}

impl AsRef<[u8]> for HeldBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for HeldBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        // An answer is one frame.
        polled.map_ok(|frame| {
            frame.map_data(|bytes| Bytes::from_owner(HeldBytes { bytes, _hold: self.hold.take() }))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
