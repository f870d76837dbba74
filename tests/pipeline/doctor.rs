//! `touchstream doctor` on real trouble: it names what is wrong, whom it waits for, and ends with the status of the contract.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::Value;

use crate::harness::machine::Machine;
use crate::harness::wait::until;
use crate::one_event::send;
use crate::processes::cluster::{Cluster, QUIET_KEY, Tuning};

const PATIENCE: Duration = Duration::from_secs(90);
const ANSWER: &str = r#"{"type":"feedback.answered","data":{"survey_id":"nps","metric":"nps","score":9}}"#;

/// Runs the doctor with the settings in `config`.
fn doctor(config: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_touchstream"))
        .args(["doctor", "--watch", "2", "--config"])
        .arg(config)
        .args(arguments)
        .output()
        .expect("the binary runs")
}

fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).join("\n")
}

/// Asks again until a check has this status and its summary and advice these parts; tells the check.
fn until_check(config: &Path, check: &str, status: &str, says: &[&str]) -> Value {
    let (found, _) = until(&format!("the doctor finds {check} {status}"), PATIENCE, || {
        let output = doctor(config, &["--json"]);
        let report: Value =
            serde_json::from_slice(&output.stdout).map_err(|error| format!("{error}: {}", words(&output)))?;
        let checks = report["checks"].as_array().ok_or("no checks")?;
        let found =
            checks.iter().find(|found| found["check"] == check).ok_or_else(|| format!("{report:#}"))?;
        let text = format!("{} {}", found["summary"], found["advice"]);
        let is_problem = checks.iter().any(|found| found["status"] == "problem");
        assert_eq!(output.status.code(), Some(i32::from(is_problem)), "{}", words(&output));
        if found["status"] == status && says.iter().all(|part| text.contains(part)) {
            Ok(found.clone())
        } else {
            Err(format!("{found:#}"))
        }
    });
    found
}

#[test]
fn the_doctor_is_content_with_what_is_well_and_names_a_missing_clickhouse_and_an_open_transaction() {
    let mut machine = Machine::start();
    let config = machine.config();
    assert_eq!(send(&machine, ANSWER).0, 202);
    let mut last = String::new();
    until("the doctor is content", PATIENCE, || {
        let output = doctor(&config, &[]);
        last = words(&output);
        if output.status.success() { Ok(()) } else { Err(last.clone()) }
    });
    for check in
        ["kafka", "topics", "transactions", "lag.processor.measure", "lag.sink.raw", "watermark", "tables"]
    {
        assert!(
            last.lines().any(|line| line.starts_with("ok") && line.contains(check)),
            "{check} in\n{last}"
        );
    }

    let wrong = config.with_file_name("wrong.toml");
    std::fs::write(&wrong, "[kafka]\nbroker = \"127.0.0.1:9092\"\n").expect("a file can be written");
    let output = doctor(&wrong, &[]);
    assert_eq!(output.status.code(), Some(2), "{}", words(&output));

    machine.service("clickhouse").kill();
    assert_eq!(send(&machine, ANSWER).0, 202);
    until_check(&config, "clickhouse", "problem", &["clickhouse.url"]);
    let behind = until_check(&config, "lag.sink.raw", "problem", &["cx.feedback-", "commits nothing"]);
    assert_eq!(behind["data"]["records"], 1, "{behind}");

    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", machine.kafka())
        .set("transactional.id", "left-open")
        .create()
        .expect("a producer can be made");
    producer.init_transactions(PATIENCE).expect("Kafka answers");
    producer.begin_transaction().expect("a transaction begins");
    producer
        .send(BaseRecord::<str, str>::to("cx.windows").partition(1).payload("open").key("k"))
        .expect("it is sent");
    producer.flush(PATIENCE).expect("it arrives");
    until_check(&config, "transactions", "problem", &["cx.windows-1", "kafka-transactions.sh"]);
}

#[test]
fn the_doctor_names_the_source_that_holds_the_watermark_a_stopped_instance_and_a_spool_that_does_not_drain() {
    let tuning = Tuning { partitions: 1, session_timeout_ms: 60_000, idle_after_s: 3_600 };
    let mut cluster = Cluster::tuned(&[""], tuning);
    let config = cluster.config();
    let post = |cluster: &Cluster, key: &str, event: &str| {
        let answer = ureq::post(format!("{}/v1/events", cluster.ingest()))
            .header("authorization", &format!("Bearer {key}"))
            .content_type("application/json")
            .send(event);
        assert_eq!(answer.expect("ingest answers").status(), 202);
    };
    // One event of a quiet source, then life everywhere else.
    post(&cluster, QUIET_KEY, r#"{"type":"chat.started","data":{"conversation_id":"c"}}"#);
    let live = |cluster: &Cluster| {
        for event in [
            ANSWER,
            r#"{"type":"app.screen_viewed","context":{"session_id":"s"},"data":{"name":"home"}}"#,
            r#"{"type":"checkout.started","data":{"checkout_id":"k"}}"#,
        ] {
            post(cluster, crate::harness::machine::KEY, event);
        }
    };
    live(&cluster);
    // Within the bound of disorder nothing is wrong yet, but the holder is told.
    let held = |status: &str| {
        until_check(&config, "watermark", status, &["cx.chat-0", "source quiet of tenant shop"])
    };
    let watermark = held("ok");
    assert_eq!(watermark["data"]["source"], "quiet", "{watermark}");
    assert!(
        watermark["data"]["owner"].as_str().is_some_and(|owner| owner.starts_with("touchstream-measure-"))
    );

    let ending = cluster.instances[0].stop_cold();
    live(&cluster);
    let name = format!("{ending} on 127.0.0.1");
    let lag = until_check(&config, "lag.processor.measure", "problem", &[&name, "commits nothing"]);
    assert_eq!(lag["data"]["records"], 3, "{lag}");
    cluster.instances[0].wake();
    until_check(&config, "lag.processor.measure", "ok", &[]);

    cluster.kafka.kill();
    live(&cluster);
    until_check(&config, "kafka", "problem", &["kafka.brokers"]);
    until_check(&config, "spool", "problem", &["ingest.spool_dir"]);
}
