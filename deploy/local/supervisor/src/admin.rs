//! The admin port of the whole: alive, ready when every service is, and everybody's metrics in one exposition.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use prometheus::{IntCounterVec, TextEncoder};
use serde_json::json;

use crate::board::{Board, ServiceState};
use crate::http;
use crate::merge::Merged;

const SCRAPE_DEADLINE: Duration = Duration::from_secs(2);
const TEXT: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];

pub(crate) struct Admin {
    pub(crate) board: Arc<Board>,
    pub(crate) restarts: IntCounterVec,
    /// Service name and metrics URL.
    pub(crate) scraped: Vec<(String, String)>,
}

pub(crate) fn router(admin: Admin) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(admin))
}

async fn ready(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    let services = admin.board.snapshot();
    let is_ready = services.iter().all(ServiceState::is_up);
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": is_ready, "services": services})))
}

async fn metrics(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    let scrapes: Vec<_> = admin
        .scraped
        .iter()
        .map(|(service, url)| {
            let url = url.clone();
            let scrape = tokio::spawn(async move { http::get(&url, SCRAPE_DEADLINE).await });
            (service, scrape)
        })
        .collect();

    let mut merged = Merged::default();
    let mut scraped = String::from(
        "# HELP touchstream_up_scraped 1 if the service's own metrics are part of this answer\n\
         # TYPE touchstream_up_scraped gauge\n",
    );
    for (service, scrape) in scrapes {
        let text = match scrape.await {
            Ok(Ok((StatusCode::OK, body))) => String::from_utf8(body.into()).ok(),
            _ => None,
        };
        merged.add(service, text.as_deref().unwrap_or_default());
        write_sample(&mut scraped, "touchstream_up_scraped", service, u64::from(text.is_some()));
    }
    merged.add("up", &scraped);
    merged.add("up", &own_metrics(&admin));
    let left_out = format!(
        "# HELP touchstream_up_samples_left_out samples of this answer that could not be merged\n\
         # TYPE touchstream_up_samples_left_out gauge\ntouchstream_up_samples_left_out {}\n",
        merged.left_out
    );
    merged.add("up", &left_out);
    (TEXT, merged.render())
}

fn own_metrics(admin: &Admin) -> String {
    let mut text = TextEncoder::new()
        .encode_to_string(&prometheus::core::Collector::collect(&admin.restarts))
        .unwrap_or_default();
    text.push_str(
        "# HELP touchstream_up_service_ready 1 if the service is ready, or done\n\
         # TYPE touchstream_up_service_ready gauge\n",
    );
    for service in admin.board.snapshot() {
        write_sample(&mut text, "touchstream_up_service_ready", &service.name, u64::from(service.is_up()));
    }
    text
}

fn write_sample(text: &mut String, name: &str, service: &str, value: u64) {
    writeln!(text, "{name}{{service=\"{service}\"}} {value}").expect("writing to a string never fails");
}
