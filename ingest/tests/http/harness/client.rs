//! HTTP/1.1 on a plain socket: what is sent is exactly what a test writes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.head, String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then(|| value.trim()))
    }
}

/// Sends bytes on a new connection and reads one answer.
pub(crate) fn exchange(address: &str, bytes: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // A server may answer and close before it has read everything.
    let _sent: std::io::Result<()> = stream.write_all(bytes);
    read_reply(&mut stream)
}

/// Reads one answer.
pub(crate) fn read_reply(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    let mut buffer = [0_u8; 16 * 1024];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            let mut reply = Reply { status, head, body: bytes[end + 4..].to_vec() };
            let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
            while reply.body.len() < length {
                let read = stream.read(&mut buffer).unwrap();
                assert!(read > 0, "the body ended early: {reply:?}");
                reply.body.extend_from_slice(&buffer[..read]);
            }
            return reply;
        }
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "closed without an answer after {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&buffer[..read]);
    }
}

pub(crate) fn get(address: &str, path: &str) -> Reply {
    exchange(address, format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").as_bytes())
}

/// Posts a JSON body with the configured key.
pub(crate) fn post(address: &str, body: &str) -> Reply {
    let key = format!("Authorization: Bearer {}", super::KEY);
    post_with(address, "/v1/events", &[&key, "Content-Type: application/json"], body.as_bytes())
}

/// Posts with these header lines only.
pub(crate) fn post_with(address: &str, path: &str, headers: &[&str], body: &[u8]) -> Reply {
    let mut request = format!("POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body);
    exchange(address, &bytes)
}
