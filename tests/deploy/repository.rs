//! Files of this repository, and the commands that look at them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The path of a file or folder of the repository.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The text of a file.
pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("failed to read {name}: {error}"))
}

/// Names of the files of a folder with this ending, in order.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<String> {
    let entries =
        std::fs::read_dir(path(folder)).unwrap_or_else(|error| panic!("failed to read {folder}: {error}"));
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(ending))
        .collect();
    names.sort();
    names
}

/// All dashboards, by the name of their file.
pub(crate) fn dashboards() -> Vec<(String, Value)> {
    let folder = "deploy/grafana/dashboards";
    let found: Vec<(String, Value)> = files(folder, ".json")
        .into_iter()
        .map(|name| {
            let json = serde_json::from_str(&text(&format!("{folder}/{name}"))).expect("a dashboard is JSON");
            (name, json)
        })
        .collect();
    assert_eq!(found.len(), 7);
    found
}

/// Text at a place of JSON.
pub(crate) fn string<'j>(json: &'j Value, place: &str) -> &'j str {
    json[place].as_str().unwrap_or_else(|| panic!("{place} is no text in {json}"))
}

/// Elements of an array at a place of JSON; none when there is nothing.
pub(crate) fn list<'j>(json: &'j Value, place: &str) -> &'j [Value] {
    json[place].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Runs a command that must be installed.
pub(crate) fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| {
        panic!("failed to start {command:?} (scripts/check-tools installs it): {error}")
    })
}
