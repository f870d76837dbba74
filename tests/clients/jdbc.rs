//! The JDBC driver, from Maven Central, as Metabase and DBeaver use it.

use crate::analyst::server_with_views;
use crate::install::{once, run};
use std::path::Path;
use std::process::Command;

const POM: &str = include_str!("jdbc/pom.xml");

#[test]
fn the_jdbc_driver_finds_clickhouse() {
    let installed = once("jdbc-client", &[("pom.xml", POM)], |directory| {
        run(Command::new("mvn")
            .args([
                "-q",
                "-B",
                "dependency:copy-dependencies",
                "-DoutputDirectory=jars",
                "-DexcludeTransitive=true",
            ])
            .current_dir(directory));
    });
    let directory = tempfile::tempdir().expect("a directory");
    let server = server_with_views(directory.path());
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/jdbc/Check.java");
    let jars = format!("{}/*", installed.join("jars").display());
    let output = run(Command::new("java")
        .args(["-Xmx256m", "-cp", &jars])
        .arg(check)
        .args([&server.address.to_string(), "cx"]));
    assert!(output.contains("all held"), "{output}");
}
