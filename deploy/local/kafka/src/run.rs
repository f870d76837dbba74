//! A Kafka that runs by itself, for tests and trials; `up` runs the same process as one of its children.

use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use touchstream_local_supervisor::OwnedProcess;

use crate::KafkaError;
use crate::config::KafkaOptions;
use crate::prepare::prepare;
use crate::ready::check_ready;

const POLL: Duration = Duration::from_millis(50);
const OUTPUT_LINES: usize = 20;

/// A started broker. Dropping it kills the broker; [`RunningKafka::stop`] ends it cleanly.
#[derive(Debug)]
pub struct RunningKafka {
    process: OwnedProcess,
    options: KafkaOptions,
}

/// Prepares the directory and starts the broker; it is not ready yet.
pub fn start(options: KafkaOptions) -> Result<RunningKafka, KafkaError> {
    let spec = prepare(&options)?;
    let process = OwnedProcess::spawn(&spec).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KafkaError::JavaMissing,
        _ => KafkaError::Start { program: spec.program.clone(), source },
    })?;
    Ok(RunningKafka { process, options })
}

impl RunningKafka {
    /// What clients put into `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.options.bootstrap()
    }

    /// The broker's process.
    #[must_use]
    pub fn process(&self) -> &OwnedProcess {
        &self.process
    }

    /// Blocks until the broker answers, has ended, or the time is over.
    pub fn wait_ready(&self, deadline: Duration) -> Result<(), KafkaError> {
        let begun = Instant::now();
        while begun.elapsed() < deadline {
            if check_ready(&self.options, Duration::from_secs(2)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.process.wait_timeout(POLL) {
                return Err(KafkaError::Ended { status, output: self.output() });
            }
        }
        Err(KafkaError::NotReady { deadline, output: self.output() })
    }

    /// Ends the broker cleanly, or by force when the grace period is over. `None`: not even that worked in time.
    #[must_use]
    pub fn stop(self, grace: Duration) -> Option<ExitStatus> {
        self.process.stop(grace)
    }

    fn output(&self) -> String {
        self.process.last_lines(OUTPUT_LINES).join("\n")
    }
}
