//! Bad input gets the status and message of the contract, loses nothing and stops nothing.

use std::time::Duration;

use serde_json::Value;

use super::one_event::send;
use crate::harness::machine::{KEY, Machine};
use crate::harness::wait::{equal, until};

const GOOD: &str = r#"{"id":"good","type":"app.screen_viewed","data":{"name":"home"}}"#;

/// One request and what its answer must be.
struct Case {
    name: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: Vec<u8>,
    status: u16,
    /// Parts that the answer must contain.
    says: &'static [&'static str],
}

const BEARER: (&str, &str) = ("authorization", "Bearer key-of-this-test");
const JSON: (&str, &str) = ("content-type", "application/json");
const LINES: (&str, &str) = ("content-type", "application/x-ndjson");

fn cases() -> Vec<Case> {
    let case = |name, headers, body: &str, status, says| Case {
        name,
        headers,
        body: body.as_bytes().to_vec(),
        status,
        says,
    };
    let mut cases = vec![
        case("broken JSON", &[BEARER, JSON], "{\"type\":\n  oops}", 400, &["\"line\":2", "\"column\":"]),
        case("empty body", &[BEARER, JSON], "", 400, &["\"code\""]),
        case(
            "unknown type",
            &[BEARER, JSON],
            r#"{"id":"a","type":"shop.opened","data":{}}"#,
            422,
            &["\"accepted\":0", "\"field\":\"type\""],
        ),
        case(
            "missing field",
            &[BEARER, JSON],
            r#"{"id":"b","type":"chat.message","data":{"conversation_id":"v"}}"#,
            422,
            &["\"field\":\"data.sender\"", "\"id\":\"b\""],
        ),
        case(
            "all problems at once",
            &[BEARER, JSON],
            r#"{"id":"c","type":"feedback.answered","time":"yesterday","data":{"metric":"nps","score":11}}"#,
            422,
            &["\"time\"", "\"data.survey_id\"", "\"data.score\""],
        ),
        case("no key", &[JSON], GOOD, 401, &[]),
        case("wrong key", &[("authorization", "Bearer wrong"), JSON], GOOD, 401, &[]),
        case("unknown media type", &[BEARER, ("content-type", "image/png")], GOOD, 415, &[]),
        case("unknown encoding", &[BEARER, JSON, ("content-encoding", "lzma")], GOOD, 415, &[]),
        case(
            "a bad neighbour",
            &[BEARER, LINES],
            "{\"id\":\"n1\",\"type\":\"app.screen_viewed\",\"data\":{\"name\":\"a\"}}\nnot json\n{\"id\":\"n2\",\"type\":\"app.screen_viewed\",\"data\":{}}\n{\"id\":\"n3\",\"type\":\"app.screen_viewed\",\"data\":{\"name\":\"b\"}}\n",
            202,
            &["\"accepted\":2", "\"index\":1", "\"index\":2", "\"data.name\""],
        ),
        case(
            "far in the future",
            &[BEARER, JSON],
            r#"{"id":"d","type":"app.screen_viewed","time":"2999-01-01T00:00:00Z","data":{"name":"home"}}"#,
            422,
            &["time_in_future"],
        ),
        case(
            "no id",
            &[BEARER, JSON],
            r#"{"type":"app.screen_viewed","data":{"name":"home"}}"#,
            202,
            &["id_missing"],
        ),
    ];
    let deep = format!(
        r#"{{"id":"e","type":"app.screen_viewed","data":{{"name":"x","deep":{}1{}}}}}"#,
        "[".repeat(40),
        "]".repeat(40)
    );
    cases.push(Case {
        name: "too deep",
        headers: &[BEARER, JSON],
        body: deep.into_bytes(),
        status: 400,
        says: &[],
    });
    let large =
        format!(r#"{{"id":"f","type":"app.screen_viewed","data":{{"name":"{}"}}}}"#, "x".repeat(2 << 20));
    cases.push(Case {
        name: "too large",
        headers: &[BEARER, JSON],
        body: large.into_bytes(),
        status: 413,
        says: &["1048576"],
    });
    cases
}

#[test]
fn bad_input_is_answered_by_the_contract_and_stops_nothing() {
    assert_eq!(BEARER.1, format!("Bearer {KEY}"));
    let machine = Machine::start();
    let mut wrong = Vec::new();
    for case in cases() {
        let mut request = ureq::post(format!("{}/v1/events", machine.ingest()))
            .config()
            .http_status_as_error(false)
            .build();
        for (name, value) in case.headers {
            request = request.header(*name, *value);
        }
        let (status, text) = match request.send(&case.body[..]) {
            Ok(mut response) => {
                (response.status().as_u16(), response.body_mut().read_to_string().unwrap_or_default())
            }
            Err(error) => (0, error.to_string()),
        };
        let compact = serde_json::from_str::<Value>(&text).map_or(text, |value| value.to_string());
        if status != case.status || case.says.iter().any(|part| !compact.contains(part)) {
            wrong.push(format!(
                "{}: HTTP {status} {compact}; expected {} with {:?}",
                case.name, case.status, case.says
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));

    bad_statements(&machine);

    let (status, answer) = send(&machine, GOOD);
    assert_eq!((status, &answer["accepted"]), (202, &1.into()), "ingest still works: {answer}");
    let clickhouse = machine.reader();
    let stored = "good\nn1\nn3".to_owned();
    until("the good events are rows, and only they", Duration::from_secs(30), || {
        equal(&clickhouse.query("SELECT id FROM cx.events_app WHERE length(id) < 10 ORDER BY id")?, &stored)
    });
}

/// ClickHouse's own error codes; readers cannot write.
fn bad_statements(machine: &Machine) {
    let (writer, reader) = (machine.clickhouse(), machine.reader());
    let refused = |asked: Result<(u16, String), String>, status: u16, code: &str| {
        let (found, body) = asked.expect("ClickHouse answers");
        assert!(
            found == status && body.contains(code),
            "HTTP {found}: {body}; expected {status} with {code}"
        );
    };
    refused(writer.ask("SELEKT 1"), 400, "SYNTAX_ERROR");
    refused(writer.ask("SELECT * FROM cx.nothing_here"), 404, "UNKNOWN_TABLE");
    refused(writer.ask("INSERT INTO cx.nothing_here VALUES (1)"), 404, "UNKNOWN_TABLE");
    for statement in [
        "DROP TABLE cx.events_app",
        "TRUNCATE TABLE cx.events_app",
        "CREATE TABLE cx.mine (a Int8) ENGINE = Memory",
    ] {
        let (status, body) = reader.ask(statement).expect("ClickHouse answers");
        assert!(status >= 400, "a reader may {statement}: {body}");
    }
    assert_eq!(reader.query("SELECT 1").as_deref(), Ok("1"));
}
