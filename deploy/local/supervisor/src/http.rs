//! The smallest HTTP client that asks a child's admin port: one GET, a deadline, a limit on the answer.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::child_spec::BoxError;

const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

pub(crate) async fn get(url: &str, deadline: Duration) -> Result<(StatusCode, Bytes), BoxError> {
    tokio::time::timeout(deadline, get_without_deadline(url))
        .await
        .map_err(|_| format!("no answer within {} ms", deadline.as_millis()))?
}

async fn get_without_deadline(url: &str) -> Result<(StatusCode, Bytes), BoxError> {
    let uri: Uri = url.parse()?;
    let authority = uri.authority().ok_or("the URL names no host")?;
    let stream = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(header::HOST, authority.as_str())
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;

    // Driven beside the request, and dropped with it: no task is left behind when the deadline strikes.
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await?.to_bytes();
        Ok((status, body))
    };
    tokio::pin!(exchange);
    tokio::pin!(connection);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = &mut connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(error.into()),
        },
    }
}
