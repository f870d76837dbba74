//! `/openapi.json`, judged by `openapi-spec-validator`, and the running server judged against it by `schemathesis`, both from PyPI.

use std::path::Path;
use std::process::Command;

use crate::ingest_server::{IngestServer, KEY};
use crate::install::{once, run};

const REQUIREMENTS: &str = include_str!("ingest/requirements.txt");

#[test]
fn ingest_is_as_its_openapi_description_says() {
    let installed = once("openapi-checks", &[("requirements.txt", REQUIREMENTS)], |directory| {
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
    let server = IngestServer::start("openapi");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/ingest/openapi.py");
    let output = run(Command::new("python3")
        .arg(script)
        .args([&*server.url(), KEY])
        .env("PYTHONPATH", installed.join("packages"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(&installed));
    assert!(output.contains("all held"), "{output}");
}
