//! Everything that must be so before the broker's process starts; done again at each start.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use touchstream_local_supervisor::{ProcessSpec, check_port_is_free};

use crate::KafkaError;
use crate::config::{KafkaOptions, log4j2_properties, server_properties};
use crate::format::format_if_new;

/// Checks the ports, formats a new data directory, renders the settings, and says how to run the broker.
pub fn prepare(options: &KafkaOptions) -> Result<ProcessSpec, KafkaError> {
    let options = &with_absolute_paths(options)?;
    let program = java()?;
    check_port_is_free(loopback(options.port), "Kafka")?;
    let controller_port = match options.controller_port {
        Some(port) => {
            check_port_is_free(loopback(port), "Kafka's controller")?;
            port
        }
        None => free_port()?,
    };

    fs::create_dir_all(&options.data_dir).map_err(KafkaError::file("create", &options.data_dir))?;
    let temporary = empty_temporary_directory(&options.data_dir)?;
    format_if_new(options, controller_port)?;
    let settings = options.data_dir.join("server.properties");
    fs::write(&settings, server_properties(options.port, controller_port, &options.log_dir()))
        .map_err(KafkaError::file("write", &settings))?;
    let logging = options.data_dir.join("log4j2.properties");
    fs::write(&logging, log4j2_properties()).map_err(KafkaError::file("write", &logging))?;

    let mut arguments: Vec<OsString> = vec![format!("-Xmx{}m", options.heap_mib).into()];
    arguments.extend(JAVA_OPTIONS.iter().map(OsString::from));
    arguments.push(assignment("-Djava.io.tmpdir=", &temporary));
    arguments.push(assignment("-Dlog4j2.configurationFile=", &logging));
    arguments.push("-cp".into());
    arguments.push(class_path(&options.jars)?);
    arguments.push("kafka.Kafka".into());
    arguments.push(settings.into());
    Ok(ProcessSpec { program, arguments, environment: Vec::new(), log_file: options.log_file.clone() })
}

/// G1 with short pauses, as Kafka's own scripts set it. Out of memory ends the process, which is then restarted: a broker
/// that lost a thread to it would look alive and answer nothing. Only the quick compiler: the thorough one takes a tenth of two cores
/// for the first minute, from whatever else runs here, and after twelve million events had not earned it back.
const JAVA_OPTIONS: &[&str] = &[
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
];

/// `$JAVA_HOME/bin/java`, else the first `java` on the `PATH`.
pub(crate) fn java() -> Result<PathBuf, KafkaError> {
    let home = env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let path = env::var_os("PATH").unwrap_or_default();
    home.into_iter()
        .chain(env::split_paths(&path).map(|directory| directory.join("java")))
        .find(|candidate| candidate.is_file())
        .ok_or(KafkaError::JavaMissing)
}

/// All jars, sorted: a wildcard would leave the order to the file system.
pub(crate) fn class_path(jars: &Path) -> Result<OsString, KafkaError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(jars).map_err(KafkaError::file("list", jars))? {
        paths.push(entry.map_err(KafkaError::file("list", jars))?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jar"));
    paths.sort();
    env::join_paths(paths).map_err(|_| KafkaError::File {
        action: "use as a class path (it contains a colon)",
        path: jars.to_owned(),
        source: std::io::ErrorKind::InvalidInput.into(),
    })
}

/// Compression libraries are unpacked there and are left behind by `kill -9`; so it is Kafka's own, and emptied.
fn empty_temporary_directory(data_dir: &Path) -> Result<PathBuf, KafkaError> {
    let temporary = data_dir.join("tmp");
    if temporary.exists() {
        fs::remove_dir_all(&temporary).map_err(KafkaError::file("remove", &temporary))?;
    }
    fs::create_dir(&temporary).map_err(KafkaError::file("create", &temporary))?;
    Ok(temporary)
}

fn with_absolute_paths(options: &KafkaOptions) -> Result<KafkaOptions, KafkaError> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(KafkaError::file("resolve", path));
    Ok(KafkaOptions {
        jars: absolute(&options.jars)?,
        data_dir: absolute(&options.data_dir)?,
        log_file: absolute(&options.log_file)?,
        ..options.clone()
    })
}

fn free_port() -> Result<u16, KafkaError> {
    let port = |listener: TcpListener| Ok(listener.local_addr()?.port());
    TcpListener::bind(loopback(0)).and_then(port).map_err(|source| KafkaError::Unreachable {
        bootstrap: "127.0.0.1:0".to_owned(),
        problem: format!("no free port for the controller: {source}"),
    })
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn assignment(name: &str, value: &Path) -> OsString {
    let mut text = OsString::from(name);
    text.push(value);
    text
}
