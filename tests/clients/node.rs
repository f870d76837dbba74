//! `@clickhouse/client`, from npm.

use crate::install::{once, run};
use crate::server::{PASSWORD, TestServer, WRITER};
use std::process::Command;

const MANIFESTS: &[(&str, &str)] = &[
    ("package.json", include_str!("node/package.json")),
    ("package-lock.json", include_str!("node/package-lock.json")),
    (".npmrc", include_str!("node/.npmrc")),
];

#[test]
fn clickhouse_client_of_node_finds_clickhouse() {
    let installed = once("node-clients", MANIFESTS, |directory| {
        run(Command::new("npm").args(["ci", "--ignore-scripts", "--silent"]).current_dir(directory));
    });
    // The script stands beside its packages, where Node looks for them.
    let script = installed.join("check.mjs");
    std::fs::write(&script, include_str!("node/check.mjs")).expect("the script can be written");
    let directory = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(directory.path());
    server.write("CREATE DATABASE node");
    let url = server.url();
    let output = run(Command::new("node").arg(script).args([url.as_str(), WRITER, PASSWORD, "node"]));
    assert!(output.contains("all held"), "{output}");
}
