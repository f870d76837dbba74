//! Read body. The first byte chooses the encoding, the limit and whether the body is compressed here first; the second the size of the
//! pieces in which it comes; the rest is the body.
//!
//! Promises: never more bytes than the limit; the pieces make no difference; what is compressed comes out as it went in.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use async_compression::Level;
use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use hyper::body::Frame;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Runtime;

use crate::error::Refusal;
use crate::keys::{Keys, WriteKey};
use crate::limit::admission::Admission;
use crate::read_body::{BodyLimits, Encoding, decode, encoding, form, read};

/// The budget of all bodies.
const BUDGET: usize = 1 << 20;

static KEY: LazyLock<Arc<WriteKey>> = LazyLock::new(|| {
    let keys = Keys::configured(&["key:tenant:source".to_owned()], "a secret of the fuzz targets");
    keys.ok().and_then(|keys| keys.find("key")).expect("the one entry is valid")
});

thread_local! {
    static RUNTIME: RefCell<Runtime> =
        RefCell::new(tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it can be made"));
}

/// Reads a body in pieces.
pub fn read_body(input: &[u8]) {
    let [choice, piece, sent @ ..] = input else { return };
    let named = match choice % 5 {
        0 => None,
        1 => Some(Encoding::Gzip),
        2 => Some(Encoding::Deflate),
        3 => Some(Encoding::Brotli),
        _ => Some(Encoding::Zstd),
    };
    let limit = if choice & 0x80 == 0 { 65_536 } else { 512 };
    let compress_here = choice & 0x40 != 0;
    check_headers(sent);
    let compressed = named.filter(|_| compress_here).map(|named| run(compress(named, sent)));
    let body = compressed.as_deref().unwrap_or(sent);
    let whole = run(take(named, limit, body, body.len()));
    let pieces = run(take(named, limit, body, usize::from(*piece).max(1) * 8));
    assert_eq!(whole, pieces, "the pieces make a difference");
    match whole {
        Ok(bytes) => {
            assert!(bytes.len() <= limit, "{} bytes are more than {limit}", bytes.len());
            if named.is_none() || compressed.is_some() {
                assert_eq!(bytes, sent);
            }
        }
        Err(Refusal::BodyTooLarge { limit: told }) => {
            assert_eq!(told, limit);
            assert!(body.len().max(sent.len()) > limit || compressed.is_none(), "it fits");
        }
        Err(Refusal::BrokenEncoding) if named.is_some() && compressed.is_none() => {}
        Err(other) => panic!("{other:?} for a body that came whole and in time"),
    }
}

/// Bytes as headers: understood, or refused for what they are.
fn check_headers(bytes: &[u8]) {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Ok(value) = HeaderValue::from_bytes(line) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, value.clone());
    headers.insert(header::CONTENT_ENCODING, value);
    assert!(matches!(form(&headers), Ok(_) | Err(Refusal::MediaType)));
    assert!(matches!(encoding(&headers), Ok(_) | Err(Refusal::Encoding)));
}

fn run<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with_borrow(|runtime| runtime.block_on(future))
}

async fn compress(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
    macro_rules! with {
        ($encoder:ty) => {{
            let mut encoder = <$encoder>::with_quality(Vec::new(), Level::Fastest);
            encoder.write_all(bytes).await.expect("memory takes everything");
            encoder.shutdown().await.expect("memory takes everything");
            encoder.into_inner()
        }};
    }
    match encoding {
        Encoding::Gzip => with!(GzipEncoder<Vec<u8>>),
        Encoding::Deflate => with!(ZlibEncoder<Vec<u8>>),
        Encoding::Brotli => with!(BrotliEncoder<Vec<u8>>),
        Encoding::Zstd => with!(ZstdEncoder<Vec<u8>>),
    }
}

async fn take(
    encoding: Option<Encoding>,
    limit: usize,
    body: &[u8],
    piece: usize,
) -> Result<Vec<u8>, Refusal> {
    let limits = BodyLimits::new(limit, Duration::from_secs(3_600));
    let admission = Admission::new(BUDGET, 4);
    let mut hold = admission.enter(&KEY)?;
    let pieces = Pieces(body.chunks(piece.max(1)).map(Bytes::copy_from_slice).collect());
    let sent = read(&limits, &mut hold, &HeaderMap::new(), Body::new(pieces)).await;
    let read = match (sent, encoding) {
        (Ok(sent), Some(encoding)) => decode(&limits, &mut hold, encoding, &sent).await,
        (sent, _) => sent,
    };
    drop(hold);
    assert_eq!(admission.bytes_in_flight(), 0, "a part of the budget is lost");
    Ok(read?.to_vec())
}

/// A body that comes in pieces.
struct Pieces(VecDeque<Bytes>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}
