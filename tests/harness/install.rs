//! Installs what a client needs, once: a directory named after its manifests appears when it is whole.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Gives the directory for `manifests` (file name, content), filled by `fill` unless an earlier run has done so.
pub(crate) fn once(name: &str, manifests: &[(&str, &str)], fill: impl FnOnce(&Path)) -> PathBuf {
    let _turn = ONE_AT_A_TIME.lock().expect("no other installation has failed");
    let mut hasher = DefaultHasher::new();
    manifests.hash(&mut hasher);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{:016x}", hasher.finish()));
    let whole = directory.join(".whole");
    if whole.exists() {
        return directory;
    }
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("a half installation can be removed");
    }
    fs::create_dir_all(&directory).expect("the directory can be made");
    for (file, content) in manifests {
        fs::write(directory.join(file), content).expect("a manifest can be written");
    }
    fill(&directory);
    fs::write(whole, "").expect("the mark can be written");
    directory
}

/// Runs a command to a successful end; its output is the panic's text otherwise.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?} ended with {}:\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}
