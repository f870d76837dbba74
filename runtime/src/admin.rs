//! The admin port of a service: `/livez`, `/readyz`, `/metrics`. Never on a public listener.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus::{Registry, TextEncoder};
use tokio::net::TcpListener;

use crate::shutdown::Shutdown;

/// Which parts of a service are ready; the service is when all are.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, Option<String>>>>);

impl Readiness {
    /// Declares a part that is not ready yet.
    pub fn expect(&self, part: &'static str) {
        self.not_ready(part, "starting");
    }

    /// The part is ready.
    pub fn ready(&self, part: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(part, None);
    }

    /// The part is not ready, and why.
    pub fn not_ready(&self, part: &'static str, why: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(part, Some(why.into()));
    }

    /// Parts that are not ready, with the reason.
    #[must_use]
    pub fn missing(&self) -> BTreeMap<&'static str, String> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().filter_map(|(part, why)| Some((*part, why.clone()?))).collect()
    }
}

#[derive(Clone)]
struct AdminState {
    registry: Registry,
    readiness: Readiness,
}

/// The admin port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen on the admin address {address}: {source}")]
pub struct AdminError {
    address: String,
    source: std::io::Error,
}

/// Serves the admin port until shutdown, in a task of its own; returns the address it listens on.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(
    address: &str,
    registry: Registry,
    readiness: Readiness,
    shutdown: Shutdown,
) -> Result<SocketAddr, AdminError> {
    let error = |source| AdminError { address: address.to_owned(), source };
    let listener = TcpListener::bind(address).await.map_err(error)?;
    let bound = listener.local_addr().map_err(error)?;
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(AdminState { registry, readiness });
    tokio::spawn(async move {
        let served = axum::serve(listener, router)
            .with_graceful_shutdown(async move { shutdown.cancelled().await })
            .await;
        if let Err(error) = served {
            tracing::error!(%error, "admin port stopped");
        }
    });
    Ok(bound)
}

async fn ready(State(state): State<AdminState>) -> Response {
    let missing = state.readiness.missing();
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(missing)).into_response()
}

async fn metrics(State(state): State<AdminState>) -> Response {
    match TextEncoder::new().encode_to_string(&state.registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
