//! The page: files that are compiled in, so that the binary is all there is.

use axum::http::header;
use axum::response::{IntoResponse, Response};

struct Asset {
    path: &'static str,
    kind: &'static str,
    content: &'static str,
}

macro_rules! asset {
    ($path:literal, $file:literal, $kind:literal) => {
        Asset { path: $path, kind: $kind, content: include_str!(concat!("../page/", $file)) }
    };
}

const ASSETS: [Asset; 10] = [
    asset!("", "index.html", "text/html; charset=utf-8"),
    asset!("console.css", "console.css", "text/css; charset=utf-8"),
    asset!("console.js", "console.js", "text/javascript; charset=utf-8"),
    asset!("charts.js", "charts.js", "text/javascript; charset=utf-8"),
    asset!("elements.js", "elements.js", "text/javascript; charset=utf-8"),
    asset!("panels.js", "panels.js", "text/javascript; charset=utf-8"),
    asset!("regression.js", "regression.js", "text/javascript; charset=utf-8"),
    asset!("words.js", "words.js", "text/javascript; charset=utf-8"),
    asset!("vendor/uPlot.js", "vendor/uPlot.iife.min.js", "text/javascript; charset=utf-8"),
    asset!("vendor/uPlot.css", "vendor/uPlot.min.css", "text/css; charset=utf-8"),
];

/// The file under `path`, if there is one.
pub(crate) fn find(path: &str) -> Option<Response> {
    let asset = ASSETS.iter().find(|asset| asset.path == path)?;
    // A new binary brings a new page; the files are small.
    let headers = [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "no-cache")];
    Some((headers, asset.content).into_response())
}
