//! curl: every format a BI tool asks for, both ways; encodings; ClickHouse's headers, statuses and error texts.

use crate::server::{PASSWORD, TestServer, WRITER};
use std::process::{Command, Stdio};

/// A request to be sent by curl.
pub(crate) struct Request {
    url: String,
    arguments: Vec<String>,
    body: Option<Vec<u8>>,
}

/// What curl got.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
    /// curl's own exit status: 18 when a body broke off.
    pub(crate) exit: i32,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Request {
    pub(crate) fn new(server: &TestServer) -> Self {
        Self { url: server.url(), arguments: Vec::new(), body: None }
    }

    pub(crate) fn path(mut self, path: &str) -> Self {
        self.url = format!("{}{}", self.url.trim_end_matches('/'), path);
        self
    }

    pub(crate) fn writer(self) -> Self {
        self.argument("--user").argument(&format!("{WRITER}:{PASSWORD}"))
    }

    pub(crate) fn header(self, header: &str) -> Self {
        self.argument("--header").argument(header)
    }

    /// Adds a URL parameter.
    pub(crate) fn parameter(mut self, name: &str, value: &str) -> Self {
        let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let separator = if self.url.contains('?') { '&' } else { '?' };
        self.url = format!("{}{separator}{name}={encoded}", self.url);
        self
    }

    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    pub(crate) fn send(self) -> Answer {
        let mut command = Command::new("curl");
        command.args(["--silent", "--include", "--max-time", "60", "--header", "Expect:"]);
        if self.body.is_some() {
            command.args(["--data-binary", "@-"]);
        }
        let mut child = command
            .args(&self.arguments)
            .arg(&self.url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("curl is installed");
        let mut input = child.stdin.take().expect("it was piped");
        let body = self.body.unwrap_or_default();
        // curl may end before it has read all, when the server refuses early.
        let feed = std::thread::spawn(move || drop(std::io::Write::write_all(&mut input, &body)));
        let output = child.wait_with_output().expect("curl ends");
        feed.join().expect("the body was offered");
        let end =
            output.stdout.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(output.stdout.len());
        let head = String::from_utf8_lossy(&output.stdout[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let body = output.stdout.get(end + 4..).unwrap_or_default().to_vec();
        Answer { status, head, body, exit: output.status.code().unwrap_or(-1) }
    }
}

/// Formats that carry their columns by name or position both ways, so that a result can go straight back in.
const ROUND_TRIP: &[&str] = &[
    "CSV",
    "CSVWithNames",
    "CSVWithNamesAndTypes",
    "TSV",
    "TSVWithNames",
    "TSVWithNamesAndTypes",
    "TabSeparated",
    "TSKV",
    "Values",
    "JSON",
    "JSONCompact",
    "JSONColumns",
    "JSONColumnsWithMetadata",
    "JSONCompactColumns",
    "JSONEachRow",
    "NDJSON",
    "JSONLines",
    "JSONStringsEachRow",
    "JSONCompactEachRow",
    "JSONCompactEachRowWithNamesAndTypes",
    "JSONObjectEachRow",
    "BSONEachRow",
    "MsgPack",
    "Parquet",
    "Arrow",
    "ArrowStream",
    "ORC",
    "Avro",
    "Native",
    "RowBinary",
    "RowBinaryWithNames",
    "RowBinaryWithNamesAndTypes",
    "CustomSeparated",
];

/// Formats for eyes and other machines.
const OUTPUT_ONLY: &[&str] = &[
    "Pretty",
    "PrettyCompact",
    "PrettyNoEscapes",
    "PrettySpace",
    "Vertical",
    "Markdown",
    "XML",
    "SQLInsert",
    "Null",
    "JSONStrings",
    "JSONCompactStrings",
    "JSONEachRowWithProgress",
];

#[test]
fn every_format_goes_out_whole_and_comes_back_in() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(directory.path());
    server.write("CREATE TABLE source (id UInt64, score Float64, text String, note Nullable(String), at DateTime('UTC')) ENGINE = MergeTree ORDER BY id");
    // More than the server holds back before it streams, with blank lines in the data.
    server.write("INSERT INTO source SELECT number, number / 8, concat('line\\n\\n', toString(number), '\\', \"x\"'), if(number % 3 = 0, NULL, toString(number)), toDateTime('2026-11-22 00:00:00', 'UTC') + number FROM numbers(150000)");
    let fingerprint = |table: &str| {
        server.read(&format!(
            "SELECT count(), groupBitXor(cityHash64(id, score, text, ifNull(note, 'none'), at)) FROM {table}"
        ))
    };
    let wanted = fingerprint("source");
    for format in ROUND_TRIP {
        let out =
            Request::new(&server).body(format!("SELECT * FROM source ORDER BY id FORMAT {format}")).send();
        assert_eq!((out.status, out.exit), (200, 0), "{format}");
        assert_eq!(out.header("X-ClickHouse-Format"), Some(*format));
        server.write("CREATE OR REPLACE TABLE target AS source");
        let back = Request::new(&server)
            .writer()
            .parameter("query", &format!("INSERT INTO target FORMAT {format}"))
            .body(&out.body)
            .send();
        assert_eq!(back.status, 200, "{format}: {}", back.text());
        assert_eq!(fingerprint("target"), wanted, "{format}");
        let summary = back.header("X-ClickHouse-Summary").expect("a summary").to_owned();
        assert!(summary.contains("\"written_rows\":\"150000\""), "{format}: {summary}");
    }
    for format in OUTPUT_ONLY {
        let out =
            Request::new(&server).parameter("default_format", format).body("SELECT * FROM source").send();
        assert_eq!((out.status, out.exit), (200, 0), "{format}");
        assert_eq!(out.header("X-ClickHouse-Format"), Some(*format));
    }
}

#[test]
fn encodings_work_both_ways_and_alone_or_with_blocks() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(directory.path());
    let query = "SELECT number, repeat('x', 50) FROM numbers(300000) FORMAT TSV";
    let plain = Request::new(&server).body(query).send().body;
    for encoding in ["gzip", "deflate", "br", "zstd", "lz4"] {
        let packed = Request::new(&server)
            .parameter("enable_http_compression", "1")
            .header(&format!("Accept-Encoding: {encoding}"))
            .body(query)
            .send();
        assert_eq!(packed.header("Content-Encoding"), Some(encoding));
        assert!(packed.body.len() < plain.len() / 5, "{encoding} packs");
        server.write("CREATE OR REPLACE TABLE packed (a UInt64, b String) ENGINE = MergeTree ORDER BY a");
        let back = Request::new(&server)
            .writer()
            .parameter("query", "INSERT INTO packed FORMAT TSV")
            .header(&format!("Content-Encoding: {encoding}"))
            .body(&packed.body)
            .send();
        assert_eq!(back.status, 200, "{encoding}: {}", back.text());
        assert_eq!(server.read("SELECT count(), sum(a) FROM packed"), "300000\t44999850000\n", "{encoding}");
        let cut = Request::new(&server)
            .writer()
            .parameter("query", "INSERT INTO packed FORMAT TSV")
            .header(&format!("Content-Encoding: {encoding}"))
            .body(&packed.body[..packed.body.len() / 2])
            .send();
        assert_ne!(cut.status, 200, "a cut {encoding} body must not pass");
        assert_eq!(server.read("SELECT count() FROM packed"), "300000\n", "{encoding}");
    }
    let blocks = Request::new(&server).parameter("compress", "1").body(query).send();
    assert!(blocks.body.len() < plain.len() / 5);
    let back = Request::new(&server)
        .writer()
        .parameter("query", "INSERT INTO packed FORMAT TSV")
        .parameter("decompress", "1")
        .body(&blocks.body)
        .send();
    assert_eq!(back.status, 200, "{}", back.text());
    assert_eq!(server.read("SELECT count() FROM packed"), "600000\n");
}

#[test]
fn headers_statuses_and_texts_are_those_of_clickhouse() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(directory.path());
    for path in ["/ping", "/replicas_status", "/"] {
        let answer = Request::new(&server).path(path).send();
        assert_eq!((answer.status, answer.text().as_str()), (200, "Ok.\n"), "{path}");
    }
    assert_eq!(Request::new(&server).path("/nowhere").send().status, 404);
    let head = Request::new(&server).path("/ping").argument("--head").send();
    assert_eq!(head.status, 200);

    let answer = Request::new(&server)
        .parameter("query", "SELECT {x:Array(String)}")
        .parameter("param_x", "['a\\'b','c']")
        .parameter("query_id", "my-id")
        .send();
    assert_eq!((answer.status, answer.text().as_str()), (200, "['a\\'b','c']\n"));
    assert_eq!(answer.header("X-ClickHouse-Query-Id"), Some("my-id"));
    assert_eq!(answer.header("X-ClickHouse-Format"), Some("TabSeparated"));
    for name in ["X-ClickHouse-Summary", "X-ClickHouse-Server-Display-Name", "X-ClickHouse-Timezone"] {
        assert!(answer.header(name).is_some_and(|value| !value.is_empty()), "{name}");
    }

    // URL and body make one text.
    let answer = Request::new(&server).parameter("query", "SELECT 1 +").body("1 FORMAT CSV").send();
    assert_eq!(answer.text(), "2\n");

    let cases: &[(&str, u16, &str, &str)] = &[
        ("SELECT * FROM missing", 404, "60", "UNKNOWN_TABLE"),
        ("SELECT * FROM missing.missing", 404, "81", "UNKNOWN_DATABASE"),
        ("SELEC 1", 400, "62", "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", 400, "62", "SYNTAX_ERROR"),
        ("", 400, "62", "SYNTAX_ERROR"),
        ("SELECT missing()", 404, "46", "UNKNOWN_FUNCTION"),
        ("SELECT 1 FORMAT Missing", 404, "73", "UNKNOWN_FORMAT"),
        ("SELECT toUInt8('x')", 400, "6", "CANNOT_PARSE_TEXT"),
        ("SELECT throwIf(number = 3) FROM numbers(10)", 500, "395", "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("INSERT INTO missing VALUES (1)", 500, "164", "READONLY"),
        ("CREATE TABLE x (a Int8) ENGINE = Memory", 500, "164", "READONLY"),
    ];
    for (statement, status, code, name) in cases {
        let answer = Request::new(&server).body(statement).send();
        let text = answer.text();
        assert_eq!(answer.status, *status, "{statement}: {text}");
        assert_eq!(answer.header("X-ClickHouse-Exception-Code"), Some(*code), "{statement}");
        assert!(text.starts_with(&format!("Code: {code}. DB::Exception: ")), "{statement}: {text}");
        assert!(text.contains(&format!("({name})")), "{statement}: {text}");
    }
    let missing = Request::new(&server).writer().body("INSERT INTO missing FORMAT CSV\n1\n").send();
    assert_eq!((missing.status, missing.header("X-ClickHouse-Exception-Code")), (404, Some("60")));
    let get =
        Request::new(&server).writer().parameter("query", "CREATE TABLE x (a Int8) ENGINE = Memory").send();
    assert_eq!(get.header("X-ClickHouse-Exception-Code"), Some("164"));
    for (user, password) in [("reader", "wrong"), ("nobody", ""), (WRITER, "")] {
        let answer = Request::new(&server)
            .parameter("user", user)
            .parameter("password", password)
            .body("SELECT 1")
            .send();
        assert_eq!(
            (answer.status, answer.header("X-ClickHouse-Exception-Code")),
            (403, Some("516")),
            "{user}"
        );
    }
    let unknown = Request::new(&server).parameter("no_such_setting", "1").body("SELECT 1").send();
    assert_eq!((unknown.status, unknown.header("X-ClickHouse-Exception-Code")), (404, Some("115")));

    // An error behind the beginning of a streamed result breaks the body off; with wait_end_of_query it has its status.
    let late = "SELECT number, throwIf(number = 3000000) FROM numbers(5000000)";
    let streamed = Request::new(&server).body(late).send();
    assert_eq!((streamed.status, streamed.exit), (200, 18), "curl sees a body that broke off");
    let tag = streamed.header("X-ClickHouse-Exception-Tag").expect("a tag to look for");
    let text = streamed.text();
    let end = text.find("\r\n__exception__\r\n").map(|at| &text[at..]).expect("an error behind the rows");
    assert!(end.contains("Code: 395. DB::Exception"), "and the reason at its end: {end}");
    assert!(end.ends_with(&format!(" {tag}\r\n__exception__\r\n")), "marked as clients look for it: {end}");
    let waited = Request::new(&server).parameter("wait_end_of_query", "1").body(late).send();
    assert_eq!((waited.status, waited.header("X-ClickHouse-Exception-Code")), (500, Some("395")));
}

#[test]
fn sessions_are_kept_locked_and_checked() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(directory.path());
    let ask = |session: &str, statement: &str| {
        Request::new(&server).parameter("session_id", session).body(statement).send()
    };
    assert_eq!(ask("a", "SET session_timezone = 'Asia/Tokyo', max_result_rows = 0").status, 200);
    assert_eq!(ask("a", "USE system").status, 200);
    assert_eq!(
        ask("a", "SELECT timezone(), currentDatabase(), getSetting('max_result_rows') > 0").text(),
        "Asia/Tokyo\tsystem\t1\n"
    );
    assert_eq!(ask("b", "SELECT timezone() = 'Asia/Tokyo', currentDatabase()").text(), "0\tdefault\n");
    let checked = Request::new(&server)
        .parameter("session_id", "never")
        .parameter("session_check", "1")
        .body("SELECT 1")
        .send();
    assert_eq!(checked.header("X-ClickHouse-Exception-Code"), Some("372"));
    std::thread::scope(|scope| {
        // The probes below hold the session for moments too: the long query asks until it gets it.
        scope.spawn(|| {
            while ask("slow", "SELECT sleep(2)").header("X-ClickHouse-Exception-Code") == Some("373") {}
        });
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            let answer = ask("slow", "SELECT 1");
            if answer.header("X-ClickHouse-Exception-Code") == Some("373") {
                break;
            }
            assert!(std::time::Instant::now() < deadline, "the session was never locked");
        }
    });
    assert_eq!(ask("slow", "SELECT 1").text(), "1\n");
}

#[test]
fn data_behind_with_keep_their_last_semicolon() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(directory.path());
    server.write("CREATE TABLE notes (text String) ENGINE = MergeTree ORDER BY text");
    for statement in [
        "INSERT INTO notes FORMAT TSV\na;\n",
        "WITH 1 AS y INSERT INTO notes (text) FORMAT TSV\nb;\n",
        "WITH (SELECT ';INSERT INTO x') AS y INSERT INTO notes SETTINGS async_insert = 0 FORMAT CSV\n\"c\n\n;\"\n",
        "WITH 'd;' AS y INSERT INTO notes SELECT y;",
    ] {
        let answer = Request::new(&server).writer().body(statement).send();
        assert_eq!(answer.status, 200, "{statement}: {}", answer.text());
        let refused = Request::new(&server).body(statement).send();
        assert_eq!(refused.header("X-ClickHouse-Exception-Code"), Some("164"), "{statement}");
    }
    assert_eq!(server.read("SELECT text FROM notes ORDER BY text"), "a;\nb;\nc\\n\\n;\nd;\n");
}

#[test]
fn native_names_every_type_as_clickhouse_does() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(directory.path());
    let columns = [
        "now('Europe/Berlin')",
        "[toDateTime64(1, 3, 'Asia/Tokyo')]",
        "map('a', toDateTime(1, 'UTC'))",
        "toLowCardinality('a'::Nullable(String))",
        "'a'::Enum8('a' = 1, 'b\\'c\\n' = -2)",
        "'a'::Enum16('a' = 1000)",
        "(1::Decimal(9, 2), 1::Decimal(76, 20), 1::Int256, 1::BFloat16)",
        "tuple(1, 'x')::Tuple(a UInt8, `from` String)",
        "tuple(1, now('UTC'))::Tuple(`order` UInt8, `a b` DateTime('UTC'))",
        "[(1, now('UTC'))]::Nested(a UInt8, b DateTime('UTC'))",
        "toIntervalQuarter(1)",
        "[[(1., 2.)]]::Polygon",
        "(1., 2.)::Point::Geometry",
        "toFixedString('a', 3)",
        "(toUUID('00000000-0000-0000-0000-000000000001'), toIPv4('1.1.1.1'), toIPv6('::1'), true, NULL)",
        "1::SimpleAggregateFunction(sum, UInt64)",
        "[1, 'x']::Array(Variant(UInt8, String))",
    ];
    let late =
        ["1::Dynamic(max_types = 3)", "concat('{\"a\":', toString(number), '}')::JSON(b.c Date, SKIP d)"];
    for (version, columns) in [("54405", [&columns[..], &late].concat()), ("54468", columns.to_vec())] {
        let list: Vec<String> =
            columns.iter().enumerate().map(|(at, column)| format!("{column} AS c{at}")).collect();
        let select = format!("SELECT {} FROM numbers(100000)", list.join(", "));
        let described = Request::new(&server)
            .writer()
            .parameter("print_pretty_type_names", "0")
            .body(format!("DESCRIBE ({select}) FORMAT TSVRaw"))
            .send();
        let native = Request::new(&server)
            .parameter("client_protocol_version", version)
            .parameter("max_block_size", "30000")
            .body(format!("{select} FORMAT Native"))
            .send();
        assert_eq!(native.status, 200, "{}", native.text());
        let mut rest = native.body.as_slice();
        assert_eq!(described.status, 200, "{}", described.text());
        let described = described.text();
        let names: Vec<&str> = described.lines().filter_map(|line| line.split('\t').nth(1)).collect();
        assert_eq!(names.len(), columns.len(), "{described}");
        for name in names {
            let wanted = [&[u8::try_from(name.len()).expect("short")], name.as_bytes()].concat();
            let at = rest.windows(wanted.len()).position(|window| window == wanted);
            rest = &rest[at.unwrap_or_else(|| panic!("{name} is not where it belongs in {version}"))..];
        }
        let blocks = native.body.windows(8).filter(|bytes| *bytes == b"\x01\0\x02\xff\xff\xff\xff\0");
        assert!(blocks.count() >= 4, "each block has its info");
    }
}
