//! `touchstream up` starts everything, Ctrl-C stops everything, data survives, and `kill -9` of it blocks nothing.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::clickhouse::ClickHouse;
use crate::harness::machine::{free_ports, turn};
use crate::harness::wait::{equal, until};

/// The promise from the second start on.
const READY_AGAIN_WITHIN: Duration = Duration::from_secs(15);
/// Starts that are tried to see it: tests may share their machine with something that is busy for a while.
const TRIES: usize = 3;
pub(super) const FIRST_READY_WITHIN: Duration = Duration::from_secs(120);

/// `touchstream up` in a directory of its own; killed when dropped, and with it all that it started.
pub(super) struct Up {
    directory: PathBuf,
    ports: [u16; 10],
    child: Option<Child>,
}

impl Up {
    pub(super) fn new(directory: &Path) -> Up {
        let ports = free_ports();
        let [
            kafka,
            ingest,
            clickhouse,
            admin,
            ingest_admin,
            processor_admin,
            sink_admin,
            clickhouse_admin,
            console,
            console_admin,
        ] = ports;
        let settings = format!(
            "[ingest]\nlisten = \"127.0.0.1:{ingest}\"\nadmin = \"127.0.0.1:{ingest_admin}\"\n\
             [processor]\nadmin = \"127.0.0.1:{processor_admin}\"\n\
             [sink]\nadmin = \"127.0.0.1:{sink_admin}\"\n\
             [console]\nlisten = \"127.0.0.1:{console}\"\nadmin = \"127.0.0.1:{console_admin}\"\n\
             [local]\nkafka_port = {kafka}\nclickhouse_listen = \"127.0.0.1:{clickhouse}\"\n\
             clickhouse_admin = \"127.0.0.1:{clickhouse_admin}\"\nadmin = \"127.0.0.1:{admin}\"\n"
        );
        std::fs::write(directory.join("touchstream.toml"), settings).expect("the settings can be written");
        Up { directory: directory.to_owned(), ports, child: None }
    }

    /// Starts it and waits until every service is ready; how long that took.
    pub(super) fn start(&mut self, within: Duration) -> Duration {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
            .expect("a log can be kept");
        let child = Command::new(env!("CARGO_BIN_EXE_touchstream"))
            .arg("up")
            .arg("--config")
            .arg(self.directory.join("touchstream.toml"))
            .arg("--data-dir")
            .arg(self.directory.join("data"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log can be shared"))
            .stderr(log)
            .spawn()
            .expect("the binary runs");
        self.child = Some(child);
        let begun = Instant::now();
        let url = format!("http://127.0.0.1:{}/readyz", self.ports[3]);
        until("everything is ready", within, || {
            let ended =
                self.child.as_mut().expect("it was started").try_wait().expect("its state can be asked");
            assert!(ended.is_none(), "up ended: {ended:?}\n{}", self.log());
            ureq::get(&url).call().map(drop).map_err(|error| format!("{error}\n{}", self.log()))
        });
        begun.elapsed()
    }

    /// Ctrl-C; it must end well by itself, and nothing may be left listening.
    pub(super) fn interrupt(&mut self) {
        let mut child = self.child.take().expect("it was started");
        self.signal(&child, Signal::SIGINT);
        let (status, took) = until("Ctrl-C ends it", Duration::from_secs(40), || {
            child.try_wait().expect("its state can be asked").ok_or_else(|| self.log())
        });
        let said = self.log();
        let stopping = said.rfind("stopping in order").map_or("", |start| &said[start..]);
        eprintln!("ended {took:?} after Ctrl-C: {stopping}");
        assert!(
            !stopping.contains("killed"),
            "every service ends by itself, while what it needs is still there"
        );
        assert!(status.success(), "up ended with {status}\n{}", self.log());
        for port in self.ports {
            assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "something still listens on {port}");
        }
    }

    /// A command with the default ports replaced by those of this one.
    pub(super) fn with_own_ports(&self, command: &str) -> String {
        let [_, ingest, clickhouse, admin, ..] = self.ports;
        let mut command = command.to_owned();
        for (default, own) in [(8080, ingest), (8123, clickhouse), (9464, admin)] {
            command = command.replace(&format!("127.0.0.1:{default}"), &format!("127.0.0.1:{own}"));
        }
        command
    }

    fn kill(&mut self) {
        let mut child = self.child.take().expect("it was started");
        self.signal(&child, Signal::SIGKILL);
        child.wait().expect("it ends");
    }

    fn signal(&self, child: &Child, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id fits"));
        kill(pid, signal).unwrap_or_else(|error| panic!("failed to signal up: {error}\n{}", self.log()));
    }

    fn send(&self, id: &str) {
        let event = format!(r#"{{"id":"{id}","type":"app.screen_viewed","data":{{"name":"home"}}}}"#);
        let answer = ureq::post(format!("http://127.0.0.1:{}/v1/events", self.ports[1]))
            .header("authorization", "Bearer shop")
            .content_type("application/json")
            .send(event);
        assert_eq!(answer.expect("ingest takes the event").status(), 202);
    }

    /// As a page of this machine sends it, with the same key.
    fn send_from_page(&self, id: &str) {
        let page = "http://localhost:3000";
        let event = format!(r#"[{{"id":"{id}","type":"app.screen_viewed","data":{{"name":"home"}}}}]"#);
        let answer = ureq::post(format!("http://127.0.0.1:{}/v1/events?key=shop", self.ports[1]))
            .header("origin", page)
            .content_type("text/plain;charset=UTF-8")
            .send(event)
            .expect("ingest takes the event");
        let readable_by = answer.headers().get("access-control-allow-origin");
        assert_eq!(readable_by.and_then(|origin| origin.to_str().ok()), Some(page));
    }

    /// The ids of all events, once they are these.
    fn wait_for_ids(&self, ids: &str) {
        let url = format!("http://127.0.0.1:{}", self.ports[2]);
        let clickhouse = ClickHouse::new(&url, "reader", "reader", "cx");
        let query = "SELECT arrayStringConcat(arraySort(groupArray(id)), ' ') FROM cx.events_app";
        until("the events are rows", Duration::from_secs(20), || {
            equal(&clickhouse.query(query)?, &ids.to_owned())
        });
    }

    fn log_file(&self) -> PathBuf {
        self.directory.join("up.log")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already, which is just as well.
            let _killed = child.kill();
            let _ended = child.wait();
        }
    }
}

#[test]
fn up_starts_everything_ctrl_c_stops_it_and_data_survives_even_kill_9() {
    let _turn = turn();
    let directory = tempfile::tempdir().expect("a directory can be made");
    let mut up = Up::new(directory.path());
    up.start(FIRST_READY_WITHIN);
    assert!(up.log().contains("curl"), "it says what to try first:\n{}", up.log());
    up.send("first");
    up.wait_for_ids("first");
    up.interrupt();

    let mut took = Vec::new();
    while took.iter().all(|took| *took > READY_AGAIN_WITHIN) {
        assert!(took.len() < TRIES, "ready again after {took:?}, not within {READY_AGAIN_WITHIN:?}");
        if !took.is_empty() {
            up.interrupt();
        }
        took.push(up.start(FIRST_READY_WITHIN));
    }
    eprintln!("ready again after {took:?}");
    up.wait_for_ids("first");
    up.send_from_page("second");
    up.kill();

    let took = up.start(FIRST_READY_WITHIN);
    eprintln!("ready {took:?} after kill -9");
    up.wait_for_ids("first second");
    up.interrupt();
}
