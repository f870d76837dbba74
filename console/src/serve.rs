//! The service: the page's port and the admin port.

use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use touchstream_runtime::admin::{self, Readiness};
use touchstream_runtime::clickhouse;
use touchstream_runtime::settings::Settings;
use touchstream_runtime::shutdown::Shutdown;

use crate::database::Database;
use crate::error::ConsoleError;
use crate::guard::Hosts;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::panels::TENANTS;
use crate::route::{self, Console};

/// The part that readiness waits for: an answer of ClickHouse, as the configured user.
const CLICKHOUSE: &str = "clickhouse";
/// Regressions that are read at the same time: a few short questions each.
const READERS: usize = 4;
/// Between two attempts to hear from ClickHouse at the start.
const PATIENCE: Duration = Duration::from_millis(500);

/// Serves the page until shutdown.
///
/// # Errors
/// When an address cannot be bound or the way to ClickHouse is configured wrongly. A ClickHouse that is away is no error: the page says so.
pub async fn serve(settings: &Settings, shutdown: Shutdown) -> Result<(), ConsoleError> {
    let console = &settings.console;
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).expect("the registry is new");
    let readiness = Readiness::default();
    readiness.expect(CLICKHOUSE);
    admin::serve(&console.admin, registry, readiness.clone(), shutdown.clone()).await?;

    let password = console.password.or_file(&console.password_file)?;
    let client = clickhouse::client(&settings.clickhouse, &console.user, &password)?;
    let database = Database::new(client, &settings.clickhouse.database);
    let live = Live::new(database.clone(), metrics.clone(), shutdown.clone(), console.max_selections);
    let listen_error = |source| ConsoleError::Listen { address: console.listen.clone(), source };
    let listener = TcpListener::bind(&console.listen).await.map_err(listen_error)?;
    tracing::info!(listen = %console.listen, "the console serves");
    tokio::spawn(announce(database.clone(), readiness, shutdown.clone()));
    let router = route::router(
        Console {
            live,
            database,
            metrics,
            tenants: console.tenants.clone().into(),
            viewers: Arc::new(Semaphore::new(console.max_viewers)),
            readers: Arc::new(Semaphore::new(READERS)),
            shutdown: shutdown.clone(),
        },
        Hosts::new(&console.hosts),
    );
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { shutdown.cancelled().await })
        .await
        .map_err(listen_error)
}

/// Ready once ClickHouse has answered.
async fn announce(database: Database, readiness: Readiness, shutdown: Shutdown) {
    while !shutdown.is_cancelled() {
        match database.ask_plain(TENANTS).await {
            Ok(_) => return readiness.ready(CLICKHOUSE),
            Err(error) => readiness.not_ready(CLICKHOUSE, error.to_string()),
        }
        tokio::select! {
            () = tokio::time::sleep(PATIENCE) => {}
            () = shutdown.cancelled() => {}
        }
    }
}
