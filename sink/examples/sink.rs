//! Runs the sink for trials: `sink CONFIG_FILE`. Creates the ClickHouse objects first; topics must exist.

use std::path::Path;

use touchstream_runtime::{settings, shutdown, telemetry};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: sink CONFIG_FILE")?;
    let settings = settings::load(Some(Path::new(&file)))?.settings;
    telemetry::install(&settings.log)?;
    let shutdown = shutdown::on_signal()?;
    for name in touchstream_sink::migrate(&settings, false).await? {
        tracing::info!(name, "applied");
    }
    touchstream_sink::serve(&settings, shutdown).await?;
    Ok(())
}
