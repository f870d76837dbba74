//! How a command ends when it fails, and with which exit status.

use std::process::ExitCode;

use touchstream_runtime::settings::SettingsError;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// Wrong usage or configuration: exit status 2.
    Usage(anyhow::Error),
    /// Anything else: exit status 1.
    Failed(anyhow::Error),
}

impl CommandError {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            CommandError::Usage(_) => ExitCode::from(2),
            CommandError::Failed(_) => ExitCode::FAILURE,
        }
    }
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (CommandError::Usage(error) | CommandError::Failed(error)) = self;
        // Most errors of this project name their cause themselves: a cause is added only where it was not said yet.
        let mut text = error.to_string();
        for cause in error.chain().skip(1).map(ToString::to_string) {
            if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
        }
        formatter.write_str(&text)
    }
}

impl From<SettingsError> for CommandError {
    fn from(error: SettingsError) -> CommandError {
        CommandError::Usage(error.into())
    }
}

/// Marks an error as failure of the command.
pub(crate) fn failed(error: impl Into<anyhow::Error>) -> CommandError {
    CommandError::Failed(error.into())
}
