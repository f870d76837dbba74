//! A Kafka as a company runs it: clients come in by TLS and SCRAM, and may do only what its rules allow.
//!
//! It is the broker of `deploy/local/kafka` with a second listener; the first, without any guard, is the operator's own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use touchstream_local_kafka::KafkaOptions;
use touchstream_local_parts::Progress;
use touchstream_local_supervisor::{OwnedProcess, ProcessSpec};

use super::tls::Certificate;
use super::wait::until;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// What a rule is about, by its number in Kafka's protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resource {
    Topic = 2,
    Group = 3,
    TransactionalId = 5,
}

/// What a rule allows, by its number in Kafka's protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    Read = 3,
    Write = 4,
    Create = 5,
    Describe = 8,
    DescribeConfigs = 10,
}

/// A running broker; it ends with this value.
#[derive(Debug)]
pub(crate) struct GuardedKafka {
    spec: ProcessSpec,
    options: KafkaOptions,
    process: OwnedProcess,
}

impl GuardedKafka {
    /// Starts it; `port` is the operator's, `guarded` everybody else's.
    pub(crate) fn start(
        directory: &Path,
        port: u16,
        guarded: u16,
        certificate: &Certificate,
    ) -> GuardedKafka {
        let parts = touchstream_local_parts::kafka(&Progress::silent()).expect("Kafka's jars can be fetched");
        let options = KafkaOptions::new(parts.jars, directory, port);
        let spec = touchstream_local_kafka::prepare(&options).expect("Kafka's directory can be prepared");
        let pem = directory.join("keystore.pem");
        std::fs::write(&pem, certificate.key_and_certificate()).expect("the key store can be written");
        let file = directory.join("server.properties");
        let mut settings = std::fs::read_to_string(&file).expect("the settings were just rendered");
        let open = format!("PLAINTEXT://127.0.0.1:{port}");
        let both = format!("{open},SASL_SSL://127.0.0.1:{guarded}");
        for (old, new) in [
            (open.as_str(), both.as_str()),
            ("PLAINTEXT:PLAINTEXT,", "PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,"),
        ] {
            assert!(settings.contains(old), "the rendered settings name {old}:\n{settings}");
            settings = settings.replace(old, new);
        }
        settings.push_str(&format!(
            "sasl.enabled.mechanisms=SCRAM-SHA-512\n\
             listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
             org.apache.kafka.common.security.scram.ScramLoginModule required;\n\
             ssl.keystore.type=PEM\n\
             ssl.keystore.location={}\n\
             authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
             super.users=User:ANONYMOUS\n",
            pem.display()
        ));
        std::fs::write(&file, settings).expect("the settings can be written");
        let process = OwnedProcess::spawn(&spec).expect("Kafka starts");
        let kafka = GuardedKafka { spec, options, process };
        until("Kafka is ready", READY_WITHIN, || {
            let ended = kafka.process.status();
            assert!(
                ended.is_none(),
                "Kafka ended with {ended:?}:\n{}",
                kafka.process.last_lines(20).join("\n")
            );
            touchstream_local_kafka::check_ready(&kafka.options, Duration::from_secs(2))
                .map_err(|error| error.to_string())
        });
        kafka
    }

    /// The operator's address.
    pub(crate) fn bootstrap(&self) -> String {
        self.options.bootstrap()
    }

    /// Makes a user with a password, by Kafka's own tool.
    pub(crate) fn add_user(&self, user: &str, password: &str) {
        let mut options = self.spec.arguments.iter().skip_while(|option| *option != "-cp").skip(1);
        let output = Command::new(&self.spec.program)
            .args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-cp"])
            .arg(options.next().expect("the broker has a class path"))
            .args(["kafka.admin.ConfigCommand", "--bootstrap-server", &self.bootstrap(), "--alter"])
            .arg("--add-config")
            .arg(format!("SCRAM-SHA-512=[password={password}]"))
            .args(["--entity-type", "users", "--entity-name", user])
            .output()
            .expect("Java runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "adding a user: {}: {said}", output.status);
    }

    /// Allows a user to do things with everything whose name starts with `prefix`: Kafka's request CreateAcls, version 1.
    pub(crate) fn allow(&self, user: &str, resource: Resource, prefix: &str, operations: &[Operation]) {
        const PREFIXED: u8 = 4;
        const ALLOW: u8 = 3;
        let mut request = Vec::new();
        request.extend(30_i16.to_be_bytes());
        request.extend(1_i16.to_be_bytes());
        request.extend(1_i32.to_be_bytes());
        text(&mut request, "test");
        request.extend(i32::try_from(operations.len()).expect("they are few").to_be_bytes());
        for operation in operations {
            request.push(resource as u8);
            text(&mut request, prefix);
            request.push(PREFIXED);
            text(&mut request, &format!("User:{user}"));
            text(&mut request, "*");
            request.push(*operation as u8);
            request.push(ALLOW);
        }
        let mut stream = TcpStream::connect(self.bootstrap()).expect("Kafka listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time can be set");
        stream
            .write_all(&i32::try_from(request.len()).expect("it is short").to_be_bytes())
            .and_then(|()| stream.write_all(&request))
            .expect("the request can be sent");
        let mut size = [0; 4];
        stream.read_exact(&mut size).expect("Kafka answers");
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(size)).expect("a size")];
        stream.read_exact(&mut answer).expect("Kafka answers");
        // Correlation, throttling, count; then for each rule a code, and a text that is empty when all is well.
        let results: Vec<_> = answer.get(12..).unwrap_or_default().chunks(4).collect();
        let is_well =
            results.len() == operations.len() && results.iter().all(|result| result.starts_with(&[0, 0]));
        assert!(is_well, "{resource:?} {operations:?}: {}", String::from_utf8_lossy(&answer));
    }
}

fn text(request: &mut Vec<u8>, text: &str) {
    request.extend(i16::try_from(text.len()).expect("it is short").to_be_bytes());
    request.extend(text.as_bytes());
}
