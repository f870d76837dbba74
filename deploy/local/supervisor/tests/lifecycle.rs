//! Real child processes under a real supervisor: order, restart, readiness, merged metrics, and nothing left behind.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use touchstream_local_parts::Progress;
use touchstream_local_supervisor::{
    ChildSpec, DataDirLock, Phase, Readiness, ServiceState, Supervisor, SupervisorError, SupervisorOptions,
};

/// A service in a few lines: says on its port that it is ready, exposes a metric, and notes in a file when it begins and ends.
const SERVICE: &str = r##"
import http.server, os, signal, sys
name, port, journal = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def note(what):
    with open(journal, "a") as file:
        file.write(f"{what} {name}\n")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"# HELP work_total work\n# TYPE work_total counter\nwork_total 7\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
def end(*arguments):
    note("end")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
note("begin")
print(f"{name} listens", flush=True)
server.serve_forever()
"##;

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    listener.local_addr().expect("address").port()
}

fn python(name: &str, journal: &Path) -> ChildSpec {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/readyz");
    ChildSpec::service(name, "python3")
        .arguments(["-c", SERVICE, name, &port.to_string()])
        .arguments([journal])
        .readiness(Readiness::Http(url.clone()))
        .metrics_url(url)
        .stop_grace(Duration::from_secs(10))
}

fn options(directory: &Path) -> SupervisorOptions {
    SupervisorOptions {
        lock: DataDirLock::acquire(directory).expect("lock"),
        admin_address: SocketAddr::from(([127, 0, 0, 1], 0)),
        progress: Progress::silent(),
    }
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, future).await.unwrap_or_else(|_| panic!("{what} took longer than {limit:?}"))
}

async fn wait_for(supervisor: &Supervisor, what: &str, condition: impl Fn(&[ServiceState]) -> bool) {
    let begun = Instant::now();
    while !condition(&supervisor.services()) {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}: {:?}", supervisor.services());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn get(address: SocketAddr, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).expect("connect");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("write");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_in_order_restarts_what_dies_and_stops_in_reverse() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let journal = directory.path().join("journal");
    let setup = ChildSpec::one_shot("setup", "sh")
        .arguments(["-c", "echo done setup >> \"$0\""])
        .arguments([&journal])
        .depends_on(["store"]);
    let plan =
        vec![python("store", &journal), setup, python("reader", &journal).depends_on(["store", "setup"])];
    let supervisor = Supervisor::start(options(directory.path()), plan).await.expect("start");
    within("becoming ready", supervisor.ready()).await.expect("ready");

    let admin = supervisor.admin_address();
    let ready = tokio::task::spawn_blocking(move || get(admin, "/readyz")).await.expect("get");
    assert!(ready.starts_with("HTTP/1.1 200") && ready.contains("\"ready\":true"), "{ready}");
    assert!(ready.contains("\"phase\":\"completed\""), "{ready}");

    let pid = supervisor.services()[2].pid.expect("the reader runs");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), nix::sys::signal::SIGKILL)
        .expect("kill");
    wait_for(&supervisor, "the reader comes back", |services| {
        services[2].restarts == 1 && services[2].phase == Phase::Ready && services[2].pid != Some(pid)
    })
    .await;

    let metrics = tokio::task::spawn_blocking(move || get(admin, "/metrics")).await.expect("get");
    assert_eq!(metrics.matches("# TYPE work_total counter").count(), 1, "{metrics}");
    for line in [
        "work_total{service=\"store\"} 7",
        "work_total{service=\"reader\"} 7",
        "touchstream_up_restarts_total{service=\"reader\"} 1",
        "touchstream_up_service_ready{service=\"setup\"} 1",
        "touchstream_up_scraped{service=\"store\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }

    within("stopping", supervisor.stop()).await;
    let journal = std::fs::read_to_string(&journal).expect("journal");
    let lines: Vec<&str> = journal.lines().collect();
    assert_eq!(
        lines,
        ["begin store", "done setup", "begin reader", "begin reader", "end reader", "end store"],
        "the killed reader could not note its end"
    );
    let log = std::fs::read_to_string(directory.path().join("logs/reader.log")).expect("log");
    assert_eq!(log, "reader listens\nreader listens\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_cannot_start_is_reported_with_its_last_words() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let broken = ChildSpec::service("broken", "sh").arguments(["-c", "echo no such key: colour >&2; exit 2"]);
    let broken = broken.readiness(Readiness::Http(format!("http://127.0.0.1:{}/", free_port())));
    let waiting = ChildSpec::service("waiting", "sleep").arguments(["1000"]).depends_on(["broken"]);
    let supervisor =
        Supervisor::start(options(directory.path()), vec![broken, waiting]).await.expect("start");
    let error = within("failing", supervisor.ready()).await.expect_err("broken cannot start");
    assert!(
        matches!(&error, SupervisorError::StartFailed { service, reason }
            if service == "broken" && reason.contains("no such key: colour")),
        "{error}"
    );
    assert_eq!(supervisor.services()[0].restarts, 0, "wrong configuration is not tried again");
    assert_eq!(supervisor.services()[1].phase, Phase::Waiting);
    within("stopping", supervisor.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ignores_the_request_to_end_is_killed_with_its_own_children() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let grandchild = directory.path().join("grandchild");
    let stubborn = ChildSpec::service("stubborn", "sh")
        .arguments(["-c", "trap '' TERM; sleep 1000 & echo $! > \"$0\"; while :; do sleep 1; done"])
        .arguments([&grandchild])
        .stop_grace(Duration::from_millis(300));
    let supervisor = Supervisor::start(options(directory.path()), vec![stubborn]).await.expect("start");
    within("becoming ready", supervisor.ready()).await.expect("ready");
    wait_for(&supervisor, "the grandchild runs", |_| {
        std::fs::read_to_string(&grandchild).is_ok_and(|pid| pid.ends_with('\n'))
    })
    .await;
    let pid = std::fs::read_to_string(&grandchild).expect("pid");
    within("stopping", supervisor.stop()).await;

    let status = Path::new("/proc").join(pid.trim()).join("status");
    let begun = Instant::now();
    // Nobody may be there to bury it: a zombie is as dead as it gets here.
    while std::fs::read_to_string(&status).is_ok_and(|status| !status.contains("State:\tZ")) {
        assert!(begun.elapsed() < Duration::from_secs(10), "the grandchild {pid} still runs");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn a_plan_with_an_unknown_dependency_is_refused() {
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    let directory = tempfile::tempdir().expect("temporary directory");
    let plan = vec![ChildSpec::service("sink", "true").depends_on(["kafka"])];
    let error = runtime.block_on(Supervisor::start(options(directory.path()), plan)).expect_err("unknown");
    assert!(error.to_string().contains("sink depends on kafka"), "{error}");
}

const SUPERVISE_IN: &str = "TOUCHSTREAM_TEST_SUPERVISE_IN";

/// Not a test by itself: the `up` that the next test sends signals to.
#[test]
fn supervise_until_stopped() {
    let Some(directory) = std::env::var_os(SUPERVISE_IN) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    let directory = Path::new(&directory);
    let is_trapping = directory.join("trapping");
    let check = move || if is_trapping.exists() { Ok(()) } else { Err("it does not trap yet".into()) };
    runtime.block_on(async {
        let patient = ChildSpec::service("patient", "sh")
            .arguments([
                "-c",
                "trap 'echo > \"$0/asked\"' TERM; echo > \"$0/trapping\"; while :; do sleep 0.1; done",
            ])
            .arguments([directory])
            .readiness(Readiness::check(check))
            .stop_grace(Duration::from_secs(1000));
        let supervisor = Supervisor::start(options(directory), vec![patient]).await.expect("start");
        supervisor.ready().await.expect("ready");
        std::fs::write(directory.join("ready"), "").expect("write");
        supervisor.stop_asked().await;
        supervisor.stop().await;
    });
}

#[test]
fn the_first_signal_stops_in_order_and_the_second_kills_at_once() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let mut up = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "supervise_until_stopped"])
        .env(SUPERVISE_IN, directory.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("spawn");
    let signal = |pid: u32| {
        let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::SIGINT).expect("signal");
    };
    let wait_until = |what: &str, condition: &mut dyn FnMut() -> bool| {
        let begun = Instant::now();
        while !condition() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{what} takes too long");
            std::thread::sleep(Duration::from_millis(10));
        }
    };

    wait_until("becoming ready", &mut || directory.path().join("ready").exists());
    let refused = DataDirLock::acquire(directory.path()).expect_err("the directory is in use").to_string();
    assert!(refused.contains(&format!("pid {}", up.id())), "{refused}");

    signal(up.id());
    wait_until("asking the child to end", &mut || directory.path().join("asked").exists());
    assert!(up.try_wait().expect("wait").is_none(), "it waits for the child as long as it is allowed to");
    signal(up.id());
    wait_until("ending", &mut || up.try_wait().expect("wait").is_some());
    assert!(up.wait().expect("wait").success());
    DataDirLock::acquire(directory.path()).expect("the directory is free again");
}
