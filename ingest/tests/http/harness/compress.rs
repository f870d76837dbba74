//! Bodies in every Content-Encoding, honest and not.

use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::block_on;

/// The encodings of HTTP that ingest knows.
pub(crate) const ENCODINGS: [&str; 4] = ["gzip", "deflate", "br", "zstd"];

/// Compresses what a reader gives.
pub(crate) fn compress(encoding: &str, bytes: &[u8]) -> Vec<u8> {
    async fn drain(mut encoder: impl AsyncRead + Unpin) -> Vec<u8> {
        let mut output = Vec::new();
        encoder.read_to_end(&mut output).await.unwrap();
        output
    }
    block_on(async {
        match encoding {
            "gzip" => drain(GzipEncoder::new(bytes)).await,
            "deflate" => drain(ZlibEncoder::new(bytes)).await,
            "br" => drain(BrotliEncoder::new(bytes)).await,
            "zstd" => drain(ZstdEncoder::new(bytes)).await,
            other => panic!("{other} is no encoding"),
        }
    })
}
