//! The paths: the page's files, the tenants, the stream of one selection, and one regression.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::{self, Stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use touchstream_runtime::shutdown::Shutdown;

use crate::assets;
use crate::database::Database;
use crate::guard::{self, Hosts};
use crate::live::{Live, Snapshot};
use crate::metrics::Metrics;
use crate::panels::{PANELS, TENANTS};
use crate::regression::{self, About};
use crate::selection::Selection;

/// Proxies close streams that are silent.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Longest wait for others who read a regression.
const READER_PATIENCE: Duration = Duration::from_secs(5);
/// How soon a page whose stream ended comes again.
const RETRY: Duration = Duration::from_secs(2);

/// What requests need.
#[derive(Clone)]
pub(crate) struct Console {
    pub(crate) live: Live,
    pub(crate) database: Database,
    pub(crate) metrics: Metrics,
    /// Tenants that are shown; empty: all.
    pub(crate) tenants: Arc<[String]>,
    pub(crate) viewers: Arc<Semaphore>,
    /// Regressions that may be read at the same time.
    pub(crate) readers: Arc<Semaphore>,
    pub(crate) shutdown: Shutdown,
}

/// All paths behind the guard.
pub(crate) fn router(console: Console, hosts: Hosts) -> Router {
    Router::new()
        .route("/", get(|| async { assets::find("").ok_or(StatusCode::NOT_FOUND) }))
        .route("/api/tenants", get(tenants))
        .route("/api/stream", get(stream_of))
        .route("/api/regression", get(regression_of))
        .route(
            "/{*path}",
            get(|Path(path): Path<String>| async move { assets::find(&path).ok_or(StatusCode::NOT_FOUND) }),
        )
        .layer(axum::middleware::from_fn_with_state(hosts, guard::guard))
        .with_state(console)
}

async fn tenants(State(console): State<Console>) -> Response {
    if !console.tenants.is_empty() {
        let rows: Vec<_> =
            console.tenants.iter().map(|tenant| serde_json::json!({ "tenant": tenant })).collect();
        return axum::Json(rows).into_response();
    }
    match console.database.ask_plain(TENANTS).await {
        Ok(rows) => ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], rows)
            .into_response(),
        Err(error) => {
            console.metrics.failed("tenants");
            tracing::warn!(%error, "the tenants are not known");
            (StatusCode::SERVICE_UNAVAILABLE, "ClickHouse does not answer; the log says why\n")
                .into_response()
        }
    }
}

/// What was found and what came of it, for the page of one regression.
async fn regression_of(State(console): State<Console>, Query(about): Query<About>) -> Response {
    if about.is_too_long() {
        return (StatusCode::BAD_REQUEST, "a name is too long\n").into_response();
    }
    if !console.tenants.is_empty() && !console.tenants.contains(&about.tenant) {
        return (StatusCode::NOT_FOUND, "this tenant is not shown here\n").into_response();
    }
    let Ok(Ok(_place)) = tokio::time::timeout(READER_PATIENCE, console.readers.acquire()).await else {
        let message = "too many regressions are read at the same time; try again later\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], message).into_response();
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let timer = console.metrics.question("regression");
    let answer = regression::read(&console.database, &about, i64::try_from(now).unwrap_or_default()).await;
    timer.observe_duration();
    match answer {
        Ok(Some(found)) => {
            ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], found)
                .into_response()
        }
        Ok(None) => (StatusCode::NOT_FOUND, "there is no such regression\n").into_response(),
        Err(error) => {
            console.metrics.failed("regression");
            tracing::warn!(rule = about.rule, %error, "a regression cannot be shown");
            (StatusCode::SERVICE_UNAVAILABLE, "ClickHouse does not answer; the log says why\n")
                .into_response()
        }
    }
}

async fn stream_of(State(console): State<Console>, Query(selection): Query<Selection>) -> Response {
    if let Some(name) = selection.too_long() {
        return (StatusCode::BAD_REQUEST, format!("{name} is too long\n")).into_response();
    }
    if !console.tenants.is_empty() && !console.tenants.contains(&selection.tenant) {
        return (StatusCode::NOT_FOUND, "this tenant is not shown here\n").into_response();
    }
    let busy = |what: &str| {
        let message = format!("{what}; try again later, or raise the limit in [console]\n");
        (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], message).into_response()
    };
    let Ok(place) = console.viewers.clone().try_acquire_owned() else {
        return busy("too many pages are open");
    };
    let Ok(receiver) = console.live.watch(&selection) else {
        return busy("too many different choices are looked at");
    };
    let viewer = Viewer::new(receiver, place, &console);
    Sse::new(viewer.events()).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// One open page.
struct Viewer {
    receiver: watch::Receiver<Snapshot>,
    /// Versions that the page has.
    sent: [u64; PANELS.len()],
    trouble: Option<Arc<str>>,
    /// Events that wait to be taken.
    waiting: Vec<Event>,
    metrics: Metrics,
    shutdown: Shutdown,
    _place: OwnedSemaphorePermit,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.metrics.viewers.dec();
    }
}

impl Viewer {
    fn new(receiver: watch::Receiver<Snapshot>, place: OwnedSemaphorePermit, console: &Console) -> Viewer {
        console.metrics.viewers.inc();
        let (metrics, shutdown) = (console.metrics.clone(), console.shutdown.clone());
        let waiting = vec![Event::default().retry(RETRY).comment("touchstream")];
        let mut viewer = Viewer {
            receiver,
            sent: [0; PANELS.len()],
            trouble: None,
            waiting,
            metrics,
            shutdown,
            _place: place,
        };
        viewer.gather();
        viewer
    }

    /// Until the page closes, or this process ends.
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut viewer| async move {
            loop {
                if !viewer.waiting.is_empty() {
                    let event = viewer.waiting.remove(0);
                    return Some((Ok(event), viewer));
                }
                tokio::select! {
                    changed = viewer.receiver.changed() => changed.ok()?,
                    () = viewer.shutdown.cancelled() => return None,
                }
                viewer.gather();
            }
        })
    }

    /// Takes what the page does not have yet.
    fn gather(&mut self) {
        let snapshot = self.receiver.borrow_and_update();
        for (place, answer) in snapshot.answers.iter().enumerate() {
            if answer.version > self.sent[place] {
                self.sent[place] = answer.version;
                self.waiting.push(Event::default().event(PANELS[place].name).data(&answer.rows));
            }
        }
        if snapshot.trouble != self.trouble {
            self.trouble.clone_from(&snapshot.trouble);
            let text = serde_json::Value::from(self.trouble.as_deref()).to_string();
            self.waiting.push(Event::default().event("trouble").data(text));
        }
    }
}
