//! Typical mistakes of a site's developer, one line each: what was sent, and that the answer says what to change.

use serde_json::Value;

use crate::harness::{KEY, Server, block_on, brokers, create_topics, post_with, read_topic};

/// What is posted to `/v1/events`, and what must stand in the answer: status, code, field, words of the message.
struct Mistake {
    what: &'static str,
    headers: &'static [&'static str],
    body: &'static str,
    answer: (u16, &'static str, &'static str, &'static str),
}

const BEARER: &str = "Authorization: Bearer test-key";
const JSON: &[&str] = &[BEARER, "Content-Type: application/json"];

const fn json(
    what: &'static str,
    body: &'static str,
    answer: (u16, &'static str, &'static str, &'static str),
) -> Mistake {
    Mistake { what, headers: JSON, body, answer }
}

const NPS: &str =
    r#"{"id":"m-1","type":"feedback.answered","data":{"survey_id":"nps","metric":"nps","score":9}}"#;

const MISTAKES: &[Mistake] = &[
    // The way in.
    Mistake {
        what: "a wrong key",
        headers: &["Authorization: Bearer tset-key", "Content-Type: application/json"],
        body: NPS,
        answer: (401, "unauthorized", "", "touchstream key create"),
    },
    Mistake {
        what: "no key",
        headers: &["Content-Type: application/json"],
        body: NPS,
        answer: (401, "unauthorized", "", "Authorization: Bearer KEY"),
    },
    Mistake {
        what: "curl -d without a content type",
        headers: &[BEARER, "Content-Type: application/x-www-form-urlencoded"],
        body: NPS,
        answer: (415, "unsupported_media_type", "", "add the header Content-Type: application/json"),
    },
    // JSON that is none.
    json(
        "a trailing comma",
        "{\"type\":\"app.change\",}",
        (400, "invalid_json", "", "remove the comma before it"),
    ),
    json("single quotes", "{'type':'app.change'}", (400, "invalid_json", "", "JSON has double quotes")),
    json(
        "NaN",
        r#"{"type":"app.response","data":{"duration_ms":NaN}}"#,
        (400, "invalid_json", "", "NaN, Infinity and undefined"),
    ),
    json("undefined", r#"{"type":undefined}"#, (400, "invalid_json", "", "send null or leave the field out")),
    json(
        "one event a line, sent as JSON",
        "{\"type\":\"app.change\"}\n{\"type\":\"app.change\"}",
        (400, "invalid_json", "", "application/x-ndjson"),
    ),
    json("nothing", "", (400, "invalid_json", "", "the body is empty")),
    json("cut off", r#"{"type":"app.change","data":{"#, (400, "invalid_json", "", "EOF while parsing")),
    json("text", r#""hello""#, (400, "invalid_json", "", "expected an event object or an array of them")),
    json(
        "events without an array around them",
        r#"{"type":"app.change"},{"type":"app.change"}"#,
        (400, "invalid_json", "", "go into an array"),
    ),
    Mistake {
        what: "lines with commas between them",
        headers: &[BEARER, "Content-Type: application/x-ndjson"],
        body: "{\"type\":\"app.session_started\"},\n{\"type\":\"app.session_started\"}",
        answer: (202, "invalid_json", "", "one a line without a comma"),
    },
    json(
        "an object around the events",
        r#"{"events":[{"type":"app.session_started"}]}"#,
        (422, "field_ignored", "events", "the array of events by itself"),
    ),
    // Types.
    json(
        "a type nearly right",
        r#"{"type":"feedback.answer","data":{}}"#,
        (422, "unknown_type", "type", "did you mean feedback.answered?"),
    ),
    json(
        "a type in capitals",
        r#"{"type":"Checkout_Started"}"#,
        (422, "unknown_type", "type", "did you mean checkout.started?"),
    ),
    json(
        "a type of a known family",
        r#"{"type":"checkout.paid"}"#,
        (422, "unknown_type", "type", "checkout.completed"),
    ),
    json("a type of nothing", r#"{"type":"purchase"}"#, (422, "unknown_type", "type", "checkout.…")),
    json("a type of GA4", r#"{"type":"page_view"}"#, (422, "unknown_type", "type", "POST /v1/track")),
    json(
        "no type but an event",
        r#"{"event":"app.change","data":{"name":"x"}}"#,
        (422, "field_ignored", "event", "what happened goes into type"),
    ),
    json(
        "no data around the data",
        r#"{"type":"checkout.step","step":"payment"}"#,
        (422, "field_ignored", "step", "facts go into data"),
    ),
    // Values.
    json(
        "a score in quotes",
        r#"{"type":"feedback.answered","data":{"survey_id":"nps","metric":"nps","score":"9"}}"#,
        (422, "wrong_type", "data.score", "expected an integer without quotes"),
    ),
    json(
        "11 of 10",
        r#"{"type":"feedback.answered","data":{"survey_id":"nps","metric":"nps","score":11}}"#,
        (422, "out_of_range", "data.score", "expected an integer from 0 to 10"),
    ),
    json(
        "half a point",
        r#"{"type":"feedback.answered","data":{"survey_id":"nps","metric":"nps","score":8.5}}"#,
        (422, "wrong_type", "data.score", "without a fraction"),
    ),
    json(
        "no score",
        r#"{"type":"feedback.answered","data":{"survey_id":"nps","metric":"nps"}}"#,
        (422, "missing_field", "data.score", "an answer of metric nps needs it"),
    ),
    json(
        "a step without its name",
        r#"{"type":"checkout.step","data":{"checkout_id":"k-1","action":"viewed"}}"#,
        (422, "missing_field", "data.step", "the step's name, such as \"payment\""),
    ),
    json(
        "a metric that is none",
        r#"{"type":"feedback.answered","data":{"survey_id":"nps","metric":"NPS","score":9}}"#,
        (422, "invalid_value", "data.metric", "expected nps, csat, ces"),
    ),
    json(
        "an amount with a comma",
        r#"{"type":"checkout.completed","data":{"value":"12,50","currency":"EUR"}}"#,
        (422, "invalid_money", "data.value", "\"12.50\""),
    ),
    json(
        "an amount without currency",
        r#"{"type":"checkout.completed","data":{"value":12.5}}"#,
        (202, "currency_missing", "data.currency", "cannot be summed"),
    ),
    json(
        "data as text",
        r#"{"type":"app.change","data":"{\"name\":\"x\"}"}"#,
        (422, "not_an_object", "data", "expected an object"),
    ),
    // Times.
    json(
        "time in seconds",
        r#"{"type":"app.change","time":1767319445,"data":{"name":"x"}}"#,
        (422, "invalid_time", "time", "looks like seconds; expected milliseconds since 1970"),
    ),
    json(
        "time in seconds with a fraction",
        r#"{"type":"app.change","time":1767319445.12,"data":{"name":"x"}}"#,
        (422, "invalid_time", "time", "seconds times 1000"),
    ),
    json(
        "milliseconds in quotes",
        r#"{"type":"app.change","time":"1767319445000","data":{"name":"x"}}"#,
        (422, "invalid_time", "time", "without quotes"),
    ),
    json(
        "a time without a zone",
        r#"{"type":"app.change","time":"2026-01-02T03:04:05","data":{"name":"x"}}"#,
        (422, "invalid_time", "time", "add Z for UTC"),
    ),
    json(
        "a German date",
        r#"{"type":"app.change","time":"02.01.2026 03:04","data":{"name":"x"}}"#,
        (422, "invalid_time", "time", "expected RFC 3339"),
    ),
    json(
        "time under another name",
        r#"{"type":"app.change","timestamp":"2026-01-02T03:04:05Z","data":{"name":"x"}}"#,
        (202, "field_ignored", "timestamp", "goes into time"),
    ),
    // Names of fields.
    json(
        "a field nearly right",
        r#"{"type":"feedback.answered","data":{"surveyId":"nps","metric":"nps","score":9}}"#,
        (422, "misspelt_field", "data.surveyId", "did you mean survey_id?"),
    ),
    json(
        "an optional field nearly right",
        r#"{"type":"checkout.step","data":{"step":"payment","eror":"declined"}}"#,
        (202, "misspelt_field", "data.eror", "did you mean error?"),
    ),
    json(
        "an identity in camel case",
        r#"{"type":"app.change","context":{"customerId":"c-1"},"data":{"name":"x"}}"#,
        (202, "field_ignored", "context.customerId", "context.customer_id, which becomes a pseudonym"),
    ),
    json(
        "an identity in data",
        r#"{"type":"app.change","data":{"name":"x","user_id":"c-1"}}"#,
        (202, "field_ignored", "data.user_id", "context.customer_id"),
    ),
    json(
        "a CloudEvent as plain JSON",
        r#"{"specversion":"1.0","type":"app.change","id":"1","source":"/x","data":{"name":"x"}}"#,
        (202, "field_ignored", "specversion", "application/cloudevents+json"),
    ),
    json(
        "no id",
        r#"{"type":"app.change","data":{"name":"x"}}"#,
        (202, "id_missing", "id", "a retry cannot be recognised"),
    ),
];

/// Whether some part of the answer says it.
fn says(got: (u16, &Value), (status, code, field, words): (u16, &str, &str, &str)) -> bool {
    let (got, answer) = got;
    let lists = ["rejected", "warnings"].into_iter().filter_map(|list| answer[list].as_array()).flatten();
    let said = |part: &Value| {
        part["code"] == code
            && part["field"].as_str().unwrap_or("") == field
            && part["message"].as_str().unwrap_or("").contains(words)
    };
    got == status && (said(answer) || lists.into_iter().any(said))
}

#[test]
fn the_answer_to_a_typical_mistake_says_what_to_change() {
    let brokers = brokers();
    block_on(create_topics(&brokers, "mistakes"));
    let server = Server::start(&brokers, "mistakes", |_| {});
    assert_eq!(KEY, "test-key", "the table has it too");
    let mut wrong = Vec::new();
    for mistake in MISTAKES {
        let reply = post_with(server.address(), "/v1/events", mistake.headers, mistake.body.as_bytes());
        if !says((reply.status, &reply.json()), mistake.answer) {
            wrong.push(format!(
                "{}: {:?} is not in {} {}",
                mistake.what,
                mistake.answer,
                reply.status,
                reply.text()
            ));
        }
    }
    let in_url = post_with(server.address(), "/v1/events?key=test-key", &JSON[1..], NPS.as_bytes());
    if !says(
        (in_url.status, &in_url.json()),
        (403, "key_not_for_url", "", "send this one as Authorization: Bearer KEY"),
    ) {
        wrong.push(format!("a server's key in the URL: {} {}", in_url.status, in_url.text()));
    }
    let packed = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0xab, 0x56][..]].concat();
    let packed = post_with(server.address(), "/v1/events", JSON, &packed);
    if !says((packed.status, &packed.json()), (400, "invalid_json", "", "Content-Encoding: gzip")) {
        wrong.push(format!("gzip without saying so: {} {}", packed.status, packed.text()));
    }
    let trial = post_with(server.address(), "/v1/events?dry_run=yes", JSON, NPS.as_bytes());
    if !says((trial.status, &trial.json()), (400, "invalid_parameter", "", "dry_run=1")) {
        wrong.push(format!("dry_run=yes: {} {}", trial.status, trial.text()));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    // What is named like an identity is not kept in clear.
    let stored = read_topic(&brokers, "mistakes.app");
    assert!(!stored.is_empty());
    for record in stored {
        let text = String::from_utf8_lossy(rdkafka::Message::payload(&record).unwrap()).into_owned();
        assert!(!text.contains("c-1"), "{text}");
    }
}
