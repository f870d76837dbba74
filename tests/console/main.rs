//! The console in front of a whole machine: the page in a real Chromium, twenty viewers, and whom it refuses.
//!
//! `CONSOLE_PICTURES=DIR` keeps the screenshots.

#[expect(dead_code, unused_imports, reason = "this test needs a part of it")]
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/install.rs"]
mod install;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::machine::{KEY, Machine, TENANT};
use install::{once, run};

const MANIFESTS: &[(&str, &str)] = &[
    ("package.json", include_str!("package.json")),
    ("package-lock.json", include_str!("package-lock.json")),
    (".npmrc", include_str!(".npmrc")),
];
const SCRIPTS: &[(&str, &str)] = &[
    ("browser.mjs", include_str!("browser.mjs")),
    ("check.mjs", include_str!("check.mjs")),
    ("regressions.mjs", include_str!("regressions.mjs")),
];
const REGRESSION: &str = "INSERT INTO cx.store_regressions (tenant, rule, touchpoint, channel, detail, at, state, severity, since, value, \
                          baseline, ci_low, ci_high, samples, suspect_times, suspect_names, owner, runbook, revision) SELECT 'shop', \
                          'drop_off_rose', 'checkout', 'all', 'payment', now64(3) - 60, 'firing', 'page', now64(3) - 3600, 0.42, 0.06, 0.38, 0.46, \
                          300, [now64(3) - 4000], ['release 5.3.0'], 'team-checkout', 'javascript:alert(1)', 1";
const VIEWERS: usize = 20;
/// How long viewers are watched.
const WATCHED: Duration = Duration::from_secs(10);
const MOST_RESIDENT: u64 = 150 << 20;

/// Chromium, from Debian.
fn chromium() -> String {
    std::env::var("CHROMIUM").unwrap_or_else(|_| {
        let found =
            run(Command::new("sh").args(["-c", "command -v chromium || command -v chromium-browser"]));
        found.trim().to_owned()
    })
}

/// An answer's status line, as a browser that knows the console under this name would see it.
fn status(address: &str, host: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the console listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer.lines().next().unwrap_or_default().to_owned()
}

/// Opens a stream and gives it once the first answer is there.
fn viewer(address: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).expect("the console listens");
    write!(stream, "GET /api/stream?tenant={TENANT} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    while !line.starts_with("event: nps") {
        line.clear();
        assert!(lines.read_line(&mut line).expect("the stream goes on") > 0, "the stream ended");
    }
    lines
}

/// Processor time of all its threads so far.
fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    let (_, after_name) = stat.rsplit_once(") ").expect("the name stands in parentheses");
    // Fields 14 and 15, in hundredths: time in itself and in the kernel.
    let ticks =
        after_name.split(' ').skip(11).take(2).map(|field| field.parse::<u32>().expect("ticks are a number"));
    f64::from(ticks.sum::<u32>()) / 100.0
}

fn resident_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a process has memory");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
    kib.expect("memory is a number") << 10
}

#[test]
fn people_see_the_numbers_move() {
    let mut machine = Machine::start();
    let console = machine.console().to_owned();
    let address = console.trim_start_matches("http://").to_owned();
    let installed = once("console-checks", MANIFESTS, |directory| {
        run(Command::new("npm").args(["ci", "--ignore-scripts", "--silent"]).current_dir(directory));
    });
    for (name, script) in SCRIPTS {
        std::fs::write(installed.join(name), script).expect("the script can be written");
    }
    let pictures = std::env::var_os("CONSOLE_PICTURES").map_or_else(|| installed.clone(), PathBuf::from);
    // Rules need weeks of data: what they would tell is written as the sink writes it.
    machine.clickhouse().query(REGRESSION).expect("a row can be written");
    let check = |script: &str| {
        let output = run(Command::new("node")
            .arg(installed.join(script))
            .args([console.as_str(), machine.ingest(), KEY, &chromium()])
            .arg(&pictures)
            .current_dir(&installed));
        assert!(output.contains("all held"), "{output}");
        eprintln!("{output}");
    };
    check("check.mjs");
    for statement in include_str!("regressions.sql").split(";\n") {
        machine.clickhouse().query(statement).expect("rows can be written");
    }
    check("regressions.mjs");

    let process = machine.service("console").pid();
    let viewers: Vec<_> = (0..VIEWERS).map(|_| viewer(&address)).collect();
    let (before, began) = (cpu_seconds(process), Instant::now());
    std::thread::sleep(WATCHED);
    let share = (cpu_seconds(process) - before) / began.elapsed().as_secs_f64();
    let resident = resident_bytes(process);
    eprintln!("{VIEWERS} viewers: {:.1} % of a core, {} MiB resident", 100.0 * share, resident >> 20);
    assert!(resident < MOST_RESIDENT, "{resident} bytes are resident with {VIEWERS} viewers");
    drop(viewers);

    assert_eq!(status(&address, "localhost", "/"), "HTTP/1.1 200 OK");
    assert_eq!(status(&address, "evil.test", "/api/tenants"), "HTTP/1.1 421 Misdirected Request");
    assert_eq!(status(&address, "localhost", "/../Cargo.toml"), "HTTP/1.1 404 Not Found");
    assert_eq!(status(&address, "localhost", "/api/stream?tenant=x&period=year"), "HTTP/1.1 400 Bad Request");
    let regression = |names: &str| status(&address, "localhost", &format!("/api/regression?{names}"));
    let names = "tenant=bakery&rule=nps_fell&touchpoint=delivery&channel=email";
    assert_eq!(regression(&format!("{names}&fired_ms=1")), "HTTP/1.1 404 Not Found");
    assert_eq!(regression(&format!("{names}&fired_ms=now")), "HTTP/1.1 400 Bad Request");
    assert_eq!(
        regression(&format!("{names}&fired_ms=1&detail={}", "x".repeat(300))),
        "HTTP/1.1 400 Bad Request"
    );
    assert_eq!(regression(&format!("{names}%27&fired_ms=1")), "HTTP/1.1 404 Not Found");
    machine.stop();
}
