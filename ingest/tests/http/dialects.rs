//! CloudEvents and Segment's calls against the real server: what is stored, and that problems name fields as they were sent.

use serde_json::{Value, json};
use touchstream_ingest::{NewKey, create_key};

use crate::harness::{
    KEY, Server, block_on, brokers, create_topics, exchange, post_with, read_topic, wait_for,
};

fn server(prefix: &str) -> Server {
    let brokers = brokers();
    block_on(create_topics(&brokers, prefix));
    Server::start(&brokers, prefix, |_| {})
}

/// Asks for a dry run, which shows events as they would be stored.
fn trial(server: &Server, path: &str, headers: &[&str], body: &str) -> (u16, Value) {
    let key = format!("Authorization: Bearer {KEY}");
    let headers: Vec<&str> = [&*key].into_iter().chain(headers.iter().copied()).collect();
    let reply = post_with(server.address(), &format!("{path}?dry_run=1"), &headers, body.as_bytes());
    (reply.status, reply.json())
}

/// Problems and warnings as `index code field`.
fn found(answer: &Value) -> Vec<String> {
    let lists = ["rejected", "warnings"]
        .into_iter()
        .flat_map(|list| answer[list].as_array().cloned().unwrap_or_default());
    lists
        .map(|one| {
            format!(
                "{} {} {}",
                one["index"],
                one["code"].as_str().unwrap(),
                one["field"].as_str().unwrap_or("-")
            )
        })
        .collect()
}

/// That every field of `expected` is so in `event`; null means that it is not set.
#[track_caller]
fn assert_fields(event: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&event[name], value, "{name} of {event}");
    }
}

#[test]
fn cloud_events_come_in_all_three_modes() {
    let server = server("cloudevents");
    let structured = ["Content-Type: application/cloudevents+json; charset=utf-8"];
    let event = json!({"specversion":"1.0","id":"e-1","source":"/shop","type":"checkout.step","time":"2026-01-02T03:04:05Z",
        "subject":"k-1","traceparent":"00-1-2-03","partitionkey":"k-1","mine":"x","datacontenttype":"application/json",
        "data":{"context":{"session_id":"s-1","channel":"web"},"data":{"checkout_id":"k-1","step":"payment"}}});
    let (status, answer) = trial(&server, "/v1/events", &structured, &event.to_string());
    assert_eq!((status, found(&answer)), (200, vec!["0 field_ignored mine".to_owned()]), "{answer}");
    let expected = json!({"id":"e-1","type":"checkout.step","step":"payment","channel":"web","time":1_767_323_045_000_i64});
    assert_fields(&answer["events"][0], &expected);

    let bare = |id: &str, score: Value| {
        json!({"specversion":"1.0","id":id,"source":"/shop","type":"feedback.answered",
            "data":{"survey_id":"nps","metric":"nps","score":score}})
    };
    let wrapped = json!({"specversion":"1.0","id":"e-3","source":"/shop","type":"feedback.answered","time":"yesterday",
        "data":{"data":{"survey_id":"nps","metric":"nps","score":11},"context":{"seq":"1"}}});
    let batch = json!([bare("e-2", json!(9)), wrapped, bare("e-4", json!("9")), 7,
        {"id":"e-5","type":"app.change","data":{"name":"x"}}, {"specversion":"0.3","id":"e-6","type":"app.change"},
        {"specversion":"1.0","id":"e-7","type":"app.change","data_base64":"AAAA"},
        {"specversion":"1.0","id":"e-8","type":"app.change","datacontenttype":"text/xml","data":"<x/>"}]);
    let (status, answer) = trial(
        &server,
        "/v1/events",
        &["Content-Type: application/cloudevents-batch+json"],
        &batch.to_string(),
    );
    assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "{answer}");
    let expected = [
        "1 invalid_time time",
        "1 wrong_type data.context.seq",
        "1 out_of_range data.data.score",
        "2 wrong_type data.score",
        "3 not_an_object -",
        "4 missing_field -",
        "5 invalid_value -",
        "6 invalid_value -",
        "7 invalid_value -",
    ];
    assert_eq!(found(&answer), expected, "{answer}");

    let binary = [
        "ce-specversion: 1.0",
        "ce-id: e-9",
        "ce-type: app.screen_viewed",
        "ce-source: /shop",
        "ce-time: 2026-01-02T03:04:05Z",
        "Content-Type: application/json",
    ];
    let (status, answer) = trial(&server, "/v1/events", &binary, r#"{"name":"checkout"}"#);
    assert_eq!((status, found(&answer)), (200, vec![]), "{answer}");
    assert_fields(&answer["events"][0], &json!({"id":"e-9","name":"checkout"}));
    let encoded = [
        "ce-specversion: 1.0",
        "ce-id: Euro%20%E2%82%AC%20%F0%9F%98%80",
        "ce-type: app.screen_viewed",
        "ce-time: never",
        "Content-Type: application/vnd.shop+json",
    ];
    let (status, answer) = trial(&server, "/v1/events", &encoded, r#"{"data":{"nam":"checkout"}}"#);
    assert_eq!(status, 422);
    assert_eq!(answer["rejected"][0]["id"], "Euro € 😀");
    assert_eq!(
        found(&answer),
        ["0 invalid_time ce-time", "0 missing_field data.name", "0 misspelt_field data.nam"]
    );

    for (headers, body, status, code) in [
        (vec!["ce-id: 1", "ce-type: app.change"], r#"{"name":"x"}"#, 422, "missing_field"),
        (
            vec!["ce-specversion: 1.0", "ce-id: 1", "ce-type: app.change", "Content-Type: text/xml"],
            "<x/>",
            415,
            "unsupported_media_type",
        ),
        (structured.to_vec(), "[]", 400, "not_an_object"),
        (vec!["Content-Type: application/cloudevents-batch+json"], "{}", 400, "not_an_object"),
        (structured.to_vec(), "{\"specversion\":\"1.0\",}", 400, "invalid_json"),
    ] {
        let (got, answer) = trial(&server, "/v1/events", &headers, body);
        let said = if answer["code"].is_null() { &answer["rejected"][0]["code"] } else { &answer["code"] };
        assert_eq!((got, said), (status, &json!(code)), "{headers:?} {answer}");
    }
}

#[test]
fn calls_of_segment_become_events_of_the_catalogue() {
    let server = server("segment");
    let track = |event: &str, properties: Value| {
        json!({"type":"track","messageId":"m-1","timestamp":"2026-01-02T03:04:05Z","userId":81,"anonymousId":"a-1","event":event,
            "properties":properties,"context":{"library":{"name":"analytics.js","version":"2"},"locale":"de-DE","ip":"192.0.2.7",
            "userAgent":"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148","traits":{"email":"a@b.example"},
            "page":{"path":"/cart","referrer":"https://search.example/?q=anna"},"campaign":{"name":"nl-11"}}})
    };
    let events = json!({"sentAt":"2026-01-02T03:04:06Z","context":{"groupId":"g-1"},"writeKey":"unused","batch":[
        track("Checkout Started", json!({"checkout_id":"k-1","value":30.000_000_000_000_004,"currency":"EUR","products":[{"sku":1},{"sku":2}],"coupon":"X"})),
        track("checkout_step_completed", json!({"checkout_id":"k-1","step":2,"shipping_method":"express"})),
        track("add_payment_info", json!({"payment_type":"card","value":"12.5","currency":"EUR","items":[{}]})),
        track("Order Completed", json!({"order_id":50_314,"total":"19.90","currency":"eur"})),
        track("refund", json!({"transaction_id":"t-1","value":5})),
        track("Order Cancelled", json!({"order_id":"o-1"})),
        track("feedback.answered", json!({"survey_id":"nps","metric":"nps","score":9})),
        track("Wishlist Shared", json!({"name":"birthday","email":"a@b.example","n":1})),
        {"type":"page","name":"Cart","category":"shop","properties":{"url":"https://shop.example/cart?token=1","path":"/cart","referrer":"https://shop.example/?a=1"}},
        {"type":"screen","properties":{"path":"/main"},"context":{"device":{"type":"ios"},"channel":"store","touchpoint":"till","seq":4,
            "consent":{"categoryPreferences":{"Analytics":true,"Advertising":false}}}},
        {"type":"identify","userId":"81","traits":{"email":"a@b.example"}},
        {"type":"group","groupId":"g"}, {"type":"alias","previousId":"a","userId":"b"},
    ]});
    let (status, answer) =
        trial(&server, "/v1/batch", &["Content-Type: application/json"], &events.to_string());
    assert_eq!((status, &answer["accepted"], &answer["rejected"]), (200, &json!(10), &json!([])), "{answer}");
    for (index, expected) in [
        json!({"type":"checkout.started","id":"m-1","checkout_id":"k-1","currency":"EUR","items":2,"touchpoint":"checkout","channel":"web",
            "device":"mobile","locale":"de-DE","campaign":"nl-11","referrer":"https://search.example/","extra":{"coupon":"X"},
            "original_time":1_767_323_045_000_i64,"sent_at":1_767_323_046_000_i64}),
        json!({"type":"checkout.step","step":"2","step_index":2,"action":"completed","shipping_tier":"express"}),
        json!({"type":"checkout.step","step":"payment","action":"completed","payment_type":"card","items":1}),
        json!({"type":"checkout.completed","transaction_id":"50314","order_id":"50314","currency":"EUR"}),
        json!({"type":"checkout.refunded","transaction_id":"t-1"}),
        json!({"type":"app.order","order_id":"o-1","state":"cancelled"}),
        json!({"type":"feedback.answered","score":9,"touchpoint":"unknown"}),
        json!({"type":"app.interaction","name":"Wishlist Shared","extra":{"properties.name":"birthday","n":"1"}}),
        json!({"type":"app.screen_viewed","name":"Cart","referrer":"https://shop.example/","extra":{"path":"/cart","category":"shop"}}),
        json!({"type":"app.screen_viewed","name":"/main","channel":"store","touchpoint":"till","device":"unknown","seq":4,"consent":["analytics"]}),
    ]
    .into_iter()
    .enumerate()
    {
        assert_fields(&answer["events"][index], &expected);
    }
    let first = &answer["events"][0];
    assert!(
        first["customer_id"].as_str().is_some_and(|id| id.len() == 22) && first["account_id"].is_string(),
        "{first}"
    );
    let text = answer["events"].to_string();
    for hidden in ["192.0.2.7", "a@b.example", "iPhone", "anna", "token=1"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    let unstored: Vec<String> =
        found(&answer).into_iter().filter(|line| line.contains("not_stored")).collect();
    assert_eq!(unstored, ["10 not_stored -", "11 not_stored -", "12 not_stored -"]);

    // Problems are told in the sender's names.
    let wrong = json!({"batch":[
        {"type":"track","event":"purchase","timestamp":"x","properties":{"value":"much","transaction_id":[1]}},
        {"type":"track","event":"feedback.answered","properties":{"survey_id":"nps","metric":"nps","score":11}},
        {"type":"track","event":"Product Reviewed","messageId":7,"properties":{"rating":"good"}},
        {"type":"track"}, {"type":"dance"}, 7,
    ]});
    let (status, answer) = trial(&server, "/v1/b", &[], &wrong.to_string());
    let expected = [
        "0 invalid_time timestamp",
        "0 wrong_type properties.transaction_id",
        "0 invalid_money properties.value",
        "1 out_of_range properties.score",
        "2 wrong_type messageId",
        "2 wrong_type properties.rating",
        "3 missing_field -",
        "4 unknown_type -",
        "5 not_an_object -",
    ];
    let mut problems = found(&answer);
    problems.retain(|line| !line.contains("id_missing"));
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    assert_eq!((status, sorted(problems)), (422, sorted(expected.map(str::to_owned).to_vec())), "{answer}");
    for (path, body, code) in [
        ("/v1/track", "[]", "not_an_object"),
        ("/v1/b", "{}", "not_an_object"),
        ("/v1/t", "{", "invalid_json"),
    ] {
        let (status, answer) = trial(&server, path, &[], body);
        assert_eq!((status, &answer["code"]), (400, &json!(code)), "{path} {answer}");
    }
}

#[test]
fn a_key_may_stand_in_a_body_of_segment() {
    let server = server("bodykey");
    let key = block_on(create_key(
        &server.settings,
        NewKey {
            tenant: "demo".to_owned(),
            source: "pages".to_owned(),
            browser: true,
            origins: vec!["https://shop.example".to_owned()],
            ..NewKey::default()
        },
    ))
    .unwrap();
    let call = |key: &str, id: &str| {
        json!({"writeKey":key,"messageId":id,"event":"Cart Viewed","properties":{}}).to_string()
    };
    let page = ["Content-Type: text/plain", "Origin: https://shop.example"];
    wait_for("the new key", || {
        post_with(server.address(), "/v1/t", &page, call(&key, "m-1").as_bytes()).status == 202
    });
    let reply = post_with(server.address(), "/v1/t", &page, call(&key, "m-1").as_bytes());
    assert_eq!(reply.json()["duplicates"], 1);
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://shop.example"));
    for (name, headers, body, status) in [
        (
            "another page",
            ["Content-Type: text/plain", "Origin: https://evil.example"],
            call(&key, "m-2"),
            403,
        ),
        ("a wrong key", page, call("nope", "m-2"), 401),
        ("no key", page, r#"{"event":"x"}"#.to_owned(), 401),
        ("a key of another type", page, r#"{"writeKey":7,"event":"x"}"#.to_owned(), 401),
        ("no JSON", page, "{".to_owned(), 401),
    ] {
        let reply = post_with(server.address(), "/v1/t", &headers, body.as_bytes());
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
    }
    let server_key = post_with(server.address(), "/v1/t", &page, call(KEY, "m-3").as_bytes());
    assert_eq!((server_key.status, server_key.header("access-control-allow-origin")), (202, None));
    for path in ["/v1/t", "/v1/batch", "/v1/events"] {
        let head = format!(
            "OPTIONS {path} HTTP/1.1\r\nhost: x\r\norigin: https://any.example\r\naccess-control-request-headers: content-type\r\nconnection: close\r\n\r\n"
        );
        let reply = exchange(server.address(), head.as_bytes());
        assert_eq!(
            (reply.status, reply.header("access-control-allow-origin")),
            (204, Some("https://any.example"))
        );
    }
    assert_eq!(read_topic(&brokers(), "bodykey.checkout").len(), 3);
}
