//! The whole: takes the plan, starts every service's task, serves the admin port, turns signals into an orderly end.

use std::net::SocketAddr;
use std::sync::Arc;

use nix::sys::signal::Signal;
use prometheus::{IntCounterVec, Opts};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use touchstream_local_parts::Progress;

use crate::SupervisorError;
use crate::admin::{self, Admin};
use crate::board::{Board, ServiceState};
use crate::child_spec::ChildSpec;
use crate::lock::DataDirLock;
use crate::port::check_port_is_free;
use crate::service::{Service, Stop, stop_asked};

/// What the supervisor works with.
#[derive(Debug)]
pub struct SupervisorOptions {
    /// The data directory, taken; logs go into `logs/` in it.
    pub lock: DataDirLock,
    /// Where `/livez`, `/readyz` and `/metrics` are served.
    pub admin_address: SocketAddr,
    /// Where progress is shown.
    pub progress: Progress,
}

/// Running services. Dropping it kills them; [`Supervisor::stop`] ends them in order.
#[derive(Debug)]
pub struct Supervisor {
    board: Arc<Board>,
    stop: watch::Sender<Stop>,
    services: JoinSet<()>,
    helpers: Vec<JoinHandle<()>>,
    admin_address: SocketAddr,
    progress: Progress,
    _lock: DataDirLock,
}

impl Supervisor {
    /// Starts everything; nothing is ready yet. From here on Ctrl-C, SIGTERM and SIGHUP ask for an orderly end, and any
    /// second one of them for an end at once.
    pub async fn start(options: SupervisorOptions, specs: Vec<ChildSpec>) -> Result<Self, SupervisorError> {
        let board = Arc::new(Board::new(&specs)?);
        let restarts = IntCounterVec::new(
            Opts::new("touchstream_up_restarts_total", "how often a service ended and was started again"),
            &["service"],
        )
        .expect("the name and the label are constants");
        let scraped =
            specs.iter().filter_map(|spec| Some((spec.name.clone(), spec.metrics_url.clone()?))).collect();
        let admin = Admin { board: Arc::clone(&board), restarts: restarts.clone(), scraped };

        let address = options.admin_address;
        let check = tokio::task::spawn_blocking(move || check_port_is_free(address, "the admin endpoint"));
        check.await.expect("the check does not panic")?;
        let admin_error = |source| SupervisorError::Admin { address: options.admin_address, source };
        let listener = TcpListener::bind(options.admin_address).await.map_err(admin_error)?;
        let admin_address = listener.local_addr().map_err(admin_error)?;
        let serve = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, admin::router(admin)).await {
                tracing::error!(%error, "admin endpoint ended");
            }
        });

        let (stop, stop_receiver) = watch::channel(Stop::NotAsked);
        let listen = listen_for_signals(stop.clone(), options.progress.clone())?;
        let logs = options.lock.directory().join("logs");
        let mut services = JoinSet::new();
        for (index, spec) in specs.into_iter().enumerate() {
            let service = Service {
                index,
                board: Arc::clone(&board),
                stop: stop_receiver.clone(),
                progress: options.progress.clone(),
                log_file: logs.join(format!("{}.log", spec.name)),
                restarts: restarts.with_label_values(&[&spec.name]),
                spec,
            };
            services.spawn(service.run());
        }
        Ok(Self {
            board,
            stop,
            services,
            helpers: vec![serve, listen],
            admin_address,
            progress: options.progress,
            _lock: options.lock,
        })
    }

    /// Resolves when every service is ready and every task done; an error if one cannot be brought up or a signal came.
    pub async fn ready(&self) -> Result<(), SupervisorError> {
        tokio::select! {
            ready = self.board.all_up() => ready,
            () = self.stop_asked() => Err(SupervisorError::Interrupted),
        }
    }

    /// Resolves when a signal asks for the end.
    pub async fn stop_asked(&self) {
        stop_asked(self.stop.subscribe(), Stop::Orderly).await;
    }

    /// Where the admin port really is, which matters when port 0 was asked for.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Every service's state now.
    #[must_use]
    pub fn services(&self) -> Vec<ServiceState> {
        self.board.snapshot()
    }

    /// Ends every service, those first that nobody depends on; a signal that comes meanwhile ends them at once.
    pub async fn stop(mut self) {
        self.stop.send_if_modified(|stop| {
            let is_news = *stop < Stop::Orderly;
            *stop = (*stop).max(Stop::Orderly);
            is_news
        });
        while let Some(ended) = self.services.join_next().await {
            if let Err(error) = ended {
                // Its process was killed when the task's values were dropped.
                self.progress.line(&format!("! a service's task ended badly: {error}"));
                tracing::error!(%error, "service task ended badly");
            }
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        for helper in &self.helpers {
            helper.abort();
        }
    }
}

fn listen_for_signals(
    stop: watch::Sender<Stop>,
    progress: Progress,
) -> Result<JoinHandle<()>, SupervisorError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(SupervisorError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(SupervisorError::Signals)?;
    let mut hang_up = if is_ignored(Signal::SIGHUP) {
        None
    } else {
        Some(signal(SignalKind::hangup()).map_err(SupervisorError::Signals)?)
    };
    Ok(tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = received(&mut hang_up) => {}
            }
            let is_second = *stop.borrow() >= Stop::Orderly;
            let (next, text) = if is_second {
                (Stop::AtOnce, "killing everything at once")
            } else {
                (Stop::Orderly, "stopping in order; once more to kill everything at once")
            };
            progress.line(text);
            stop.send_replace(next);
        }
    }))
}

/// Started by `nohup`, the whole is meant to outlive the terminal; a handler of ours would undo that.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (signal as u32 - 1)) != 0
}

async fn received(signals: &mut Option<tokio::signal::unix::Signal>) {
    match signals {
        Some(signals) => drop(signals.recv().await),
        None => std::future::pending().await,
    }
}
