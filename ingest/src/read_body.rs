//! The body, complete and decompressed, within its limits of bytes and time.
//!
//! Authenticate → **read body** → parse. Promise: no request makes this process hold more than the limit, whatever it claims or
//! compresses; all bodies together stay within a budget.

mod decompress;

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::Refusal;
use crate::parse::Format;

pub(crate) use decompress::Encoding;

/// Bodies up to this size need no share of the budget.
const FREE_BYTES: usize = 16 * 1024;
/// Bytes in one permit of the budget.
const PERMIT_BYTES: usize = 16 * 1024;

/// Limits of bodies.
#[derive(Debug)]
pub(crate) struct BodyLimits {
    pub(crate) bytes: usize,
    pub(crate) timeout: Duration,
    /// Shared by all bodies that are being read or worked on.
    budget: Semaphore,
    /// Decompressors at work: each may hold a window of several MiB.
    decompressors: Semaphore,
}

/// A body and its share of the budget.
#[derive(Debug)]
pub(crate) struct ReadBody<'l> {
    pub(crate) bytes: Bytes,
    pub(crate) _share: Option<SemaphorePermit<'l>>,
}

impl BodyLimits {
    /// Limits with a budget of `total` bytes for all bodies together.
    pub(crate) fn new(bytes: usize, timeout: Duration, total: usize) -> BodyLimits {
        BodyLimits {
            bytes,
            timeout,
            budget: Semaphore::new((total / PERMIT_BYTES).max(bytes.div_ceil(PERMIT_BYTES) * 4)),
            decompressors: Semaphore::new(2),
        }
    }
}

/// The format that the Content-Type names; none named is JSON.
pub(crate) fn format(headers: &HeaderMap) -> Result<Format, Refusal> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Format::Json) };
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
        "application/json" | "text/plain" | "text/json" => Ok(Format::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Ok(Format::Ndjson)
        }
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

/// Reads the whole body and undoes its encoding.
pub(crate) async fn read<'l>(
    limits: &'l BodyLimits,
    headers: &HeaderMap,
    encoding: Option<Encoding>,
    body: Body,
) -> Result<ReadBody<'l>, Refusal> {
    let too_large = || Refusal::BodyTooLarge { limit: limits.bytes };
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits.bytes) {
        return Err(too_large());
    }
    let gathered = tokio::time::timeout(limits.timeout, gather(limits, body))
        .await
        .map_err(|_elapsed| Refusal::BodyTimeout)??;
    let Some(encoding) = encoding else { return Ok(gathered) };

    let _turn = limits.decompressors.acquire().await.map_err(|_closed| Refusal::Busy)?;
    let bytes = decompress::decompress(encoding, &gathered.bytes, limits.bytes).await?;
    let share = take_share(limits, bytes.len())?;
    Ok(ReadBody { bytes: Bytes::from(bytes), _share: share })
}

async fn gather<'l>(limits: &'l BodyLimits, mut body: Body) -> Result<ReadBody<'l>, Refusal> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut share: Option<SemaphorePermit<'l>> = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refusal::BrokenBody)?.into_data() else { continue };
        let length = first.len().max(rest.len()) + data.len();
        if length > limits.bytes {
            return Err(Refusal::BodyTooLarge { limit: limits.bytes });
        }
        let held = share.as_ref().map_or(0, SemaphorePermit::num_permits);
        if length > FREE_BYTES + held * PERMIT_BYTES {
            let more = take_share(limits, length - held * PERMIT_BYTES)?;
            match (&mut share, more) {
                (Some(share), Some(more)) => share.merge(more),
                (share, more) => *share = more,
            }
        }
        if first.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&data);
        }
    }
    let bytes = if rest.is_empty() { first } else { rest.freeze() };
    Ok(ReadBody { bytes, _share: share })
}

/// A share of the budget for a body of this size; refused at once when it is used up.
fn take_share(limits: &BodyLimits, length: usize) -> Result<Option<SemaphorePermit<'_>>, Refusal> {
    if length <= FREE_BYTES {
        return Ok(None);
    }
    let permits = u32::try_from(length.div_ceil(PERMIT_BYTES)).map_err(|_| Refusal::Busy)?;
    limits.budget.try_acquire_many(permits).map(Some).map_err(|_exhausted| Refusal::Busy)
}
