//! Turns an answer into an HTTP response with ClickHouse's headers, packed as the client asked.

use crate::conduct::{Answer, BEGINNING};
use crate::engine::QueryOutcome;
use crate::error::Exception;
use crate::frames;
use crate::native::{FIRST_VERSION, Rewriter};
use crate::request::{Encoding, Request};
use async_compression::Level;
use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Instant;
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

/// A response's body.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, io::Error>;

/// What every response says about the server, asked from the engine once.
#[derive(Debug)]
pub(crate) struct ServerFacts {
    pub(crate) display_name: String,
    pub(crate) timezone: String,
    pub(crate) version: String,
    /// Output formats by their names in lower case: the name as ClickHouse writes it, and its content type.
    pub(crate) formats: HashMap<String, (String, String)>,
}

impl ServerFacts {
    /// A format's own spelling and content type.
    pub(crate) fn format(&self, name: &str) -> (String, String) {
        self.formats
            .get(&name.to_ascii_lowercase())
            .cloned()
            .unwrap_or_else(|| (name.to_owned(), "text/plain; charset=UTF-8".to_owned()))
    }

    fn decorate(&self, response: &mut Response<ResponseBody>, query_id: &str) {
        set(response, "x-clickhouse-server-display-name", &self.display_name);
        set(response, "x-clickhouse-timezone", &self.timezone);
        set(response, "x-clickhouse-query-id", query_id);
        set(
            response,
            "access-control-expose-headers",
            "X-ClickHouse-Query-Id,X-ClickHouse-Summary,X-ClickHouse-Server-Display-Name,X-ClickHouse-Format,X-ClickHouse-Timezone,X-ClickHouse-Exception-Code,X-ClickHouse-Exception-Tag",
        );
    }

    /// A short plain answer.
    pub(crate) fn plain(&self, status: StatusCode, text: &str) -> Response<ResponseBody> {
        let mut response = Response::new(full(Bytes::from(text.to_owned())));
        *response.status_mut() = status;
        set(&mut response, CONTENT_TYPE.as_str(), "text/plain; charset=UTF-8");
        set(&mut response, "x-clickhouse-server-display-name", &self.display_name);
        response
    }

    /// An exception as the whole answer.
    pub(crate) fn exception(&self, error: &Exception, request: Option<&Request>) -> Response<ResponseBody> {
        let text = format!("{} (version {})\n", error.text, self.version);
        let framed = request.is_some_and(|request| request.framed_response);
        let body = if framed { frames::encode(text.as_bytes()) } else { Bytes::from(text) };
        // An error is packed as the result would have been.
        let encoding = request.and_then(|request| request.encoding);
        let body = if encoding.is_some() { encode(stream::iter([Ok(body)]), encoding) } else { full(body) };
        let mut response = Response::new(body);
        *response.status_mut() = error.status();
        if let Some(encoding) = encoding {
            set(&mut response, CONTENT_ENCODING.as_str(), encoding.name());
        }
        set(&mut response, CONTENT_TYPE.as_str(), "text/plain; charset=UTF-8");
        set(&mut response, "x-clickhouse-exception-code", &error.code.to_string());
        if error.status() == StatusCode::UNAUTHORIZED {
            set(&mut response, "www-authenticate", "Basic realm=\"ClickHouse server HTTP API\"");
        }
        self.decorate(&mut response, request.map_or("", |request| &request.query_id));
        response
    }

    /// The answer of a query.
    pub(crate) fn answer(
        &self,
        answer: Answer,
        request: &Request,
        format: &str,
        started: Instant,
    ) -> Response<ResponseBody> {
        let (format, content_type) = self.format(format);
        let versioned = request.protocol_version >= FIRST_VERSION && format == "Native";
        let answer = match answer {
            Answer::Whole(outcome, bytes) if versioned && !bytes.is_empty() => {
                let mut rewriter = Rewriter::new(request.protocol_version);
                let rewritten =
                    rewriter.push(&bytes).and_then(|head| Ok([head, rewriter.finish()?].concat()));
                match rewritten {
                    Ok(bytes) => Answer::Whole(outcome, bytes.into()),
                    Err(error) => Answer::Failed(Exception::not_implemented(error.to_string())),
                }
            }
            other => other,
        };
        let streaming = matches!(answer, Answer::Streaming(_));
        let (summary, body) = match answer {
            Answer::Failed(error) => return self.exception(&error, Some(request)),
            Answer::Whole(outcome, bytes) => {
                // What has no result of its own (EXPLAIN AST, KILL QUERY) leaves it with the outcome.
                let bytes = if bytes.is_empty() { Bytes::from(outcome.output.clone()) } else { bytes };
                (summary(&outcome, started), whole(bytes, request))
            }
            Answer::Stored(outcome, receiver) => {
                (summary(&outcome, started), streamed(receiver, request, versioned))
            }
            Answer::Streaming(receiver) => {
                (summary(&QueryOutcome::default(), started), streamed(receiver, request, versioned))
            }
        };
        let mut response = Response::new(body);
        if streaming {
            set(&mut response, "x-clickhouse-exception-tag", &request.exception_tag);
        }
        set(&mut response, CONTENT_TYPE.as_str(), &content_type);
        if !format.is_empty() {
            set(&mut response, "x-clickhouse-format", &format);
        }
        set(&mut response, "x-clickhouse-summary", &summary);
        if let Some(encoding) = request.encoding {
            set(&mut response, CONTENT_ENCODING.as_str(), encoding.name());
        }
        self.decorate(&mut response, &request.query_id);
        response
    }
}

fn summary(outcome: &QueryOutcome, started: Instant) -> String {
    format!(
        "{{\"read_rows\":\"{}\",\"read_bytes\":\"{}\",\"written_rows\":\"{}\",\"written_bytes\":\"{}\",\"total_rows_to_read\":\"{}\",\"result_rows\":\"{}\",\"result_bytes\":\"{}\",\"elapsed_ns\":\"{}\"}}",
        outcome.read_rows,
        outcome.read_bytes,
        outcome.written_rows,
        outcome.written_bytes,
        outcome.read_rows,
        outcome.result_rows.max(outcome.written_rows),
        outcome.result_bytes.max(outcome.written_bytes),
        started.elapsed().as_nanos(),
    )
}

fn set(response: &mut Response<ResponseBody>, name: &str, value: &str) {
    // A value that no header can carry (a query id with a line end) is left out.
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        response.headers_mut().insert(name, value);
    }
}

fn full(bytes: Bytes) -> ResponseBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn whole(bytes: Bytes, request: &Request) -> ResponseBody {
    if request.encoding.is_none() {
        if !request.framed_response {
            return full(bytes);
        }
        if bytes.len() <= BEGINNING {
            return full(if bytes.is_empty() { bytes } else { frames::encode(&bytes) });
        }
    }
    pack(stream::iter([Ok(bytes)]), request)
}

fn streamed(
    mut receiver: tokio::sync::mpsc::Receiver<io::Result<Bytes>>,
    request: &Request,
    versioned: bool,
) -> ResponseBody {
    let plain = stream::poll_fn(move |context| receiver.poll_recv(context));
    if versioned { pack(rewritten(plain, request), request) } else { pack(plain, request) }
}

/// Native blocks as a client of this protocol version expects them.
fn rewritten(
    plain: impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
    request: &Request,
) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static {
    let rewriter = Some(Rewriter::new(request.protocol_version));
    let tag = request.exception_tag.clone();
    Box::pin(stream::try_unfold((plain, rewriter, tag), |(mut plain, rewriter, tag)| async move {
        let Some(mut rewriter) = rewriter else {
            // After an error comes what breaks the body off.
            return Ok(plain.next().await.transpose()?.map(|chunk| (chunk, (plain, None, tag))));
        };
        let chunk = plain.next().await.transpose()?;
        let failed = chunk.as_ref().is_some_and(|chunk| Exception::is_in_body(chunk, &tag));
        match chunk {
            Some(text) if failed => Ok(Some((text, (plain, None, tag)))),
            Some(chunk) => match rewriter.push(&chunk) {
                Ok(blocks) => Ok(Some((blocks, (plain, Some(rewriter), tag)))),
                Err(error) => Err(io::Error::other(error)),
            },
            None => Ok(Some((rewriter.finish().map_err(io::Error::other)?, (plain, None, tag)))),
        }
    }))
}

fn pack(
    plain: impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
    request: &Request,
) -> ResponseBody {
    if request.framed_response {
        encode(
            plain
                .filter(|chunk| {
                    let keep = chunk.as_ref().map_or(true, |chunk| !chunk.is_empty());
                    std::future::ready(keep)
                })
                .map(|chunk| {
                    chunk.map(|chunk| {
                        let blocks: Vec<Bytes> = chunk.chunks(BEGINNING).map(frames::encode).collect();
                        Bytes::from(blocks.concat())
                    })
                }),
            request.encoding,
        )
    } else {
        encode(plain, request.encoding)
    }
}

fn encode(
    bytes: impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
    encoding: Option<Encoding>,
) -> ResponseBody {
    let Some(encoding) = encoding else {
        return StreamBody::new(bytes.map(|chunk| chunk.map(Frame::data))).boxed_unsync();
    };
    if encoding == Encoding::Lz4 {
        return StreamBody::new(lz4_frame(bytes).map(|chunk| chunk.map(Frame::data))).boxed_unsync();
    }
    let reader = StreamReader::new(bytes);
    let packed: Box<dyn AsyncRead + Send + Unpin> = match encoding {
        Encoding::Gzip => Box::new(GzipEncoder::with_quality(reader, Level::Fastest)),
        Encoding::Deflate => Box::new(ZlibEncoder::with_quality(reader, Level::Fastest)),
        Encoding::Brotli => Box::new(BrotliEncoder::with_quality(reader, Level::Fastest)),
        Encoding::Zstd | Encoding::Lz4 => Box::new(ZstdEncoder::with_quality(reader, Level::Fastest)),
    };
    let chunks = ReaderStream::with_capacity(packed, 64 << 10);
    StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data))).boxed_unsync()
}

/// Packs a stream into one LZ4 frame, flushed with every chunk.
fn lz4_frame(
    bytes: impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    stream::try_unfold((bytes, Some(encoder)), |(mut bytes, encoder)| async move {
        let Some(mut encoder) = encoder else { return Ok(None) };
        match bytes.next().await {
            Some(chunk) => {
                encoder.write_all(&chunk?)?;
                encoder.flush()?;
                let packed = std::mem::take(encoder.get_mut());
                Ok(Some((Bytes::from(packed), (bytes, Some(encoder)))))
            }
            None => {
                let rest = encoder.finish().map_err(io::Error::other)?;
                Ok(Some((Bytes::from(rest), (bytes, None))))
            }
        }
    })
}
