//! The body, complete and decompressed, within its limits of bytes and time.
//!
//! Authenticate → **read body** → parse. Promise: no request makes this process hold more than the limit, whatever it claims or
//! compresses; all bodies together stay within the budget of [`crate::limit::admission`].

mod decompress;

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::dialect::{Form, cloudevents};
use crate::error::Refusal;
use crate::limit::admission::Hold;
use crate::parse::Format;

pub(crate) use decompress::Encoding;

/// Limits of bodies.
#[derive(Debug)]
pub(crate) struct BodyLimits {
    pub(crate) bytes: usize,
    pub(crate) timeout: Duration,
    /// Turns at what takes more than a moment: see [`BodyLimits::turn`].
    turns: Semaphore,
}

impl BodyLimits {
    /// Limits of one body's bytes and time.
    pub(crate) fn new(bytes: usize, timeout: Duration) -> BodyLimits {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        BodyLimits { bytes, timeout, turns: Semaphore::new(processors) }
    }

    /// Waits for a turn at decompressing and taking a large body.
    ///
    /// More of them at a time than there are processors would end no sooner; each holds its decompressed bytes, a window of several MiB
    /// and all its events.
    pub(crate) async fn turn(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        self.turns.acquire().await.map_err(|_closed| Refusal::Busy)
    }
}

/// The form that the Content-Type, and CloudEvents' own headers, name; nothing named is JSON.
pub(crate) fn form(headers: &HeaderMap) -> Result<Form, Refusal> {
    let plain = match cloudevents::attributes(headers) {
        None => Form::Native(Format::Json),
        Some(attributes) => Form::CloudEvents(cloudevents::Mode::Binary(attributes)),
    };
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(plain) };
    let value = value.to_str().map_err(|_| Refusal::MediaType)?;
    let (media_type, parameters) = value.split_once(';').unwrap_or((value, ""));
    for parameter in parameters.split(';') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("charset")
            && !(value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("us-ascii"))
        {
            return Err(Refusal::MediaType);
        }
    }
    match media_type.trim().to_ascii_lowercase().as_str() {
        "application/cloudevents+json" => Ok(Form::CloudEvents(cloudevents::Mode::Structured)),
        "application/cloudevents-batch+json" => Ok(Form::CloudEvents(cloudevents::Mode::Batch)),
        "application/json" | "text/plain" | "text/json" => Ok(plain),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Ok(Form::Native(Format::Ndjson))
        }
        other if matches!(plain, Form::CloudEvents(_)) && cloudevents::is_json(other) => Ok(plain),
        _ => Err(Refusal::MediaType),
    }
}

/// The encoding that the Content-Encoding names.
pub(crate) fn encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Refusal> {
    let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
    if headers.get_all(CONTENT_ENCODING).iter().count() > 1 {
        return Err(Refusal::Encoding);
    }
    match value.to_str().map_err(|_| Refusal::Encoding)?.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(None),
        "gzip" | "x-gzip" => Ok(Some(Encoding::Gzip)),
        "deflate" => Ok(Some(Encoding::Deflate)),
        "br" => Ok(Some(Encoding::Brotli)),
        "zstd" => Ok(Some(Encoding::Zstd)),
        _ => Err(Refusal::Encoding),
    }
}

/// Reads the whole body as it was sent; its bytes are added to what the request holds as they come.
pub(crate) async fn read(
    limits: &BodyLimits,
    hold: &mut Hold<'_>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Refusal> {
    let too_large = || Refusal::BodyTooLarge { limit: limits.bytes };
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits.bytes) {
        return Err(too_large());
    }
    tokio::time::timeout(limits.timeout, gather(limits, hold, body))
        .await
        .map_err(|_elapsed| Refusal::BodyTimeout)?
}

/// Undoes the encoding of a body; whoever calls has a [`BodyLimits::turn`].
pub(crate) async fn decode(
    limits: &BodyLimits,
    hold: &mut Hold<'_>,
    encoding: Encoding,
    sent: &[u8],
) -> Result<Bytes, Refusal> {
    let bytes = decompress::decompress(encoding, sent, limits.bytes).await?;
    hold.grow(bytes.len())?;
    Ok(Bytes::from(bytes))
}

async fn gather(limits: &BodyLimits, hold: &mut Hold<'_>, mut body: Body) -> Result<Bytes, Refusal> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refusal::BrokenBody)?.into_data() else { continue };
        let length = first.len().max(rest.len()) + data.len();
        if length > limits.bytes {
            return Err(Refusal::BodyTooLarge { limit: limits.bytes });
        }
        hold.grow(data.len())?;
        if first.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}
