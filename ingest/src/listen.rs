//! Accepts connections and gives each one HTTP/1.1 with its limits: header size and time, idle time, number of connections.
//!
//! **Listen** → route. Promise: a connection that sends nothing, or sends slowly, is closed at its deadline; at shutdown requests in
//! progress are finished and nothing new is taken. A client that still sends when it is refused can read the answer.

mod deadline;
mod linger;

use std::convert::Infallible;
use std::io::Write;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use touchstream_runtime::shutdown::Shutdown;
use tower::ServiceExt;

use self::deadline::{Phases, WatchedStream};
use crate::limit::client_address::{Peer, TrustedProxies};
use crate::limit::connections::ConnectionCounts;
use crate::metrics::Metrics;

pub(crate) use self::linger::LONGEST_LINGER;

/// Limits of connections.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionLimits {
    pub(crate) connections: usize,
    /// Places of each client; trusted proxies, which bring many clients, need none.
    pub(crate) by_address: ConnectionCounts,
    pub(crate) proxies: TrustedProxies,
    pub(crate) header_bytes: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    /// Longest time for which what still comes is read and dropped after the last answer.
    pub(crate) linger: Duration,
    /// Longest wait for requests in progress at shutdown.
    pub(crate) drain: Duration,
}

/// What is sent when there are too many connections.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// hyper's smallest read buffer.
const SMALLEST_BUFFER: usize = 8_192;

/// Serves connections until shutdown, then until all are done or the drain time is over.
pub(crate) async fn listen(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    metrics: Metrics,
    shutdown: Shutdown,
) {
    let connections = TaskTracker::new();
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        // hyper's own header timer also runs while a connection is idle; the deadlines of [`deadline`] tell the two apart.
        .header_read_timeout(None)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(SMALLEST_BUFFER) + SMALLEST_BUFFER)
        .keep_alive(true);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok((stream, address)) => (stream, address.ip()),
            Err(error) => {
                // Out of descriptors, most likely: others must close first.
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            metrics.connections_refused.inc();
            refuse(stream);
            continue;
        };
        let place = if limits.proxies.trusts(peer) { None } else { Some(limits.by_address.enter(peer)) };
        if matches!(place, Some(None)) {
            metrics.limited.with_label_values(&["address_connections"]).inc();
            refuse(stream);
            continue;
        }
        let (http, router, shutdown, open) =
            (http.clone(), router.clone(), shutdown.clone(), metrics.connections.clone());
        let times = Times { header: limits.header_timeout, idle: limits.idle_timeout, linger: limits.linger };
        connections.spawn(async move {
            open.inc();
            serve_connection(stream, Peer(peer), &http, router, times, shutdown).await;
            open.dec();
            drop((slot, place));
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits.drain, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "closed connections that did not finish in time");
    }
}

/// Says that there are too many connections, and closes this one.
fn refuse(stream: TcpStream) {
    // Not tokio's try_write: a socket that was accepted a moment ago is not yet known as writable there.
    let written = stream.into_std().and_then(|mut stream| stream.write(FULL));
    if let Err(error) = written {
        tracing::debug!(%error, "a connection was gone before it was refused");
    }
}

/// Deadlines of one connection.
#[derive(Clone, Copy, Debug)]
struct Times {
    header: Duration,
    idle: Duration,
    linger: Duration,
}

async fn serve_connection(
    stream: TcpStream,
    peer: Peer,
    http: &http1::Builder,
    router: Router,
    times: Times,
    shutdown: Shutdown,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it was served");
        return;
    }
    let phases = Arc::new(Phases::new(times.header, times.idle));
    let in_service = Arc::clone(&phases);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let (router, phases) = (router.clone(), Arc::clone(&in_service));
        async move {
            phases.request_begins();
            let response = router.oneshot(request).await;
            phases.request_ends();
            response.map_err(|never: Infallible| never)
        }
    });
    let mut stream = WatchedStream::new(TokioIo::new(stream), Arc::clone(&phases));
    if run(http.serve_connection(&mut stream, service), &phases, &shutdown).await == Ended::ByItself {
        linger::linger(stream.into_inner().into_inner(), times.linger).await;
    }
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// The client is gone, or it has its last answer.
    ByItself,
    /// It overstepped a deadline, or the server shuts down.
    ByServer,
}

async fn run<S>(
    connection: http1::Connection<&mut WatchedStream<TokioIo<TcpStream>>, S>,
    phases: &Phases,
    shutdown: &Shutdown,
) -> Ended
where
    S: HttpService<Incoming, ResBody = Body, Error = Infallible>,
{
    let mut connection = pin!(connection);
    let mut draining = false;
    let mut overdue = pin!(phases.overdue());
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%error, "a connection ended with an error");
                }
                // Clients that keep an idle connection would hold the shutdown up.
                return if draining { Ended::ByServer } else { Ended::ByItself };
            }
            () = overdue.as_mut() => return Ended::ByServer,
            () = shutdown.cancelled(), if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
