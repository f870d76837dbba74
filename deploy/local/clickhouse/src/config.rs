//! What the server is told by its caller. Nothing is read from files or the environment here.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A password that never shows in a debug print or a log.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Wraps the password.
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(***)")
    }
}

/// What a reader's query may use; a request can lower these, never lift them.
#[derive(Clone, Copy, Debug)]
pub struct ReaderLimits {
    /// Seconds a query may run.
    pub execution_seconds: u64,
    /// Bytes of memory a query may hold.
    pub memory_bytes: u64,
    /// Rows a result may have.
    pub result_rows: u64,
    /// Bytes a result may have, uncompressed.
    pub result_bytes: u64,
    /// Threads a query may use.
    pub threads: u64,
}

impl Default for ReaderLimits {
    fn default() -> Self {
        Self {
            execution_seconds: 60,
            memory_bytes: 2 << 30,
            result_rows: 10_000_000,
            result_bytes: 1 << 30,
            threads: 8,
        }
    }
}

/// Everything `serve` needs to know.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The engine: `libchdb.so` of the pinned npm package.
    pub library: PathBuf,
    /// Where the engine keeps its data; made when missing, used by one process at a time.
    pub data_dir: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The one user who may write.
    pub writer_user: String,
    /// That user's password.
    pub writer_password: Password,
    /// What `default` and `reader` may use.
    pub reader_limits: ReaderLimits,
    /// Connections held open at a time; more wait to be accepted.
    pub max_connections: usize,
    /// Queries that run at a time.
    pub max_queries: usize,
    /// Queries that wait for a place; one more is refused with TOO_MANY_SIMULTANEOUS_QUERIES.
    pub max_waiting_queries: usize,
    /// How long a query waits for a place.
    pub max_wait: Duration,
    /// Sessions (`session_id`) held at a time.
    pub max_sessions: usize,
    /// Where the server's metrics are registered.
    pub registry: prometheus::Registry,
}

impl ServerOptions {
    /// Options with the defaults of one machine.
    pub fn new(library: PathBuf, data_dir: PathBuf, listen: SocketAddr, writer_password: Password) -> Self {
        Self {
            library,
            data_dir,
            listen,
            writer_user: "touchstream".to_owned(),
            writer_password,
            reader_limits: ReaderLimits::default(),
            max_connections: 1024,
            max_queries: 16,
            max_waiting_queries: 256,
            max_wait: Duration::from_secs(30),
            max_sessions: 256,
            registry: prometheus::Registry::new(),
        }
    }
}
