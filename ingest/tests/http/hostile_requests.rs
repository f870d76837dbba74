//! Hostile requests, one row of the list of attacks after the other: each has its answer, and none of them is 500.

use std::io::Write;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::harness::{
    ENCODINGS, KEY, Server, block_on, brokers, compress, create_topics, exchange, get, post, post_with,
    read_reply, read_topic,
};

const EVENT: &str = r#"{"type":"app.change","data":{"name":"x"}}"#;

fn server(prefix: &str) -> Server {
    block_on(create_topics(&brokers(), prefix));
    Server::start(&brokers(), prefix, |settings| settings.ingest.auth_failures_per_min = 0)
}

fn post_encoded(server: &Server, encoding: &str, body: &[u8]) -> (u16, Value) {
    let (key, encoding) = (format!("Authorization: Bearer {KEY}"), format!("Content-Encoding: {encoding}"));
    let reply = post_with(server.address(), "/v1/events", &[&key, &encoding], body);
    (reply.status, reply.json())
}

#[test]
fn compressed_bodies_are_bounded_by_what_they_become() {
    let server = server("bombs");
    let spaces = vec![b' '; 64 << 20];
    for encoding in ENCODINGS {
        let bomb = compress(encoding, &spaces);
        assert!(bomb.len() < 100_000, "{encoding}: a bomb is small");
        let (status, answer) = post_encoded(&server, encoding, &bomb);
        assert_eq!(
            (status, &answer["code"], &answer["limit"]),
            (413, &json!("body_too_large"), &json!(1_048_576)),
            "{encoding}"
        );

        // A bomb within a bomb stays one: a Content-Encoding is undone once.
        let (status, answer) = post_encoded(&server, encoding, &compress(encoding, &bomb));
        assert_eq!((status, &answer["code"]), (400, &json!("invalid_json")), "{encoding}");
        let (status, _) =
            post_encoded(&server, &format!("{encoding}, {encoding}"), &compress(encoding, &bomb));
        assert_eq!(status, 415, "{encoding} twice");

        let half = compress(encoding, format!("[{EVENT}]").as_bytes());
        let (status, answer) = post_encoded(&server, encoding, &half[..half.len() - 5]);
        assert_eq!((status, &answer["code"]), (400, &json!("broken_encoding")), "{encoding} cut off");
    }
    // Members one after the other are one body where the format has members.
    for encoding in ["gzip", "zstd"] {
        let members =
            [compress(encoding, b"["), compress(encoding, EVENT.as_bytes()), compress(encoding, b"]")]
                .concat();
        let (status, answer) = post_encoded(&server, encoding, &members);
        assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{encoding}: {answer}");
        let piece = compress(encoding, &vec![b' '; 700_000]);
        assert_eq!(post_encoded(&server, encoding, &[piece.clone(), piece].concat()).0, 413, "{encoding}");
        let many = compress(encoding, b" ").repeat(20_000);
        let (status, _) = post_encoded(&server, encoding, &many);
        assert_eq!(status, 400, "{encoding}: members of nothing are an empty body");
    }
    // What follows the end of the others is not looked at, or refused; it is never taken for events.
    for encoding in ["deflate", "br"] {
        let members = [compress(encoding, EVENT.as_bytes()), compress(encoding, b" {}")].concat();
        let (status, answer) = post_encoded(&server, encoding, &members);
        let taken_once = status == 202 && answer["accepted"] == json!(1);
        assert!(taken_once || status == 400, "{encoding}: {status} {answer}");
    }
}

#[test]
fn odd_json_is_an_answer_never_an_error_of_ours() {
    let server = server("odd");
    let keys = |count: usize| (0..count).map(|key| format!(r#""k{key}":1"#)).collect::<Vec<_>>().join(",");
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let with = |data: &str| format!(r#"{{"id":"1","type":"app.change","data":{{"name":"x",{data}}}}}"#);
    let cases = [
        ("deep", with(&format!(r#""a":{}"#, nested(15))), 400, "too_deep"),
        ("very deep", nested(100_000), 400, "too_deep"),
        (
            "deep beside events",
            format!("[{EVENT},{}]", with(&format!(r#""a":{}"#, nested(5_000)))),
            400,
            "too_deep",
        ),
        ("unclosed", "[".repeat(500_000), 400, "invalid_json"),
        ("many keys", with(&keys(60_000 / 10)), 422, "too_many_fields"),
        ("the same key", with(&vec![r#""a":1"#; 100].join(",")), 422, "duplicate_field"),
        (
            "the same member",
            r#"{"id":"1","id":"2","type":"app.change","data":{"name":"x"}}"#.to_owned(),
            422,
            "duplicate_field",
        ),
        ("huge number", with(&format!(r#""a":{}"#, "9".repeat(9_000))), 422, "too_long"),
        (
            "huge exponent",
            r#"{"id":"1","type":"feedback.review","data":{"rating":1e999999999}}"#.to_owned(),
            422,
            "out_of_range",
        ),
        (
            "huge duration",
            r#"{"id":"1","type":"app.response","data":{"name":"x","duration_ms":1e300}}"#.to_owned(),
            422,
            "out_of_range",
        ),
        (
            "huge time",
            r#"{"id":"1","type":"app.session_started","time":99999999999999999999}"#.to_owned(),
            422,
            "invalid_time",
        ),
        ("lone surrogate", r#"{"id":"\ud800","type":"app.session_started"}"#.to_owned(), 422, "invalid_text"),
        (
            "lone surrogate in a name",
            r#"{"id":"1","type":"app.session_started","context":{"\udc00":1}}"#.to_owned(),
            400,
            "invalid_json",
        ),
        ("NUL", r#"{"id":"a\u0000b","type":"app.session_started"}"#.to_owned(), 422, "invalid_text"),
        ("raw NUL", "{\"id\":\"a\0b\",\"type\":\"app.session_started\"}".to_owned(), 400, "invalid_json"),
        ("NaN", with(r#""a":NaN"#), 400, "invalid_json"),
    ];
    for (what, body, status, code) in cases {
        let reply = post(server.address(), &body);
        let answer = reply.json();
        let found = if reply.status == 400 { &answer["code"] } else { &answer["rejected"][0]["code"] };
        assert_eq!((reply.status, found.as_str()), (status, Some(code)), "{what}: {answer}");
        assert!(reply.body.len() < 300_000, "{what}: a refusal stays small");
    }
    let reply = post_with(
        server.address(),
        "/v1/events",
        &[&format!("X-Write-Key: {KEY}")],
        b"{\"id\":\"\xff\xfe\"}",
    );
    assert_eq!((reply.status, &reply.json()["code"]), (400, &json!("invalid_json")));
    assert_eq!(post(server.address(), EVENT).status, 202, "and the next one is served");
}

#[test]
fn heads_have_limits_of_size_and_count() {
    let server = server("heads");
    let head = |lines: &str| {
        exchange(
            server.address(),
            format!("GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n").as_bytes(),
        )
    };
    assert_eq!(head(&"a: b\r\n".repeat(90)).status, 200);
    assert_eq!(head(&"a: b\r\n".repeat(101)).status, 431);
    assert_eq!(head(&format!("a: {}\r\n", "b".repeat(14_000))).status, 200);
    assert_eq!(head(&format!("a: {}\r\n", "b".repeat(40_000))).status, 431);
    let path = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "p".repeat(60_000));
    assert!([414, 431].contains(&exchange(server.address(), path.as_bytes()).status));
    let key = format!("Authorization: Bearer {KEY}");
    let announced =
        format!("POST /v1/events HTTP/1.1\r\nhost: x\r\n{key}\r\ncontent-length: 99999999999\r\n\r\n");
    assert_eq!(exchange(server.address(), announced.as_bytes()).status, 413);
}

#[test]
fn a_request_cannot_hide_in_another() {
    let server = server("smuggle");
    let hidden = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    let head = format!("POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n");
    let cases = [
        (
            "length and chunks",
            format!("{head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "chunks and length",
            format!("{head}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        ("two lengths", format!("{head}content-length: 5\r\ncontent-length: 6\r\n\r\n12345{hidden}")),
        ("a list of lengths", format!("{head}content-length: 5, 6\r\n\r\n12345{hidden}")),
        ("a signed length", format!("{head}content-length: +5\r\n\r\n12345{hidden}")),
        ("a negative length", format!("{head}content-length: -1\r\n\r\n{hidden}")),
        ("chunks not last", format!("{head}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}")),
        ("unknown transfer encoding", format!("{head}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}")),
        ("a space before the colon", format!("{head}transfer-encoding : chunked\r\n\r\n0\r\n\r\n{hidden}")),
        ("a folded line", format!("{head}content-length: 5\r\nx: a\r\n b\r\n\r\n12345")),
        ("no chunk size", format!("{head}transfer-encoding: chunked\r\n\r\nzz\r\n{hidden}")),
        (
            "a huge chunk size",
            format!("{head}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{hidden}"),
        ),
        (
            "a chunk without its end",
            format!("{head}transfer-encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n{hidden}"),
        ),
        ("a NUL in a header", format!("{head}x: a\0b\r\ncontent-length: 0\r\n\r\n")),
        ("a bare CR in a header", format!("{head}x: a\rcontent-length: 5\r\n\r\n{hidden}")),
        ("rubbish", "\u{16}\u{3}\u{1}\0rubbish\r\n\r\n".to_owned()),
    ];
    for (what, request) in cases {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(crate::harness::PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let answer = until_closed(&mut stream);
        let text = String::from_utf8_lossy(&answer);
        let answers = text.matches("HTTP/1.1 ").count();
        assert!(answers == 1 && text.starts_with("HTTP/1.1 4"), "{what}: {text}");
    }
    // A bare LF ends a line for hyper, as RFC 9112 allows; it must not end the head at another place than for a proxy.
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(crate::harness::PATIENCE)).unwrap();
    let bare = format!(
        "POST /v1/events HTTP/1.1\nhost: x\nauthorization: Bearer {KEY}\ncontent-length: {}\n\n{EVENT}",
        EVENT.len()
    );
    stream.write_all(bare.as_bytes()).unwrap();
    let status = read_reply(&mut stream).status;
    assert!([202, 400].contains(&status), "{status}");
}

/// Reads until the server closes.
fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    use std::io::{ErrorKind, Read};
    let mut bytes = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return bytes,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return bytes,
            Err(error) => {
                panic!("the server did not close after {}: {error}", String::from_utf8_lossy(&bytes))
            }
        }
    }
}

#[test]
fn keys_cannot_be_told_apart_and_do_not_belong_into_the_address() {
    let server = server("guess");
    let answers: Vec<(u16, String, Vec<u8>)> = [
        vec![],
        vec!["Authorization: Bearer test-kez".to_owned()],
        vec![format!("Authorization: Bearer {KEY}x")],
        vec![format!("Authorization: Digest {KEY}")],
        vec!["Authorization: Basic !!!".to_owned()],
        vec!["X-Write-Key: ".to_owned()],
        vec![format!("X-Write-Key: {}", "k".repeat(5_000))],
    ]
    .into_iter()
    .map(|headers| {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let reply = post_with(server.address(), "/v1/events", &headers, EVENT.as_bytes());
        let head =
            reply.head.lines().filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n");
        (reply.status, head, reply.body)
    })
    .collect();
    assert_eq!(answers[0].0, 401);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");

    let in_url = post_with(server.address(), &format!("/v1/events?key={KEY}"), &[], EVENT.as_bytes());
    assert_eq!((in_url.status, &in_url.json()["code"]), (403, &json!("key_not_for_url")));
    // A browser's question beforehand is answered alike for a server's key and for one that does not exist.
    let ask = |key: &str| {
        let head = format!(
            "OPTIONS /v1/events?key={key} HTTP/1.1\r\nhost: x\r\norigin: https://a.example\r\nconnection: close\r\n\r\n"
        );
        let reply = exchange(server.address(), head.as_bytes());
        (reply.status, reply.header("access-control-allow-origin").map(str::to_owned))
    };
    assert_eq!(ask(KEY), ask("unknown"));
}

#[test]
fn names_that_clients_make_up_make_no_series_of_metrics() {
    let server = server("labels");
    let series = || {
        let text = get(&server.settings.ingest.admin, "/metrics").text();
        let mut names: Vec<String> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()))
            .collect();
        names.sort();
        names
    };
    let attack = |round: usize| {
        for number in 0..20 {
            let odd = format!("r{round}-{number}-\\\"}}\\nfake 1");
            let body = format!(
                r#"[{{"type":"{odd}"}},{{"id":"{odd}-1","type":"app.change","context":{{"touchpoint":"{odd}x","channel":"c{number}"}},"data":{{"name":"n","k{number}":"{odd}"}}}},{{"type":"checkout.{number}"}}]"#
            );
            post(server.address(), &body);
            post_with(server.address(), &format!("/v1/{round}/{number}"), &[], b"");
            post_with(
                server.address(),
                "/v1/events",
                &[&format!("Authorization: Bearer {round}{number}")],
                EVENT.as_bytes(),
            );
            post_with(
                server.address(),
                "/v1/events",
                &[&format!("Content-Type: a/{number}")],
                EVENT.as_bytes(),
            );
            exchange(
                server.address(),
                format!("M{round}{number} /v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                    .as_bytes(),
            );
        }
    };
    attack(0);
    let before = series();
    attack(1);
    assert_eq!(series(), before);
    assert!(before.len() < 200, "{} series", before.len());
}

#[test]
fn formulas_are_stored_as_they_came() {
    let server = server("formulas");
    let body = r#"{"id":"1","type":"feedback.review","data":{"rating":1,"text":"=1+cmd|' /C calc'!A0","product":"@SUM(A1)","source":"-2+3"}}"#;
    assert_eq!(post(server.address(), body).status, 202);
    let stored = read_topic(&brokers(), "formulas.feedback").remove(0);
    let text = String::from_utf8_lossy(rdkafka::Message::payload(&stored).unwrap()).into_owned();
    for verbatim in ["=1+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3"] {
        assert!(text.contains(verbatim), "{text}");
    }
}
