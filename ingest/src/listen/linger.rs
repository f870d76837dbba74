//! The end of a connection whose client may still be sending, because it was refused before all of its body was read.
//!
//! Closing a socket with unread bytes resets it, and the reset overtakes the answer: the client would see a broken pipe instead of
//! its 413. Promise: an honest client reads its answer; a hostile one costs at most [`MOST_BYTES`] and the given time.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest time, whatever the body's deadline is.
pub(crate) const LONGEST_LINGER: Duration = Duration::from_secs(1);
/// Bytes that are read and dropped.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Bytes read at once.
const PIECE: usize = 16 * 1024;

/// Says that nothing more comes, then reads and drops what still arrives until the client closes too.
pub(super) async fn linger(mut stream: TcpStream, longest: Duration) {
    let drop_all = async {
        stream.shutdown().await?;
        let mut piece = vec![0; PIECE];
        let mut dropped = 0;
        while dropped < MOST_BYTES {
            match stream.read(&mut piece).await? {
                0 => break,
                read => dropped += read,
            }
        }
        std::io::Result::Ok(dropped)
    };
    match tokio::time::timeout(longest, drop_all).await {
        Ok(Ok(0)) => {}
        Ok(Ok(bytes)) => tracing::debug!(bytes, "dropped what was sent after the last answer"),
        Ok(Err(error)) => tracing::debug!(%error, "the client was gone before the connection ended"),
        Err(_elapsed) => tracing::debug!("the client did not close in time"),
    }
}
