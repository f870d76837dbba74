//! Readers keep to reading within their limits, whatever they send; and no request ends the process or reaches outside.

use crate::curl::Request;
use crate::server::TestServer;

/// Statements that must be refused, or do no harm, whoever sends them.
const HOSTILE: &[&str] = &[
    "SYSTEM SHUTDOWN",
    "SYSTEM KILL",
    "SYSTEM SUSPEND FOR 100 SECOND",
    "DETACH DATABASE system",
    "DROP DATABASE system",
    "DROP DATABASE `system` SYNC",
    "TRUNCATE DATABASE system",
    "DROP TABLE system.one",
    "SELECT file('/etc/passwd')",
    "SELECT * FROM file('/etc/passwd', LineAsString)",
    "SELECT arrayMap(file, ['/etc/passwd'])",
    "SELECT * APPLY file FROM (SELECT '/etc/passwd')",
    "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)",
    "SELECT * FROM s3('http://127.0.0.1:1/a/b', 'CSV')",
    "SELECT * FROM executable('x', 'TSV', 'a String')",
    "SELECT 1 INTO OUTFILE '/tmp/touchstream-hostile'",
    "INSERT INTO FUNCTION file('/tmp/touchstream-hostile', 'CSV', 'a Int8') VALUES (1)",
    "INSERT INTO leak FROM INFILE '/etc/passwd' FORMAT LineAsString",
    "CREATE TABLE leak (a String) ENGINE = File(LineAsString, '/etc/passwd')",
    "CREATE TABLE leak (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = local, path = '/tmp/touchstream-hostile/')",
    "CREATE VIEW leak AS SELECT * FROM file('/etc/passwd', LineAsString)",
    "CREATE FUNCTION leak AS (x) -> file(x)",
    "CREATE DATABASE leak ENGINE = Filesystem('/etc')",
    "COPY leak FROM '/etc/passwd'",
    "BACKUP ALL TO File('/tmp/touchstream-hostile')",
    "ATTACH TABLE leak FROM '/etc' (a Int8) ENGINE = MergeTree ORDER BY a",
    "CREATE USER leak",
    "GRANT ALL ON *.* TO default",
    "CREATE TABLE a (x Int8) ENGINE = Memory PARALLEL WITH SYSTEM SHUTDOWN",
    "SELECT 1; SYSTEM SHUTDOWN",
    "SELECT repeat('x', 1000000000)",
    "SELECT arrayMap(x -> repeat(toString(x), 100000), range(1000000))",
];

#[test]
fn nothing_reaches_outside_and_nothing_ends_the_process() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut server = TestServer::start(directory.path());
    for statement in HOSTILE {
        for writes in [false, true] {
            let request = Request::new(&server).body(statement);
            let answer = if writes { request.writer() } else { request }.send();
            assert_ne!(answer.status, 200, "{statement} (writer: {writes}) passed: {}", answer.text());
            assert_ne!(answer.status, 0, "{statement} (writer: {writes}) got no answer");
            assert!(!answer.text().contains("root:"), "{statement} (writer: {writes}) leaked");
        }
    }
    assert!(!std::path::Path::new("/tmp/touchstream-hostile").exists());

    // Depth, length and noise.
    let deep = format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let deep_arrays = format!("SELECT {}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let long = format!("SELECT {}", "1+".repeat(200_000) + "1");
    let nested = format!("{}SELECT 1{}", "SELECT * FROM (".repeat(20_000), ")".repeat(20_000));
    let many = format!("SELECT {}", (0..100_000).map(|n| n.to_string()).collect::<Vec<_>>().join(","));
    for statement in [&deep, &deep_arrays, &long, &nested, &many] {
        let answer = Request::new(&server).body(statement).send();
        assert_ne!(answer.status, 0, "{} … got no answer", &statement[..40]);
    }
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for round in 0..300_u32 {
        let mut noise: Vec<u8> = HOSTILE[round as usize % HOSTILE.len()].as_bytes().to_vec();
        for _ in 0..8 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = usize::try_from(state % (noise.len() as u64)).expect("small");
            noise[at] = state.to_le_bytes()[5];
        }
        let answer = Request::new(&server).writer().body(&noise).send();
        assert_ne!(answer.status, 0, "no answer to {:?}", String::from_utf8_lossy(&noise));
    }
    for parameters in [
        "/?query=%00%ff%27",
        "/?query",
        "/?&&&=",
        "/?param_=x&query=SELECT%201",
        "/?database=no%60pe&query=SELECT%201",
    ] {
        assert_ne!(Request::new(&server).path(parameters).send().status, 0, "{parameters}");
    }
    assert!(server.is_alive());
    assert_eq!(server.read("SELECT 1"), "1\n");
}

#[test]
fn readers_cannot_lift_their_limits_and_habits_are_not_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(directory.path());
    let limits = "SELECT getSetting('readonly'), getSetting('max_execution_time') <= 60, getSetting('max_memory_usage') BETWEEN 1 AND 2147483648, getSetting('max_result_rows') > 0, getSetting('max_result_bytes') > 0";
    let lift = [
        ("readonly", "0"),
        ("max_execution_time", "0"),
        ("max_memory_usage", "0"),
        ("max_result_rows", "0"),
        ("max_result_bytes", "99999999999"),
        ("allow_ddl", "1"),
        ("async_insert", "1"),
    ];
    let mut by_url = Request::new(&server);
    for (name, value) in lift {
        by_url = by_url.parameter(name, value);
    }
    assert_eq!(by_url.body(limits).send().text(), "1\t1\t1\t1\t1\n");
    let clause = lift.map(|(name, value)| format!("{name} = {value}")).join(", ");
    for statement in [
        format!("{limits} SETTINGS {clause}"),
        format!("SELECT * FROM ({limits} SETTINGS {clause})"),
        format!("SELECT * FROM ({limits} SETTINGS /* x */ {clause}) SETTINGS\n{clause} FORMAT TSV"),
    ] {
        assert_eq!(server.read(&statement), "1\t1\t1\t1\t1\n", "{statement}");
    }
    let session = |statement: &str| Request::new(&server).parameter("session_id", "s").body(statement).send();
    assert_eq!(session(&format!("SET {clause}")).status, 200);
    assert_eq!(session(limits).text(), "1\t1\t1\t1\t1\n");
    assert_eq!(session("CREATE TEMPORARY TABLE t (a Int8)").status, 500);

    // Lower values and what only changes a result's looks are honoured.
    let honoured = Request::new(&server)
        .parameter("max_execution_time", "7")
        .parameter("session_timezone", "Europe/Berlin")
        .parameter("output_format_json_quote_64bit_integers", "1")
        .parameter("default_format", "JSONCompactEachRow")
        .body("SELECT getSetting('max_execution_time'), timezone(), toUInt64(1)")
        .send();
    assert_eq!(honoured.text(), "[7, \"Europe\\/Berlin\", \"1\"]\n");
    let limited = Request::new(&server)
        .parameter("max_execution_time", "1")
        .body("SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))")
        .send();
    assert_eq!((limited.status, limited.header("X-ClickHouse-Exception-Code")), (408, Some("159")));
    let memory = Request::new(&server).body("SELECT groupArray(number) FROM numbers(1000000000)").send();
    assert_eq!(memory.header("X-ClickHouse-Exception-Code"), Some("241"));
}
