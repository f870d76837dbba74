//! Runs the registries' own clients (`mvn`, `npm`): output kept for the error message, elapsed time shown, a deadline.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{PartsError, Step};

/// Generous, since a first fetch may go over a slow line; bounded, since a registry that never answers must not hang `up`.
const DEADLINE: Duration = Duration::from_secs(15 * 60);
const POLL: Duration = Duration::from_millis(100);
const OUTPUT_TAIL: u64 = 4 * 1024;

/// A program that fetches a part.
pub(crate) struct Tool {
    /// Its name on the `PATH`.
    pub(crate) name: &'static str,
    /// The part it fetches, for messages.
    pub(crate) part: &'static str,
    /// The command that installs it.
    pub(crate) hint: &'static str,
}

impl Tool {
    /// Runs the program in `directory` and waits for its end.
    pub(crate) fn run(&self, arguments: &[&str], directory: &Path, step: &Step) -> Result<(), PartsError> {
        let command = format!("{} {}", self.name, arguments.join(" "));
        let start_error = |source| PartsError::ToolStart { command: command.clone(), source };

        let mut output = tempfile::tempfile().map_err(start_error)?;
        let mut child = Command::new(self.name)
            .args(arguments)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(start_error)?)
            .stderr(output.try_clone().map_err(start_error)?)
            .spawn()
            .map_err(|source| match source.kind() {
                std::io::ErrorKind::NotFound => {
                    PartsError::ToolMissing { part: self.part, tool: self.name, hint: self.hint }
                }
                _ => PartsError::ToolStart { command: command.clone(), source },
            })?;

        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().map_err(start_error)? {
                break status;
            }
            if begun.elapsed() > DEADLINE {
                child.kill().map_err(start_error)?;
                child.wait().map_err(start_error)?;
                return Err(PartsError::ToolTimedOut { part: self.part, command, deadline: DEADLINE });
            }
            step.detail("");
            std::thread::sleep(POLL);
        };
        if status.success() {
            return Ok(());
        }
        let output = tail(&mut output).map_err(start_error)?;
        Err(PartsError::ToolFailed { part: self.part, command, status, output })
    }
}

fn tail(file: &mut File) -> std::io::Result<String> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(OUTPUT_TAIL)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}
