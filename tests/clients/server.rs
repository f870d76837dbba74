//! A server process for one test: this very test binary, started again as the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use touchstream_local_clickhouse::{Password, ServerOptions, serve};
use touchstream_local_parts::{Progress, clickhouse};

const DIRECTORY: &str = "TOUCHSTREAM_TEST_CLICKHOUSE_DIRECTORY";
const READY: &str = "server is ready at ";

/// The writing user's name and password in these tests.
pub(crate) const WRITER: &str = "touchstream";
pub(crate) const PASSWORD: &str = "writer-secret";

/// A running server; killed when dropped.
pub(crate) struct TestServer {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl TestServer {
    /// Starts a server on `directory` and waits until it is ready.
    pub(crate) fn start(directory: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this binary has a path"))
            .args(["--exact", "server::child", "--nocapture", "--include-ignored", "--test-threads=1"])
            .env(DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server process starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it was piped")).lines();
        let address = lines
            .by_ref()
            .map(|line| line.expect("the server's output is text"))
            .find_map(|line| line.split_once(READY)?.1.trim().parse().ok())
            .expect("the server says that it is ready before it ends");
        // Whatever it still says must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// The server's URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Kills the process as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it ends");
    }

    /// Ends the server as an operator would; it must end by itself and well.
    pub(crate) fn stop(mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(30);
        let ended = loop {
            match self.child.try_wait().expect("its state can be asked") {
                Some(ended) => break ended,
                None if Instant::now() > deadline => panic!("the server does not end"),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        assert!(ended.success(), "the server ended with {ended}");
    }

    /// Whether the process still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("its state can be asked").is_none()
    }

    /// Runs one statement as the writer by curl and gives the answer; panics unless it is a 200.
    pub(crate) fn write(&self, statement: &str) -> String {
        let answer = super::curl::Request::new(self).writer().body(statement).send();
        assert_eq!(answer.status, 200, "{statement}: {}", answer.text());
        answer.text()
    }

    /// Runs one query as `default` by curl and gives the answer; panics unless it is a 200.
    pub(crate) fn read(&self, statement: &str) -> String {
        let answer = super::curl::Request::new(self).body(statement).send();
        assert_eq!(answer.status, 200, "{statement}: {}", answer.text());
        answer.text()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // It may be dead already, which is just as well.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// The server side: does nothing as a test; ends with its parent, whose end closes the pipe on its standard input.
#[test]
#[ignore = "the other tests start this as their server"]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let library = clickhouse(&Progress::silent()).expect("the engine can be fetched");
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let options = ServerOptions::new(library, directory.into(), listen, Password::new(PASSWORD));
    let parent_ends = async {
        let wait = || std::io::stdin().read_to_end(&mut Vec::new());
        tokio::task::spawn_blocking(wait).await.expect("the wait ends").expect("standard input is a pipe");
    };
    let ready = |address| {
        let mut output = std::io::stdout();
        output.write_all(format!("\n{READY}{address}\n").as_bytes()).expect("the parent listens");
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(serve(options, ready, parent_ends)).expect("the server runs");
}
