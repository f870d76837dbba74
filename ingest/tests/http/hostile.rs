//! Hostile clients on raw sockets: each meets its limit, and an honest client beside them notices nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{KEY, Server, block_on, brokers, create_topics, exchange, post, wait_for};

const EVENT: &str = r#"{"type":"app.change","data":{"name":"x"}}"#;

/// Reads until the server closes; returns what came and how long it took.
fn until_closed(stream: &mut TcpStream) -> (Vec<u8>, Duration) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let begun = Instant::now();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (bytes, begun.elapsed()),
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                return (bytes, begun.elapsed());
            }
            Err(error) => panic!("the server did not close: {error}"),
        }
    }
}

#[test]
fn every_attack_meets_its_limit_while_honest_clients_are_served() {
    block_on(create_topics(&brokers(), "hostile"));
    let server = Server::start(&brokers(), "hostile", |settings| {
        settings.ingest.header_timeout_ms = 1_000;
        settings.ingest.body_timeout_ms = 1_500;
        settings.ingest.idle_timeout_ms = 3_000;
    });
    let address = server.address().to_owned();

    let slow: Vec<TcpStream> = (0..500)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(b"POST /v1/events HTTP/1.1\r\nx-slow: ").unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    assert_eq!(post(&address, EVENT).status, 202);
    assert!(begun.elapsed() < Duration::from_millis(900), "beside 500 slow clients: {:?}", begun.elapsed());
    for mut stream in slow {
        let (_, waited) = until_closed(&mut stream);
        assert!(waited < Duration::from_secs(3), "slow headers: {waited:?}");
    }

    // One byte a moment never resets the deadline of a head.
    let mut drip = TcpStream::connect(&address).unwrap();
    let begun = Instant::now();
    while drip.write_all(b"x").is_ok() && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(begun.elapsed() < Duration::from_secs(4), "dripping headers: {:?}", begun.elapsed());

    let head = format!("POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n");
    let mut slow_body = TcpStream::connect(&address).unwrap();
    slow_body.write_all(format!("{head}content-length: 100\r\n\r\n{{").as_bytes()).unwrap();
    let (answer, waited) = until_closed(&mut slow_body);
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    assert!(waited < Duration::from_secs(4), "slow body: {waited:?}");

    let mut idle = TcpStream::connect(&address).unwrap();
    idle.write_all(format!("{head}content-length: {}\r\n\r\n{EVENT}", EVENT.len()).as_bytes()).unwrap();
    let (answer, waited) = until_closed(&mut idle);
    assert!(answer.starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&answer));
    assert!(
        waited > Duration::from_secs(2) && waited < Duration::from_secs(6),
        "an idle connection lives longer than a head may take, and not for ever: {waited:?}"
    );

    let huge = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(40_000));
    assert_eq!(exchange(&address, huge.as_bytes()).status, 431);
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{}", chunk.repeat(20));
    assert_eq!(exchange(&address, chunked.as_bytes()).status, 413);
    for broken in ["zz\r\n", "5\r\nab", "ffffffffffffffffff\r\n"] {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream
            .write_all(format!("{head}transfer-encoding: chunked\r\n\r\n{broken}\r\n0\r\n\r\n").as_bytes())
            .unwrap();
        let (answer, _) = until_closed(&mut stream);
        assert!(answer.starts_with(b"HTTP/1.1 40"), "{broken:?}: {}", String::from_utf8_lossy(&answer));
    }
    let both = format!(
        "{head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /livez HTTP/1.1\r\n\r\n"
    );
    let mut smuggler = TcpStream::connect(&address).unwrap();
    smuggler.write_all(both.as_bytes()).unwrap();
    let (answer, _) = until_closed(&mut smuggler);
    let answers = String::from_utf8_lossy(&answer).matches("HTTP/1.1 ").count();
    assert!(answer.starts_with(b"HTTP/1.1 400") && answers == 1, "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn more_connections_than_the_limit_are_turned_away_and_places_come_free_again() {
    block_on(create_topics(&brokers(), "crowd"));
    let server = Server::start(&brokers(), "crowd", |settings| settings.ingest.max_connections = 50);
    let address = server.address().to_owned();
    let mut crowd: Vec<TcpStream> = (0..80).map(|_| TcpStream::connect(&address).unwrap()).collect();
    wait_for("the crowd to be turned away", || {
        server.metric("touchstream_ingest_connections_refused_total") >= 30.0
    });
    let (notice, _) = until_closed(crowd.last_mut().unwrap());
    assert!(notice.starts_with(b"HTTP/1.1 503"), "{}", String::from_utf8_lossy(&notice));
    drop(crowd);
    wait_for("a place", || {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        until_closed(&mut stream).0.starts_with(b"HTTP/1.1 200")
    });
    assert_eq!(post(&address, EVENT).status, 202);
}
