//! A Kafka and a ClickHouse that run elsewhere (TLS, SASL, users with few rights) replace the local ones by settings alone, and
//! whoever is refused is told why, without a secret being told as well.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use touchstream_local_supervisor::{OwnedProcess, ProcessSpec};

use crate::harness::clickhouse::ClickHouse;
use crate::harness::guarded_kafka::{GuardedKafka, Operation, Resource};
use crate::harness::machine::{KEY, TENANT, free_ports, turn};
use crate::harness::service::Service;
use crate::harness::tls::{Certificate, TlsFront};
use crate::harness::wait::{equal, until};

const KAFKA_USER: &str = "pipeline";
const KAFKA_PASSWORD: &str = "canary-of-kafka-4711";
const CLICKHOUSE_USER: &str = "writer";
const CLICKHOUSE_PASSWORD: &str = "canary-of-clickhouse-4712";
const WRONG_PASSWORD: &str = "canary-of-nobody-4713";

const KAFKA_PASSWORD_FILE: &str = "TOUCHSTREAM__KAFKA__SASL_PASSWORD_FILE";
/// A refusal must come long before a time-out would.
const REFUSED_WITHIN: Duration = Duration::from_secs(15);

/// Somebody else's Kafka and ClickHouse, and the one file of settings that leads to them.
struct Elsewhere {
    clickhouse: Service,
    clickhouse_address: SocketAddr,
    kafka: GuardedKafka,
    _front: TlsFront,
    guarded: u16,
    ingest: u16,
    admins: [(&'static str, u16); 3],
    up_admin: u16,
    directory: PathBuf,
}

impl Elsewhere {
    fn start(directory: &Path) -> Elsewhere {
        let [
            open,
            guarded,
            clickhouse,
            front,
            ingest,
            ingest_admin,
            processor_admin,
            sink_admin,
            clickhouse_admin,
            up_admin,
        ] = free_ports();
        let certificate = Certificate::new(&directory.join("certificate"));
        let secret = |name: &str, text: &str| {
            std::fs::write(directory.join(name), format!("{text}\n")).expect("a secret can be written");
            directory.join(name).display().to_string()
        };
        secret("wrong-password", WRONG_PASSWORD);
        let settings = format!(
            "[kafka]\nbrokers = \"127.0.0.1:{guarded}\"\ntopic_prefix = \"other\"\npartitions = 3\n\
             security_protocol = \"sasl_ssl\"\nsasl_mechanism = \"SCRAM-SHA-512\"\nsasl_username = \"{KAFKA_USER}\"\n\
             sasl_password_file = \"{kafka_password}\"\nssl_ca_file = \"{authority}\"\n\
             [clickhouse]\nurl = \"https://127.0.0.1:{front}\"\ndatabase = \"elsewhere\"\nuser = \"{CLICKHOUSE_USER}\"\n\
             password_file = \"{clickhouse_password}\"\nca_file = \"{authority}\"\n\
             [log]\nlevel = \"debug\"\n\
             [ingest]\nlisten = \"127.0.0.1:{ingest}\"\nadmin = \"127.0.0.1:{ingest_admin}\"\n\
             static_keys = [\"{KEY}:{TENANT}:web\"]\npseudonym_secret = \"a secret of thirty-two characters\"\n\
             [processor]\nadmin = \"127.0.0.1:{processor_admin}\"\n\
             [sink]\nadmin = \"127.0.0.1:{sink_admin}\"\n\
             [local]\nclickhouse_listen = \"127.0.0.1:{clickhouse}\"\nclickhouse_admin = \"127.0.0.1:{clickhouse_admin}\"\n\
             admin = \"127.0.0.1:{up_admin}\"\ndata_dir = \"{data}\"\n",
            kafka_password = secret("kafka-password", KAFKA_PASSWORD),
            clickhouse_password = secret("clickhouse-password", CLICKHOUSE_PASSWORD),
            authority = certificate.authority.display(),
            data = directory.join("elsewhere").display(),
        );
        std::fs::write(directory.join("touchstream.toml"), settings).expect("the settings can be written");

        let clickhouse_address = SocketAddr::from((Ipv4Addr::LOCALHOST, clickhouse));
        let mut engine = Service::new("clickhouse", directory, &format!("127.0.0.1:{clickhouse_admin}"));
        engine.start();
        let kafka = GuardedKafka::start(&directory.join("kafka"), open, guarded, &certificate);
        kafka.add_user(KAFKA_USER, KAFKA_PASSWORD);
        // The rights that docs/production.md asks for, and no others.
        let topics = [
            Operation::Read,
            Operation::Write,
            Operation::Create,
            Operation::Describe,
            Operation::DescribeConfigs,
        ];
        kafka.allow(KAFKA_USER, Resource::Topic, "other.", &topics);
        kafka.allow(KAFKA_USER, Resource::Group, "touchstream-", &[Operation::Read]);
        kafka.allow(KAFKA_USER, Resource::Group, "other-keys-", &[Operation::Read]);
        kafka.allow(KAFKA_USER, Resource::TransactionalId, "touchstream-", &[Operation::Write]);
        engine.wait_ready();
        Elsewhere {
            clickhouse: engine,
            clickhouse_address,
            kafka,
            _front: TlsFront::start(front, clickhouse_address, &certificate),
            guarded,
            ingest,
            admins: [("ingest", ingest_admin), ("processor", processor_admin), ("sink", sink_admin)],
            up_admin,
            directory: directory.to_owned(),
        }
    }

    fn services(&self) -> [Service; 3] {
        self.admins.map(|(name, port)| Service::new(name, &self.directory, &format!("127.0.0.1:{port}")))
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_touchstream"));
        command.arg(name).arg("--config").arg(self.directory.join("touchstream.toml"));
        command
    }

    fn set_up(&self) {
        let output = self.command("setup").output().expect("the binary runs");
        self.keep(&output);
        assert!(output.status.success(), "setup: {}", said(&output));
    }

    /// Setup with one setting changed fails soon, and its last words contain all of these.
    fn set_up_is_refused(&self, variable: &str, value: &str, words: &[&str]) {
        let begun = Instant::now();
        let output = self
            .command("setup")
            .env(variable, self.directory.join(value))
            .output()
            .expect("the binary runs");
        self.keep(&output);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{variable}={value}: {said}");
        let last = said.lines().last().unwrap_or_default();
        for word in words {
            assert!(last.contains(word), "{variable}={value} does not say {word}: {said}");
        }
        assert!(begun.elapsed() < REFUSED_WITHIN, "{variable}={value}: only after {:?}", begun.elapsed());
    }

    /// With a wrong password no service is silent: one waits and says so, the others end and say so.
    fn services_are_refused(&self) {
        let wrong = self.directory.join("wrong-password");
        let mut services = self.services().map(|service| service.with(KAFKA_PASSWORD_FILE, &wrong));
        for service in &mut services {
            service.start();
        }
        let [ingest, processor, sink] = &mut services;
        let reason = "SASL authentication error: Authentication failed";
        for service in [processor, sink] {
            service.wait_failed(REFUSED_WITHIN);
            let log = service.log();
            assert!(
                log.contains(reason) && log.contains("kafka.sasl_password_file"),
                "{}: {log}",
                service.name
            );
        }
        until("ingest says why it is not ready", REFUSED_WITHIN, || {
            let readiness = ingest.readiness()?;
            if readiness.contains(reason) { Ok(()) } else { Err(readiness) }
        });
        assert!(ingest.log().contains(reason), "{}", ingest.log());
        ingest.kill();
    }

    fn send(&self, id: &str) {
        let event = format!(
            r#"{{"id":"{id}","type":"feedback.answered","context":{{"touchpoint":"{id}","channel":"web"}},"data":{{"survey_id":"nps","metric":"nps","score":9}}}}"#
        );
        let answer = ureq::post(format!("http://127.0.0.1:{}/v1/events", self.ingest))
            .header("authorization", &format!("Bearer {KEY}"))
            .content_type("application/json")
            .send(event);
        assert_eq!(answer.expect("ingest takes the event").status(), 202);
    }

    fn query(&self, query: &str) -> Result<String, String> {
        let url = format!("http://{}", self.clickhouse_address);
        ClickHouse::new(&url, CLICKHOUSE_USER, CLICKHOUSE_PASSWORD, "elsewhere").query(query)
    }

    /// The event is a row, and in the windows.
    fn arrives(&self, id: &str) {
        let row = format!("SELECT tenant, score FROM elsewhere.events_feedback WHERE id = '{id}'");
        let expected = format!("{TENANT}\t9");
        until("the event is a row", Duration::from_secs(20), || equal(&self.query(&row)?, &expected));
        let window = format!(
            "SELECT n, value FROM elsewhere.nps WHERE touchpoint = '{id}' AND channel = 'all' AND device = 'all' \
             AND window = '1h' ORDER BY window_end DESC LIMIT 1"
        );
        until("the event is in the windows", Duration::from_secs(20), || {
            equal(&self.query(&window)?, &"1\t100".to_owned())
        });
    }

    /// Everything stands under the configured names, and nothing under the default ones.
    fn assert_names(&self) {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.kafka.bootstrap())
            .create()
            .expect("a client can be made");
        let metadata = consumer.fetch_metadata(None, Duration::from_secs(10)).expect("Kafka answers");
        let topics: Vec<_> =
            metadata.topics().iter().filter(|topic| !topic.name().starts_with("__")).collect();
        for topic in &topics {
            let has_one =
                ["other.keys", "other.marks", "other.rejected", "other.replays"].contains(&topic.name());
            let partitions = if has_one { 1 } else { 3 };
            assert_eq!(topic.partitions().len(), partitions, "{}", topic.name());
            assert!(topic.name().starts_with("other."), "{}", topic.name());
        }
        assert!(topics.iter().any(|topic| topic.name() == "other.feedback"), "the topics are made");
        let databases = self.query("SELECT count() FROM system.databases WHERE name = 'cx'");
        assert_eq!(databases.as_deref(), Ok("0"), "nothing is made under the default name");
    }

    /// `up` with the same file brings up the services alone.
    fn up(&self) -> OwnedProcess {
        let spec = ProcessSpec {
            program: env!("CARGO_BIN_EXE_touchstream").into(),
            arguments: ["up", "--config"]
                .map(Into::into)
                .into_iter()
                .chain([self.directory.join("touchstream.toml").into()])
                .chain(["--data-dir".into(), self.directory.join("up").into()])
                .collect(),
            environment: Vec::new(),
            log_file: self.directory.join("up.log"),
        };
        let process = OwnedProcess::spawn(&spec).expect("the binary runs");
        let url = format!("http://127.0.0.1:{}/readyz", self.up_admin);
        let (state, _) = until("up is ready", Duration::from_secs(60), || {
            let ended = process.status();
            assert!(ended.is_none(), "up ended with {ended:?}:\n{}", process.last_lines(30).join("\n"));
            let mut answer = ureq::get(&url).call().map_err(|error| error.to_string())?;
            answer.body_mut().read_json::<serde_json::Value>().map_err(|error| error.to_string())
        });
        let services = state["services"].as_array().expect("a list of services");
        let names: Vec<_> = services.iter().filter_map(|service| service["name"].as_str()).collect();
        assert_eq!(names, ["setup", "ingest", "processor", "sink"], "neither Kafka nor ClickHouse: {state}");
        process
    }

    /// Keeps what a command said with the logs.
    fn keep(&self, output: &Output) {
        use std::io::Write as _;
        let path = self.directory.join("setup.log");
        let mut log =
            std::fs::File::options().create(true).append(true).open(path).expect("a log can be kept");
        log.write_all(&output.stdout)
            .and_then(|()| log.write_all(&output.stderr))
            .expect("it can be written");
    }

    /// No password stands in any log, nor in what `config` shows.
    fn assert_secrets_are_kept(&self) {
        let shown = self.command("config").output().expect("the binary runs");
        assert!(shown.status.success(), "{}", said(&shown));
        let mut texts = vec![("touchstream config".into(), said(&shown))];
        collect_logs(&self.directory, &mut texts);
        for name in ["setup.log", "ingest.log", "processor.log", "sink.log", "clickhouse.log", "up.log"] {
            assert!(texts.iter().any(|(path, text)| path.ends_with(name) && !text.is_empty()), "no {name}");
        }
        for (path, text) in texts {
            for secret in [KAFKA_PASSWORD, CLICKHOUSE_PASSWORD, WRONG_PASSWORD] {
                assert!(!text.contains(secret), "{} contains {secret}", path.display());
            }
        }
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

fn collect_logs(directory: &Path, texts: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(directory).expect("the directory can be read") {
        let path = entry.expect("the directory can be read").path();
        if path.is_dir() {
            collect_logs(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "log")
            && let Ok(text) = std::fs::read(&path)
        {
            texts.push((path, String::from_utf8_lossy(&text).into_owned()));
        }
    }
}

#[test]
fn a_kafka_and_a_clickhouse_elsewhere_replace_the_local_ones_and_refusals_are_clear() {
    let _turn = turn();
    let directory = tempfile::tempdir().expect("a directory can be made");
    let stranger = Certificate::new(&directory.path().join("stranger"));
    let stranger =
        stranger.authority.strip_prefix(directory.path()).expect("it is below").display().to_string();
    let mut elsewhere = Elsewhere::start(directory.path());
    let guarded = format!("127.0.0.1:{}", elsewhere.guarded);

    let password = [&guarded, "SASL authentication error: Authentication failed", "kafka.sasl_password_file"];
    elsewhere.set_up_is_refused(KAFKA_PASSWORD_FILE, "wrong-password", &password);
    let authority = [&guarded, "certificate", "kafka.ssl_ca_file"];
    elsewhere.set_up_is_refused("TOUCHSTREAM__KAFKA__SSL_CA_FILE", &stranger, &authority);
    elsewhere.set_up_is_refused(
        "TOUCHSTREAM__CLICKHOUSE__CA_FILE",
        &stranger,
        &["certificate verify failed"],
    );
    let user = ["Authentication failed", CLICKHOUSE_USER];
    elsewhere.set_up_is_refused("TOUCHSTREAM__CLICKHOUSE__PASSWORD_FILE", "wrong-password", &user);

    elsewhere.set_up();
    elsewhere.assert_names();
    elsewhere.services_are_refused();

    let mut services = elsewhere.services();
    for service in &mut services {
        service.start();
    }
    for service in &services {
        service.wait_ready();
    }
    elsewhere.send("by-services");
    elsewhere.arrives("by-services");
    for service in &mut services {
        service.stop();
    }

    let up = elsewhere.up();
    elsewhere.send("by-up");
    elsewhere.arrives("by-up");
    up.signal(Signal::SIGINT);
    let ended = up.wait_timeout(Duration::from_secs(40));
    assert!(ended.is_some_and(|status| status.success()), "up ended with {ended:?}");
    elsewhere.clickhouse.stop();
    elsewhere.assert_secrets_are_kept();
}
