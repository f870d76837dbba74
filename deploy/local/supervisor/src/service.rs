//! The life of one service: wait for what it needs, start, watch, start again when it ends, stop when asked.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::sync::watch;
use touchstream_local_parts::{Progress, Step};

use crate::backoff::Backoff;
use crate::board::{Board, Phase};
use crate::child_spec::{BoxError, ChildSpec, Launch, Readiness};
use crate::probe::Probe;
use crate::process::OwnedProcess;

/// A service that never was ready is tried this often before its start counts as failed. One that was ready is never given up.
const START_ATTEMPTS: u32 = 3;

/// By convention of our commands: the configuration is wrong, so trying again cannot help.
const WRONG_CONFIGURATION: i32 = 2;

const SHOWN_LINES: usize = 15;

/// How everything is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    NotAsked,
    Orderly,
    AtOnce,
}

pub(crate) struct Service {
    pub(crate) spec: ChildSpec,
    pub(crate) index: usize,
    pub(crate) board: Arc<Board>,
    pub(crate) stop: watch::Receiver<Stop>,
    pub(crate) progress: Progress,
    pub(crate) log_file: PathBuf,
    pub(crate) restarts: prometheus::IntCounter,
}

/// How one run of the process came to its end.
enum End {
    Completed,
    Stopped,
    /// By itself, or killed because it did not become ready.
    Failed {
        reason: String,
        is_final: bool,
    },
}

impl Service {
    /// Runs until the service is stopped, completed or failed.
    pub(crate) async fn run(mut self) {
        let phase = match self.run_until_over().await {
            End::Completed => Phase::Completed,
            End::Stopped => Phase::Stopped,
            End::Failed { reason, .. } => {
                self.board.update(self.index, |state| state.failure = Some(reason));
                Phase::Failed
            }
        };
        self.board.update(self.index, |state| {
            state.phase = phase;
            state.pid = None;
        });
    }

    async fn run_until_over(&mut self) -> End {
        tokio::select! {
            () = self.board.dependencies_up(self.index) => {}
            () = stop_asked(self.stop.clone(), Stop::Orderly) => return End::Stopped,
        }
        let mut backoff = Backoff::default();
        let mut was_ever_ready = false;
        let mut failed_starts = 0;
        let mut first_step = Some(self.progress.step(format!("starting {}", self.spec.name)));
        loop {
            let begun = Instant::now();
            let end = self.run_once(&mut first_step, &mut was_ever_ready).await;
            let End::Failed { reason, is_final } = end else {
                return end;
            };
            failed_starts += 1;
            self.board.update(self.index, |state| {
                state.pid = None;
                state.last_end = Some(reason.lines().next().unwrap_or_default().to_owned());
            });
            if !was_ever_ready && (is_final || failed_starts >= START_ATTEMPTS) {
                if let Some(step) = first_step.take() {
                    step.failed(&format!("{} does not start", self.spec.name));
                }
                return End::Failed { reason, is_final: true };
            }

            let pause = backoff.pause_after(begun.elapsed(), rand::random());
            self.restarts.inc();
            let restarts = self.restarts.get();
            self.board.update(self.index, |state| {
                state.phase = Phase::Restarting;
                state.restarts = restarts;
            });
            self.progress.line(&format!(
                "! {}: {reason}\n  starting it again in {:.1} s (restart {restarts})",
                self.spec.name,
                pause.as_secs_f32(),
            ));
            tracing::warn!(service = self.spec.name, restarts, reason, "service ended and is started again");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop_asked(self.stop.clone(), Stop::Orderly) => return End::Stopped,
            }
        }
    }

    async fn run_once(&self, first_step: &mut Option<Step>, was_ever_ready: &mut bool) -> End {
        let process = match self.spawn().await {
            Ok(process) => process,
            // A taken port or a missing program will not mend itself within a second.
            Err(error) => return End::Failed { reason: chain(&*error), is_final: true },
        };
        self.board.update(self.index, |state| {
            state.phase = Phase::Starting;
            state.pid = Some(process.pid());
        });

        let begun = Instant::now();
        let mut probe = Probe::new(self.spec.readiness.clone());
        let mut is_ready = false;
        let mut was_ready_in_this_run = false;
        loop {
            let answer = tokio::select! {
                status = process.exited() => return self.ended(&process, status, first_step),
                () = stop_asked(self.stop.clone(), Stop::Orderly) => {
                    self.stop(&process).await;
                    return End::Stopped;
                }
                answer = probe.next() => answer,
            };
            match answer {
                Ok(()) if !is_ready => {
                    is_ready = true;
                    was_ready_in_this_run = true;
                    self.is_ready(was_ever_ready, first_step);
                }
                Err(problem) if is_ready => {
                    is_ready = false;
                    self.board.update(self.index, |state| state.phase = Phase::NotReady);
                    self.progress.line(&format!("! {} is not ready: {problem}", self.spec.name));
                    tracing::warn!(service = self.spec.name, problem, "service is not ready");
                }
                Err(problem) if !was_ready_in_this_run => {
                    if let Some(step) = first_step.as_ref() {
                        step.detail("");
                    }
                    if begun.elapsed() > self.spec.ready_deadline {
                        process.signal(Signal::SIGKILL);
                        let seconds = self.spec.ready_deadline.as_secs();
                        let reason =
                            with_output(format!("not ready after {seconds} s ({problem})"), &process);
                        return End::Failed { reason, is_final: true };
                    }
                }
                _ => {}
            }
        }
    }

    /// Preparing and spawning block, for a second where a data directory is formatted.
    async fn spawn(&self) -> Result<OwnedProcess, BoxError> {
        let launch = self.spec.launch.clone();
        let log_file = self.log_file.clone();
        let spawn = move || {
            let mut program = match launch {
                Launch::Fixed(program) => program,
                Launch::Prepared(prepare) => prepare()?,
            };
            program.log_file = log_file;
            OwnedProcess::spawn(&program)
                .map_err(|error| format!("cannot run {}: {error}", program.program.display()).into())
        };
        tokio::task::spawn_blocking(spawn).await?
    }

    fn is_ready(&self, was_ever_ready: &mut bool, first_step: &mut Option<Step>) {
        self.board.update(self.index, |state| state.phase = Phase::Ready);
        match first_step.take() {
            Some(step) => step.done(&format!("{} is ready", self.spec.name)),
            None => self.progress.line(&format!("✓ {} is ready again", self.spec.name)),
        }
        *was_ever_ready = true;
    }

    fn ended(&self, process: &OwnedProcess, status: ExitStatus, first_step: &mut Option<Step>) -> End {
        let is_task = matches!(self.spec.readiness, Readiness::Completed);
        if is_task && status.success() {
            if let Some(step) = first_step.take() {
                step.done(&format!("{} is done", self.spec.name));
            }
            return End::Completed;
        }
        let reason = with_output(format!("ended with {status}"), process);
        End::Failed { reason, is_final: status.code() == Some(WRONG_CONFIGURATION) }
    }

    /// In order: not before those who need it have ended. At once: now.
    async fn stop(&self, process: &OwnedProcess) {
        tokio::select! {
            () = self.board.dependents_over(self.index) => {}
            () = stop_asked(self.stop.clone(), Stop::AtOnce) => {}
            // It ended by itself meanwhile; nothing to stop.
            _ = process.exited() => return,
        }
        self.board.update(self.index, |state| state.phase = Phase::Stopping);
        let step = self.progress.step(format!("stopping {}", self.spec.name));
        process.signal(Signal::SIGTERM);
        tokio::select! {
            _ = process.exited() => return step.done(&format!("{} stopped", self.spec.name)),
            () = stop_asked(self.stop.clone(), Stop::AtOnce) => {}
            () = tokio::time::sleep(self.spec.stop_grace) => {}
        }
        process.signal(Signal::SIGKILL);
        // A process in uninterruptible sleep may take longer to go than anyone wants to wait.
        drop(tokio::time::timeout(Duration::from_secs(5), process.exited()).await);
        step.failed(&format!("{} killed", self.spec.name));
    }
}

/// Resolves once at least this much was asked for; never if nobody can ask any more.
pub(crate) async fn stop_asked(mut stop: watch::Receiver<Stop>, at_least: Stop) {
    if stop.wait_for(|stop| *stop >= at_least).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn with_output(what: String, process: &OwnedProcess) -> String {
    let lines = process.last_lines(SHOWN_LINES);
    if lines.is_empty() {
        return what;
    }
    format!("{what}; its last lines:\n    {}", lines.join("\n    "))
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
