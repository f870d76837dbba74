//! `clickhouse-go`, the driver inside Grafana's data source, over HTTP. Needs Go, which is no tool of this repository otherwise: without it the
//! test says so and passes.

use crate::analyst::server_with_views;
use crate::install::{once, run};
use crate::server::{PASSWORD, WRITER};
use std::process::Command;

const SOURCES: &[(&str, &str)] = &[
    ("go.mod", include_str!("go/go.mod")),
    ("go.sum", include_str!("go/go.sum")),
    ("main.go", include_str!("go/main.go")),
];

#[test]
fn clickhouse_go_finds_clickhouse_over_http() {
    if Command::new("go").arg("version").output().is_err() {
        eprintln!("Go is not installed: clickhouse-go was not tried");
        return;
    }
    let built = once("go-client", SOURCES, |directory| {
        run(Command::new("go").args(["build", "-mod=readonly", "-o", "check", "."]).current_dir(directory));
    });
    let directory = tempfile::tempdir().expect("a directory");
    let server = server_with_views(directory.path());
    let address = server.address.to_string();
    let output = run(Command::new(built.join("check")).args([address.as_str(), WRITER, PASSWORD, "cx"]));
    assert!(output.contains("all held"), "{output}");
}
