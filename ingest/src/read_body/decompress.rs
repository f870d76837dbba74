//! Undoes a Content-Encoding, never producing more than the limit: a bomb ends at the limit, not at its size.

use async_compression::tokio::bufread::{
    BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
};
use async_compression::zstd::DParameter;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::Refusal;

/// A Content-Encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, which HTTP calls deflate, and RFC 1951, which some clients send under that name.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

/// Output between two looks at other tasks.
const STEP: usize = 64 * 1024;
/// Largest window of zstd: 2^23 bytes, as RFC 8878 asks for.
const ZSTD_WINDOW_LOG: u32 = 23;

/// The decompressed bytes, at most `limit` of them.
pub(crate) async fn decompress(encoding: Encoding, bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    match encoding {
        Encoding::Gzip => {
            let mut decoder = GzipDecoder::new(bytes);
            decoder.multiple_members(true);
            drain(decoder, limit).await
        }
        Encoding::Deflate => match has_zlib_header(bytes) {
            true => match drain(ZlibDecoder::new(bytes), limit).await {
                // By chance a raw stream can begin so too.
                Err(Refusal::BrokenEncoding) => drain(DeflateDecoder::new(bytes), limit).await,
                drained => drained,
            },
            false => drain(DeflateDecoder::new(bytes), limit).await,
        },
        Encoding::Brotli => drain(BrotliDecoder::new(bytes), limit).await,
        Encoding::Zstd => {
            let parameters = [DParameter::window_log_max(ZSTD_WINDOW_LOG)];
            let mut decoder = ZstdDecoder::with_params(bytes, &parameters);
            decoder.multiple_members(true);
            drain(decoder, limit).await
        }
    }
}

/// Method 8 with a window that exists, and a checksum over both bytes (RFC 1950, section 2.2).
fn has_zlib_header(bytes: &[u8]) -> bool {
    let [method, flags, ..] = *bytes else { return false };
    method & 0x0F == 8 && method >> 4 <= 7 && u16::from_be_bytes([method, flags]) % 31 == 0
}

async fn drain(mut decoder: impl AsyncRead + Unpin, limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut output = Vec::with_capacity(STEP.min(limit));
    loop {
        let before = output.len();
        let room = (limit + 1 - before).min(STEP);
        let mut step = (&mut decoder).take(room as u64);
        step.read_to_end(&mut output).await.map_err(|_| Refusal::BrokenEncoding)?;
        if output.len() > limit {
            return Err(Refusal::BodyTooLarge { limit });
        }
        if output.len() - before < room {
            return Ok(output);
        }
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_raw_stream_that_begins_like_a_zlib_header_is_read_too() {
        // A stored block of 156 bytes, whose header has the padding that makes it 0x78 0x9C.
        let text = [b'x'; 156];
        let raw = [&[0x78, 0x9C, 0x00, 0x63, 0xFF][..], &text, &[0x01, 0x00, 0x00, 0xFF, 0xFF]].concat();
        assert!(has_zlib_header(&raw));
        assert_eq!(decompress(Encoding::Deflate, &raw, 1_000).await, Ok(text.to_vec()));
        let limit = decompress(Encoding::Deflate, &raw, 155).await;
        assert_eq!(limit, Err(Refusal::BodyTooLarge { limit: 155 }));
    }
}
