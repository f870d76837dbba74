//! What the supervisor is told about a child: how to start it, when it is ready, whom it needs.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::ProcessSpec;

/// Any error of a caller's function.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

type LaunchFunction = dyn Fn() -> Result<ProcessSpec, BoxError> + Send + Sync;
type CheckFunction = dyn Fn() -> Result<(), BoxError> + Send + Sync;

/// One child process. Build it with [`ChildSpec::service`], [`ChildSpec::prepared`] or [`ChildSpec::one_shot`].
#[derive(Debug, Clone)]
pub struct ChildSpec {
    pub(crate) name: String,
    pub(crate) launch: Launch,
    pub(crate) readiness: Readiness,
    pub(crate) depends_on: Vec<String>,
    pub(crate) metrics_url: Option<String>,
    pub(crate) ready_deadline: Duration,
    pub(crate) stop_grace: Duration,
}

/// How the command line comes about.
#[derive(Clone)]
pub(crate) enum Launch {
    Fixed(ProcessSpec),
    Prepared(Arc<LaunchFunction>),
}

impl fmt::Debug for Launch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(spec) => spec.program.fmt(formatter),
            Self::Prepared(_) => formatter.write_str("prepared at each start"),
        }
    }
}

/// When a child counts as ready.
#[derive(Clone)]
pub enum Readiness {
    /// As soon as its process runs.
    Started,
    /// When a connection is accepted.
    Tcp(SocketAddr),
    /// When this `http://` URL answers with status 200.
    Http(String),
    /// When this function, which may block for a few seconds, returns without error.
    Check(Arc<CheckFunction>),
    /// When it has ended with status 0. It is not started again.
    Completed,
}

impl Readiness {
    /// Ready when the function, which may block for a few seconds, returns without error.
    pub fn check(check: impl Fn() -> Result<(), BoxError> + Send + Sync + 'static) -> Self {
        Self::Check(Arc::new(check))
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => formatter.write_str("started"),
            Self::Tcp(address) => write!(formatter, "tcp {address}"),
            Self::Http(url) => formatter.write_str(url),
            Self::Check(_) => formatter.write_str("check"),
            Self::Completed => formatter.write_str("completed"),
        }
    }
}

impl ChildSpec {
    /// A service: restarted whenever it ends. Ready as soon as it runs, unless told otherwise.
    pub fn service(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        let program = ProcessSpec {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            log_file: PathBuf::new(),
        };
        Self::new(name.into(), Launch::Fixed(program))
    }

    /// A service whose command line the function makes anew at each start, and which may block.
    pub fn prepared(
        name: impl Into<String>,
        launch: impl Fn() -> Result<ProcessSpec, BoxError> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name.into(), Launch::Prepared(Arc::new(launch)))
    }

    /// A task: it must end with status 0, once; those who depend on it start then.
    pub fn one_shot(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self::service(name, program).readiness(Readiness::Completed)
    }

    fn new(name: String, launch: Launch) -> Self {
        Self {
            name,
            launch,
            readiness: Readiness::Started,
            depends_on: Vec::new(),
            metrics_url: None,
            ready_deadline: Duration::from_secs(120),
            stop_grace: Duration::from_secs(20),
        }
    }

    /// Appends arguments; a prepared child's come from its function.
    #[must_use]
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        if let Launch::Fixed(program) = &mut self.launch {
            program.arguments.extend(arguments.into_iter().map(Into::into));
        }
        self
    }

    /// Sets a variable in addition to the inherited ones; a prepared child's come from its function.
    #[must_use]
    pub fn environment(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        if let Launch::Fixed(program) = &mut self.launch {
            program.environment.push((name.into(), value.into()));
        }
        self
    }

    /// When the child counts as ready.
    #[must_use]
    pub fn readiness(mut self, readiness: Readiness) -> Self {
        self.readiness = readiness;
        self
    }

    /// Started after these are ready, stopped before they are. They must stand earlier in the list.
    #[must_use]
    pub fn depends_on(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.depends_on.extend(names.into_iter().map(Into::into));
        self
    }

    /// The `http://` URL of the child's own metrics, merged into the supervisor's.
    #[must_use]
    pub fn metrics_url(mut self, url: impl Into<String>) -> Self {
        self.metrics_url = Some(url.into());
        self
    }

    /// How long the child may take to become ready (120 s unless told otherwise).
    #[must_use]
    pub fn ready_deadline(mut self, deadline: Duration) -> Self {
        self.ready_deadline = deadline;
        self
    }

    /// How long the child may take to end after SIGTERM before it is killed (20 s unless told otherwise).
    #[must_use]
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.stop_grace = grace;
        self
    }
}
