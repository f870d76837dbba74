//! Deadlines of a connection between requests: how long it may be idle, and how long a request's head may take from its first
//! byte on. While a request is being served its own deadlines hold (body, acknowledgement).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No byte of a request yet.
    Idle,
    /// A head has begun.
    Head,
    /// A request is being served.
    Serving,
}

/// In which phase a connection is, and since when.
#[derive(Debug)]
pub(super) struct Phases {
    now: Mutex<(Phase, Instant)>,
    head: Duration,
    idle: Duration,
}

impl Phases {
    pub(super) fn new(head: Duration, idle: Duration) -> Phases {
        // A new connection has been opened to send something: it gets the time of a head, not that of an idle connection.
        Phases { now: Mutex::new((Phase::Head, Instant::now())), head, idle }
    }

    fn set(&self, phase: Phase) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = (phase, Instant::now());
    }

    pub(super) fn request_begins(&self) {
        // Since when does not matter here: nobody asks the clock for nothing.
        self.now.lock().unwrap_or_else(PoisonError::into_inner).0 = Phase::Serving;
    }

    pub(super) fn request_ends(&self) {
        self.set(Phase::Idle);
    }

    /// Bytes came from the client.
    fn bytes_came(&self) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.0 == Phase::Idle {
            *now = (Phase::Head, Instant::now());
        }
    }

    /// The end of the present phase, or when to look again.
    fn deadline(&self) -> (Instant, bool) {
        let (phase, since) = *self.now.lock().unwrap_or_else(PoisonError::into_inner);
        match phase {
            Phase::Idle => (since + self.idle, true),
            Phase::Head => (since + self.head, true),
            Phase::Serving => (Instant::now() + self.head.min(self.idle), false),
        }
    }

    /// Ends when the connection has overstepped a deadline. One timer a connection, set again only when it fires.
    pub(super) async fn overdue(&self) {
        loop {
            let (deadline, ends) = self.deadline();
            if ends && deadline <= Instant::now() {
                return;
            }
            // A phase that begins meanwhile with an earlier deadline is seen after at most the head's time.
            tokio::time::sleep_until(deadline.min(Instant::now() + self.head)).await;
        }
    }
}

/// Tells the phases when bytes come.
#[derive(Debug)]
pub(super) struct WatchedStream<S> {
    stream: S,
    phases: Arc<Phases>,
}

impl<S> WatchedStream<S> {
    pub(super) fn new(stream: S, phases: Arc<Phases>) -> WatchedStream<S> {
        WatchedStream { stream, phases }
    }

    /// The stream itself.
    pub(super) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: Read + Unpin> Read for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if matches!(polled, Poll::Ready(Ok(()))) {
            self.phases.bytes_came();
        }
        polled
    }
}

impl<S: Write + Unpin> Write for WatchedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }
}
