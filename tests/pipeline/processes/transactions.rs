//! Whether a transaction is open anywhere: by every topic's stable end, and by Kafka's own list.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::cluster::Kafka;

const PATIENCE: Duration = Duration::from_secs(10);

/// `Ok` with what was looked at when none is.
pub(super) fn none_open(kafka: &Kafka) -> Result<String, String> {
    let reader = |isolation: &str| -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", kafka.bootstrap())
            .set("isolation.level", isolation)
            .create()
            .expect("a client can be made")
    };
    let [committed, all] = ["read_committed", "read_uncommitted"].map(reader);
    let metadata = all.fetch_metadata(None, PATIENCE).map_err(|error| error.to_string())?;
    let mut partitions = 0;
    for topic in metadata.topics() {
        for partition in topic.partitions() {
            let end = |reader: &BaseConsumer| {
                let ends = reader.fetch_watermarks(topic.name(), partition.id(), PATIENCE);
                ends.map(|(_, end)| end).map_err(|error| error.to_string())
            };
            let (stable, high) = (end(&committed)?, end(&all)?);
            if stable < high {
                let name = topic.name();
                return Err(format!("{name}-{} is stable up to {stable} of {high}", partition.id()));
            }
            partitions += 1;
        }
    }
    let transactions = list(&kafka.bootstrap())?;
    // Ended ones and those that were never begun.
    let is_open = |state: &str| !["CompleteCommit", "CompleteAbort", "Empty"].contains(&state);
    match transactions.iter().find(|(_, state)| is_open(state)) {
        Some((id, state)) => Err(format!("the transaction of {id} is {state}")),
        None if transactions.is_empty() => Err("Kafka lists no transactional id at all".to_owned()),
        None => Ok(format!(
            "no transaction is open in {partitions} partitions and under {} transactional ids",
            transactions.len()
        )),
    }
}

/// Every transactional id and the state of its transaction: Kafka's request ListTransactions, version 0, without filters.
fn list(bootstrap: &str) -> Result<Vec<(String, String)>, String> {
    let request = b"\0\x42\0\0\0\0\0\x01\0\x04test\0\x01\x01\0";
    let mut stream = TcpStream::connect(bootstrap).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).expect("a time can be set");
    let mut size = [0; 4];
    let length = u32::try_from(request.len()).expect("it is short").to_be_bytes();
    let asked = stream.write_all(&length).and_then(|()| stream.write_all(request));
    asked.and_then(|()| stream.read_exact(&mut size)).map_err(|error| error.to_string())?;
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer).map_err(|error| error.to_string())?;
    // Correlation and tags, throttling, error code.
    let (head, mut rest) = answer.split_at(11);
    if head[9..] != [0, 0] {
        return Err(format!("ListTransactions: {answer:?}"));
    }
    let unknown = number(&mut rest);
    assert_eq!(unknown, 1, "no filter was sent");
    let count = number(&mut rest).saturating_sub(1);
    let mut transactions = Vec::new();
    for _ in 0..count {
        let id = text(&mut rest);
        rest = &rest[8..];
        let state = text(&mut rest);
        rest = &rest[1..];
        transactions.push((id, state));
    }
    Ok(transactions)
}

/// A number in seven bits a byte, the lowest first.
fn number(bytes: &mut &[u8]) -> usize {
    let mut number = 0;
    for place in 0.. {
        let (first, rest) = bytes.split_first().expect("the answer is whole");
        *bytes = rest;
        number |= usize::from(first & 0x7f) << (7 * place);
        if first & 0x80 == 0 {
            break;
        }
    }
    number
}

/// A text behind its length plus one.
fn text(bytes: &mut &[u8]) -> String {
    let length = number(bytes).saturating_sub(1);
    let (text, rest) = bytes.split_at(length);
    *bytes = rest;
    String::from_utf8_lossy(text).into_owned()
}
