//! Ingest as a process of its own: the test binary starts itself again, so that memory and logs are those of ingest alone.

use std::io::Read;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use touchstream_runtime::settings::load;
use touchstream_runtime::shutdown::Shutdown;
use touchstream_runtime::telemetry;

use super::{KEY, get, wait_for};

/// Names the settings of a process that is to serve.
const SETTINGS: &str = "TOUCHSTREAM_TEST_SETTINGS";

/// A running process; killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    directory: tempfile::TempDir,
    pub(crate) address: String,
    pub(crate) admin: String,
}

impl Process {
    /// Starts ingest with these lines of its section and waits until it is ready.
    pub(crate) fn start(brokers: &str, prefix: &str, secret: &str, ingest: &str) -> Process {
        let directory = tempfile::tempdir().unwrap();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let (address, admin) = (free(), free());
        let settings = format!(
            "[kafka]\nbrokers = \"{brokers}\"\ntopic_prefix = \"{prefix}\"\n[log]\nlevel = \"debug\"\n[ingest]\nlisten = \
             \"{address}\"\nadmin = \"{admin}\"\nstatic_keys = [\"{KEY}:shop:web\"]\npseudonym_secret = \"{secret}\"\n{ingest}\n"
        );
        let path = directory.path().join("settings.toml");
        std::fs::write(&path, settings).unwrap();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "harness::process::serve_in_this_process", "--ignored", "--nocapture"])
            .env(SETTINGS, path)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let process = Process { child, directory, address, admin };
        wait_for("ingest to be ready", || {
            std::net::TcpStream::connect(&process.admin).is_ok()
                && get(&process.admin, "/readyz").status == 200
        });
        process
    }

    /// Everything it has logged.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_file()).unwrap()).into_owned()
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// The text of its metrics.
    pub(crate) fn metrics(&self) -> String {
        get(&self.admin, "/metrics").text()
    }

    /// Resident memory in MiB: now (`VmRSS`) or at most so far (`VmHWM`).
    pub(crate) fn memory_mib(&self, kind: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(kind)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its end may have come before; that is what the test is about then.
        let _killed: std::io::Result<()> = self.child.kill();
        let _ended: std::io::Result<std::process::ExitStatus> = self.child.wait();
    }
}

#[test]
#[ignore = "what the test binary does when it was started as ingest"]
fn serve_in_this_process() {
    let Some(path) = std::env::var_os(SETTINGS) else { return };
    let settings = load(Some(path.as_ref())).unwrap().settings;
    telemetry::install(&settings.log).unwrap();
    let shutdown = Shutdown::new();
    let ended = shutdown.clone();
    std::thread::spawn(move || {
        // The test is over, however it ended, when it lets go of this end.
        let _read: std::io::Result<usize> = std::io::stdin().read(&mut [0]);
        ended.cancel();
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(touchstream_ingest::serve(&settings, shutdown)).unwrap();
}
