//! Sends batches like any client: NDJSON over HTTP, again after a refusal or a broken connection, never giving up early.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use rand::Rng;
use serde::Deserialize;
use touchstream_runtime::shutdown::Shutdown;

use crate::SimulateError;
use crate::draft::rfc3339;
use crate::options::SimulateReport;
use crate::run::now;

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const GIVE_UP_AFTER: Duration = Duration::from_secs(300);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const SHOWN_BODY: usize = 500;

/// Events that go in one request.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    lines: String,
    pub(crate) events: usize,
    /// Live events say when they were sent, so that the server can tell the sender's clock from its own.
    live: bool,
}

impl Batch {
    pub(crate) fn add(&mut self, json: &str, live: bool) {
        self.live = live && (self.live || self.events == 0);
        self.lines.push_str(json);
        self.lines.push('\n');
        self.events += 1;
    }

    pub(crate) fn bytes(&self) -> usize {
        self.lines.len()
    }

    /// The request's body at this moment: a repeated one is sent later than the first.
    fn body(&self) -> Cow<'_, str> {
        if !self.live {
            return Cow::Borrowed(&self.lines);
        }
        let start = format!("{{\"sent_at\":\"{}\",", rfc3339(now()));
        let mut body = String::with_capacity(self.lines.len() + self.events * start.len());
        for line in self.lines.lines() {
            body.push_str(&start);
            body.push_str(&line[1..]);
            body.push('\n');
        }
        Cow::Owned(body)
    }
}

/// Threads that each hold one connection.
pub(crate) struct Senders {
    batches: Sender<Batch>,
    threads: Vec<JoinHandle<Result<(), SimulateError>>>,
    report: Arc<Mutex<SimulateReport>>,
}

impl Senders {
    pub(crate) fn start(url: &str, key: &str, connections: usize, shutdown: &Shutdown) -> Senders {
        let (batches, waiting) = bounded(2 * connections);
        let report = Arc::new(Mutex::new(SimulateReport::default()));
        let threads = (0..connections)
            .map(|_| {
                let connection = Connection {
                    agent: agent(),
                    url: format!("{}/v1/events", url.trim_end_matches('/')),
                    authorization: format!("Bearer {key}"),
                    shutdown: shutdown.clone(),
                    report: report.clone(),
                };
                let waiting: Receiver<Batch> = waiting.clone();
                std::thread::spawn(move || waiting.iter().try_for_each(|batch| connection.deliver(&batch)))
            })
            .collect();
        Senders { batches, threads, report }
    }

    pub(crate) fn batches(&self) -> &Sender<Batch> {
        &self.batches
    }

    /// Waits until everything handed over is answered; the first error of a connection wins.
    pub(crate) fn finish(self) -> Result<SimulateReport, SimulateError> {
        drop(self.batches);
        let mut outcome = Ok(());
        for thread in self.threads {
            let ended = thread.join().unwrap_or(Err(SimulateError::Thread("sender")));
            outcome = outcome.and(ended);
        }
        outcome?;
        Ok(lock(&self.report).clone())
    }
}

/// The part of ingest's answer that is counted here.
#[derive(Deserialize)]
struct Answer {
    accepted: u64,
    #[serde(default)]
    duplicates: u64,
    #[serde(default)]
    rejected: Vec<serde::de::IgnoredAny>,
}

struct Connection {
    agent: ureq::Agent,
    url: String,
    authorization: String,
    shutdown: Shutdown,
    report: Arc<Mutex<SimulateReport>>,
}

enum Outcome {
    Done,
    Again(String, Option<Duration>),
}

fn agent() -> ureq::Agent {
    let tls = ureq::tls::TlsConfig::builder().provider(ureq::tls::TlsProvider::NativeTls).build();
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(REQUEST_TIMEOUT))
        .tls_config(tls)
        .user_agent("touchstream-simulate")
        .build();
    ureq::Agent::new_with_config(config)
}

fn lock(report: &Mutex<SimulateReport>) -> MutexGuard<'_, SimulateReport> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    fn deliver(&self, batch: &Batch) -> Result<(), SimulateError> {
        let begun = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            let (problem, at_least) = match self.post(batch)? {
                Outcome::Done => return Ok(()),
                Outcome::Again(problem, at_least) => (problem, at_least),
            };
            let elapsed = begun.elapsed();
            if elapsed > GIVE_UP_AFTER || self.shutdown.is_cancelled() {
                return Err(SimulateError::GaveUp {
                    url: self.url.clone(),
                    seconds: elapsed.as_secs(),
                    problem,
                });
            }
            tracing::debug!(problem, "batch is sent again");
            lock(&self.report).retries += 1;
            // Full jitter: clients that were refused together do not come back together.
            let nap = wait.mul_f64(rand::rng().random_range(0.1..1.0));
            std::thread::sleep(at_least.unwrap_or_default().min(LONGEST_WAIT).max(nap));
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn post(&self, batch: &Batch) -> Result<Outcome, SimulateError> {
        let answered = self
            .agent
            .post(&self.url)
            .header("authorization", &self.authorization)
            .header("content-type", "application/x-ndjson")
            .send(batch.body().as_ref());
        let mut response = match answered {
            Ok(response) => response,
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Tls(_))) => {
                return Err(self.refused(0, &error.to_string()));
            }
            Err(error) => return Ok(Outcome::Again(error.to_string(), None)),
        };
        let status = response.status().as_u16();
        let retry_after =
            response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let body = match response.body_mut().read_to_string() {
            Ok(body) => body,
            Err(error) => return Ok(Outcome::Again(error.to_string(), None)),
        };
        match status {
            202 | 422 => self.count(batch, status, &body),
            429 | 500..=599 => {
                Ok(Outcome::Again(format!("HTTP {status}"), retry_after.map(Duration::from_secs)))
            }
            _ => Err(self.refused(status, &body)),
        }
    }

    fn count(&self, batch: &Batch, status: u16, body: &str) -> Result<Outcome, SimulateError> {
        let Ok(answer) = serde_json::from_str::<Answer>(body) else {
            return Err(self.refused(status, body));
        };
        let mut report = lock(&self.report);
        report.requests += 1;
        report.sent += batch.events as u64;
        report.accepted += answer.accepted;
        report.duplicates += answer.duplicates;
        report.rejected += answer.rejected.len() as u64;
        if !answer.rejected.is_empty() {
            let start: String = body.chars().take(SHOWN_BODY).collect();
            tracing::warn!(answer = start, "simulated events were rejected");
        }
        Ok(Outcome::Done)
    }

    fn refused(&self, status: u16, body: &str) -> SimulateError {
        let body = body.chars().take(SHOWN_BODY).collect();
        SimulateError::Refused { url: self.url.clone(), status, body }
    }
}
