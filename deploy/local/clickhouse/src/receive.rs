//! The request's body: decoded, parted into statement and data, the data kept in memory or, when large, in a file.
//!
//! Promise kept: an INSERT's data may have any size and content; memory holds at most [`HEAD`] bytes and
//! [`MEMORY_DATA`] of a request, the rest lies in an unnamed file of the data directory.

use crate::error::Exception;
use crate::frames::{FrameReader, Lz4Frames, exception_of};
use crate::sql::statement::{Insert, begins_as_insert, find_insert};
use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, stream};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Incoming};
use hyper::header::CONTENT_ENCODING;
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncRead, BufReader};
use tokio_util::io::{StreamReader, SyncIoBridge};

/// Bytes of a request that are read as SQL, as ClickHouse's `max_query_size` bounds them (there 256 KiB).
pub(crate) const HEAD: usize = 1 << 20;
/// Bytes of INSERT data kept in memory.
const MEMORY_DATA: u64 = 64 << 20;
/// Longest silence of a client in the middle of its body.
const BODY_SILENCE: Duration = Duration::from_secs(60);

/// A request's statement and data.
#[derive(Debug)]
pub(crate) struct Received {
    /// The statement; behind an INSERT's end, the beginning of its data too.
    pub(crate) text: Vec<u8>,
    /// The INSERT, when the text is one with data.
    pub(crate) insert: Option<Insert>,
    /// The data of a large INSERT, from its first byte.
    file: Option<File>,
}

impl Received {
    /// The INSERT's data as an open file at its beginning.
    pub(crate) fn data_file(&mut self) -> io::Result<Option<File>> {
        let Some(insert) = &self.insert else { return Ok(None) };
        if let Some(file) = self.file.take() {
            return Ok(Some(file));
        }
        let mut file = memory_file()?;
        file.write_all(self.text.get(insert.data_start..).unwrap_or_default())?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Some(file))
    }
}

/// How a body is to be read.
#[derive(Debug)]
pub(crate) struct BodyOptions {
    /// The URL's `query`, which stands before the body.
    pub(crate) query: String,
    /// `decompress=1`.
    pub(crate) framed: bool,
    /// Whether data beyond the statement is welcome at all.
    pub(crate) may_insert: bool,
    /// Where large data lies.
    pub(crate) directory: PathBuf,
}

/// Reads the whole body.
pub(crate) async fn receive(
    headers: &HeaderMap,
    body: Option<Incoming>,
    options: BodyOptions,
) -> Result<Received, Exception> {
    let mut text = options.query.clone().into_bytes();
    let Some(body) = body.filter(|body| !body.is_end_stream()) else { return Ok(complete(text)) };
    if !text.is_empty() {
        text.push(b'\n');
    }
    let encoding = headers
        .get(CONTENT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .map_or_else(String::new, |value| value.trim().to_ascii_lowercase());
    let small = body.size_hint().exact().is_some_and(|length| length + text.len() as u64 <= HEAD as u64);
    if small && !options.framed && matches!(encoding.as_str(), "" | "identity") {
        let mut chunks = std::pin::pin!(chunks(body));
        while let Some(chunk) = chunks.try_next().await.map_err(|error| exception_of(&error))? {
            text.extend_from_slice(&chunk);
        }
        return Ok(complete(text));
    }
    let raw = BufReader::with_capacity(64 << 10, StreamReader::new(Box::pin(chunks(body))));
    let mut lz4 = false;
    let plain: Pin<Box<dyn AsyncRead + Send>> = match encoding.as_str() {
        "" | "identity" => Box::pin(raw),
        "gzip" | "x-gzip" => {
            let mut decoder = GzipDecoder::new(raw);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
        "deflate" => {
            let mut decoder = ZlibDecoder::new(raw);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
        "br" => {
            let mut decoder = BrotliDecoder::new(raw);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
        "zstd" => {
            let mut decoder = ZstdDecoder::new(raw);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
        "lz4" => {
            lz4 = true;
            Box::pin(raw)
        }
        other => return Err(Exception::unknown_encoding(other)),
    };
    let bridge = SyncIoBridge::new(plain);
    let task = tokio::task::spawn_blocking(move || {
        let mut reader: Box<dyn Read> = if lz4 { Box::new(Lz4Frames::new(bridge)) } else { Box::new(bridge) };
        if options.framed {
            reader = Box::new(FrameReader::new(reader));
        }
        store(&mut reader, text, &options)
    });
    task.await.map_err(Exception::internal)?
}

fn chunks(body: Incoming) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold(body, |mut body| async move {
        loop {
            let frame = tokio::time::timeout(BODY_SILENCE, body.frame())
                .await
                .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the client fell silent"))?;
            match frame.transpose().map_err(io::Error::other)? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some((data, body)));
                    }
                }
            }
        }
    })
}

fn complete(text: Vec<u8>) -> Received {
    let insert = find_insert(&text);
    Received { text, insert, file: None }
}

/// Reads the head, finds where data begins, and stores what follows.
fn store(reader: &mut dyn Read, mut text: Vec<u8>, options: &BodyOptions) -> Result<Received, Exception> {
    let room = HEAD.saturating_sub(text.len());
    reader.take(room as u64).read_to_end(&mut text).map_err(|error| exception_of(&error))?;
    if text.len() < HEAD {
        return Ok(complete(text));
    }
    let mut first = [0_u8; 1];
    if reader.read(&mut first).map_err(|error| exception_of(&error))? == 0 {
        return Ok(complete(text));
    }
    // An INSERT that ends in the very last bytes read may be cut short: too long a statement either way.
    let insert = find_insert(&text).filter(|insert| insert.data_start < text.len());
    let Some(insert) = insert.filter(|_| options.may_insert && begins_as_insert(&text)) else {
        return Err(Exception::query_too_large(HEAD));
    };
    let file = spill(&text[insert.data_start..], first, reader, &options.directory)
        .map_err(|error| exception_of(&error))?;
    text.truncate(insert.data_start);
    Ok(Received { text, insert: Some(insert), file: Some(file) })
}

fn spill(head: &[u8], first: [u8; 1], reader: &mut dyn Read, directory: &Path) -> io::Result<File> {
    let mut memory = memory_file()?;
    memory.write_all(head)?;
    memory.write_all(&first)?;
    let copied = io::copy(&mut reader.take(MEMORY_DATA), &mut memory)?;
    memory.seek(SeekFrom::Start(0))?;
    if copied < MEMORY_DATA {
        return Ok(memory);
    }
    let mut disk = tempfile::tempfile_in(directory)?;
    io::copy(&mut memory, &mut disk)?;
    io::copy(reader, &mut disk)?;
    disk.seek(SeekFrom::Start(0))?;
    Ok(disk)
}

fn memory_file() -> io::Result<File> {
    Ok(File::from(memfd_create(c"insert", MFdFlags::MFD_CLOEXEC)?))
}
