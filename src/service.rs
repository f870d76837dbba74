//! The services: settings → logs → shutdown signal → the stage's own `serve`.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use touchstream_local_clickhouse::{Password, ServerOptions};
use touchstream_local_parts::Progress;
use touchstream_runtime::admin::{self, Readiness};
use touchstream_runtime::settings::{self, Settings};
use touchstream_runtime::shutdown::{self, Shutdown};
use touchstream_runtime::telemetry;
use touchstream_runtime::touchpoints::Touchpoints;

use crate::error::{CommandError, failed};

fn start(config: Option<&Path>) -> Result<(Settings, Shutdown), CommandError> {
    let settings = settings::load(config)?.settings;
    telemetry::install(&settings.log).map_err(|error| CommandError::Usage(error.into()))?;
    Ok((settings, shutdown::on_signal().map_err(failed)?))
}

/// `touchstream ingest`.
pub(crate) async fn ingest(config: Option<&Path>) -> Result<(), CommandError> {
    let (settings, shutdown) = start(config)?;
    touchstream_ingest::serve(&settings, shutdown).await.map_err(|error| {
        if error.is_configuration() { CommandError::Usage(error.into()) } else { failed(error) }
    })
}

/// `touchstream processor`.
pub(crate) async fn processor(config: Option<&Path>) -> Result<(), CommandError> {
    let (settings, shutdown) = start(config)?;
    let file = &settings.processor.touchpoints_file;
    let touchpoints = Touchpoints::load(file).map_err(|error| CommandError::Usage(error.into()))?;
    keep_to_small_pages();
    touchstream_processor::serve(&settings, touchpoints, shutdown).await.map_err(failed)
}

/// What gives freed memory back after 10 ms; by default the allocator keeps it for a second, in which the sink frees hundreds of megabytes.
/// The allocator reads it when a process starts and offers no safe way later, so this program starts again in its own place, once.
const GIVE_BACK: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "10");

fn give_memory_back_soon() {
    if std::env::var_os(GIVE_BACK.0).is_some() {
        return;
    }
    let again = |program: PathBuf| {
        Command::new(program).args(std::env::args_os().skip(1)).env(GIVE_BACK.0, GIVE_BACK.1).exec()
    };
    let error = std::env::current_exe().map_or_else(|error| error, again);
    eprintln!("touchstream: failed to start again with {}: {error}; going on with more memory", GIVE_BACK.0);
}

/// What the processor holds grows piece by piece; huge pages would be cleared and counted as resident two megabytes at a time, which
/// costs more than the look-ups that they save (`docs/results/2026-11-22-processor-speed.md`).
fn keep_to_small_pages() {
    if let Err(error) = nix::sys::prctl::set_thp_disable(true) {
        tracing::debug!(%error, "failed to do without huge pages");
    }
}

/// `touchstream sink`.
pub(crate) async fn sink(config: Option<&Path>) -> Result<(), CommandError> {
    give_memory_back_soon();
    let (settings, shutdown) = start(config)?;
    keep_to_small_pages();
    touchstream_sink::serve(&settings, shutdown).await.map_err(failed)
}

/// `touchstream console`.
pub(crate) async fn console(config: Option<&Path>) -> Result<(), CommandError> {
    let (settings, shutdown) = start(config)?;
    touchstream_console::serve(&settings, shutdown).await.map_err(failed)
}

/// `touchstream clickhouse`.
pub(crate) async fn clickhouse(config: Option<&Path>) -> Result<(), CommandError> {
    let (settings, shutdown) = start(config)?;
    let options = clickhouse_options(&settings).map_err(CommandError::Usage)?;
    let readiness = Readiness::default();
    readiness.expect("engine");
    let admin_address = &settings.local.clickhouse_admin;
    admin::serve(admin_address, options.registry.clone(), readiness.clone(), shutdown.clone())
        .await
        .map_err(failed)?;
    let ready = |address: SocketAddr| {
        tracing::info!(%address, "ClickHouse engine is ready");
        readiness.ready("engine");
    };
    touchstream_local_clickhouse::serve(options, ready, shutdown.cancelled_owned()).await.map_err(failed)
}

fn clickhouse_options(settings: &Settings) -> anyhow::Result<ServerOptions> {
    let local = &settings.local;
    let library = match local.clickhouse_library.as_str() {
        "" => touchstream_local_parts::clickhouse(&Progress::detect())?,
        given => PathBuf::from(given),
    };
    let listen = local
        .clickhouse_listen
        .parse()
        .with_context(|| format!("failed to use local.clickhouse_listen = {:?}", local.clickhouse_listen))?;
    let password = settings.clickhouse.password.or_file(&settings.clickhouse.password_file)?;
    anyhow::ensure!(
        !password.is_empty(),
        "failed to protect the writing user: set clickhouse.password_file (or clickhouse.password)"
    );
    let data_dir = Path::new(&local.data_dir).join("clickhouse");
    let password = Password::new(password.expose());
    Ok(ServerOptions {
        writer_user: settings.clickhouse.user.clone(),
        ..ServerOptions::new(library, data_dir, listen, password)
    })
}
