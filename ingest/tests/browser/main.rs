//! `touchstream.js` and its widget in a real Chromium, against the real ingest and a real Kafka: a sample shop is clicked through, goes
//! offline, is closed in the middle of requests; every event is in Kafka once. Also: the served files are what the sources give.

#![expect(clippy::unwrap_used, reason = "in a test a failed step is a failed test")]
#![expect(clippy::print_stdout, reason = "a run says what it has seen")]

mod arrived;
#[path = "../http/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests over plain sockets use all of it")]
mod harness;
mod install;

use std::path::{Path, PathBuf};
use std::process::Command;

use touchstream_ingest::{NewKey, create_key};

use crate::harness::{Server, block_on, create_topics, start_kafka, wait_for};

/// Where everything that is served and tested lies.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// Chromium, from Debian.
fn chromium() -> String {
    std::env::var("CHROMIUM").unwrap_or_else(|_| {
        let found =
            Command::new("sh").args(["-c", "command -v chromium || command -v chromium-browser"]).output();
        let path = String::from_utf8(found.unwrap().stdout).unwrap();
        assert!(!path.trim().is_empty(), "chromium is missing: scripts/check-tools installs it");
        path.trim().to_owned()
    })
}

#[test]
fn every_event_of_a_sample_shop_arrives_once() {
    let directory = tempfile::tempdir().unwrap();
    let kafka = start_kafka(directory.path());
    let brokers = kafka.bootstrap();
    block_on(create_topics(&brokers, "browser"));
    let server = Server::start(&brokers, "browser", |settings| {
        // As `touchstream up` has it: the key of the first example.
        settings.ingest.static_keys = vec!["shop:shop:site".to_owned()];
        settings.ingest.local_pages = true;
    });
    let new =
        NewKey { tenant: "shop".to_owned(), source: "site".to_owned(), browser: true, ..NewKey::default() };
    let key = block_on(create_key(&server.settings, new)).unwrap();
    wait_for("the key to be known", || {
        let path = format!("/v1/events?key={key}&dry_run=1");
        harness::post_with(server.address(), &path, &["Origin: http://shop.test"], b"[]").status != 401
    });

    let installed = install::packages();
    let run = serde_json::json!({
        "ingest": format!("http://{}", server.address()),
        "key": key,
        "chromium": chromium(),
        "sources": sources(),
        "output": installed,
    });
    let output = install::node(&installed, "checks/check.mjs", &[&run.to_string()]);
    println!("{output}");
    let expected = output.lines().last().unwrap();
    arrived::check(&brokers, "browser", &serde_json::from_str(expected).unwrap());
}

#[test]
fn served_files_are_what_the_sources_give() {
    let installed = install::packages();
    let made = tempfile::tempdir().unwrap();
    let browser = sources().join("browser");
    let arguments = [browser.join("src").display().to_string(), made.path().display().to_string()];
    install::node(&installed, "minify.mjs", &[&arguments[0], &arguments[1]]);
    for name in ["touchstream.min.js", "touchstream-widget.min.js"] {
        let fresh = std::fs::read(made.path().join(name)).unwrap();
        if std::env::var_os("RENEW").is_some() {
            std::fs::write(browser.join(name), &fresh).unwrap();
        }
        assert!(fresh == std::fs::read(browser.join(name)).unwrap(), "{name} is stale: make browser-files");
    }
}
