//! `touchstream up`: everything on one machine by one command.
//!
//! Settings → data directory and its generated [`secrets`] → parts → the [`plan`] of services → the supervisor, which starts, watches
//! and stops them → what a person can try first.

mod plan;
mod secrets;

use std::path::{Path, PathBuf};

use anyhow::Context;
use touchstream_local_parts::Progress;
use touchstream_local_supervisor::{DataDirLock, Supervisor, SupervisorError, SupervisorOptions};
use touchstream_runtime::settings;
use touchstream_runtime::telemetry;

use crate::cli::UpOptions;
use crate::error::{CommandError, failed};

use plan::Plan;

/// Runs everything until Ctrl-C.
pub(crate) async fn run(config: Option<&Path>, options: UpOptions) -> Result<(), CommandError> {
    let loaded = settings::load(config)?;
    let mut log = loaded.settings.log.clone();
    // The services log into files; this terminal shows progress, which names every restart itself.
    log.level = "error".to_owned();
    telemetry::install(&log).map_err(|error| CommandError::Usage(error.into()))?;
    let data_dir = options.data_dir.clone().unwrap_or_else(|| PathBuf::from(&loaded.settings.local.data_dir));
    let admin_address = loaded
        .settings
        .local
        .admin
        .parse()
        .with_context(|| format!("failed to use local.admin = {:?}", loaded.settings.local.admin))
        .map_err(CommandError::Usage)?;

    let mut lock = DataDirLock::acquire(&data_dir).map_err(failed)?;
    if options.reset {
        // The lock was taken first: nobody else is using what is deleted.
        empty(lock.directory()).map_err(failed)?;
        drop(lock);
        lock = DataDirLock::acquire(&data_dir).map_err(failed)?;
    }
    let progress = Progress::detect();
    let config = config.map(std::path::absolute).transpose().map_err(failed)?;
    let plan = Plan::new(&loaded, config.as_deref(), lock.directory(), options.demo)
        .map_err(CommandError::Failed)?;
    let services = {
        let progress = progress.clone();
        let plan = plan.clone();
        let made = tokio::task::spawn_blocking(move || plan.services(&progress)).await.map_err(failed)?;
        made.map_err(CommandError::Failed)?
    };
    let supervisor_options = SupervisorOptions { lock, admin_address, progress };
    let supervisor = Supervisor::start(supervisor_options, services).await.map_err(failed)?;
    match supervisor.ready().await {
        Ok(()) => {}
        Err(SupervisorError::Interrupted) => {
            supervisor.stop().await;
            return Ok(());
        }
        Err(error) => {
            supervisor.stop().await;
            return Err(failed(error));
        }
    }
    plan.note_ready().map_err(CommandError::Failed)?;
    plan.greet();
    supervisor.stop_asked().await;
    supervisor.stop().await;
    Ok(())
}

fn empty(directory: &Path) -> anyhow::Result<()> {
    for entry in
        std::fs::read_dir(directory).with_context(|| format!("failed to list {}", directory.display()))?
    {
        let path = entry?.path();
        let removed =
            if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.with_context(|| format!("failed to delete {}", path.display()))?;
    }
    Ok(())
}
