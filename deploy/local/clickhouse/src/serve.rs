//! Listens, accepts bounded connections, and sees each until its end; on shutdown lets running requests finish, cancels those
//! that take too long, and closes the engine before it returns.

use crate::admit::Admission;
use crate::authenticate::Users;
use crate::config::ServerOptions;
use crate::engine::{Closed, Engine, EngineError, merges};
use crate::error::ServeError;
use crate::handle::Server;
use crate::metrics::{Counted, Metrics};
use crate::respond::ServerFacts;
use crate::session::Sessions;
use crate::settings::SettingsTable;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use nix::fcntl::{Flock, FlockArg};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Also how long an idle connection is kept; clients give idle connections up sooner.
const HEADER_TIME: Duration = Duration::from_secs(30);
/// How long running requests may take to finish at shutdown, before they are cancelled.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// How long cancelled queries may take to end and the engine to close: with what comes before and after it, `touchstream up` waits that long.
const CLOSE_TIME: Duration = Duration::from_secs(12);
/// Names and parameters of a URL; queries belong into the body beyond this.
const MAX_HEADER_BYTES: usize = 1 << 20;

/// Serves until `shutdown` is done, then finishes what is under way. `ready` hears the address that was bound.
///
/// # Errors
/// When the engine cannot be loaded, the data directory is not usable, the address is taken, or the engine does not close.
pub async fn serve(
    options: ServerOptions,
    ready: impl FnOnce(SocketAddr) + Send,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let lock = lock_directory(&options.data_dir)?;
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|source| ServeError::Listen { address: options.listen, source })?;
    let address =
        listener.local_addr().map_err(|source| ServeError::Listen { address: options.listen, source })?;
    let connections = Arc::new(Semaphore::new(options.max_connections));
    let (server, closed) = tokio::task::spawn_blocking(move || build(options))
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    ready(address);
    accept(&listener, &connections, &server, shutdown).await;
    drop(listener);
    // The engine closes with its last connection, which may be that of a query whose client has gone. Only then may another
    // process take the directory, and only then may this one end: exit tears down what a running query still uses.
    let _closing = tokio::task::spawn_blocking(move || drop(server));
    if tokio::time::timeout(CLOSE_TIME, closed.wait()).await.is_err() {
        // For as long as the process lives.
        Box::leak(Box::new(lock));
        return Err(ServeError::StillOpen);
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
    server: &Arc<Server>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let graceful = GracefulShutdown::new();
    let mut served = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    let mut sweep = tokio::time::interval(Duration::from_secs(5));
    loop {
        let next = async {
            let permit = Arc::clone(connections).acquire_owned().await.ok();
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            next = next => next,
            () = &mut shutdown => break,
            Some(_) = served.join_next() => continue,
            _ = sweep.tick() => {
                let server = Arc::clone(server);
                tokio::task::spawn_blocking(move || {
                    drop(server.sessions.take_expired(Instant::now()));
                    merges::give_way();
                });
                continue;
            }
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: wait for some to come back instead of spinning.
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "failed to set TCP_NODELAY");
        }
        let counted = Counted::new(&server.metrics.connections);
        let server = Arc::clone(server);
        let service = service_fn(move |request| {
            let server = Arc::clone(&server);
            async move { Ok::<_, std::convert::Infallible>(server.handle(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME)
            .max_buf_size(MAX_HEADER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        served.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
            drop((permit, counted));
        });
    }
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(DRAIN_TIME) => tracing::warn!("requests were still running at shutdown"),
    }
    // Whoever still waits for an answer hears that the connection is closed; the query ends.
    served.shutdown().await;
}

fn lock_directory(path: &Path) -> Result<Flock<File>, ServeError> {
    let failed = |source| ServeError::DataDirectory { path: path.to_owned(), source };
    std::fs::create_dir_all(path.join("tmp")).map_err(failed)?;
    let file = File::create(path.join("touchstream.lock")).map_err(failed)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|_| ServeError::Locked { path: path.to_owned() })
}

fn build(options: ServerOptions) -> Result<(Arc<Server>, Closed), ServeError> {
    let data_dir = std::path::absolute(&options.data_dir)
        .map_err(|source| ServeError::DataDirectory { path: options.data_dir.clone(), source })?;
    let metrics = Metrics::new(&options.registry)?;
    let (engine, closed) = Engine::open(&options.library, &data_dir)?;
    let mut connection = engine.connect()?;
    let mut ask = |what: &'static str, text: &str| {
        let output = connection.run(text).map_err(|message| EngineError::Bootstrap { what, message })?;
        Ok::<String, EngineError>(String::from_utf8_lossy(&output).into_owned())
    };
    let known: HashSet<String> =
        ask("its settings", "SELECT name FROM system.settings")?.lines().map(str::to_owned).collect();
    let formats: HashMap<String, (String, String)> =
        ask("its formats", "SELECT name, content_type FROM system.formats WHERE is_output")?
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(name, content)| (name.to_ascii_lowercase(), (name.to_owned(), content.to_owned())))
            .collect();
    let facts = ServerFacts {
        display_name: ask("the host's name", "SELECT hostName()")?.trim().to_owned(),
        timezone: ask("its time zone", "SELECT serverTimezone()")?.trim().to_owned(),
        version: ask("its version", "SELECT version()")?.trim().to_owned(),
        formats,
    };
    drop(connection);
    tracing::info!(version = facts.version, path = %data_dir.display(), "the ClickHouse engine is open");
    let server = Server {
        engine,
        facts,
        users: Users::new(options.writer_user, options.writer_password),
        settings: SettingsTable::new(known, options.reader_limits),
        sessions: Sessions::new(options.max_sessions),
        admission: Admission::new(options.max_queries, options.max_waiting_queries, options.max_wait),
        metrics,
        reader_seconds: options.reader_limits.execution_seconds,
        temporary: data_dir.join("tmp"),
    };
    Ok((Arc::new(server), closed))
}
