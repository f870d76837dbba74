//! What must never be found again: keys, secrets, people's ids and addresses, and the addresses of their machines, are sent in every way
//! and then searched for in answers, logs, metrics, the spool and Kafka's files (row 28 of the fault matrix).

use std::cell::RefCell;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rdkafka::Message;
use touchstream_ingest::{NewKey, create_key};
use touchstream_runtime::settings::load;
use touchstream_schemas::topics::Topics;

use crate::harness::{
    KEY, Process, block_on, create_topics, exchange, post_with, read_topic, start_kafka, wait_for,
};

const SECRET: &str = "canary-secret-4711-of-the-tests";
/// Must be found, or the search is blind.
const CONTROL: &str = "control-0815";
const FORGED: &str = "ERROR forged line";

/// Every file below a directory, one after the other.
fn all_bytes(directory: &Path, into: &mut Vec<u8>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_bytes(&path, into);
        } else {
            // Kafka deletes files of its own while it works.
            into.extend(std::fs::read(&path).unwrap_or_default());
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn no_canary_is_found_in_answers_logs_metrics_spool_or_kafka() {
    let kafka_directory = tempfile::tempdir().unwrap();
    let kafka = start_kafka(kafka_directory.path());
    block_on(create_topics(&kafka.bootstrap(), "canary"));
    let spool = tempfile::tempdir().unwrap();
    let lines = format!(
        "spool_dir = \"{}\"\nspool_after_ms = 300\ntrusted_proxies = [\"127.0.0.1\"]\nagent_ids = true",
        spool.path().display()
    );
    let ingest = Process::start(&kafka.bootstrap(), "canary", SECRET, &lines);
    let mut settings = load(None).unwrap().settings;
    settings.kafka.brokers = kafka.bootstrap();
    "canary".clone_into(&mut settings.kafka.topic_prefix);
    let new = NewKey { tenant: "shop".to_owned(), source: "app".to_owned(), ..NewKey::default() };
    let key = block_on(create_key(&settings, new)).unwrap();

    let canaries = [
        SECRET,
        &key,
        "wrong-canary-key",
        "anna.canary",
        "customer-canary",
        "session-canary",
        "agent-canary",
        "203.0.113.77",
        "0176 5550199",
        "query-canary",
    ];
    let event = |id: &str| {
        format!(
            r#"[{{"id":"{id}","type":"feedback.answered","context":{{"customer_id":"customer-canary","session_id":"session-canary",
            "account_id":"anna.canary@example.org","anonymous_id":"customer-canary-2","touchpoint":"{CONTROL}",
            "referrer":"https://anna.canary@shop.example/x?q=query-canary","campaign":"anna.canary@example.org"}},
            "data":{{"survey_id":"nps","metric":"nps","score":3,"submission_id":"anna.canary@example.org",
            "text":"I am anna.canary@example.org, call 0176 5550199\n{FORGED}","email":"anna.canary","user_id":"customer-canary",
            "payload":{{"user":{{"id":"customer-canary","customerEmail":"anna.canary"}},"by":"anna.canary\u0040example.org","ip_address":"203.0.113.77"}}}}}},
            {{"id":"{id}-chat","type":"chat.message","data":{{"conversation_id":"c","sender":"agent","agent_id":"agent-canary"}}}},
            {{"id":"{id}-story","type":"feedback.answered","context":{{"customer_id":"customer-canary"}},
            "data":{{"survey_id":"s","metric":"text","text":"anna.canary@example.org","story_id":"customer-canary"}}}}]"#
        )
    };
    let bearer = format!("Authorization: Bearer {key}");
    let client = "X-Forwarded-For: 203.0.113.77";
    let answers = RefCell::new(Vec::new());
    let post = |path: &str, headers: &[&str], body: &str| {
        let reply = post_with(&ingest.address, path, &[&[client], headers].concat(), body.as_bytes());
        answers.borrow_mut().extend_from_slice(reply.head.as_bytes());
        answers.borrow_mut().extend_from_slice(&reply.body);
        reply.status
    };
    wait_for("the key", || post_with(&ingest.address, "/v1/events", &[&bearer], b"[]").status != 401);
    assert_eq!(post("/v1/events", &[&bearer], &event("one")), 202);
    assert_eq!(post(&format!("/v1/events?key={key}"), &[], &event("url")), 403);
    for _ in 0..200 {
        // Beyond the limit of failures too.
        post("/v1/events", &["Authorization: Bearer wrong-canary-key"], &event("wrong"));
    }
    assert_eq!(post("/v1/events", &[&bearer], "{\"id\":\"anna.canary@example.org\","), 400);
    assert_eq!(
        post("/v1/events", &[&bearer], r#"{"type":"anna.canary","data":{"x":"customer-canary"}}"#),
        422
    );
    assert_eq!(post(&format!("/anna.canary/%0A{FORGED}").replace(' ', "%20"), &[&bearer], "{}"), 404);
    let odd = format!("POST /v1/events HTTP/1.1\r\nhost: x\r\n{bearer}\r\nx: \u{1}anna.canary\r\n\r\n");
    assert_eq!(exchange(&ingest.address, odd.as_bytes()).status, 400);

    // The same while Kafka stands still: the spool takes over.
    let pid = Pid::from_raw(i32::try_from(kafka.process().pid()).unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    wait_for("the spool", || {
        post("/v1/events", &[&bearer], &event("spooled")) == 202 && {
            let mut bytes = Vec::new();
            all_bytes(spool.path(), &mut bytes);
            holds(&bytes, CONTROL)
        }
    });
    let mut spooled = Vec::new();
    all_bytes(spool.path(), &mut spooled);
    kill(pid, Signal::SIGCONT).unwrap();
    let topics = Topics::new("canary");
    let ids = |bytes: &[u8]| holds(bytes, "one") && holds(bytes, "spooled");
    let mut records = Vec::new();
    wait_for("what was spooled to be in Kafka", || {
        let chat = read_topic(&kafka.bootstrap(), "canary.chat");
        ids(&chat.iter().flat_map(|record| record.payload().unwrap().to_vec()).collect::<Vec<u8>>())
    });
    for setup in topics.all() {
        for record in read_topic(&kafka.bootstrap(), &setup.name) {
            records.extend_from_slice(record.key().unwrap_or_default());
            records.extend_from_slice(record.payload().unwrap_or_default());
        }
    }
    let mut kafka_files = Vec::new();
    all_bytes(kafka_directory.path(), &mut kafka_files);
    let (log, metrics) = (ingest.log(), ingest.metrics());

    assert!(holds(&records, CONTROL) && holds(&spooled, CONTROL), "the search is not blind");
    assert!(log.len() > 500 && metrics.contains("touchstream_ingest_spool"), "{log}");
    let places: [(&str, &[u8]); 6] = [
        ("answers", &answers.borrow()),
        ("the log", log.as_bytes()),
        ("metrics", metrics.as_bytes()),
        ("the spool", &spooled),
        ("records in Kafka", &records),
        ("Kafka's files", &kafka_files),
    ];
    for (place, bytes) in places {
        for canary in canaries {
            assert!(!holds(bytes, canary), "{canary} was found in {place}");
        }
    }
    assert!(!holds(log.as_bytes(), KEY), "the configured key is in the log");
    assert!(log.lines().all(|line| !line.starts_with(FORGED)), "a client wrote a line of the log");
}
