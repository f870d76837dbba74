//! Asks a child whether it is ready: often until it is, from then on now and again.

use std::time::Duration;

use hyper::StatusCode;
use tokio::net::TcpStream;

use crate::child_spec::{BoxError, Readiness};
use crate::http;

const DEADLINE: Duration = Duration::from_secs(2);
const UNTIL_READY: Duration = Duration::from_millis(50);
const AFTERWARDS: Duration = Duration::from_secs(1);

/// A check is whatever the caller wrote, possibly a whole client; it is not repeated every second.
const AFTERWARDS_CHECK: Duration = Duration::from_secs(10);

/// One late answer on a busy machine is not news.
const FAILURES_THAT_COUNT: u32 = 3;

pub(crate) struct Probe {
    readiness: Readiness,
    is_ready: bool,
    failures: u32,
}

impl Probe {
    pub(crate) fn new(readiness: Readiness) -> Self {
        Self { readiness, is_ready: false, failures: 0 }
    }

    /// Waits for the next turn and asks. May be dropped half way: nothing is kept but the verdict.
    pub(crate) async fn next(&mut self) -> Result<(), String> {
        loop {
            tokio::time::sleep(self.pause()).await;
            match self.ask().await {
                Ok(()) => {
                    self.is_ready = true;
                    self.failures = 0;
                    return Ok(());
                }
                Err(error) => {
                    self.failures += 1;
                    if !self.is_ready || self.failures >= FAILURES_THAT_COUNT {
                        self.is_ready = false;
                        return Err(error.to_string());
                    }
                }
            }
        }
    }

    fn pause(&self) -> Duration {
        match (self.is_ready, &self.readiness) {
            (false, _) => UNTIL_READY,
            (true, Readiness::Check(_)) => AFTERWARDS_CHECK,
            (true, _) => AFTERWARDS,
        }
    }

    async fn ask(&self) -> Result<(), BoxError> {
        match &self.readiness {
            Readiness::Started => Ok(()),
            Readiness::Completed => Err("it has not ended".into()),
            Readiness::Tcp(address) => {
                tokio::time::timeout(DEADLINE, TcpStream::connect(address)).await??;
                Ok(())
            }
            Readiness::Http(url) => match http::get(url, DEADLINE).await? {
                (StatusCode::OK, _) => Ok(()),
                (status, body) => {
                    let start: String = String::from_utf8_lossy(&body).trim().chars().take(200).collect();
                    Err(format!("{url} answers {status}: {start}").into())
                }
            },
            Readiness::Check(check) => {
                let check = check.clone();
                tokio::task::spawn_blocking(move || check()).await?
            }
        }
    }
}
