//! The highest rate: wrk sends as fast as it is answered on a number of keep-alive connections.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::events::ID_BYTES;

/// Threads of wrk; it shares the machine with what it measures.
const THREADS: &str = "2";

/// What wrk saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loaded {
    /// Requests answered with 2xx a second.
    pub(crate) rate: f64,
    pub(crate) requests: u64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Sends the requests of `file` for a time; `run` is different for each call, so that ids are.
pub(crate) fn wrk(address: &str, file: &Path, connections: usize, time: Duration, run: usize) -> Loaded {
    let output = Command::new("wrk")
        .env("WRK_THREADS", THREADS)
        .args(["-t", THREADS, "-c", &connections.to_string(), "-d", &format!("{}s", time.as_secs())])
        .args(["--timeout", "10s", "-s"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/ingest/requests.lua"))
        .arg(format!("http://{address}/v1/events"))
        .arg("--")
        .arg(file)
        .args([ID_BYTES.to_string(), run.to_string()])
        .output()
        .expect("wrk is installed (apt-get install wrk)");
    let said = String::from_utf8_lossy(&output.stdout);
    let result = said.lines().find_map(|line| line.strip_prefix("RESULT "));
    let numbers: Vec<u64> = result
        .unwrap_or_else(|| panic!("wrk said: {said}{}", String::from_utf8_lossy(&output.stderr)))
        .split(' ')
        .map(|number| number.parse().expect("the script prints integers"))
        .collect();
    let [requests, duration, failed, p50, p99] = numbers[..] else { panic!("wrk said: {said}") };
    assert_eq!(failed, 0, "requests failed: {said}");
    #[expect(clippy::cast_precision_loss, reason = "counts of a short run")]
    let rate = requests as f64 / (duration as f64 / 1e6);
    Loaded { rate, requests, p50: Duration::from_micros(p50), p99: Duration::from_micros(p99) }
}
