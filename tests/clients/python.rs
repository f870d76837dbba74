//! `clickhouse-connect`, pandas, Arrow and SQLAlchemy, from PyPI.

use crate::install::{once, run};
use crate::server::{PASSWORD, TestServer, WRITER};
use std::path::{Path, PathBuf};
use std::process::Command;

const REQUIREMENTS: &str = include_str!("python/requirements.txt");

/// Fills `packages`, a plain directory: unlike a virtual environment it needs nothing beyond pip.
fn packages() -> PathBuf {
    let directory = once("python-clients", &[("requirements.txt", REQUIREMENTS)], |directory| {
        run(Command::new("python3")
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-input",
                "--target",
            ])
            .arg(directory.join("packages"))
            .arg("--requirement")
            .arg(directory.join("requirements.txt")));
    });
    directory.join("packages")
}

#[test]
fn clickhouse_connect_pandas_and_sqlalchemy_find_clickhouse() {
    let packages = packages();
    let directory = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(directory.path());
    server.write("CREATE DATABASE python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/python/check.py");
    let output = run(Command::new("python3")
        .arg(script)
        .args([
            &server.address.ip().to_string(),
            &server.address.port().to_string(),
            WRITER,
            PASSWORD,
            "python",
        ])
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1"));
    assert!(output.contains("all held"), "{output}");
}
