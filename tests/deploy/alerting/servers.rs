//! The real Prometheus and Alertmanager on the files of `deploy/prometheus`, with the addresses of a test and shorter waiting times.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::PATIENCE;
use super::people::People;
use crate::repository::{files, text};

/// How often Prometheus repeats an alert. When it says nothing of one for four times as long, Alertmanager takes it for ended: that must be
/// longer than a restart, after which Prometheus knows no Alertmanager for five seconds and says nothing until the next repetition.
const RESEND_DELAY: &str = "--rules.alert.resend-delay=10s";

pub(crate) struct Servers {
    directory: tempfile::TempDir,
    prometheus: Option<Child>,
    alertmanager: Option<Child>,
    prometheus_port: u16,
    alertmanager_port: u16,
}

impl Servers {
    /// Starts both; `target` is what says metrics, `changes` what is to be said otherwise in the rules.
    pub(crate) fn start(people: &People, target: &str, changes: &[(&str, &str)]) -> Servers {
        let directory = tempfile::tempdir().expect("a directory");
        let (prometheus_port, alertmanager_port) = (free_port(), free_port());
        configure(directory.path(), people, target, changes, alertmanager_port);
        let mut servers =
            Servers { directory, prometheus: None, alertmanager: None, prometheus_port, alertmanager_port };
        servers.start_alertmanager();
        servers.start_prometheus();
        servers
    }

    fn start_prometheus(&mut self) {
        let listen = format!("--web.listen-address=127.0.0.1:{}", self.prometheus_port);
        self.prometheus = Some(self.spawn(
            "prometheus",
            &["--config.file=prometheus.yml", "--storage.tsdb.path=prometheus-data", RESEND_DELAY, &listen],
        ));
    }

    fn start_alertmanager(&mut self) {
        let listen = format!("--web.listen-address=127.0.0.1:{}", self.alertmanager_port);
        let arguments = [
            "--config.file=alertmanager.yml",
            "--storage.path=alertmanager-data",
            "--cluster.listen-address=",
            &listen,
        ];
        self.alertmanager = Some(self.spawn("prometheus-alertmanager", &arguments));
    }

    fn spawn(&self, program: &str, arguments: &[&str]) -> Child {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.directory.path().join(format!("{program}.log")));
        Command::new(program)
            .args(arguments)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("the test's directory can be written"))
            .spawn()
            .unwrap_or_else(|error| {
                panic!("failed to start {program} (scripts/check-tools test installs it): {error}")
            })
    }

    /// Ends Prometheus and starts it again on its data.
    pub(crate) async fn restart_prometheus(&mut self) {
        end(self.prometheus.take());
        self.start_prometheus();
        self.scraped("touchstream_cx_regression_active").await;
    }

    /// Ends Alertmanager and starts it again on its notes.
    pub(crate) async fn restart_alertmanager(&mut self) {
        end(self.alertmanager.take());
        self.start_alertmanager();
        let url = format!("http://127.0.0.1:{}/-/ready", self.alertmanager_port);
        self.until("Alertmanager", async || get(&url).await.is_some()).await;
    }

    /// Waits until Prometheus has a metric.
    pub(crate) async fn scraped(&self, metric: &str) {
        let url = format!("http://127.0.0.1:{}/api/v1/query?query={metric}", self.prometheus_port);
        let has = async || {
            get(&url)
                .await
                .is_some_and(|answer| !answer["data"]["result"].as_array().is_none_or(Vec::is_empty))
        };
        self.until(metric, has).await;
    }

    /// What Alertmanager knows.
    pub(crate) async fn alerts(&self) -> Vec<Value> {
        let url = format!("http://127.0.0.1:{}/api/v2/alerts", self.alertmanager_port);
        get(&url).await.and_then(|alerts| alerts.as_array().cloned()).unwrap_or_default()
    }

    async fn until(&self, what: &str, condition: impl AsyncFn() -> bool) {
        let begun = Instant::now();
        while !condition().await {
            if begun.elapsed() > PATIENCE {
                let logs = ["prometheus", "prometheus-alertmanager"].map(|program| {
                    std::fs::read_to_string(self.directory.path().join(format!("{program}.log")))
                        .unwrap_or_default()
                });
                panic!("{what} did not come:\n{}", logs.join("\n"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in [self.prometheus.take(), self.alertmanager.take()].into_iter().flatten() {
            end(Some(child));
        }
    }
}

/// Asks a process to end, and waits for it.
fn end(child: Option<Child>) {
    let mut child = child.expect("it runs");
    let id = i32::try_from(child.id()).expect("a process id");
    kill(Pid::from_raw(id), Signal::SIGTERM).expect("a child can be signalled");
    child.wait().expect("it ends");
}

/// The files of `deploy/prometheus` in the test's directory.
fn configure(
    directory: &Path,
    people: &People,
    target: &str,
    changes: &[(&str, &str)],
    alertmanager_port: u16,
) {
    let write = |name: &str, text: String| {
        let file = directory.join(name);
        std::fs::create_dir_all(file.parent().expect("a folder"))
            .expect("the test's directory can be written");
        std::fs::write(file, text).expect("the test's directory can be written");
    };
    for folder in ["rules", "templates", "targets"] {
        for name in files(&format!("deploy/prometheus/{folder}"), "") {
            let text = text(&format!("deploy/prometheus/{folder}/{name}"));
            let change = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
            write(&format!("{folder}/{name}"), changes.iter().fold(text, change));
        }
    }
    let changed = |name: &str, changes: &[(&str, String)]| {
        let mut text = text(&format!("deploy/prometheus/{name}"));
        for (from, to) in changes {
            assert!(text.contains(from), "{name} has no {from} any more");
            text = text.replace(from, to);
        }
        write(name, text);
    };
    changed("targets/up.yml", &[("127.0.0.1:9464", target.to_owned())]);
    let mut prometheus = vec![("127.0.0.1:9093", format!("127.0.0.1:{alertmanager_port}"))];
    let mut alertmanager =
        vec![("127.0.0.1:9095", people.web.to_string()), ("127.0.0.1:25", people.mail.to_string())];
    if !has_deployed_times() {
        prometheus.extend([("15s", "1s".to_owned()), ("10s", "1s".to_owned())]);
        alertmanager.extend([
            ("group_wait: 30s", "group_wait: 2s".to_owned()),
            ("group_wait: 15s", "group_wait: 2s".to_owned()),
            ("group_interval: 5m", "group_interval: 3s".to_owned()),
            ("group_interval: 2m", "group_interval: 3s".to_owned()),
        ]);
    }
    changed("prometheus.yml", &prometheus);
    changed("alertmanager.yml", &alertmanager);
}

/// Whether everything waits as long as `deploy/prometheus` says (`make alert-delay`), so that it can be told how soon somebody is woken.
pub(crate) fn has_deployed_times() -> bool {
    std::env::var_os("DEPLOYED_TIMES").is_some()
}

async fn get(url: &str) -> Option<Value> {
    let url = url.to_owned();
    let ask = move || {
        let agent =
            ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5))).build().new_agent();
        let text = agent.get(&url).call().ok()?.body_mut().read_to_string().ok()?;
        Some(serde_json::from_str(&text).unwrap_or(Value::Null))
    };
    tokio::task::spawn_blocking(ask).await.ok()?
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("a bound address").port()
}
