//! Installs the pinned npm packages once, beside copies of the scripts that use them: Node looks for packages where a script lies.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

const MANIFESTS: &[(&str, &str)] = &[
    ("package.json", include_str!("package.json")),
    ("package-lock.json", include_str!("package-lock.json")),
    (".npmrc", include_str!(".npmrc")),
];

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A directory with the packages and fresh copies of the scripts.
pub(crate) fn packages() -> PathBuf {
    let _turn = ONE_AT_A_TIME.lock().unwrap();
    let mut hasher = DefaultHasher::new();
    MANIFESTS.hash(&mut hasher);
    let directory =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("browser-checks-{:016x}", hasher.finish()));
    if !directory.join(".whole").exists() {
        if directory.exists() {
            fs::remove_dir_all(&directory).unwrap();
        }
        fs::create_dir_all(&directory).unwrap();
        for (file, content) in MANIFESTS {
            fs::write(directory.join(file), content).unwrap();
        }
        run(Command::new("npm").args(["ci", "--ignore-scripts", "--silent"]).current_dir(&directory));
        fs::write(directory.join(".whole"), "").unwrap();
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::copy(sources.join("browser/minify.mjs"), directory.join("minify.mjs")).unwrap();
    fs::create_dir_all(directory.join("checks")).unwrap();
    for script in fs::read_dir(sources.join("tests/browser/checks")).unwrap() {
        let script = script.unwrap();
        fs::copy(script.path(), directory.join("checks").join(script.file_name())).unwrap();
    }
    directory
}

/// Runs a script to a successful end and gives what it printed.
pub(crate) fn node(directory: &Path, script: &str, arguments: &[&str]) -> String {
    run(Command::new("node").arg(directory.join(script)).args(arguments).current_dir(directory))
}

fn run(command: &mut Command) -> String {
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
