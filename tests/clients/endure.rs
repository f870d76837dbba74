//! What must outlive a `kill -9`, and bodies, results and numbers of queries larger than any buffer.

use crate::curl::Request;
use crate::server::TestServer;
use std::time::{Duration, Instant};

#[test]
fn what_was_acknowledged_survives_kill_nine() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(directory.path());
    server.write("CREATE DATABASE kept");
    server.write("CREATE TABLE kept.rows (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 1000");
    let mut server = Some(server);
    for round in 0..3_u64 {
        let running = server.take().expect("one runs");
        for part in 0..20_u64 {
            let from = (round * 20 + part) * 1000;
            running.write(&format!("INSERT INTO kept.rows SETTINGS insert_deduplication_token = 'part-{from}' SELECT number FROM numbers({from}, 1000)"));
        }
        running.kill();
        let next = TestServer::start(directory.path());
        let expected = (round + 1) * 20_000;
        assert_eq!(
            next.read("SELECT count(), uniqExact(a) FROM kept.rows"),
            format!("{expected}\t{expected}\n")
        );
        // A repeated token adds nothing, even after the kill.
        next.write("INSERT INTO kept.rows SETTINGS insert_deduplication_token = 'part-0' SELECT number FROM numbers(0, 1000)");
        assert_eq!(next.read("SELECT count() FROM kept.rows"), format!("{expected}\n"));
        server = Some(next);
    }
}

#[test]
fn bodies_and_results_larger_than_any_buffer_pass() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(directory.path());
    server.write("CREATE TABLE large (a UInt64, b UInt64) ENGINE = MergeTree ORDER BY a");
    // 160 MB of RowBinary: beyond what is kept in memory, full of blank lines.
    let rows = 10_000_000_u64;
    let mut body = b"INSERT INTO large (a, b) FORMAT RowBinary\n".to_vec();
    for row in 0..rows {
        body.extend_from_slice(&row.to_le_bytes());
        body.extend_from_slice(&0x0A0A_0A0A_0A0A_0A0A_u64.to_le_bytes());
    }
    let stored = Request::new(&server).writer().body(&body).send();
    assert_eq!(stored.status, 200, "{}", stored.text());
    assert_eq!(
        server.read("SELECT count(), sum(a), uniqExact(b) FROM large"),
        format!("{rows}\t{}\t1\n", rows * (rows - 1) / 2)
    );
    let back =
        Request::new(&server).writer().body("SELECT a, b FROM large ORDER BY a FORMAT RowBinary").send();
    assert_eq!((back.status, back.body.len()), (200, body.len() - 42));
    assert!(back.body == body[42..], "the result is what went in");
    let limited = Request::new(&server).body("SELECT number FROM numbers(20000000) FORMAT RowBinary").send();
    assert!(limited.exit == 18 || limited.status == 500, "a reader's result is bounded");
}

#[test]
fn queries_run_side_by_side_and_the_queue_is_bounded() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(directory.path());
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| assert_eq!(server.read("SELECT sleep(2)"), "0\n"));
        }
    });
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "twelve sleeps of two seconds took {:?}",
        started.elapsed()
    );
    // A client that goes away takes its query with it, whether it computes or writes.
    for statement in [
        "SELECT count() AS abandoned FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))",
        "SELECT number AS abandoned FROM numbers(9000000) WHERE sleepEachRow(0.000001) = 0",
    ] {
        let answer = Request::new(&server).argument("--max-time").argument("1").body(statement).send();
        assert_eq!(answer.exit, 28, "curl gave up: {}", answer.text().len());
        let deadline = Instant::now() + Duration::from_secs(10);
        while server.read("SELECT count() FROM system.processes WHERE query LIKE '%AS abandoned%' AND query NOT LIKE '%processes%'") != "0\n" {
            assert!(Instant::now() < deadline, "still running: {statement}");
        }
    }
}

#[test]
fn a_server_ends_well_while_queries_run() {
    const LONG: &str =
        "SELECT count() AS endless FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))";
    const RUNNING: &str = "SELECT count() FROM system.processes WHERE query LIKE '%AS endless%' AND query NOT LIKE '%processes%'";
    let directory = tempfile::tempdir().expect("a directory");
    // Of some queries the client has just gone, of one it still waits.
    for waiting in [0, 0, 1] {
        let server = TestServer::start(directory.path());
        let ask = |seconds| {
            let query = Request::new(&server).argument("--max-time").argument(seconds).body(LONG);
            std::thread::spawn(move || query.send().exit)
        };
        let gone: Vec<_> = (0..3).map(|_| ask("4")).collect();
        let patient: Vec<_> = (0..waiting).map(|_| ask("40")).collect();
        let deadline = Instant::now() + Duration::from_secs(10);
        while server.read(RUNNING) != format!("{}\n", 3 + waiting) {
            assert!(Instant::now() < deadline, "the queries do not start");
        }
        for query in gone {
            assert_eq!(query.join().expect("curl runs"), 28, "curl gave up");
        }
        server.stop();
        for query in patient {
            let exit = query.join().expect("curl runs");
            assert!([18, 52, 56].contains(&exit), "the connection is closed: {exit}");
        }
    }
}
