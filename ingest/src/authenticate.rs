//! Whose request is it? Finds the write key and checks whether it may come this way.
//!
//! Route → **authenticate** → read body. Promise: no key and an unknown key get the same answer, guessing is slow, and no key is logged.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::Refusal;
use crate::keys::WriteKey;
use crate::serve::Ingest;

/// Longest key that is looked at.
const KEY_BYTES: usize = 256;

/// Finds the request's key.
pub(crate) fn authenticate(ingest: &Ingest, parts: &Parts) -> Result<Arc<WriteKey>, Refusal> {
    let from_header = key_of_headers(&parts.headers);
    let in_url = from_header.is_none();
    let presented = from_header.or_else(|| query_value(parts, "key")).unwrap_or_default();
    authenticate_key(ingest, parts, &presented, in_url)
}

/// Whether a key stands outside the body.
pub(crate) fn has_key(parts: &Parts) -> bool {
    let names = [header::AUTHORIZATION, HeaderName::from_static("x-write-key")];
    names.iter().any(|name| parts.headers.contains_key(name)) || query_value(parts, "key").is_some()
}

/// Judges the key that was presented.
pub(crate) fn authenticate_key(
    ingest: &Ingest,
    parts: &Parts,
    presented: &str,
    in_url: bool,
) -> Result<Arc<WriteKey>, Refusal> {
    if presented.is_empty() || presented.len() > KEY_BYTES {
        return ingest.limits.judge(parts, None);
    }
    let found = ingest.keys.find(presented);
    if found.is_none() && !ingest.keys.are_complete() {
        // A key that is not known *yet* must not be told that it is wrong: clients drop events at a 401.
        return Err(Refusal::Starting);
    }
    let key = ingest.limits.judge(parts, found)?;
    let page = origin(&parts.headers);
    if !key.allows_origin(page) {
        return Err(Refusal::Origin);
    }
    if in_url && !key.allows_url(page) {
        return Err(Refusal::KeyNotForUrl);
    }
    Ok(key)
}

/// The page that sends.
pub(crate) fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ORIGIN)?.to_str().ok()
}

fn key_of_headers(headers: &HeaderMap) -> Option<String> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        return Some(key_of_authorization(value).unwrap_or_default());
    }
    let value = headers.get("x-write-key")?;
    Some(value.to_str().unwrap_or_default().trim().to_owned())
}

/// The bearer token, or the user name of Basic.
fn key_of_authorization(value: &HeaderValue) -> Option<String> {
    let (scheme, rest) = value.to_str().ok()?.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (user, _password) = decoded.split_once(':').unwrap_or((&decoded, ""));
    Some(user.to_owned())
}

/// A parameter of the URL.
pub(crate) fn query_value(parts: &Parts, name: &str) -> Option<String> {
    let mut pairs = parts.uri.query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(found, _)| *found == name)?;
    percent_encoding::percent_decode_str(value).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}
