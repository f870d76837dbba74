//! `touchstream config`: settings in force, each with its origin.

use std::path::Path;

use touchstream_runtime::settings::{self, Origin};

use crate::cli::ConfigOptions;
use crate::error::{CommandError, failed};

/// Prints every setting; secrets are masked.
#[expect(clippy::print_stdout, reason = "this command's purpose")]
pub(crate) fn show(config: Option<&Path>, options: &ConfigOptions) -> Result<(), CommandError> {
    let loaded = settings::load(config)?;
    let lines = settings::explain(&loaded);
    if options.json {
        let rows: Vec<_> = lines
            .iter()
            .map(|line| serde_json::json!({"key": line.key, "value": line.value, "origin": describe(&line.origin)}))
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows).map_err(failed)?);
        return Ok(());
    }
    let width = lines.iter().map(|line| line.key.len() + line.value.len() + 3).max().unwrap_or(0).min(70);
    for line in &lines {
        let setting = format!("{} = {}", line.key, line.value);
        println!("{setting:width$}  # {}", describe(&line.origin));
    }
    Ok(())
}

fn describe(origin: &Origin) -> String {
    match origin {
        Origin::Default => "default".to_owned(),
        Origin::File { path, line } => format!("{path} line {line}"),
        Origin::Environment(variable) => format!("environment {variable}"),
    }
}
