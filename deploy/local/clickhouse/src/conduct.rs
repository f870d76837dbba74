//! Sees one query through: collects the beginning of its result, then pumps the rest to the client, then puts the session
//! back. Runs as its own task, so that a client who leaves ends the query but never the bookkeeping.
//!
//! Promise kept: up to [`BEGINNING`] bytes of result, an error still gets its own status; a client who stops reading loses the
//! query after [`STALL`]; a reader's query ends shortly after its time limit even where the engine does not look at the clock.

use crate::engine::QueryOutcome;
use crate::error::Exception;
use crate::execute::{Finished, Running};
use crate::session::{Lease, SessionChange};
use bytes::{Bytes, BytesMut};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// Bytes of a result that are held back until its end or more is known.
pub(crate) const BEGINNING: usize = 1 << 20;
const CHUNK: usize = 256 << 10;
/// Longest time a client may not take anything of its result.
const STALL: Duration = Duration::from_secs(60);

/// What the client hears first.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The whole result fitted.
    Whole(QueryOutcome, Bytes),
    /// The query ended; its result follows from a file (`wait_end_of_query`).
    Stored(QueryOutcome, mpsc::Receiver<io::Result<Bytes>>),
    /// The result follows while the query runs.
    Streaming(mpsc::Receiver<io::Result<Bytes>>),
    /// The query failed before anything was sent.
    Failed(Exception),
}

/// A session to put back, always before the client can know that its request has ended.
#[derive(Debug)]
pub(crate) struct SessionEnd {
    pub(crate) lease: Lease,
    /// What the statement changes of it, if it succeeds.
    pub(crate) change: Option<SessionChange>,
}

impl SessionEnd {
    fn put_back(self, end: &mut Finished) {
        let Self { mut lease, change } = self;
        lease.state.connection = end.connection.take();
        if let (Some(change), Ok(_)) = (change, &end.result) {
            lease.state.remember(change);
        }
    }
}

/// What a query is seen through with.
#[derive(Debug)]
pub(crate) struct Conduct {
    pub(crate) running: Running,
    pub(crate) session: Option<SessionEnd>,
    /// Bytes held back until the end or more is known.
    pub(crate) hold: usize,
    /// Marks an error in the middle of the body.
    pub(crate) tag: String,
    /// Where a result waits for the query's end, when the client asked for that.
    pub(crate) wait_in: Option<PathBuf>,
    /// When a reader's query is given up, and after how many seconds that is.
    pub(crate) deadline: Option<(Instant, u64)>,
}

impl Conduct {
    /// Runs to the end of the query. The answer's receiver going away cancels it.
    pub(crate) async fn run(self, mut answer: oneshot::Sender<Answer>) {
        let Self { running, session, hold, tag, wait_in, deadline } = self;
        let Running { mut output, finished, cancel } = running;
        let mut ending = Ending { finished, session };
        let far = Instant::now() + Duration::from_secs(365 * 86_400);
        let (until, seconds) = deadline.unwrap_or((far, 0));
        let mut beginning = BytesMut::new();
        let read_on = async {
            while beginning.len() < hold {
                if output.read_buf(&mut beginning).await? == 0 {
                    return Ok::<bool, io::Error>(true);
                }
            }
            Ok(false)
        };
        let begun = tokio::select! {
            begun = timeout_at(until, read_on) => begun,
            () = answer.closed() => Ok(Err(io::Error::from(io::ErrorKind::BrokenPipe))),
        };
        match begun {
            Err(_) => reply(answer, Answer::Failed(Exception::timeout(seconds))),
            Ok(Err(error)) => reply(answer, Answer::Failed(Exception::internal(error))),
            Ok(Ok(true)) => {
                let end = ending.take().await;
                reply(
                    answer,
                    match end {
                        Ok(outcome) => Answer::Whole(outcome, beginning.freeze()),
                        Err(error) => Answer::Failed(error),
                    },
                );
                return;
            }
            Ok(Ok(false)) => {
                let mut pump = Pump { output, beginning, until, seconds, ending, tag };
                match wait_in {
                    Some(directory) => pump.store(directory, answer).await,
                    None => pump.stream(answer).await,
                }
                output = pump.output;
                ending = pump.ending;
            }
        }
        // Closing the pipe ends a query that writes, cancelling ends one that computes; both do nothing after its end.
        drop(output);
        drop(cancel);
        ending.settle().await;
    }
}

/// The end of a query: its outcome once, and its session back where it was.
struct Ending {
    finished: oneshot::Receiver<Finished>,
    session: Option<SessionEnd>,
}

impl Ending {
    async fn take(&mut self) -> Result<QueryOutcome, Exception> {
        let mut end = (&mut self.finished).await.unwrap_or_else(|_| Finished {
            result: Err(Exception::internal("the query's thread ended without an outcome")),
            connection: None,
        });
        if let Some(session) = self.session.take() {
            // The session may be over, and its connection the last one: that closes the engine, which blocks.
            let put_back = tokio::task::spawn_blocking(move || {
                session.put_back(&mut end);
                end.result
            });
            return put_back.await.map_err(Exception::internal)?;
        }
        end.result
    }

    async fn settle(&mut self) {
        if self.session.is_some() {
            let _outcome = self.take().await;
        }
    }
}

fn reply(sender: oneshot::Sender<Answer>, answer: Answer) {
    // The client may have gone; then nobody needs the answer.
    let _unheard = sender.send(answer);
}

struct Pump {
    output: pipe::Receiver,
    beginning: BytesMut,
    until: Instant,
    seconds: u64,
    ending: Ending,
    tag: String,
}

impl Pump {
    /// Sends chunks while the query runs. An error in the middle is told in the body, which then breaks off.
    async fn stream(&mut self, answer: oneshot::Sender<Answer>) {
        let (sender, receiver) = mpsc::channel(4);
        reply(answer, Answer::Streaming(receiver));
        let mut chunk = self.beginning.split().freeze();
        loop {
            match timeout(STALL, sender.send(Ok(chunk))).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return,
            }
            self.beginning.reserve(CHUNK);
            let read = tokio::select! {
                read = timeout_at(self.until, self.output.read_buf(&mut self.beginning)) => read,
                () = sender.closed() => return,
            };
            match read {
                Ok(Ok(0)) => break,
                Ok(Ok(_)) => chunk = self.beginning.split().freeze(),
                Ok(Err(error)) => return break_off(&sender, &Exception::internal(error), &self.tag).await,
                Err(_) => return break_off(&sender, &Exception::timeout(self.seconds), &self.tag).await,
            }
        }
        if let Err(error) = self.ending.take().await {
            break_off(&sender, &error, &self.tag).await;
        }
    }

    /// Stores the result until the query has ended, so that its status can still tell of an error.
    async fn store(&mut self, directory: PathBuf, mut answer: oneshot::Sender<Answer>) {
        let copied = tokio::select! {
            copied = timeout_at(self.until, self.copy_to_file(directory)) => copied,
            () = answer.closed() => return,
        };
        let file = match copied {
            Ok(Ok(file)) => file,
            Ok(Err(error)) => return reply(answer, Answer::Failed(Exception::internal(error))),
            Err(_) => return reply(answer, Answer::Failed(Exception::timeout(self.seconds))),
        };
        match self.ending.take().await {
            Err(error) => reply(answer, Answer::Failed(error)),
            Ok(outcome) => {
                let (sender, receiver) = mpsc::channel(4);
                reply(answer, Answer::Stored(outcome, receiver));
                tokio::spawn(send_file(file, sender));
            }
        }
    }

    async fn copy_to_file(&mut self, directory: PathBuf) -> io::Result<tokio::fs::File> {
        let file = tokio::task::spawn_blocking(move || tempfile::tempfile_in(directory)).await??;
        let mut file = tokio::fs::File::from_std(file);
        file.write_all_buf(&mut self.beginning).await?;
        tokio::io::copy(&mut self.output, &mut file).await?;
        file.rewind().await?;
        Ok(file)
    }
}

async fn send_file(mut file: tokio::fs::File, sender: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let message = match file.read_buf(&mut chunk).await {
            Ok(0) => return,
            Ok(_) => Ok(chunk.freeze()),
            Err(error) => Err(error),
        };
        if !matches!(timeout(STALL, sender.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Tells of an error in the body, then breaks the body off, so that no client takes it for whole.
async fn break_off(sender: &mpsc::Sender<io::Result<Bytes>>, error: &Exception, tag: &str) {
    let text = Bytes::from(error.in_body(tag));
    if !matches!(timeout(STALL, sender.send(Ok(text))).await, Ok(Ok(()))) {
        return;
    }
    // The connection throws away what it has not written when its body fails: give the text time to leave.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let broken = Err(io::Error::other("the query failed after its result had begun"));
    // Nobody may be listening any more.
    let _unheard = timeout(STALL, sender.send(broken)).await;
}
