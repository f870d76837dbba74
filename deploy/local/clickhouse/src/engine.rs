//! The ClickHouse engine inside this process: one data directory, any number of connections.
//!
//! A connection costs a third of a millisecond, so the server opens one per request: settings, temporary tables and the
//! current database of one request can never reach another. Promise kept: the engine lives exactly as long as an
//! [`Engine`] does, held open by one idle connection.

#[expect(
    unsafe_code,
    reason = "the C interface of the engine can only be called by unsafe code; it stays in this file"
)]
mod ffi;
pub(crate) mod merges;

use std::convert::Infallible;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// Why the engine could not be used at all.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The shared library could not be loaded.
    #[error("failed to load the ClickHouse engine {path}: {source}")]
    Load {
        /// Where it was expected.
        path: PathBuf,
        /// What the loader said.
        source: libloading::Error,
    },
    /// The library is another release than this program was made for.
    #[error("failed to find {name} in the ClickHouse engine (is it the pinned release?): {source}")]
    Symbol {
        /// The missing function.
        name: &'static str,
        /// What the loader said.
        source: libloading::Error,
    },
    /// The engine refused a connection; its reason is on standard error.
    #[error(
        "failed to open the ClickHouse data directory {path} (is it used by another process, or damaged?)"
    )]
    Connect {
        /// The data directory.
        path: PathBuf,
    },
    /// A query that the server itself needs at its start failed.
    #[error("failed to ask the ClickHouse engine for {what}: {message}")]
    Bootstrap {
        /// What was asked for.
        what: &'static str,
        /// The engine's error text.
        message: String,
    },
}

/// What a statement does, by the engine's own parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueryClass {
    /// SELECT, SHOW, DESCRIBE, EXPLAIN, EXISTS, CHECK.
    ReadOnly,
    /// INSERT, CREATE, ALTER, DROP and the like inside a database.
    Mutating,
    /// Functions, access management, writes into `system`.
    MutatingGlobal,
    /// SET, USE, SYSTEM, KILL, ATTACH, DETACH, BACKUP, temporary tables, writes outside the engine.
    Control,
    /// Did not parse, or is not known to this release.
    Unknown,
}

/// The engine's judgement of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Classification {
    pub(crate) class: QueryClass,
    /// Zero when the text does not parse.
    pub(crate) statements: u32,
}

/// What one query gave.
#[derive(Debug, Default)]
pub(crate) struct QueryOutcome {
    pub(crate) error: Option<String>,
    pub(crate) output: Vec<u8>,
    pub(crate) result_rows: u64,
    pub(crate) result_bytes: u64,
    pub(crate) read_rows: u64,
    pub(crate) read_bytes: u64,
    pub(crate) written_rows: u64,
    pub(crate) written_bytes: u64,
}

/// The loaded engine with its data directory open.
pub(crate) struct Engine {
    api: ffi::Api,
    path: PathBuf,
    arguments: Vec<CString>,
    /// Keeps the engine alive between requests: it shuts down with its last connection. Also runs KILL QUERY.
    keeper: Mutex<Option<ffi::RawConnection>>,
    /// Dropped after the engine was shut down, which [`Closed`] hears.
    _open: oneshot::Sender<Infallible>,
}

/// Tells when the engine is shut down: after the last of those who hold it has let go, a query without a client among them.
#[derive(Debug)]
pub(crate) struct Closed(oneshot::Receiver<Infallible>);

impl Closed {
    /// Waits for it.
    pub(crate) async fn wait(self) {
        match self.0.await {
            Ok(never) => match never {},
            Err(_closed) => {}
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Engine {
    /// Loads the library and opens the data directory. Blocks, for seconds when there is much to recover.
    pub(crate) fn open(library: &Path, data_dir: &Path) -> Result<(Arc<Self>, Closed), EngineError> {
        let api = ffi::Api::load(library)?;
        let failure = || EngineError::Connect { path: data_dir.to_owned() };
        let arguments = ["clickhouse".to_owned(), format!("--path={}", data_dir.display())]
            .into_iter()
            .map(|argument| CString::new(argument).map_err(|_| failure()))
            .collect::<Result<Vec<_>, _>>()?;
        let keeper = api.connect(&arguments).ok_or_else(failure)?;
        let (open, closed) = oneshot::channel();
        let (path, keeper) = (data_dir.to_owned(), Mutex::new(Some(keeper)));
        Ok((Arc::new(Self { api, path, arguments, keeper, _open: open }), Closed(closed)))
    }

    /// Opens a further connection with the engine's own defaults.
    pub(crate) fn connect(self: &Arc<Self>) -> Result<Connection, EngineError> {
        let raw = self
            .api
            .connect(&self.arguments)
            .ok_or_else(|| EngineError::Connect { path: self.path.clone() })?;
        Ok(Connection { raw, engine: Arc::clone(self) })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Ok(mut keeper) = self.keeper.lock()
            && let Some(raw) = keeper.take()
        {
            self.api.close(&raw);
        }
    }
}

/// One session with the engine. Every call blocks: never call it on an async thread.
pub(crate) struct Connection {
    raw: ffi::RawConnection,
    engine: Arc<Engine>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// Runs one statement and holds its output in memory, unless the statement sends it elsewhere.
    pub(crate) fn query(
        &mut self,
        text: &[u8],
        format: &str,
        parameters: &[(String, Vec<u8>)],
    ) -> QueryOutcome {
        self.engine.api.query(&mut self.raw, text, format, parameters)
    }

    /// Runs one of the server's own statements.
    pub(crate) fn run(&mut self, text: &str) -> Result<Vec<u8>, String> {
        let outcome = self.query(text.as_bytes(), "TabSeparatedRaw", &[]);
        outcome.error.map_or(Ok(outcome.output), Err)
    }

    /// Asks the engine's parser what a text would do, without running it.
    pub(crate) fn classify(&mut self, text: &[u8]) -> Classification {
        self.engine.api.classify(&mut self.raw, text)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.engine.api.close(&self.raw);
    }
}
