//! Kafka stops answering and comes back: never 202 for an event that it does not have.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rdkafka::Message;
use serde_json::json;
use touchstream_schemas::avro;
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::event::AppEvent;
use touchstream_schemas::marks::Mark;

use crate::harness::{Server, block_on, create_topics, get, post, read_topic, start_kafka, wait_for};

fn event(id: &str) -> String {
    format!(r#"{{"id":"{id}","type":"app.change","data":{{"name":"release"}}}}"#)
}

fn stands_still(process: Pid) -> bool {
    std::fs::read_dir(format!("/proc/{process}/task")).unwrap().all(|task| {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        status.lines().any(|line| line.starts_with("State:\tT"))
    })
}

#[test]
fn while_kafka_is_away_the_answer_is_503_and_afterwards_202_again() {
    let directory = tempfile::tempdir().unwrap();
    let kafka = start_kafka(directory.path());
    block_on(create_topics(&kafka.bootstrap(), "away"));
    let mut server = Server::start(&kafka.bootstrap(), "away", |settings| {
        settings.ingest.ack_timeout_ms = 2_000;
        // Room for a handful of messages only.
        settings.ingest.queue_bytes = 64 * 1024;
    });
    assert_eq!(post(server.address(), &event("before")).status, 202);

    let pid = Pid::from_raw(i32::try_from(kafka.process().pid()).unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    // The signal is delivered later than the call returns: a thread still running could acknowledge one more event.
    wait_for("every thread of Kafka to stand still", || stands_still(pid));
    let begun = Instant::now();
    let reply = post(server.address(), &format!("[{},3,{}]", event("lost-1"), event("lost-2")));
    let answer = reply.json();
    assert_eq!(reply.status, 503, "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!((&answer["accepted"], &answer["retry"]), (&json!(0), &json!([0, 2])), "{answer}");
    assert_eq!(answer["rejected"][0]["code"], "not_an_object");
    assert!(reply.header("retry-after").is_some());

    let filler = "x".repeat(8_000);
    let large: Vec<String> = (0..40)
        .map(|number| {
            format!(r#"{{"id":"big-{number}","type":"app.change","data":{{"name":"x","a":"{filler}"}}}}"#)
        })
        .collect();
    let begun = Instant::now();
    let reply = post(server.address(), &format!("[{}]", large.join(",")));
    assert_eq!((reply.status, reply.json()["retry"].as_array().unwrap().len()), (503, 40));
    assert!(begun.elapsed() < Duration::from_secs(1), "a full queue is told at once: {:?}", begun.elapsed());
    wait_for("ingest to say that it is not ready", || get(server.address(), "/readyz").status == 503);

    kill(pid, Signal::SIGCONT).unwrap();
    wait_for("events to be taken again", || post(server.address(), &event("after")).status == 202);
    wait_for("ingest to say that it is ready", || get(server.address(), "/readyz").status == 200);
    // Whoever judges what customers do knows that ingest is there.
    wait_for("ingest to note that it can take events", || {
        let marks = read_topic(&kafka.bootstrap(), "away.marks");
        let mut marks = marks.iter().filter_map(|record| Mark::of_json(record.payload()?).ok());
        marks.any(|mark| matches!(mark, Mark::Alive(alive) if alive.minutes != 0))
    });
    server.stop();

    let decoder = Decoder::new(&[&avro::APP_EVENT]);
    let mut ids: Vec<String> = read_topic(&kafka.bootstrap(), "away.app")
        .iter()
        .map(|record| decoder.decode::<AppEvent<'_>>(record.payload().unwrap()).unwrap().id.to_owned())
        .collect();
    ids.dedup();
    assert!(ids.contains(&"before".to_owned()) && ids.contains(&"after".to_owned()), "{ids:?}");
}
