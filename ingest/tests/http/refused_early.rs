//! Requests that are refused before their body was read: whoever is still sending can finish and read the answer, within bounds.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{KEY, Server, block_on, brokers, create_topics, read_reply, wait_for};

/// More than the buffers of a socket take, less than what is read and dropped.
const BODY_BYTES: usize = 3_900_000;

#[test]
fn a_client_that_writes_all_before_it_reads_learns_why_it_was_refused() {
    block_on(create_topics(&brokers(), "early"));
    let server = Server::start(&brokers(), "early", |_| {});
    let bearer = format!("authorization: Bearer {KEY}\r\n");
    let sized = format!("content-length: {BODY_BYTES}\r\n");
    let body = vec![b' '; BODY_BYTES];
    let mut chunked = format!("{BODY_BYTES:x}\r\n").into_bytes();
    chunked.extend_from_slice(&body);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    let cases: [(&str, String, &[u8], u16); 6] = [
        ("/v1/events", format!("{bearer}{sized}"), &body, 413),
        ("/v1/events", format!("{bearer}transfer-encoding: chunked\r\n"), &chunked, 413),
        ("/v1/events", format!("authorization: Bearer wrong\r\n{sized}"), &body, 401),
        ("/v1/events?key=test-key", sized.clone(), &body, 403),
        ("/v1/events", format!("{bearer}content-type: image/png\r\n{sized}"), &body, 415),
        ("/v1/nothing", sized.clone(), &body, 404),
    ];
    for (path, headers, body, status) in &cases {
        for _ in 0..5 {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            stream.write_all(format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n").as_bytes()).unwrap();
            if headers.contains("content-length") {
                // As on a slow line: the server has refused before the first byte of the body leaves.
                assert_eq!(stream.peek(&mut [0]).unwrap(), 1);
            }
            stream.write_all(body).unwrap_or_else(|error| panic!("{path} {headers}: {error}"));
            assert_eq!(read_reply(&mut stream).status, *status, "{path} {headers}");
        }
    }
}

#[test]
fn a_client_that_never_stops_sending_is_cut_off() {
    block_on(create_topics(&brokers(), "endless"));
    let server = Server::start(&brokers(), "endless", |_| {});
    let head = "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000000\r\n\r\n";
    let piece = vec![b' '; 64 * 1024];

    let mut fast = TcpStream::connect(server.address()).unwrap();
    fast.write_all(head.as_bytes()).unwrap();
    let begun = Instant::now();
    let mut sent = 0;
    while fast.write_all(&piece).is_ok() {
        sent += piece.len();
        assert!(sent < 64 << 20, "{sent} bytes were taken of a refused body");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "sending went on for {:?}", begun.elapsed());

    let mut slow = TcpStream::connect(server.address()).unwrap();
    slow.write_all(head.as_bytes()).unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut answer = Vec::new();
    let ended = slow.read_to_end(&mut answer);
    assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    assert!(answer.starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer));
    let begun = Instant::now();
    wait_for("the silent client's place", || server.metric("touchstream_ingest_connections ") < 1.0);
    assert!(begun.elapsed() < Duration::from_secs(3), "its place was held for {:?}", begun.elapsed());
    drop(slow);
}
