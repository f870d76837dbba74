//! Windows, minutes, facts and quality counts on their topics become rows of the readers' views, the newest revision of each.

#[expect(dead_code, reason = "this test kills nothing")]
mod harness;

use std::time::Duration;

use harness::{Machine, wait_for};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use serde::Serialize;
use touchstream_runtime::kafka;
use touchstream_schemas::avro::{self, AvroSchema};
use touchstream_schemas::codec::{Encoder, Framing};
use touchstream_schemas::facts::{AnswerFact, AnswerFacts, CheckoutFact, ConversationFact};
use touchstream_schemas::minutes::Minute;
use touchstream_schemas::quality::Quality;
use touchstream_schemas::regressions::Regression;
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::windows::Window;

#[test]
#[ignore = "started by the other tests as a process of its own"]
fn role() {
    harness::play_role();
}

struct Topics(ThreadedProducer<DefaultProducerContext>);

impl Topics {
    fn send(&self, topic: &str, schema: &'static AvroSchema, record: &impl Serialize) {
        let payload =
            Encoder::new(schema, Framing::SingleObject).encode(record).expect("a record fits its schema");
        let sent = self.0.send(BaseRecord::to(topic).key("key").payload(&payload));
        sent.map_err(|(error, _)| error).expect("room in the queue");
    }
}

fn windows(topics: &Topics, end: EventTime) {
    for (revision, reason) in [(7, "trust"), (5, "popup")] {
        let json = format!(
            r#"{{"tenant":"t","metric":"checkout","detail":"","touchpoint":"all","channel":"all","device":"all","window":"5m",
            "window_end":{},"is_final":false,"checkout":{{"steps":[{{"step":"cart","step_index":1,"reached":10,"dropped":4,"open":2}}],
            "reasons":[{{"reason":"{reason}","reason_source":"stated","currency":"EUR","attempts":4,"value":"12.5"}}],
            "within_3min":1,"within_15min":2,"durations":{{"n":2,"p50_ms":1500,"p75_ms":2000,"p95_ms":2000}}}},"revision":{revision}}}"#,
            end.0
        );
        let window: Window<'_> = serde_json::from_str(&json).expect("valid JSON");
        topics.send("cx.windows", &avro::WINDOW, &window);
    }
    let json = format!(
        r#"{{"tenant":"t","metric":"nps","detail":"","touchpoint":"all","channel":"web","device":"all","window":"90d","window_end":{},
        "is_final":true,"scores":{{"answers":4,"top":3,"middle":0,"bottom":1}},"revision":1}}"#,
        end.0
    );
    topics.send("cx.windows", &avro::WINDOW, &serde_json::from_str::<Window<'_>>(&json).expect("valid JSON"));
    let json = format!(
        r#"{{"tenant":"t","metric":"response_times","detail":"first_response_customer","touchpoint":"all","channel":"all","device":"all",
        "window":"1h","window_end":{},"is_final":false,"response":{{"durations":{{"n":1,"p50_ms":250}},"slo_ms":300000,
        "breached":2,"waiting":3}},"revision":1}}"#,
        end.0
    );
    topics.send("cx.windows", &avro::WINDOW, &serde_json::from_str::<Window<'_>>(&json).expect("valid JSON"));
    for (touchpoint, split) in [("all", ""), ("shop", r#""dimension":"variant","dimension_value":"B","#)] {
        let key = |metric: &str, detail: &str| {
            format!(
                r#""tenant":"t","metric":"{metric}","detail":"{detail}","touchpoint":"{touchpoint}","channel":"all","device":"all",{split}
                "window":"1h","window_end":{},"is_final":true,"revision":3"#,
                end.0
            )
        };
        for body in [
            format!(r#"{{{},"scores":{{"answers":4,"top":3,"middle":0,"bottom":1}}}}"#, key("csat", "1-5")),
            format!(
                r#"{{{},"app":{{"durations":{{"n":2,"p50_ms":120,"p95_ms":900,"p99_ms":900}},"errors":1,"tasks":4,"successes":3}}}}"#,
                key("app", "search")
            ),
        ] {
            let window: Window<'_> = serde_json::from_str(&body).expect("valid JSON");
            topics.send("cx.windows", &avro::WINDOW, &window);
        }
    }
}

fn minutes(topics: &Topics, start: EventTime) {
    let key = |metric: &str, detail: &str, span: &str| {
        format!(
            r#""tenant":"t","metric":"{metric}","detail":"{detail}","touchpoint":"shop","channel":"web","device":"mobile",
            "span":"{span}","start":{},"now":[],"revision":1"#,
            start.0
        )
    };
    let scores = r#""scores":{"answers":2,"top":1,"middle":1,"bottom":0}"#;
    for body in [
        format!("{{{},{scores}}}", key("nps", "", "minute")),
        format!("{{{},{scores}}}", key("nps", "", "hour")),
        format!(
            r#"{{{},"response":{{"breached":0,"durations":[{{"index":5,"count":1}},{{"index":-1,"count":2}}]}}}}"#,
            key("response_times", "reply", "minute")
        ),
        format!(
            r#"{{{},"checkout":{{"steps":[],"reasons":[],"within_3min":1,"within_15min":1,"durations":[{{"index":0,"count":1}}]}}}}"#,
            key("checkout", "", "minute")
        ),
        format!(
            r#"{{{},"app":{{"errors":0,"tasks":0,"successes":0,"durations":[{{"index":0,"count":1}}]}}}}"#,
            key("app", "search", "minute")
        ),
        format!(
            r#"{{{},"quality":{{"accepted":9,"late":1,"duplicates":2,"non_human":3,"repeated_transactions":4,"without_attempt":5}}}}"#,
            key("quality", "chat", "minute")
        ),
    ] {
        topics.send(
            "cx.minutes",
            &avro::MINUTE,
            &serde_json::from_str::<Minute<'_>>(&body).expect("valid JSON"),
        );
    }
    let count = Quality {
        tenant: "t",
        family: "chat",
        minute: start,
        instance: "i",
        code: "field_missing",
        events: 6,
        revision: 1,
        last_at: None,
        last_source: "",
        last_type: "",
        last_field: "",
    };
    topics.send("cx.quality", &avro::QUALITY, &count);
}

fn facts(topics: &Topics, time: EventTime) {
    let time = time.0;
    let json = format!(
        r#"{{"tenant":"t","attempt_id":"a@1","touchpoint":"shop","channel":"web","device":"mobile","state":"abandoned","started_at":{time},
        "ended_at":{time},"last_event_at":{time},"furthest_step":"cart","furthest_step_index":1,
        "reached":[{{"step":"started","step_index":0}},{{"step":"cart","step_index":1}}],"reason":"trust","value":"99.99",
        "currency":"EUR","is_deleted":false,"revision":1}}"#
    );
    let fact: CheckoutFact = serde_json::from_str(&json).expect("valid JSON");
    topics.send("cx.checkouts", &avro::CHECKOUT_FACT, &fact);
    let gone = CheckoutFact { attempt_id: "b@1".to_owned(), is_deleted: true, ..fact };
    topics.send("cx.checkouts", &avro::CHECKOUT_FACT, &gone);
    let json = format!(
        r#"{{"tenant":"t","conversation_id":"c","cycle":1,"touchpoint":"help","channel":"chat","device":"mobile","state":"open","started_at":{time},
        "last_event_at":{time},"initiator":"customer","replies":[{{"at":{time},"waited_ms":2500}}],"handoffs":1,"is_deleted":false,"revision":1}}"#
    );
    let fact: ConversationFact = serde_json::from_str(&json).expect("valid JSON");
    topics.send("cx.conversations", &avro::CONVERSATION_FACT, &fact);
    let json = format!(
        r#"{{"tenant":"t","submission_id":"s","question":"nps","source":"web","id":"e","touchpoint":"shop","channel":"web","device":"mobile",
        "time":{time},"metric":"nps","score":9,"respondent":"customer","is_counted":true,"is_deleted":false,"revision":1}}"#
    );
    let fact: AnswerFact = serde_json::from_str(&json).expect("valid JSON");
    topics.send("cx.answers", &avro::ANSWER_FACTS, &AnswerFacts { facts: vec![fact] });
}

fn regressions(topics: &Topics, at: EventTime) {
    // The second is what the processor tells again after it went back: of a row the highest revision counts.
    for (state, value, revision) in [("firing", "0.4", 1), ("firing", "0.42", 3)] {
        let json = format!(
            r#"{{"tenant":"t","rule":"drop_off_rose","touchpoint":"shop","channel":"all","detail":"payment","at":{at},"state":"{state}","severity":"page",
            "since":{since},"value":{value},"baseline":0.06,"ci_low":0.38,"samples":300,"samples_needed":200,"baseline_samples":2000,
            "baseline_kind":"same_hours_4_weeks","suspects":[{{"at":{since},"name":"release 5"}}],"owner":"team","revision":{revision}}}"#,
            at = at.0,
            since = at.0 - 3_600_000,
        );
        let record: Regression<'_> = serde_json::from_str(&json).expect("valid JSON");
        topics.send("cx.regressions", &avro::REGRESSION, &record);
    }
}

/// What arrives together may lie years apart: an import, a replay, orders of long ago. ClickHouse takes 100 months in one insert by default.
#[tokio::test(flavor = "multi_thread")]
async fn results_of_150_months_are_stored_by_one_insert() {
    let mut machine = Machine::start(true, "batch_age_ms = 500\n").await;
    touchstream_sink::migrate(&machine.settings, false).await.expect("migrations apply");
    let config = kafka::producer(&machine.settings.kafka, "test").expect("no secret file");
    let topics = Topics(config.create().expect("a producer"));
    for month in 0..150 {
        let time = EventTime::now().minute() + Millis(month * 31 * 24 * 3_600_000);
        facts(&topics, time);
        windows(&topics, time);
    }
    topics.0.flush(Duration::from_secs(10)).expect("Kafka takes the records");
    let sink = machine.start_sink();
    for table in ["store_checkouts", "store_score_windows"] {
        let question = format!("SELECT uniqExact(_partition_id) >= 150 FROM cx.{table}");
        wait_for(&question, Duration::from_secs(40), async || {
            machine.ask(&question).await.is_some_and(|answer| answer == "1\n")
        })
        .await;
    }
    sink.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn results_become_rows_of_the_views() {
    let mut machine = Machine::start(true, "batch_age_ms = 50\n").await;
    touchstream_sink::migrate(&machine.settings, false).await.expect("migrations apply");
    let config = kafka::producer(&machine.settings.kafka, "test").expect("no secret file");
    let topics = Topics(config.create().expect("a producer"));
    let now = EventTime::now().minute();
    windows(&topics, now + Millis::MINUTE);
    minutes(&topics, now);
    facts(&topics, now);
    regressions(&topics, now);
    topics.0.flush(Duration::from_secs(10)).expect("Kafka takes the records");
    let sink = machine.start_sink();
    for (question, expected) in [
        (
            "SELECT window, step, reached_n, dropped_n, open_n, drop_off_ratio, is_final, revision FROM cx.checkout_funnel",
            "5m\tcart\t10\t4\t2\t0.4\tfalse\t7\n",
        ),
        ("SELECT reason, currency, n, value_sum FROM cx.checkout_abandonment", "trust\tEUR\t4\t12.5\n"),
        ("SELECT n, p50_s, p95_s, within_15min_ratio FROM cx.checkout_duration", "2\t1.5\t2\t1\n"),
        ("SELECT channel, window, n, value FROM cx.nps", "web\t90d\t4\t50\n"),
        (
            "SELECT metric, n, p50_s, p95_s, slo_s, breached_n, waiting_n FROM cx.response_times",
            "first_response_customer\t1\t0.25\t\\N\t300\t2\t3\n",
        ),
        ("SELECT touchpoint, scale, n, value FROM cx.csat", "all\t1-5\t4\t0.75\n"),
        (
            "SELECT touchpoint, dimension, dimension_value, scale, n, value FROM cx.csat_by",
            "shop\tvariant\tB\t1-5\t4\t0.75\n",
        ),
        (
            "SELECT touchpoint, name, n, p50_s, p99_s, errors_n, tasks_n, success_ratio FROM cx.app_response",
            "all\tsearch\t2\t0.12\t0.9\t1\t4\t0.75\n",
        ),
        (
            "SELECT touchpoint, dimension_value, name, n, errors_n, success_ratio FROM cx.app_response_by",
            "shop\tB\tsearch\t2\t1\t0.75\n",
        ),
        ("SELECT name, n, p50_s, errors_n FROM cx.app_response_1m", "search\t1\t0.001\t0\n"),
        ("SELECT n, promoters_n, value FROM cx.nps_1m", "2\t1\t50\n"),
        ("SELECT metric, n, p50_s, p99_s FROM cx.response_times_1m", "reply\t3\t0\t0.006\n"),
        ("SELECT n, p50_s, within_3min_ratio FROM cx.checkout_duration_1m", "1\t0.001\t1\n"),
        (
            "SELECT accepted_n, rejected, late_n, duplicate_n, non_human_n, repeated_transactions_n, without_attempt_n FROM cx.data_quality",
            "9\t{'field_missing':6}\t1\t2\t3\t4\t5\n",
        ),
        (
            "SELECT attempt_id, reached_steps, value, ended_at = started_at FROM cx.checkouts",
            "a@1\t['started','cart']\t99.99\t1\n",
        ),
        ("SELECT conversation_id, reply_waits_s, resolution_s FROM cx.conversations", "c\t[2.5]\t\\N\n"),
        ("SELECT question, score, is_counted FROM cx.feedback", "nps\t9\ttrue\n"),
        (
            "SELECT rule, detail, state, at - since, value, ci_low, ci_high, n, baseline_n, suspects, runbook FROM cx.regressions",
            "drop_off_rose\tpayment\tfiring\t3600\t0.42\t0.38\t\\N\t300\t2000\t['release 5']\t\\N\n",
        ),
    ] {
        wait_for(question, Duration::from_secs(20), async || {
            machine.ask(question).await.is_some_and(|rows| rows == expected)
        })
        .await;
    }
    sink.kill();
}
