//! Limits and fairness against the real server: rates of keys, slow guessing, places of a client, and who waits under pressure.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use touchstream_ingest::{NewKey, create_key};

use crate::harness::{
    KEY, Server, block_on, brokers, create_topics, get, post, post_with, read_topic, start_kafka, wait_for,
};

const EVENT: &str = r#"{"type":"app.change","data":{"name":"x"}}"#;

fn events(count: usize) -> String {
    format!("[{}]", vec![EVENT; count].join(","))
}

#[test]
fn a_key_beyond_its_rate_hears_when_to_come_again_and_nothing_of_its_request_is_stored() {
    block_on(create_topics(&brokers(), "rates"));
    let server = Server::start(&brokers(), "rates", |settings| {
        settings.ingest.key_events_per_s = 10;
        settings.ingest.key_burst_s = 10;
    });
    let address = server.address();
    assert_eq!(post(address, &events(100)).status, 202);
    let reply = post(address, &events(50));
    let answer = reply.json();
    assert_eq!((reply.status, &answer["code"]), (429, &json!("rate_limited")), "{answer}");
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=5).contains(&wait), "50 events come in 5 s: {wait}");
    // Another key goes on: one made with limits of its own.
    let own = NewKey {
        tenant: "shop".to_owned(),
        source: "till".to_owned(),
        events_per_s: Some(0),
        bytes_per_s: Some(1_000),
        burst_s: Some(5),
        ..NewKey::default()
    };
    let bearer = format!("Authorization: Bearer {}", block_on(create_key(&server.settings, own)).unwrap());
    let post_own = |body: &str| post_with(address, "/v1/events", &[&bearer], body.as_bytes());
    wait_for("the new key", || post_own(EVENT).status == 202);
    let large = EVENT.replace("\"x\"", &format!("\"x\",\"a\":\"{}\"", "b".repeat(4_000)));
    wait_for("its bytes to be used up", || post_own(&large).status == 429);
    assert!(server.metric("touchstream_ingest_limited_total{limit=\"key_rate\"}") >= 2.0);

    // Whoever waits as long as it was told is served.
    let begun = Instant::now();
    wait_for("the bucket to fill", || post(address, &events(50)).status == 202);
    assert!(begun.elapsed() > Duration::from_secs(2), "{:?}", begun.elapsed());
    let stored = read_topic(&brokers(), "rates.app").len();
    let made = usize::try_from(
        server.metric("touchstream_ingest_events_total{family=\"app\",outcome=\"accepted\"}") as i64,
    );
    assert_eq!(stored, made.unwrap(), "nothing of a refused request is stored");
}

#[test]
fn guessing_is_slow_and_locks_nobody_out_who_has_a_real_key() {
    block_on(create_topics(&brokers(), "guesses"));
    let server = Server::start(&brokers(), "guesses", |settings| {
        settings.ingest.auth_failures_per_min = 20;
        settings.ingest.trusted_proxies = vec!["127.0.0.1".to_owned()];
    });
    let address = server.address();
    let new = NewKey { tenant: "shop".to_owned(), source: "app".to_owned(), ..NewKey::default() };
    let random = format!("Authorization: Bearer {}", block_on(create_key(&server.settings, new)).unwrap());
    let from = |client: &str, key: &str| {
        let forwarded = format!("X-Forwarded-For: 1.2.3.4, {client}");
        post_with(address, "/v1/events", &[&forwarded, key], EVENT.as_bytes())
    };
    wait_for("the new key", || from("198.51.100.200", &random).status == 202);
    let (wrong, configured) = ("Authorization: Bearer wrong", format!("Authorization: Bearer {KEY}"));
    let guesses: Vec<u16> = (0..40).map(|_| from("198.51.100.7", wrong).status).collect();
    assert!(guesses[..20].iter().all(|status| *status == 401), "{guesses:?}");
    let reply = from("198.51.100.7", wrong);
    assert_eq!((reply.status, &reply.json()["code"]), (429, &json!("too_many_failures")));
    assert!(reply.header("retry-after").is_some());
    assert_eq!(from("198.51.100.7", &configured).status, 429, "a right guess looks like a wrong one");
    assert_eq!(from("198.51.100.7", &random).status, 202, "a key that cannot be guessed goes on");
    assert_eq!(from("198.51.100.8", &configured).status, 202, "and so does everybody else");
    assert!(server.metric("touchstream_ingest_limited_total{limit=\"auth_failures\"}") >= 1.0);
}

#[test]
fn one_client_cannot_take_every_place() {
    block_on(create_topics(&brokers(), "places"));
    let server =
        Server::start(&brokers(), "places", |settings| settings.ingest.max_connections_per_address = 20);
    let crowd: Vec<TcpStream> = (0..30).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    wait_for("the crowd to be turned away", || {
        server.metric("touchstream_ingest_limited_total{limit=\"address_connections\"}") >= 10.0
    });
    assert_eq!(server.metric("touchstream_ingest_connections "), 20.0);
    drop(crowd);
    wait_for("a place", || server.metric("touchstream_ingest_connections ") < 1.0);
    assert_eq!(post(server.address(), EVENT).status, 202);
}

/// While Kafka stands still, requests pile up: first app events wait, then chat, and outcomes last.
#[test]
fn under_pressure_events_of_less_worth_are_asked_for_again() {
    let directory = tempfile::tempdir().unwrap();
    let kafka = start_kafka(directory.path());
    block_on(create_topics(&kafka.bootstrap(), "pressure"));
    let server = Server::start(&kafka.bootstrap(), "pressure", |settings| {
        settings.ingest.ack_timeout_ms = 20_000;
        settings.ingest.queue_bytes = 4 << 20;
    });
    let address = server.address().to_owned();
    assert_eq!(post(&address, EVENT).status, 202);
    let pid = Pid::from_raw(i32::try_from(kafka.process().pid()).unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    wait_for("Kafka to stand still", || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        status.lines().any(|line| line.starts_with("State:\tT"))
    });
    // Bodies that are mostly space: much in flight, little in the producer's queue.
    let body = format!(
        r#"[{{"id":"o","type":"checkout.completed","data":{{"checkout_id":"k"}}}}{}]"#,
        " ".repeat(500_000)
    );
    let mut waiting: Vec<_> = (0..4)
        .map(|_| {
            let (address, body) = (address.clone(), body.clone());
            std::thread::spawn(move || post(&address, &body).status)
        })
        .collect();
    // The fifth has its key in its body, which counts once, and for its key, as the others do.
    let segment = format!(
        r#"{{"writeKey":"{KEY}","batch":[{{"type":"track","messageId":"m","event":"Order Completed","properties":{{"order_id":"o-1"}}}}]}}{}"#,
        " ".repeat(500_000)
    );
    waiting.push({
        let address = address.clone();
        let json = "Content-Type: application/json";
        std::thread::spawn(move || post_with(&address, "/v1/batch", &[json], segment.as_bytes()).status)
    });
    let in_flight = || server.metric("touchstream_ingest_in_flight_bytes ");
    wait_for("the pressure", || in_flight() > 2_400_000.0);
    assert!(in_flight() < 2_700_000.0, "each body counts once: {}", in_flight());

    let begun = Instant::now();
    let reply = post(&address, EVENT);
    let answer = reply.json();
    assert_eq!((reply.status, &answer["retry"]), (503, &json!([0])), "{answer}");
    assert!(reply.header("retry-after").is_some());
    assert!(begun.elapsed() < Duration::from_secs(10), "shed at once: {:?}", begun.elapsed());
    assert!(server.metric("touchstream_ingest_shed_events_total{family=\"app\"}") >= 1.0);
    let chat = r#"{"type":"chat.message","data":{"conversation_id":"c","sender":"bot"}}"#;
    let mixed = format!(r#"[{EVENT},3,{chat}]"#);
    let mixed = {
        let address = address.clone();
        std::thread::spawn(move || post(&address, &mixed).json())
    };
    wait_for("the second app event", || {
        server.metric("touchstream_ingest_shed_events_total{family=\"app\"}") >= 2.0
            || server.metric("touchstream_ingest_in_flight_bytes ") < 1.0
    });
    assert_eq!(server.metric("touchstream_ingest_shed_events_total{family=\"checkout\"}"), 0.0);

    kill(pid, Signal::SIGCONT).unwrap();
    let mixed = mixed.join().unwrap();
    assert_eq!(mixed["rejected"][0]["index"], 1, "{mixed}");
    assert_eq!(mixed["retry"], json!([0]), "only what was shed is asked for again: {mixed}");
    for waiting in waiting {
        assert_eq!(waiting.join().unwrap(), 202, "what was admitted is stored");
    }
    wait_for("everything to be given back", || server.metric("touchstream_ingest_in_flight_bytes ") < 1.0);
    assert_eq!(get(&address, "/livez").status, 200);
    assert_eq!(post(&address, EVENT).status, 202);
}

/// Whoever does not read what it is answered keeps that in memory: it counts until it was read.
#[test]
fn long_answers_count_until_they_were_read() {
    block_on(create_topics(&brokers(), "answers"));
    let server = Server::start(&brokers(), "answers", |_| {});
    let mistakes = format!("[{}]", vec![r#"{"type":"a"}"#; 1_000].join(","));
    let reply = post(server.address(), &mistakes);
    assert_eq!((reply.status, reply.json()["rejected"].as_array().unwrap().len()), (422, 1_000));
    let length = reply.body.len();
    assert!(length > 100_000, "{length}");
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n",
        mistakes.len()
    );
    let stream = TcpStream::connect(server.address()).unwrap();
    let mut sender = stream.try_clone().unwrap();
    let request = format!("{head}{mistakes}").into_bytes();
    let sending = std::thread::spawn(move || {
        // It ends when nobody takes more, or when the other end is closed.
        while sender.write_all(&request).is_ok() {}
    });
    let answered = || server.metric("touchstream_ingest_requests_total{code=\"422\"}");
    let last = std::cell::Cell::new((0.0, Instant::now()));
    wait_for("the connection to be full of answers", || {
        if answered() != last.get().0 {
            last.set((answered(), Instant::now()));
        }
        last.get().1.elapsed() > Duration::from_secs(3)
    });
    assert!(answered() > 5.0);
    let held = server.metric("touchstream_ingest_in_flight_bytes ");
    assert!(held >= length as f64 / 2.0, "{held} bytes are held, one answer has {length}");
    stream.shutdown(std::net::Shutdown::Both).unwrap();
    sending.join().unwrap();
    drop(stream);
    wait_for("what was held to be given back", || server.metric("touchstream_ingest_in_flight_bytes ") < 1.0);
}
