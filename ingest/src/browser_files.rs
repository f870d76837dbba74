//! The files that pages load: `/touchstream.js` and `/touchstream-widget.js`, made from `ingest/browser/src` and compiled in.
//!
//! Beside the flow of events. Promise: any page may load them, caches may keep them for an hour, and the ETag is the integrity value.

use std::sync::LazyLock;

use async_compression::Level;
use async_compression::tokio::bufread::GzipEncoder;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sha2::{Digest, Sha384};
use tokio::io::AsyncReadExt;
use tokio::sync::OnceCell;

/// A served file.
#[derive(Debug)]
struct File {
    plain: &'static [u8],
    /// Made when it is first asked for.
    gzip: OnceCell<Bytes>,
    /// `W/"sha384-…"`: weak, because the packed form has the same one.
    etag: HeaderValue,
}

static SNIPPET: LazyLock<File> = LazyLock::new(|| File::new(include_bytes!("../browser/touchstream.min.js")));
static WIDGET: LazyLock<File> =
    LazyLock::new(|| File::new(include_bytes!("../browser/touchstream-widget.min.js")));

/// The paths of the files; they need no state and no key.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/touchstream.js", get(|headers: HeaderMap| async move { SNIPPET.answer(&headers).await }))
        .route(
            "/touchstream-widget.js",
            get(|headers: HeaderMap| async move { WIDGET.answer(&headers).await }),
        )
}

impl File {
    fn new(plain: &'static [u8]) -> File {
        let etag = format!("W/\"sha384-{}\"", STANDARD.encode(Sha384::digest(plain)));
        let etag = HeaderValue::from_str(&etag).expect("base64 is visible ASCII");
        File { plain, gzip: OnceCell::new(), etag }
    }

    async fn answer(&self, request: &HeaderMap) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CACHE_CONTROL, "public, max-age=3600, stale-while-revalidate=86400"),
            (header::VARY, "Accept-Encoding"),
            // Pages of every origin may load it, also with integrity checks and under cross-origin isolation.
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
            (header::HeaderName::from_static("timing-allow-origin"), "*"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(header::ETAG, self.etag.clone());
        if self.is_known_to(request) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
        let packed = if accepts_gzip(request) { self.packed().await } else { None };
        *response.body_mut() = match packed {
            Some(packed) => {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                Body::from(packed)
            }
            None => Body::from(self.plain),
        };
        response
    }

    /// Whether the client has this content already.
    fn is_known_to(&self, request: &HeaderMap) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let own = opaque(self.etag.to_str().unwrap_or_default());
        let known = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        known.flat_map(|value| value.split(',')).any(|tag| tag.trim() == "*" || opaque(tag) == own)
    }

    /// The packed form; none when packing failed, and then the plain one does.
    async fn packed(&self) -> Option<Bytes> {
        let pack = || async {
            let mut packed = Vec::new();
            let mut encoder = GzipEncoder::with_quality(self.plain, Level::Best);
            encoder.read_to_end(&mut packed).await.map(|_| Bytes::from(packed))
        };
        match self.gzip.get_or_try_init(pack).await {
            Ok(packed) => Some(packed.clone()),
            Err(error) => {
                tracing::warn!(%error, "packing a browser file failed");
                None
            }
        }
    }
}

/// Whether `Accept-Encoding` names gzip and does not refuse it.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let accepted = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let is_refused = parameters
            .trim()
            .strip_prefix("q=")
            .is_some_and(|quality| quality.trim().parse::<f32>().is_ok_and(|quality| quality <= 0.0));
        matches!(name.trim(), "gzip" | "x-gzip" | "*") && !is_refused
    })
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    fn ask(file: &File, headers: &[(&'static str, &str)]) -> (Response<Body>, Vec<u8>) {
        let mut request = HeaderMap::new();
        for (name, value) in headers {
            request.append(*name, value.parse().unwrap());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (parts, body) = file.answer(&request).await.into_parts();
            let bytes = to_bytes(body, 1 << 20).await.unwrap().to_vec();
            (Response::from_parts(parts, Body::empty()), bytes)
        })
    }

    #[test]
    fn each_file_has_at_most_4_kib_packed() {
        for file in [&SNIPPET, &WIDGET] {
            let (response, packed) = ask(file, &[("accept-encoding", "br;q=1.0, gzip;q=0.8")]);
            assert_eq!(response.headers()["content-encoding"], "gzip");
            assert!(packed.len() <= 4_096, "{} bytes", packed.len());
            let (response, plain) = ask(file, &[("accept-encoding", "gzip;q=0, br")]);
            assert!(!response.headers().contains_key("content-encoding") && plain == file.plain);
        }
    }

    #[test]
    fn whoever_has_the_content_is_told_so() {
        let (response, _) = ask(&SNIPPET, &[]);
        let etag = response.headers()["etag"].to_str().unwrap().to_owned();
        assert!(etag.starts_with("W/\"sha384-"), "{etag}");
        for known in [&etag, &etag[2..], &format!("\"other\", {etag}"), "*"] {
            let (response, body) = ask(&SNIPPET, &[("if-none-match", known)]);
            assert_eq!((response.status(), body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
        }
        assert_eq!(ask(&SNIPPET, &[("if-none-match", "\"other\"")]).0.status(), StatusCode::OK);
    }
}
