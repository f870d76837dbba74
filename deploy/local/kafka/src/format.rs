//! The first start: a new data directory gets a cluster id, once and in one step.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::KafkaError;
use crate::config::{KafkaOptions, server_properties};
use crate::prepare::{class_path, java};

/// Formats the data directory if it never was. Formatting happens beside it and is renamed, so that a process killed in
/// between leaves nothing half done.
pub(crate) fn format_if_new(options: &KafkaOptions, controller_port: u16) -> Result<(), KafkaError> {
    let log_dir = options.log_dir();
    if log_dir.join("meta.properties").is_file() {
        return Ok(());
    }
    let fresh = options.data_dir.join("log.new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(KafkaError::file("remove", &fresh))?;
    }
    let settings = options.data_dir.join("format.properties");
    fs::write(&settings, server_properties(options.port, controller_port, &fresh))
        .map_err(KafkaError::file("write", &settings))?;
    run_storage_tool(options, &settings)?;
    fs::remove_file(&settings).map_err(KafkaError::file("remove", &settings))?;
    fs::rename(&fresh, &log_dir).map_err(KafkaError::file("rename into", &log_dir))
}

fn run_storage_tool(options: &KafkaOptions, settings: &Path) -> Result<(), KafkaError> {
    let program = java()?;
    let output = Command::new(&program)
        .args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData"])
        .arg("-cp")
        .arg(class_path(&options.jars)?)
        .args(["kafka.tools.StorageTool", "format", "--cluster-id", &new_cluster_id(), "--config"])
        .arg(settings)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| KafkaError::Start { program, source })?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(KafkaError::Format {
        directory: options.data_dir.clone(),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&text).trim().to_owned(),
    })
}

/// 16 random bytes in URL-safe base64, never with a leading dash: Kafka's tools would read that as an option.
fn new_cluster_id() -> String {
    loop {
        let id = URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes());
        if !id.starts_with('-') {
            return id;
        }
    }
}
