//! Sending holds out: a refusal and a broken connection only delay events, and what the server answers is counted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use touchstream_runtime::shutdown::Shutdown;
use touchstream_simulator::{Destination, SimulateError, SimulateOptions, run};

/// Reads one request; its body.
fn request(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut length, mut line, mut authorized) = (0, String::new(), false);
    loop {
        line.clear();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let header = line.trim().to_ascii_lowercase();
        authorized |= header == "authorization: bearer shop";
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().expect("the length is a number");
        }
        if header.is_empty() {
            break;
        }
    }
    assert!(authorized, "the write key is sent");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(String::from_utf8(body).expect("the body is UTF-8"))
}

fn answer(stream: &mut BufReader<TcpStream>, status: &str, body: &str) {
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.get_mut().write_all(text.as_bytes()).expect("the client is there");
}

fn options(listener: &TcpListener) -> SimulateOptions {
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let mut options = SimulateOptions::new(Destination::Http { url, key: "shop".to_owned() });
    options.limit = Some(1_200);
    options.progress = false;
    options
}

#[tokio::test]
async fn a_refusal_and_a_broken_connection_lose_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let options = options(&listener);
    let server = std::thread::spawn(move || {
        let (mut events, mut requests) = (0, 0);
        while events < 1_200 {
            let mut stream = BufReader::new(listener.accept().expect("a client comes").0);
            while let Some(body) = request(&mut stream) {
                requests += 1;
                match requests {
                    1 => answer(&mut stream, "503 Service Unavailable", "{\"retry\":[0]}"),
                    2 => break,
                    _ => {
                        let lines = body.lines().count();
                        events += lines;
                        let rejected = if requests == 3 { "{\"index\":0}" } else { "" };
                        let accepted = lines - usize::from(requests == 3);
                        let body = format!(
                            "{{\"accepted\":{accepted},\"duplicates\":0,\"rejected\":[{rejected}],\"warnings\":[]}}"
                        );
                        answer(&mut stream, "202 Accepted", &body);
                    }
                }
            }
        }
        events
    });
    let report = run(options, Shutdown::new()).await.expect("everything is sent at last");
    assert_eq!(server.join().expect("the server saw everything"), 1_200);
    assert_eq!((report.sent, report.accepted, report.rejected), (1_200, 1_199, 1));
    assert_eq!((report.requests, report.retries), (3, 2));
}

#[tokio::test]
async fn a_wrong_key_ends_it_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let options = options(&listener);
    std::thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().expect("a client comes").0);
        request(&mut stream).expect("it sends a request");
        answer(&mut stream, "401 Unauthorized", "{\"code\":\"unknown_key\"}");
    });
    let refused = run(options, Shutdown::new()).await.expect_err("a wrong key is refused");
    assert!(
        matches!(&refused, SimulateError::Refused { status: 401, body, .. } if body.contains("unknown_key"))
    );
}

#[tokio::test]
async fn live_events_keep_to_the_clock_and_say_when_they_were_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let mut options = options(&listener);
    (options.rate, options.limit, options.connections) = (Some(200.0), Some(300), Some(1));
    let server = std::thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().expect("a client comes").0);
        let mut events = 0;
        while events < 300 {
            let body = request(&mut stream).expect("it sends a request");
            for line in body.lines() {
                let event: serde_json::Value = serde_json::from_str(line).expect("a line is an event");
                let time = |name: &str| -> jiff::Timestamp {
                    event[name].as_str().and_then(|text| text.parse().ok()).expect("it is a time")
                };
                let delay = time("sent_at").as_millisecond() - time("time").as_millisecond();
                assert!((0..5_000).contains(&delay), "sent {delay} ms after its time");
                events += 1;
            }
            let accepted =
                format!("{{\"accepted\":{},\"duplicates\":0,\"rejected\":[]}}", body.lines().count());
            answer(&mut stream, "202 Accepted", &accepted);
        }
    });
    let begun = std::time::Instant::now();
    let report = run(options, Shutdown::new()).await.expect("everything is sent");
    server.join().expect("the server saw what it should");
    assert_eq!(report.accepted, 300);
    assert!(begun.elapsed().as_millis() > 700, "300 events at 200 a second take their time");
}
