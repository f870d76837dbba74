//! Latency at a given rate. Request number k is due at begin + k / rate, whatever happened before it, and its latency counts from
//! then: a server that stalls is charged for everyone who would have waited (no coordinated omission). Requests are due when tokio's timers
//! tick, each millisecond: between two ticks nothing could be sent in time, and the loader's delay would be counted as the server's. What is due
//! within a millisecond comes at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::events::{ID_BYTES, Request};

/// Latencies at a rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steady {
    pub(crate) rate: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) highest: Duration,
}

/// Sends `rate` requests a second for a time over this many connections; blocks. The first half second does not count.
pub(crate) fn run(
    address: &str,
    requests: &[Request],
    connections: usize,
    rate: f64,
    time: Duration,
    run: usize,
) -> Steady {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it can be made");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a short run")]
    let count = (rate * time.as_secs_f64()) as u64;
    let requests: Arc<[Request]> = requests.into();
    let next = Arc::new(AtomicU64::new(0));
    let mut latencies = runtime.block_on(async {
        let mut streams = Vec::with_capacity(connections);
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await.expect("the server listens");
            stream.set_nodelay(true).expect("it is connected");
            streams.push(stream);
        }
        let begin = a_tick().await;
        let senders = streams.into_iter().map(|stream| {
            let sender =
                Sender { stream, requests: Arc::clone(&requests), next: Arc::clone(&next), begin, rate };
            tokio::spawn(sender.run(count, run))
        });
        let mut all = Vec::new();
        for sender in senders.collect::<Vec<_>>() {
            all.extend(sender.await.expect("no sender panics"));
        }
        all
    });
    latencies.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index"
        )]
        let index = ((latencies.len() - 1) as f64 * share).round() as usize;
        latencies[index]
    };
    Steady { rate, p50: at(0.5), p99: at(0.99), highest: at(1.0) }
}

/// How often tokio looks at its timers.
const TICK: Duration = Duration::from_millis(1);

/// A moment just before a tick to come.
async fn a_tick() -> Instant {
    let origin = Instant::now();
    let mut smallest_delay = TICK;
    let mut due = origin;
    for _ in 0..20 {
        due += TICK;
        sleep_until(due).await;
        smallest_delay = smallest_delay.min(due.elapsed());
    }
    due + 20 * TICK + smallest_delay.saturating_sub(Duration::from_micros(50))
}

/// One connection.
struct Sender {
    stream: TcpStream,
    requests: Arc<[Request]>,
    next: Arc<AtomicU64>,
    begin: Instant,
    rate: f64,
}

impl Sender {
    async fn run(mut self, count: u64, run: usize) -> Vec<Duration> {
        let mut latencies = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return latencies;
            }
            #[expect(clippy::cast_precision_loss, reason = "a short run")]
            let due = self.begin + TICK.mul_f64((number as f64 / self.rate / TICK.as_secs_f64()).ceil());
            sleep_until(due).await;
            self.exchange(number, run, &mut buffer).await;
            if due - self.begin > Duration::from_millis(500) {
                latencies.push(due.elapsed());
            }
        }
    }

    async fn exchange(&mut self, number: u64, run: usize, buffer: &mut [u8]) {
        let index = usize::try_from(number).expect("a short run") % self.requests.len();
        let request = &self.requests[index];
        if let Some(at) = request.id_at {
            let mut bytes = request.bytes.clone();
            let id = format!("r{run:04}-{number:0width$}", width = ID_BYTES - 6);
            bytes[at..at + ID_BYTES].copy_from_slice(id.as_bytes());
            self.stream.write_all(&bytes).await.expect("the server reads");
        } else {
            self.stream.write_all(&request.bytes).await.expect("the server reads");
        }
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut buffer[filled..]).await.expect("the server answers");
            assert!(read > 0, "closed without an answer");
            filled += read;
            if is_complete(&buffer[..filled]) {
                return;
            }
            assert!(filled < buffer.len(), "an answer is small");
        }
    }
}

/// Whether the whole answer is here; it must be 202.
fn is_complete(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = std::str::from_utf8(&bytes[..end]).expect("a head is text");
    assert!(head.starts_with("HTTP/1.1 202"), "answered: {}", String::from_utf8_lossy(bytes));
    let length = head.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().expect("a number"))
    });
    bytes.len() >= end + 4 + length.unwrap_or(0)
}
