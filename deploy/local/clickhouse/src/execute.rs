//! Runs one statement: a thread and an engine connection of its own, the result through a pipe.
//!
//! The engine writes the result itself, with its own writer of the format asked for, into a pipe: every format is whole, a
//! slow client slows the query down, and memory stays bounded. Promise kept: a query whose client has gone is cancelled,
//! and nothing of one connection (settings, database, temporary tables) is seen by another.

use crate::authenticate::{Role, User};
use crate::engine::{Connection, Engine, QueryClass, QueryOutcome};
use crate::error::Exception;
use crate::metrics::Counted;
use crate::receive::Received;
use crate::settings::{Setting, quote, quote_name, set_statement};
use crate::sql::statement::{find_output, has_several_statements};
use crate::sql::{guard, lexer::Lexer};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// ClickHouse checks how much stack is left; its parser and planner need more than a thread's default.
const STACK: usize = 16 << 20;
const PIPE_BYTES: i32 = 1 << 20;

/// One statement to run.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) user: User,
    pub(crate) received: Received,
    pub(crate) format: String,
    pub(crate) database: Option<String>,
    pub(crate) parameters: Vec<(String, Vec<u8>)>,
    pub(crate) settings: Vec<Setting>,
    /// GET: nothing may change.
    pub(crate) reading_only: bool,
    /// Marks the query inside the engine, so that it can be cancelled.
    pub(crate) tag: String,
    /// A session's own connection, given back with the outcome.
    pub(crate) connection: Option<Connection>,
    /// Settings that an earlier request of the session left on that connection.
    pub(crate) stale_settings: Vec<String>,
}

/// What a job gives back.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) result: Result<QueryOutcome, Exception>,
    pub(crate) connection: Option<Connection>,
}

/// A statement under way.
#[derive(Debug)]
pub(crate) struct Running {
    /// The result as the engine writes it.
    pub(crate) output: pipe::Receiver,
    /// How it ended; comes after the end of `output`.
    pub(crate) finished: oneshot::Receiver<Finished>,
    /// Cancels the query when dropped before its end.
    pub(crate) cancel: CancelOnDrop,
}

/// Starts a job. Its place is held until the engine is done.
pub(crate) fn start(
    engine: &Arc<Engine>,
    job: Job,
    place: (OwnedSemaphorePermit, Counted),
) -> Result<Running, Exception> {
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(Exception::internal)?;
    // A smaller pipe works as well, only slower.
    let _pipe_size = fcntl(&write, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
    fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(Exception::internal)?;
    let output = pipe::Receiver::from_owned_fd(read).map_err(Exception::internal)?;
    let (sender, finished) = oneshot::channel();
    let state = Arc::new(State { done: AtomicBool::new(false), cancelled: AtomicBool::new(false) });
    let cancel = CancelOnDrop { engine: Arc::clone(engine), tag: job.tag.clone(), state: Arc::clone(&state) };
    let engine = Arc::clone(engine);
    let work = move || {
        let finished = run(&engine, job, &write, &state);
        state.done.store(true, Ordering::Release);
        drop(place);
        // The outcome goes before the end of the pipe can be seen, and nobody may be waiting any more.
        let _unheard = sender.send(finished);
        drop(write);
    };
    std::thread::Builder::new()
        .name("query".to_owned())
        .stack_size(STACK)
        .spawn(work)
        .map_err(Exception::internal)?;
    Ok(Running { output, finished, cancel })
}

#[derive(Debug)]
struct State {
    done: AtomicBool,
    cancelled: AtomicBool,
}

/// Cancels its query when dropped early.
#[derive(Debug)]
pub(crate) struct CancelOnDrop {
    engine: Arc<Engine>,
    tag: String,
    state: Arc<State>,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if self.state.done.load(Ordering::Acquire) {
            return;
        }
        self.state.cancelled.store(true, Ordering::Release);
        let (engine, state) = (Arc::clone(&self.engine), Arc::clone(&self.state));
        let statement = format!("KILL QUERY WHERE Settings['log_comment'] = {} ASYNC", quote(&self.tag));
        let kill = move || {
            // The query may just be starting: ask again until it has ended.
            for _ in 0..600 {
                if state.done.load(Ordering::Acquire) {
                    return;
                }
                if let Ok(mut connection) = engine.connect()
                    && let Err(error) = connection.run(&statement)
                {
                    tracing::warn!(error, "failed to cancel a query");
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        };
        if let Err(error) = std::thread::Builder::new().name("cancel".to_owned()).spawn(kill) {
            tracing::warn!(%error, "failed to start a thread to cancel a query");
        }
    }
}

fn run(engine: &Arc<Engine>, mut job: Job, write: &OwnedFd, state: &State) -> Finished {
    let kept = job.connection.is_some();
    let connection = match job.connection.take() {
        Some(connection) => Ok(connection),
        None => engine.connect().map_err(Exception::internal),
    };
    match connection {
        Err(error) => Finished { result: Err(error), connection: None },
        Ok(mut connection) => {
            let result = run_on(&mut connection, &mut job, write, state);
            Finished { result, connection: kept.then_some(connection) }
        }
    }
}

fn run_on(
    connection: &mut Connection,
    job: &mut Job,
    write: &OwnedFd,
    state: &State,
) -> Result<QueryOutcome, Exception> {
    prepare(connection, job)?;
    let role = job.user.role;
    if let Some(insert) = job.received.insert.clone() {
        guard::check(&Lexer::new(&insert.head).collect::<Vec<_>>())?;
        if role == Role::Reader {
            return Err(Exception::readonly(&job.user.name));
        }
        if job.reading_only {
            return Err(Exception::readonly_get());
        }
        let file = job.received.data_file().map_err(Exception::internal)?;
        let path = format!("/proc/self/fd/{}", file.as_ref().map_or(-1, AsRawFd::as_raw_fd));
        return execute(connection, &insert.with_data_in(&path), &job.format, &job.parameters, state);
    }
    let text = std::mem::take(&mut job.received.text);
    let tokens: Vec<_> = Lexer::new(&text).collect();
    if tokens.is_empty() {
        return Err(Exception::syntax("Empty query"));
    }
    guard::check(&tokens)?;
    let output = find_output(&tokens);
    let class = connection.classify(&text[..output.end]);
    if has_several_statements(&tokens) || class.statements > 1 {
        return Err(Exception::syntax("Syntax error (Multi-statements are not allowed)"));
    }
    let unparsed = class.statements == 0;
    if class.class != QueryClass::ReadOnly && !unparsed {
        if role == Role::Reader {
            return Err(Exception::readonly(&job.user.name));
        }
        if job.reading_only {
            return Err(Exception::readonly_get());
        }
    }
    match class.class {
        QueryClass::ReadOnly => {
            let path = format!("/proc/self/fd/{}", write.as_raw_fd());
            execute(connection, &output.with_result_in(&text, &path), &job.format, &job.parameters, state)
        }
        QueryClass::MutatingGlobal if !tokens.iter().take(4).any(|token| token.is_word("FUNCTION")) => {
            Err(Exception::access_denied("the system databases and users cannot be changed."))
        }
        QueryClass::Mutating | QueryClass::MutatingGlobal | QueryClass::Control | QueryClass::Unknown => {
            execute(connection, &text[..output.end], &job.format, &job.parameters, state)
        }
    }
}

/// Puts the request's settings and database on the connection; a reader's connection can never write again.
fn prepare(connection: &mut Connection, job: &Job) -> Result<(), Exception> {
    let run = |connection: &mut Connection, text: &str| {
        connection.run(text).map(drop).map_err(|error| Exception::from_engine(&error))
    };
    if !job.stale_settings.is_empty() {
        let defaults: Vec<String> =
            job.stale_settings.iter().map(|name| format!("{name} = DEFAULT")).collect();
        run(connection, &format!("SET {}", defaults.join(", ")))?;
    }
    let own = format!(
        "SET implicit_select = 0, allow_introspection_functions = 0, log_comment = {}",
        quote(&job.tag)
    );
    run(connection, &own)?;
    if let Some(database) = &job.database {
        run(connection, &format!("USE {}", quote_name(database)))?;
    }
    if let Some(set) = set_statement(&job.settings) {
        run(connection, &set)?;
    }
    if job.user.role == Role::Reader {
        run(connection, "SET readonly = 1")?;
    }
    Ok(())
}

fn execute(
    connection: &mut Connection,
    text: &[u8],
    format: &str,
    parameters: &[(String, Vec<u8>)],
    state: &State,
) -> Result<QueryOutcome, Exception> {
    if state.cancelled.load(Ordering::Acquire) {
        return Err(Exception::cancelled());
    }
    let outcome = connection.query(text, format, parameters);
    match &outcome.error {
        Some(error) => Err(Exception::from_engine(error)),
        None => Ok(outcome),
    }
}
