//! Golden cases: what is sent, and what is stored or answered; and that no bytes end the process.

use bumpalo::Bump;
use proptest::prelude::*;
use serde_json::{Value, json};
use touchstream_schemas::time::{EventTime, Millis};

use super::{Rules, Setting, validate};
use crate::keys::{LegalBasis, StoredKey, WriteKey};
use crate::parse::{Entry, Format, ParseError, ParseLimits, parse};
use crate::problem::Findings;

const NOW: EventTime = EventTime(1_800_000_000_000);
const LIMITS: ParseLimits = ParseLimits { events: 100, depth: 16 };

fn key(legal_basis: LegalBasis) -> WriteKey {
    let stored = StoredKey {
        tenant: "shop".to_owned(),
        source: "web".to_owned(),
        browser: false,
        webhook: false,
        origins: Vec::new(),
        families: Vec::new(),
        legal_basis,
        created_at: String::new(),
        events_per_s: None,
        bytes_per_s: None,
        burst_s: None,
    };
    WriteKey::new(stored, "a secret of the tests")
}

/// Records, problems, warnings.
type Taken = (Vec<Value>, Vec<String>, Vec<String>);

/// The records as JSON, the problems as `index code field`, and the warnings alike.
fn take(body: &[u8], format: Format, key: &WriteKey) -> Result<Taken, ParseError> {
    let arena = Bump::new();
    let rules = Rules {
        max_event_bytes: 20_000,
        skew_tolerance: Millis(60_000),
        future_tolerance: Millis(600_000),
        keep_agent_ids: false,
    };
    let setting = Setting {
        rules,
        key,
        pseudonyms: &key.pseudonyms,
        received_at: NOW,
        opted_out: false,
        touchpoints: None,
        arena: &arena,
    };
    let entries = parse(body, format, LIMITS)?;
    let mut findings = Findings::default();
    let mut records = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        match entry {
            Entry::Broken(fault) => findings.reject(index, "", fault.clone()),
            Entry::Unstored(_) => unreachable!("native events are all stored"),
            Entry::Event(sent) => {
                let verdict = validate(sent, index, setting, &mut findings);
                records.extend(verdict.event.map(|record| serde_json::to_value(record).expect("it is JSON")));
            }
        }
    }
    let list = |problems: &[crate::problem::Problem]| {
        let line = |problem: &crate::problem::Problem| {
            format!("{} {} {}", problem.index, problem.code, problem.field.as_deref().unwrap_or("-"))
        };
        problems.iter().map(line).collect::<Vec<_>>()
    };
    Ok((records, list(&findings.problems), list(&findings.warnings)))
}

fn take_one(event: &Value) -> (Option<Value>, Vec<String>, Vec<String>) {
    let (mut records, problems, warnings) =
        take(event.to_string().as_bytes(), Format::Json, &key(LegalBasis::Contract)).expect("it is JSON");
    (records.pop(), problems, warnings)
}

#[test]
fn mistakes_are_named_by_code_and_field() {
    let nps = |score: Value| json!({"id":"1","type":"feedback.answered","data":{"survey_id":"s","metric":"nps","score":score}});
    let step = |data: Value| json!({"id":"1","type":"checkout.step","data":data});
    let at = |time: Value| json!({"id":"1","type":"app.session_started","time":time});
    let long = "x".repeat(300);
    let cases: Vec<(Value, &[&str])> = vec![
        (nps(json!(0)), &[]),
        (nps(json!(10)), &[]),
        (nps(json!(11)), &["0 out_of_range data.score"]),
        (nps(json!(-1)), &["0 out_of_range data.score"]),
        (nps(json!("9")), &["0 wrong_type data.score"]),
        (nps(json!(9.5)), &["0 wrong_type data.score"]),
        (nps(json!(9.0)), &[]),
        (nps(json!(99_999_999_999_i64)), &["0 out_of_range data.score"]),
        (nps(Value::Null), &["0 missing_field data.score"]),
        (
            json!({"id":"1","type":"feedback.answered","data":{"survey_id":"s","metric":"choice","choice":"a"}}),
            &[],
        ),
        (
            json!({"id":"1","type":"feedback.answered","data":{"survey_id":"s","metric":"csat","score":6}}),
            &["0 out_of_range data.score"],
        ),
        (json!({"id":"1","type":"feedback.answered","data":{"survey_id":"s","metric":"ces","score":7}}), &[]),
        (
            json!({"id":"1","type":"feedback.answered","data":{"survey_id":"s","metric":"csat","score":9,"scale_min":0,"scale_max":10}}),
            &[],
        ),
        (
            json!({"id":"1","type":"feedback.answered","data":{"survey_id":"s","metric":"csat","score":9,"scale_max":10}}),
            &["0 missing_field data.scale_min"],
        ),
        (
            json!({"id":"1","type":"feedback.answered","data":{"survey_id":"s","metric":"nps","score":3,"scale_min":1,"scale_max":5}}),
            &["0 out_of_range data.scale_min"],
        ),
        (json!({"id":"1","type":"checkout.paid"}), &["0 unknown_type type"]),
        // As sent it lies after 2000; corrected by a clock that is an hour fast, before.
        (
            json!({"id":"1","type":"app.session_started","time":946_684_800_000_i64,"sent_at":NOW.0 + 3_600_000}),
            &["0 time_too_old time"],
        ),
        (
            json!({"id":"1","type":"app.session_started","time":946_684_800_000_i64,"sent_at":NOW.0 + 30_000}),
            &[],
        ),
        (json!({"id":"1","type":"billing.paid"}), &["0 unknown_type type"]),
        (json!({"id":"1"}), &["0 missing_field type"]),
        (json!({"id":7,"type":"checkout.started"}), &["0 wrong_type id"]),
        (json!({"id":"i".repeat(129),"type":"checkout.started"}), &["0 too_long id"]),
        (step(json!({})), &["0 missing_field data.step"]),
        (step(json!({"step":"pay\u{1f}ment"})), &["0 invalid_text data.step"]),
        (step(json!({"step":long})), &["0 too_long data.step"]),
        (
            step(json!({"step":"a","extra_cost":"1.00001","currency":"EUR"})),
            &["0 invalid_money data.extra_cost"],
        ),
        (
            step(json!({"step":"a","extra_cost":{"amount":1},"currency":"euro"})),
            &["0 invalid_value data.currency", "0 invalid_money data.extra_cost"],
        ),
        (step(json!({"step":"a","extra_cost":1_000_000_000_000_i64,"currency":"EUR"})), &[]),
        (step(json!({"step":"a","extra_cost":"-1000000000000.0000","currency":"EUR"})), &[]),
        (
            step(json!({"step":"a","extra_cost":"1000000000000.0001","currency":"EUR"})),
            &["0 invalid_money data.extra_cost"],
        ),
        (
            step(json!({"step":"a","extra_cost":-1_000_000_000_001_i64,"currency":"EUR"})),
            &["0 invalid_money data.extra_cost"],
        ),
        (
            step(json!({"step":"a","extra_cost":"100000000000000","currency":"EUR"})),
            &["0 invalid_money data.extra_cost"],
        ),
        (step(json!({"step":"a","action":"clicked"})), &["0 invalid_value data.action"]),
        (
            json!({"id":"1","type":"checkout.step","data":[1]}),
            &["0 not_an_object data", "0 missing_field data.step"],
        ),
        (
            json!({"id":"1","type":"chat.message","data":{"sender":"human"}}),
            &["0 invalid_value data.sender", "0 missing_field data.conversation_id"],
        ),
        (at(json!(1_800_000_000)), &["0 invalid_time time"]),
        (at(json!("2026-11-22 10:00")), &["0 invalid_time time"]),
        (at(json!("2026-11-22T10:00:00")), &["0 invalid_time time"]),
        (at(json!("1999-11-22T10:00:00Z")), &["0 time_too_old time"]),
        (at(json!(NOW.0 + 600_001)), &["0 time_in_future time"]),
        (at(json!(NOW.0 + 600_000)), &[]),
        (
            json!({"id":"1","type":"app.session_started","time":NOW.0 + 86_400_000,"sent_at":NOW.0 + 86_400_000 - 600_001}),
            &["0 time_in_future time"],
        ),
        // An event of tomorrow that was sent today is a mistake, not a clock.
        (
            json!({"id":"1","type":"app.session_started","time":NOW.0 + 600_001,"sent_at":NOW.0}),
            &["0 time_in_future time"],
        ),
        (
            json!({"id":"1","type":"app.session_started","context":{"consent":"analytics","member":"yes","seq":"1"}}),
            &["0 wrong_type context.consent", "0 wrong_type context.member", "0 wrong_type context.seq"],
        ),
        (
            json!({"id":"1","type":"app.response","data":{"name":"home","duration_ms":-3}}),
            &["0 out_of_range data.duration_ms"],
        ),
        (
            json!({"id":"1","type":"app.change","data":{"name":"x","note":"n".repeat(9_000)}}),
            &["0 too_long data.note"],
        ),
        (
            json!({"id":"1","type":"app.change","data":{"name":"x","a":"n".repeat(8_000),"b":"n".repeat(8_000),"c":"n".repeat(8_000)}}),
            &["0 event_too_large -"],
        ),
    ];
    for (event, expected) in cases {
        let (record, problems, _) = take_one(&event);
        assert_eq!(problems, expected, "{event}");
        assert_eq!(record.is_some(), expected.is_empty(), "{event}");
    }
}

#[test]
fn what_is_valid_is_stored_with_defaults_and_exact_values() {
    let cases = [
        (
            json!({"id":"1","type":"app.response","data":{"name":"home","duration_ms":12.6,"status":200}}),
            json!({"time":NOW.0,"original_time":null,"duration_ms":13,"status":200,"traffic":"human","touchpoint":"unknown"}),
        ),
        (
            json!({"id":"1","type":"app.session_started","time":NOW.0 - 100_000,"sent_at":NOW.0 - 60_000}),
            json!({"time":NOW.0 - 100_000,"original_time":NOW.0 - 100_000}),
        ),
        (
            json!({"id":"1","type":"app.session_started","time":NOW.0 - 100_000,"sent_at":NOW.0 - 60_001}),
            json!({"time":NOW.0 - 39_999,"original_time":NOW.0 - 100_000,"sent_at":NOW.0 - 60_001}),
        ),
        (
            json!({"id":"1","type":"app.session_started","time":NOW.0 + 3_600_000,"sent_at":NOW.0 + 3_600_500}),
            json!({"time":NOW.0 - 500}),
        ),
        // The other way round: a clock that is fast by exactly the tolerance, and by more.
        (
            json!({"id":"1","type":"app.session_started","time":NOW.0 + 59_000,"sent_at":NOW.0 + 60_000}),
            json!({"time":NOW.0 + 59_000}),
        ),
        (
            json!({"id":"1","type":"app.session_started","time":NOW.0 + 59_000,"sent_at":NOW.0 + 60_001}),
            json!({"time":NOW.0 - 1_001,"sent_at":NOW.0 + 60_001,"received_at":NOW.0}),
        ),
        // Without a time of its own an event is from now, whatever the sender's clock says.
        (
            json!({"id":"1","type":"app.session_started","sent_at":NOW.0 - 86_400_000}),
            json!({"time":NOW.0,"original_time":null,"sent_at":NOW.0 - 86_400_000}),
        ),
        // Far in the future by its clock, but that clock says so itself.
        (
            json!({"id":"1","type":"app.session_started","time":NOW.0 + 86_400_000,"sent_at":NOW.0 + 86_400_000 - 600_000}),
            json!({"time":NOW.0 + 600_000}),
        ),
        (
            json!({"id":"1","type":"chat.message","data":{"conversation_id":"c","sender":"agent","agent_id":"a-1"}}),
            json!({"public":true,"agent_id":null,"sender":"agent"}),
        ),
        (
            json!({"id":"1","type":"checkout.completed","data":{"value":"19.90","currency":"EUR","color":"red","n":1.50,"no":null}}),
            json!({"value":"19.9000","extra":{"color":"red","n":"1.5"}}),
        ),
        (
            json!({"id":"1","type":"checkout.friction","context":{"ab":[1],"stage":""},"data":{"kind":"extra_cost"}}),
            json!({"friction_kind":"extra_cost","extra":{"context.ab":"[1]"},"stage":null}),
        ),
        (
            json!({"id":"1","type":"feedback.review","data":{"rating":4.5,"source":"shop","text":"call 0176 12345678"}}),
            json!({"rating":4.5,"review_source":"shop","text":"call [phone]"}),
        ),
    ];
    for (event, expected) in cases {
        let (record, problems, _) = take_one(&event);
        let record = record.unwrap_or_else(|| panic!("{event}: {problems:?}"));
        for (field, value) in expected.as_object().expect("an object") {
            assert_eq!(&record[field], value, "{field} of {event}");
        }
    }
    let warned = take_one(
        &json!({"type":"checkout.started","data":{"value":1},"context":{"channel":"All"},"score":1}),
    );
    assert_eq!(
        warned.2,
        [
            "0 field_ignored score",
            "0 reserved_value context.channel",
            "0 currency_missing data.currency",
            "0 id_missing id"
        ]
    );
}

#[test]
fn identities_are_replaced_and_left_out_without_consent_and_in_stories() {
    let event = json!({"id":"1","type":"feedback.answered","context":{"customer_id":"c-81","seq":3,"consent":["ads"],"touchpoint":"shop"},
        "data":{"survey_id":"s","metric":"nps","score":1,"told":"c-81","user":"c-81"}});
    let taken = |event: &Value, basis| {
        let (records, ..) =
            take(event.to_string().as_bytes(), Format::Json, &key(basis)).expect("it is JSON");
        records.into_iter().next().expect("it is valid")
    };
    let kept = taken(&event, LegalBasis::Contract);
    assert_eq!(kept["customer_id"].as_str().map(str::len), Some(22));
    assert_eq!(kept["extra"], json!({"told": "c-81"}));
    let mut story = event.clone();
    story["data"]["story_id"] = json!("story");
    for record in [taken(&event, LegalBasis::Consent), taken(&story, LegalBasis::LegitimateInterest)] {
        assert_eq!(
            (&record["customer_id"], &record["seq"], &record["extra"]),
            (&Value::Null, &Value::Null, &json!({}))
        );
        assert_eq!((&record["touchpoint"], &record["score"]), (&json!("shop"), &json!(1)));
    }
}

#[test]
fn odd_json_is_refused_or_taken_but_never_guessed() {
    let key = key(LegalBasis::Contract);
    let problems = |body: &str| take(body.as_bytes(), Format::Json, &key).expect("it is JSON").1;
    let twice =
        r#"{"id":"1","type":"app.change","type":"app.change","data":{"name":"x","name":"y","a":1,"a":2}}"#;
    assert_eq!(
        problems(twice),
        ["0 duplicate_field type", "0 duplicate_field data.name", "0 duplicate_field data.a"]
    );
    assert_eq!(problems(r#"{"id":"\ud800","type":"app.session_started"}"#), ["0 invalid_text id"]);
    assert_eq!(problems(r#"{"id":"\u0000","type":"app.session_started"}"#), ["0 invalid_text id"]);
    assert_eq!(
        problems(r#"{"id":"1","type":"feedback.review","data":{"rating":1e999}}"#),
        ["0 out_of_range data.rating"]
    );
    assert!(problems(r#"{"\u0069d":"1","type":"app.change","data":{"n\u0061me":"\u00fc"}}"#).is_empty());
    let nested = |levels: usize| {
        format!(
            r#"{{"id":"1","type":"app.change","data":{{"name":"x","a":{}{}}}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    assert!(problems(&nested(14)).is_empty());
    assert!(matches!(
        take(nested(15).as_bytes(), Format::Json, &key),
        Err(ParseError::Syntax { code: "too_deep", .. })
    ));
    assert_eq!(take(b"[]", Format::Json, &key), Ok((vec![], vec![], vec![])));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_end_the_process(bytes in proptest::collection::vec(any::<u8>(), 0..200), lines in any::<bool>()) {
        let format = if lines { Format::Ndjson } else { Format::Json };
        let _outcome: Result<_, ParseError> = take(&bytes, format, &key(LegalBasis::Consent));
    }

    #[test]
    fn no_event_of_odd_values_ends_the_process(
        kind in "(checkout|chat|feedback|app)\\.(started|step|message|answered|response|order|call|x)",
        fields in proptest::collection::vec(("(step|score|value|metric|text|name|duration_ms|scale_min|scale_max|due_at|\\PC{0,8})", odd_value()), 0..8),
        time in odd_value(),
        sent_at in odd_value(),
    ) {
        let data = fields.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str()))).collect::<Vec<_>>().join(",");
        let body = format!(r#"{{"type":"{kind}","time":{time},"sent_at":{sent_at},"context":{{{data}}},"data":{{{data}}}}}"#);
        let (records, problems, _) = take(body.as_bytes(), Format::Json, &key(LegalBasis::Contract)).expect("it is JSON");
        prop_assert!(records.is_empty() != problems.is_empty());
    }
}

fn odd_value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<f64>().prop_map(|number| json!(number).to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        "-?[0-9]{1,25}(\\.[0-9]{1,12})?".prop_map(|text| {
            let digits = text.trim_start_matches('-').trim_start_matches('0');
            if digits.is_empty() || digits.starts_with('.') {
                format!("0{digits}")
            } else {
                digits.to_owned()
            }
        }),
        "[+0-9 @.()/DE-]{0,40}".prop_map(|text| Value::from(text).to_string()),
        "\\PC{0,30}".prop_map(|text| Value::from(text).to_string()),
        Just("null".to_owned()),
        Just("[]".to_owned()),
        Just("{\"a\":[{}]}".to_owned()),
        Just("\"2026-02-30T25:00:00Z\"".to_owned()),
        Just("9223372036854775807".to_owned()),
        Just("-9223372036854775808".to_owned()),
        Just("\"nps\"".to_owned()),
    ]
}
