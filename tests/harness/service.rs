//! One service of the real binary as a child process: started, killed as by a power cut, started again.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use touchstream_local_supervisor::{OwnedProcess, ProcessSpec};

use super::wait::until;

const READY_WITHIN: Duration = Duration::from_secs(60);
const LOG_LINES: usize = 30;

/// A service and how to start it.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    spec: ProcessSpec,
    admin: String,
    process: Option<OwnedProcess>,
}

impl Service {
    /// The sub-command `name` with the settings in `config`; its admin port is at `admin`.
    pub(crate) fn new(name: &'static str, directory: &Path, admin: &str) -> Service {
        let arguments: [OsString; 3] =
            [name.into(), "--config".into(), directory.join("touchstream.toml").into()];
        let spec = ProcessSpec {
            program: env!("CARGO_BIN_EXE_touchstream").into(),
            arguments: arguments.to_vec(),
            environment: Vec::new(),
            log_file: directory.join(format!("{name}.log")),
        };
        Service { name, spec, admin: admin.to_owned(), process: None }
    }

    /// The same service with an environment variable that overrides a setting.
    pub(crate) fn with(mut self, variable: &str, value: impl Into<OsString>) -> Service {
        self.spec.environment.push((variable.into(), value.into()));
        self
    }

    /// Where its admin port is.
    pub(crate) fn admin(&self) -> &str {
        &self.admin
    }

    pub(crate) fn start(&mut self) {
        let process = OwnedProcess::spawn(&self.spec);
        self.process = Some(process.unwrap_or_else(|error| panic!("failed to start {}: {error}", self.name)));
    }

    pub(crate) fn wait_ready(&self) {
        until(&format!("{} is ready", self.name), READY_WITHIN, || {
            if let Some(status) = self.process.as_ref().and_then(OwnedProcess::status) {
                panic!("{} ended with {status}:\n{}", self.name, self.log());
            }
            let url = format!("http://{}/readyz", self.admin);
            let asked = ureq::get(&url).call();
            asked.map(drop).map_err(|error| format!("{error}: {}", self.readiness().unwrap_or_default()))
        });
    }

    /// What the admin port says about readiness.
    pub(crate) fn readiness(&self) -> Result<String, String> {
        let request = ureq::get(format!("http://{}/readyz", self.admin));
        let mut answer =
            request.config().http_status_as_error(false).build().call().map_err(|error| error.to_string())?;
        answer.body_mut().read_to_string().map_err(|error| error.to_string())
    }

    /// What its admin port shows to Prometheus.
    pub(crate) fn metrics(&self) -> Result<String, String> {
        let answer = ureq::get(format!("http://{}/metrics", self.admin)).call();
        answer.and_then(|mut answer| answer.body_mut().read_to_string()).map_err(|error| error.to_string())
    }

    /// Waits until it has ended by itself, without success.
    pub(crate) fn wait_failed(&self, within: Duration) {
        let process = self.process.as_ref().expect("it was started");
        match process.wait_timeout(within) {
            Some(status) => assert!(!status.success(), "{} ended well:\n{}", self.name, self.log()),
            None => panic!("{} still runs:\n{}", self.name, self.log()),
        }
    }

    /// Sends a signal and tells the process's id.
    pub(crate) fn signal(&self, signal: Signal) -> u32 {
        let process = self.process.as_ref().expect("it was started");
        process.signal(signal);
        self.pid()
    }

    /// The process's id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("it was started").pid()
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.signal(Signal::SIGKILL);
            assert!(
                process.wait_timeout(Duration::from_secs(20)).is_some(),
                "{} survives SIGKILL",
                self.name
            );
        }
    }

    /// Ends the service as an operator would; it must end by itself in time.
    pub(crate) fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.signal(Signal::SIGTERM);
            let ended = process.wait_timeout(Duration::from_secs(30));
            assert!(
                ended.is_some_and(|status| status.success()),
                "{} ended with {ended:?}:\n{}",
                self.name,
                process.last_lines(LOG_LINES).join("\n")
            );
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.status().is_none())
    }

    /// The last lines that it said.
    pub(crate) fn log(&self) -> String {
        let lines = self.process.as_ref().map(|process| process.last_lines(LOG_LINES)).unwrap_or_default();
        lines.join("\n")
    }
}
