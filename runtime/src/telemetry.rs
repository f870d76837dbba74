//! Logs: text for people, JSON for machines, on standard error; a constant message and values as fields.

use tracing_subscriber::EnvFilter;

use crate::settings::LogSettings;

/// The level or format cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Not a level or a list of module=level.
    #[error("failed to use log.level = {level:?}: {source}")]
    Level {
        /// As configured.
        level: String,
        /// What the parser says.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Neither text nor json.
    #[error("failed to use log.format = {0:?}: expected text or json")]
    Format(String),
}

/// Installs the process-wide subscriber.
///
/// # Errors
/// When level or format cannot be used.
pub fn install(settings: &LogSettings) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&settings.level)
        .map_err(|source| TelemetryError::Level { level: settings.level.clone(), source })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.format.as_str() {
        "text" => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        "json" => builder.json().init(),
        other => return Err(TelemetryError::Format(other.to_owned())),
    }
    Ok(())
}
